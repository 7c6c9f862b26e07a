use super::*;

const RFC7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
const P256_X: &str = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
const P256_Y: &str = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";

fn key(json: &str) -> Result<PublicKey, JwkError> {
    PublicKey::from_jwk(&serde_json::from_str(json).unwrap())
}

fn rsa(extra: &str) -> String {
    format!(r#"{{"kty":"RSA","n":"{RFC7638_N}","e":"AQAB"{extra}}}"#)
}

fn p256(extra: &str) -> String {
    format!(r#"{{"kty":"EC","crv":"P-256","x":"{P256_X}","y":"{P256_Y}"{extra}}}"#)
}

#[test]
fn thumbprints_are_the_published_ones() {
    // RFC 7638 section 3.1; RFC 9449 section 6.1; RFC 8037 appendix A.3.
    let okp = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (json, wanted) in [
        (rsa(r#","alg":"RS256","kid":"2011-04-29""#), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (p256(""), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"),
        (okp.to_owned(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ] {
        let jwk: Jwk = serde_json::from_str(&json).unwrap();
        assert_eq!(jwk.thumbprint().unwrap(), wanted);
    }
}

#[test]
fn a_thumbprint_cannot_be_given_other_members() {
    let jwk = Jwk { kty: "RSA".into(), e: Some(r#"AQAB","kty":"x"#.into()), n: Some("AQ".into()), ..Jwk::default() };
    assert!(jwk.thumbprint().is_err());
}

#[test]
fn each_key_has_one_algorithm() {
    for (json, wanted) in [
        (rsa(""), Ok(Algorithm::Rs256)),
        (rsa(r#","alg":"PS384""#), Ok(Algorithm::Ps384)),
        (rsa(r#","alg":"ES256""#), Err(JwkError::Algorithm)),
        (rsa(r#","alg":"HS256""#), Err(JwkError::Algorithm)),
        (rsa(r#","alg":"RSA-OAEP""#), Err(JwkError::Algorithm)),
        (p256(""), Ok(Algorithm::Es256)),
        (p256(r#","alg":"ES384""#), Err(JwkError::Algorithm)),
        (p256(r#","alg":"none""#), Err(JwkError::Algorithm)),
    ] {
        assert_eq!(key(&json).map(|key| key.algorithm()), wanted, "{json}");
    }
}

#[test]
fn keys_for_other_uses_and_private_keys_are_refused() {
    assert_eq!(key(&rsa(r#","use":"enc""#)), Err(JwkError::Use));
    assert_eq!(key(&rsa(r#","key_ops":["encrypt"]"#)), Err(JwkError::Use));
    assert_eq!(key(&rsa(r#","d":"AQ""#)), Err(JwkError::Private));
    assert_eq!(key(r#"{"kty":"oct","k":"AQ"}"#), Err(JwkError::Private));
    assert_eq!(key(r#"{"kty":"oct"}"#), Err(JwkError::Algorithm));
}

#[test]
fn sizes_are_checked() {
    assert_eq!(key(r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#), Err(JwkError::RsaSize(24)));
    assert!(matches!(key(&rsa("").replace("AQAB", "Aw")), Err(JwkError::Malformed(_))));
    assert!(matches!(key(&p256("").replace(P256_X, "AQ")), Err(JwkError::Malformed(_))));
}

#[test]
fn an_entra_key_is_read_without_alg_and_with_foreign_members() {
    let json =
        rsa(r#","use":"sig","kid":"K","x5t":"K","x5c":["MII"],"issuer":"https://login.microsoftonline.com/t/v2.0""#);
    assert_eq!(key(&json).unwrap().algorithm(), Algorithm::Rs256);
}

#[test]
fn an_es256_jwk_is_named_by_its_thumbprint() {
    let point = [vec![4], base64url::decode(P256_X).unwrap(), base64url::decode(P256_Y).unwrap()].concat();
    let jwk = Jwk::es256(&point).unwrap();
    assert_eq!(jwk.kid.as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap().material(), &KeyMaterial::Ec { point: point.clone() });
    assert!(Jwk::es256(&point[1..]).is_err());
    assert!(Jwk::es256(&point[..64]).is_err());
}

#[test]
fn an_rs256_jwk_is_named_by_its_thumbprint() {
    // The key of RFC 7638, section 3.1.
    let modulus = base64url::decode(
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn6\
         4tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9\
         1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    )
    .unwrap();
    let jwk = Jwk::rs256(&[&[0], modulus.as_slice()].concat(), &[1, 0, 1]).unwrap();
    assert_eq!(jwk.kid.as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    assert_eq!((jwk.alg.as_deref(), jwk.key_use.as_deref()), (Some("RS256"), Some("sig")));
    let material = KeyMaterial::Rsa { modulus, exponent: vec![1, 0, 1] };
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap().material(), &material);
}

#[test]
fn a_set_keeps_what_verifies_and_chooses_without_guessing() {
    let set = format!(
        r#"{{"keys":[{},{},{},{{"kty":"oct","k":"AQ"}},"junk"]}}"#,
        rsa(r#","kid":"a""#),
        p256(r#","kid":"b""#),
        rsa(r#","kid":"c","use":"enc""#)
    );
    let set = JwkSet::from_json(set.as_bytes()).unwrap();
    assert_eq!(set.keys().len(), 2);
    assert!(set.has_kid("a") && !set.has_kid("c"));
    assert!(set.find(Some("a"), Algorithm::Rs256).is_some());
    assert!(set.find(Some("a"), Algorithm::Es256).is_none(), "a kid does not lend a key another algorithm");
    assert!(set.find(None, Algorithm::Es256).is_some());
    let twins = format!(r#"{{"keys":[{},{}]}}"#, rsa(r#","kid":"a""#), rsa(r#","kid":"b""#));
    let twins = JwkSet::from_json(twins.as_bytes()).unwrap();
    assert!(twins.find(None, Algorithm::Rs256).is_none(), "two keys fit and nothing says which");
}

#[test]
fn the_number_of_keys_is_bounded() {
    let many = vec![rsa(""); MAX_KEYS + 50].join(",");
    let set = JwkSet::from_json(format!(r#"{{"keys":[{many}]}}"#).as_bytes()).unwrap();
    assert_eq!(set.keys().len(), MAX_KEYS);
    assert!(JwkSet::from_json(b"[]").is_err());
}
