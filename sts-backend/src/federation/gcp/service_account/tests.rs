use http::{HeaderMap, StatusCode};
use token::base64url;

use super::*;
use crate::federation::fake::NOW;

const EMAIL: &str = "x@y.iam.gserviceaccount.com";
const AUDIENCE: &str = "https://reports.run.app";

fn account(endpoint: &Uri) -> ServiceAccount<'_> {
    ServiceAccount { endpoint, email: EMAIL }
}

fn answered(body: &Value) -> Answered {
    Answered { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_string().into() }
}

#[test]
fn an_access_token_is_asked_for_with_scope_and_life() {
    let endpoint = Uri::from_static("https://iamcredentials.googleapis.com");
    let scopes = ["https://www.googleapis.com/auth/devstorage.read_only"];
    let call = account(&endpoint).access_token(&Secret::new("ya29.d.x"), &scopes, 900).unwrap();
    assert_eq!(
        call.uri,
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x@y.iam.gserviceaccount.com:generateAccessToken"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        json!({"scope": ["https://www.googleapis.com/auth/devstorage.read_only"], "lifetime": "900s"})
    );
    let authorization = &call.headers[0];
    assert_eq!(
        (authorization.0.as_str(), authorization.1.as_bytes()),
        ("authorization", b"Bearer ya29.d.x".as_slice())
    );
    assert!(!format!("{:?}", call.headers).contains("ya29"));
}

#[test]
fn an_id_token_is_asked_for_its_audience_and_says_whose_it_is() {
    let endpoint = Uri::from_static("https://127.0.0.1:8443/");
    let call = account(&endpoint).id_token(&Secret::new("ya29.d.x"), AUDIENCE).unwrap();
    assert_eq!(
        call.uri,
        format!("https://127.0.0.1:8443/v1/projects/-/serviceAccounts/{EMAIL}:generateIdToken").as_str()
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&call.body).unwrap(),
        json!({"audience": AUDIENCE, "includeEmail": true})
    );
}

#[test]
fn an_access_token_ends_as_asked() {
    let given =
        |end: Value| given_access_token(&answered(&json!({"accessToken": "ya29.c.x", "expireTime": end})), 900, NOW);
    let ends = |text: &str| given(json!(text)).map(|given| given.expires_at);
    assert_eq!(ends("2026-11-22T07:45:00Z"), Ok(NOW + 900));
    assert_eq!(ends("2026-11-22T07:44:30.5Z"), Ok(NOW + 870));
    assert_eq!(ends("2026-11-22T07:49:59Z"), Ok(NOW + 900), "our clock is slow");
    for end in ["2026-11-22T07:30:00Z", "2026-11-22T07:50:01Z", "2026-11-22T07:45:00+00:00", "1795333500", ""] {
        assert!(matches!(ends(end), Err(Trouble::Invalid { .. })), "{end}");
    }
    assert!(given(json!(NOW + 900)).is_err());
    assert!(given(json!(null)).is_err());
    let without = answered(&json!({"expireTime": "2026-11-22T07:45:00Z"}));
    assert!(matches!(given_access_token(&without, 900, NOW), Err(Trouble::Invalid { .. })));
    let broken = answered(&json!({"accessToken": "a\r\nb", "expireTime": "2026-11-22T07:45:00Z"}));
    assert!(matches!(given_access_token(&broken, 900, NOW), Err(Trouble::Invalid { .. })));
}

fn id_token(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": "k", "typ": "JWT"});
    [header.to_string(), claims.to_string(), "signature".to_owned()].map(base64url::encode).join(".")
}

#[test]
fn an_id_token_is_of_the_account_for_the_service() {
    let endpoint = Uri::from_static("https://iamcredentials.googleapis.com");
    let account = account(&endpoint);
    let good = json!({"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": EMAIL, "exp": NOW + 3600});
    let given = |token: String| account.given_id_token(&answered(&json!({ "token": token })), AUDIENCE, NOW);
    let token = id_token(&good);
    assert_eq!(given(token.clone()), Ok(Given { token: Secret::new(token.clone()), expires_at: NOW + 3600 }));
    for (member, value) in [
        ("aud", json!("https://other.run.app")),
        ("aud", json!([AUDIENCE, "https://other.run.app"])),
        ("aud", json!(null)),
        ("email", json!("z@y.iam.gserviceaccount.com")),
        ("email", json!(null)),
        ("exp", json!(NOW)),
        ("exp", json!(NOW + 3600 + SKEW + 1)),
        ("exp", json!("soon")),
        ("exp", json!(null)),
    ] {
        let mut claims = good.clone();
        claims[member] = value.clone();
        assert!(matches!(given(id_token(&claims)), Err(Trouble::Invalid { .. })), "{member}: {value}");
    }
    for broken in
        ["".to_owned(), "a.b.c".to_owned(), format!("{token}\r\n"), format!("{token}.x"), token.replace("eyJ", "e J")]
    {
        assert!(matches!(given(broken.clone()), Err(Trouble::Invalid { .. })), "{broken}");
    }
    let mut long = good.clone();
    long["x"] = json!("a".repeat(LONGEST_ID_TOKEN));
    assert!(matches!(given(id_token(&long)), Err(Trouble::Invalid { .. })));
    let nothing = account.given_id_token(&answered(&json!({})), AUDIENCE, NOW);
    assert!(matches!(nothing, Err(Trouble::Invalid { .. })));
}
