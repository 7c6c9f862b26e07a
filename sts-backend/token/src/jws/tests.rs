use jwt_simple::{
    algorithms::{ECDSAP256KeyPairLike, ECDSAP256PublicKeyLike, ES256KeyPair, RS256KeyPair, RSAKeyPairLike},
    claims::Claims,
    prelude::Duration,
};
use proptest::prelude::*;

use super::*;
use crate::jwk::{Jwk, KeyMaterial};

/// Judges ES256 by an implementation that shares no code with the one the STS uses.
struct Independent;

impl VerifySignature for Independent {
    fn verify_signature(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let KeyMaterial::Ec { point } = key.material() else { return false };
        // jwt-simple verifies whole tokens, so the message is put back together with the signature.
        let Ok(public) = jwt_simple::algorithms::ES256PublicKey::from_bytes(point) else { return false };
        let token = format!("{}.{}", String::from_utf8_lossy(message), base64url::encode(signature));
        public.verify_token::<serde_json::Value>(&token, None).is_ok()
    }
}

/// A verifier that must not be reached.
struct Unreached;

impl VerifySignature for Unreached {
    fn verify_signature(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> bool {
        panic!("the signature was judged though the token should have been refused before")
    }
}

fn signed() -> (String, PublicKey) {
    let pair = ES256KeyPair::generate().with_key_id("k1");
    let claims = Claims::create(Duration::from_mins(1)).with_issuer("https://issuer.example");
    let token = pair.sign(claims).unwrap();
    let jwk = Jwk::es256(&pair.public_key().public_key().to_bytes_uncompressed()).unwrap();
    (token, PublicKey::from_jwk(&jwk).unwrap())
}

fn token_of(header: &str, payload: &str) -> String {
    format!("{}.{}.{}", base64url::encode(header), base64url::encode(payload), base64url::encode([7; 64]))
}

fn refusal(token: &str) -> JwsError {
    match CompactJws::parse(token, &[Algorithm::Es256]) {
        Err(error) => error,
        Ok(_) => panic!("parsed: {token}"),
    }
}

#[test]
fn a_token_of_an_independent_implementation_verifies() {
    let (token, key) = signed();
    let jws = CompactJws::parse(&token, &[Algorithm::Es256]).unwrap();
    assert_eq!(jws.header().kid.as_deref(), Some("k1"));
    assert_eq!(jws.unverified_issuer().as_deref(), Some("https://issuer.example"));
    let verified = jws.verify(&key, &Independent).unwrap();
    assert_eq!(verified.claims()["iss"], "https://issuer.example");
}

#[test]
fn a_changed_payload_does_not_verify() {
    let (token, key) = signed();
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[1] = base64url::encode(r#"{"iss":"https://issuer.example","admin":true}"#);
    let forged = parts.join(".");
    let jws = CompactJws::parse(&forged, &[Algorithm::Es256]).unwrap();
    assert_eq!(jws.verify(&key, &Independent).unwrap_err(), JwsError::Signature);
}

#[test]
fn none_macs_and_unlisted_algorithms_are_refused_by_name() {
    for name in ["none", "None", "nOnE", "HS256", "HS512", "RS256", "ES384", "ES521", "es256", " ES256"] {
        let token = token_of(&format!(r#"{{"alg":"{name}"}}"#), "{}");
        let JwsError::Algorithm(got) = refusal(&token) else { panic!("{name}") };
        assert_eq!(got, name.trim());
    }
}

#[test]
fn a_key_verifies_with_its_own_algorithm_only() {
    let pair = RS256KeyPair::generate(2048).unwrap();
    let token = pair.sign(Claims::create(Duration::from_mins(1))).unwrap();
    let (_, es256_key) = signed();
    let jws = CompactJws::parse(&token, &[Algorithm::Rs256, Algorithm::Es256]).unwrap();
    assert_eq!(jws.verify(&es256_key, &Unreached).unwrap_err(), JwsError::Algorithm("RS256".into()));
}

#[test]
fn a_header_that_asks_for_an_extension_or_says_things_twice_is_refused() {
    for header in [
        r#"{"alg":"ES256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"ES256","b64":false}"#,
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"{"alg":"ES256","kid":7}"#,
        r#"{"alg":"ES256","kid":""}"#,
        r#"{"kid":"k"}"#,
        r#"["ES256"]"#,
        "not json",
    ] {
        assert!(matches!(refusal(&token_of(header, "{}")), JwsError::Header(_)), "{header}");
    }
}

#[test]
fn shapes_that_are_not_compact_jws_are_refused() {
    let good = token_of(r#"{"alg":"ES256"}"#, "{}");
    for token in [
        String::new(),
        "...".to_owned(),
        "a.b".to_owned(),
        format!("{good}.x"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        good.replacen('.', "..", 1),
        good.rsplit_once('.').unwrap().0.to_owned() + ".",
    ] {
        assert_eq!(refusal(&token), JwsError::NotCompact, "{token:?}");
    }
}

#[test]
fn length_is_bounded_before_anything_is_decoded() {
    assert_eq!(refusal(&"a".repeat(MAX_TOKEN_LENGTH + 1)), JwsError::TooLong);
    assert_eq!(refusal(&"a".repeat(1_000_000)), JwsError::TooLong);
    let long_header = token_of(&format!(r#"{{"alg":"ES256","x":"{}"}}"#, "a".repeat(3000)), "{}");
    assert!(matches!(refusal(&long_header), JwsError::Header(_)));
}

#[test]
fn doubled_claims_are_refused_after_the_signature() {
    struct Accepts;
    impl VerifySignature for Accepts {
        fn verify_signature(&self, _: &PublicKey, _: &[u8], _: &[u8]) -> bool {
            true
        }
    }
    let (_, key) = signed();
    let token = token_of(r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#);
    let jws = CompactJws::parse(&token, &[Algorithm::Es256]).unwrap();
    assert_eq!(jws.verify(&key, &Accepts).unwrap_err(), JwsError::Payload);
}

#[test]
fn errors_quote_nothing_of_the_token_but_a_bounded_algorithm() {
    let token = token_of(&format!(r#"{{"alg":"{}"}}"#, "S".repeat(500)), "{}");
    assert!(refusal(&token).to_string().len() < 100);
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[ -~]{0,200}") {
        let _ = CompactJws::parse(&text, &Algorithm::ALL);
    }

    #[test]
    fn a_token_with_one_byte_changed_never_verifies(position in 0usize..200, replacement in "[A-Za-z0-9_-]") {
        let (token, key) = signed();
        let position = position % token.len();
        let mut changed = token.clone();
        changed.replace_range(position..=position, &replacement);
        prop_assume!(changed != token);
        let verified = CompactJws::parse(&changed, &[Algorithm::Es256])
            .and_then(|jws| jws.verify(&key, &Independent));
        prop_assert!(verified.is_err());
    }
}
