use std::collections::BTreeMap;

use serde_json::{Value, json};
use token::{base64url, jwk::Jwk};

use super::*;
use crate::{
    crypto::Es256Key,
    identity::{OidcClaims, Platform, Preset, SourceSettings, fake_issuer::FakeIssuer},
};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://sts.test";

struct World {
    issuer: FakeIssuer,
    key: Es256Key,
    sources: Sources,
    _folder: tempfile::TempDir,
}

async fn world() -> World {
    let issuer = FakeIssuer::start().await;
    let (key, _) = Es256Key::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let jwks = issuer.publish(json!([Jwk::es256(key.public_point()).unwrap()]), folder.path());
    let settings = SourceSettings {
        name: "test".into(),
        audience: AUDIENCE.into(),
        actors: None,
        preset: Preset::Oidc {
            issuer: ISSUER.into(),
            algorithms: vec![Algorithm::Es256],
            claims: OidcClaims::default(),
        },
        jwks,
    };
    let sources = Sources::new(vec![settings], "td.test", None).unwrap();
    World { issuer, key, sources, _folder: folder }
}

impl World {
    fn header(&self) -> Value {
        json!({"alg": "ES256", "kid": Jwk::es256(self.key.public_point()).unwrap().kid.unwrap()})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
        format!("{input}.{}", base64url::encode(self.key.sign(input.as_bytes()).unwrap()))
    }

    async fn verify(&self, token: &str) -> Result<VerifiedSubject, Refusal> {
        verify(&self.sources, &VerifiedActor::for_tests(None), &Secret::new(token), NOW).await
    }

    async fn refusal(&self, token: &str) -> (Reason, Option<String>) {
        let refusal = self.verify(token).await.unwrap_err();
        assert!(refusal.claim_name().is_some(), "{refusal:?}");
        assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{refusal:?}");
        let longest = token.split('.').max_by_key(|part| part.len()).unwrap();
        assert!(longest.len() < 20 || !format!("{refusal:?}").contains(longest), "the token is quoted: {refusal:?}");
        (refusal.reason(), refusal.claim_name().map(str::to_owned))
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "job", "iat": NOW - 10, "exp": NOW + 300})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_good_token_gives_name_attributes_and_expiry() {
    let world = world().await;
    let token = world.sign(&world.header(), &claims());
    let subject = world.verify(&token).await.unwrap();
    assert_eq!(subject.name().as_str(), "spiffe://td.test/oidc/test/job");
    assert_eq!((subject.source(), subject.platform(), subject.issuer()), ("test", Platform::Oidc, ISSUER));
    assert_eq!((subject.subject(), subject.expires_at()), ("job", NOW + 300));
    let list = world.sign(&world.header(), &with("aud", json!([AUDIENCE])));
    assert!(world.verify(&list).await.is_ok());
}

#[tokio::test]
async fn every_wrong_claim_is_refused_and_named() {
    let world = world().await;
    for (name, value, reason) in [
        ("aud", json!("https://other.test"), Reason::SubjectAudienceMismatch),
        ("aud", json!([AUDIENCE, "https://other.test"]), Reason::SubjectAudienceMismatch),
        ("aud", json!([]), Reason::SubjectAudienceMismatch),
        ("aud", json!(null), Reason::SubjectAudienceMismatch),
        ("aud", json!(format!("{AUDIENCE}/")), Reason::SubjectAudienceMismatch),
        ("exp", json!(NOW), Reason::SubjectTokenExpired),
        ("exp", json!("soon"), Reason::SubjectTokenMalformed),
        ("nbf", json!(NOW + 61), Reason::SubjectTokenNotYetValid),
        ("iat", json!(NOW + 61), Reason::SubjectTokenNotYetValid),
        ("iss", json!("https://issuer.test/"), Reason::SubjectIssuerUnknown),
        ("iss", json!("HTTPS://issuer.test"), Reason::SubjectIssuerUnknown),
        ("iss", json!(7), Reason::SubjectIssuerUnknown),
        ("sub", json!(7), Reason::SubjectClaimMismatch),
        ("sub", json!(".."), Reason::SubjectClaimMismatch),
    ] {
        let token = world.sign(&world.header(), &with(name, value.clone()));
        assert_eq!(world.refusal(&token).await, (reason, Some(name.to_owned())), "{name} = {value}");
    }
    let mut endless = claims();
    endless.as_object_mut().unwrap().remove("exp");
    let endless = world.sign(&world.header(), &endless);
    assert_eq!(world.refusal(&endless).await, (Reason::SubjectClaimMismatch, Some("exp".to_owned())));
}

#[tokio::test]
async fn the_header_cannot_choose_what_the_configuration_does_not_allow() {
    let world = world().await;
    let kid = world.header()["kid"].clone();
    let headers: BTreeMap<&str, (Value, Reason)> = BTreeMap::from([
        ("alg none", (json!({"alg": "none"}), Reason::SubjectAlgorithmRefused)),
        ("alg NONE", (json!({"alg": "NONE"}), Reason::SubjectAlgorithmRefused)),
        ("alg HS256", (json!({"alg": "HS256", "kid": kid}), Reason::SubjectAlgorithmRefused)),
        ("alg RS256", (json!({"alg": "RS256", "kid": kid}), Reason::SubjectAlgorithmRefused)),
        ("alg ES384", (json!({"alg": "ES384", "kid": kid}), Reason::SubjectAlgorithmRefused)),
        ("alg absent", (json!({"kid": kid}), Reason::SubjectTokenMalformed)),
        ("crit", (json!({"alg": "ES256", "kid": kid, "crit": ["x"]}), Reason::SubjectTokenMalformed)),
        ("unknown kid", (json!({"alg": "ES256", "kid": "other"}), Reason::SubjectKeyUnknown)),
        (
            "typ of a logout token",
            (json!({"alg": "ES256", "kid": kid, "typ": "logout+jwt"}), Reason::SubjectClaimMismatch),
        ),
        ("typ of a proof", (json!({"alg": "ES256", "kid": kid, "typ": "dpop+jwt"}), Reason::SubjectClaimMismatch)),
    ]);
    for (case, (header, reason)) in headers {
        let token = world.sign(&header, &claims());
        assert_eq!(world.refusal(&token).await.0, reason, "{case}");
    }
    let own_key =
        json!({"alg": "ES256", "jwk": Jwk::es256(world.key.public_point()).unwrap(), "jku": "https://evil.test"});
    assert!(
        world.verify(&world.sign(&own_key, &claims())).await.is_ok(),
        "the issuer's only key, by its `kid`-less header"
    );
}

#[tokio::test]
async fn tampered_malformed_and_oversized_tokens_are_refused() {
    let world = world().await;
    let token = world.sign(&world.header(), &claims());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = input.split_once('.').unwrap();
    let other = base64url::encode(with("sub", json!("admin")).to_string());
    let stranger = Es256Key::generate().unwrap().0.sign(input.as_bytes()).unwrap();
    for (case, token, reason) in [
        ("other claims", format!("{header}.{other}.{signature}"), Reason::SubjectSignatureInvalid),
        ("other key", format!("{input}.{}", base64url::encode(stranger)), Reason::SubjectSignatureInvalid),
        ("half a signature", format!("{input}.{}", &signature[..40]), Reason::SubjectSignatureInvalid),
        ("no signature", format!("{input}."), Reason::SubjectTokenMalformed),
        ("two parts", input.to_owned(), Reason::SubjectTokenMalformed),
        ("four parts", format!("{token}.x"), Reason::SubjectTokenMalformed),
        ("padding", format!("{token}="), Reason::SubjectTokenMalformed),
        ("a space", token.replacen('.', ". ", 1), Reason::SubjectTokenMalformed),
        ("nonsense", "x".to_owned(), Reason::SubjectTokenMalformed),
        ("a megabyte", "x".repeat(1 << 20), Reason::SubjectTokenTooLarge),
    ] {
        assert_eq!(world.refusal(&token).await.0, reason, "{case}");
    }
    let doubled = r#"{"iss":"https://issuer.test","aud":"https://sts.test","sub":"a","sub":"b","exp":1900000000}"#;
    let input = format!("{header}.{}", base64url::encode(doubled));
    let signature = base64url::encode(world.key.sign(input.as_bytes()).unwrap());
    assert_eq!(world.refusal(&format!("{input}.{signature}")).await.0, Reason::SubjectTokenMalformed);
}

#[tokio::test]
async fn without_keys_the_refusal_says_that_it_is_not_the_callers_fault() {
    let world = world().await;
    world.issuer.serve_with("/jwks", http::StatusCode::BAD_GATEWAY, &[], "");
    let token = world.sign(&world.header(), &claims());
    let refusal = world.verify(&token).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::IssuerKeysUnavailable);
    assert!(refusal.got_value().unwrap().contains("502"), "{refusal:?}");
}

#[tokio::test]
async fn a_reload_keeps_the_keys_of_unchanged_sources() {
    let world = world().await;
    let token = world.sign(&world.header(), &claims());
    world.verify(&token).await.unwrap();
    let mut settings =
        world.sources.of_token(Some(ISSUER), None, &VerifiedActor::for_tests(None)).unwrap().settings.clone();
    let same = Sources::new(vec![settings.clone()], "td.test", Some(&world.sources)).unwrap();
    assert!(same.readiness(NOW)[0].ready);
    settings.jwks.uri = Some(format!("{}/other", world.issuer.url).parse().unwrap());
    let other = Sources::new(vec![settings], "td.test", Some(&world.sources)).unwrap();
    assert!(!other.readiness(NOW)[0].ready);
    assert_eq!(world.issuer.hits("/jwks"), 1);
}
