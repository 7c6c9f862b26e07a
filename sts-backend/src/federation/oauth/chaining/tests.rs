use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::federation::fake::NOW;

const ISSUER: &str = "https://as.partner.example";

/// A JWT with these claims, and no signature worth the name.
pub fn jwt(claims: &Value) -> String {
    let header = json!({ "alg": "ES256", "typ": "JWT" });
    [header.to_string(), claims.to_string(), "signature".to_owned()].map(base64url::encode).join(".")
}

fn judged(grant: &str) -> Result<(), Trouble> {
    for_server(grant, ISSUER, &"https://as.partner.example/token".parse().unwrap(), NOW)
}

#[test]
fn a_grant_for_the_other_server_alone_is_carried() {
    for audience in [json!(ISSUER), json!([ISSUER]), json!("https://as.partner.example/token")] {
        assert_eq!(judged(&jwt(&json!({ "aud": audience, "exp": NOW + 1 }))), Ok(()), "{audience}");
    }
}

#[test]
fn a_grant_for_anybody_else_stays_at_home() {
    for (name, value) in [
        ("aud", json!("https://api.home.example")),
        ("aud", json!("https://as.partner.example/")),
        ("aud", json!([ISSUER, "https://api.home.example"])),
        ("aud", json!([])),
        ("aud", json!({ ISSUER: true })),
        ("aud", Value::Null),
        ("exp", json!(NOW)),
        ("exp", json!("9999999999")),
        ("exp", Value::Null),
    ] {
        let mut claims = json!({ "aud": ISSUER, "exp": NOW + 60 });
        claims[name] = value;
        let trouble = judged(&jwt(&claims)).unwrap_err();
        assert!(matches!(&trouble, Trouble::Invalid { code } if code.contains(name)), "{claims}: {trouble:?}");
    }
}

#[test]
fn another_kind_of_token_is_no_grant() {
    let claims = base64url::encode(json!({ "aud": ISSUER, "exp": NOW + 60 }).to_string());
    let with = |header: &str| format!("{}.{claims}.c2ln", base64url::encode(header));
    assert_eq!(judged(&with(r#"{"alg":"ES256","typ":"authorization-grant+jwt"}"#)), Ok(()));
    assert_eq!(judged(&with(r#"{"alg":"ES256","typ":"oauth-id-jag+jwt"}"#)), Ok(()));
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "dpop+jwt"] {
        assert!(judged(&with(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#))).is_err(), "{typ}");
    }
    for grant in [
        with("no JSON"),
        with(r#"{"alg":"ES256","alg":"none"}"#),
        format!("{claims}.c2ln"),
        format!("{}.c2ln", with("{}")),
        "opaque".to_owned(),
        String::new(),
        with("{}").replace(".c2ln", ".!"),
        with("{}") + &"A".repeat(MAX_TOKEN_LENGTH),
    ] {
        assert_eq!(judged(&grant), Err(invalid("a grant that is no JWT")), "{grant}");
    }
}

proptest! {
    #[test]
    fn no_grant_makes_it_panic(grant in "[A-Za-z0-9_.!-]{0,120}") {
        prop_assert!(judged(&grant).is_err());
    }
}
