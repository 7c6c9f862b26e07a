use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::federation::fake::NOW;

const PROVIDER: &str = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/x";

const SCOPE: &str = "a b";

fn answered(body: &Value) -> Answered {
    Answered { status: StatusCode::OK, headers: HeaderMap::new(), body: body.to_string().into() }
}

fn good_answer() -> Value {
    json!({
        "access_token": "ya29.d.abc-_~+/=",
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 3599
    })
}

#[test]
fn an_assertion_is_exchanged_as_google_s_own_client_does_it() {
    let call = federate(
        Uri::from_static("https://sts.googleapis.com/v1/token"),
        PROVIDER,
        "https://www.googleapis.com/auth/cloud-platform b",
        &Secret::new("eyJ"),
    );
    assert_eq!(
        str::from_utf8(&call.body).unwrap(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&audience=%2F%2Fiam.googleapis.com%2Fprojects%2F123\
         %2Flocations%2Fglobal%2FworkloadIdentityPools%2Fp%2Fproviders%2Fx&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2F\
         cloud-platform+b&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&subject_token=eyJ\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt"
    );
    let names: Vec<_> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "accept"], "an Authorization header would make it fail");
}

#[test]
fn a_token_is_narrowed_by_its_options_alone() {
    let uri = Uri::from_static("https://sts.googleapis.com/v1/token");
    let call = narrow(uri, &Secret::new("ya29.c.x"), r#"{"accessBoundary":{}}"#);
    let fields: Vec<(String, String)> = form_urlencoded::parse(&call.body).into_owned().collect();
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "requested_token_type", "subject_token", "subject_token_type", "options"]);
    assert_eq!(fields[4].1, r#"{"accessBoundary":{}}"#);
    assert_eq!(fields[3].1, ACCESS_TOKEN);
}

#[test]
fn a_token_ends_when_it_says_and_never_after_its_source() {
    let given = |body: &Value, source| given(&answered(body), SCOPE, source, NOW).map(|given| given.expires_at);
    let mut body = good_answer();
    assert_eq!(given(&body, None), Ok(NOW + 3599));
    assert_eq!(given(&body, Some(NOW + 300)), Ok(NOW + 300));
    assert_eq!(given(&body, Some(NOW + 9000)), Ok(NOW + 3599));
    body.as_object_mut().unwrap().remove("expires_in");
    assert_eq!(given(&body, Some(NOW + 300)), Ok(NOW + 300));
    assert!(given(&body, None).is_err());
}

#[test]
fn what_is_no_token_of_this_kind_is_refused() {
    for (member, value) in [
        ("access_token", json!("")),
        ("access_token", json!("===")),
        ("access_token", json!("a b")),
        ("access_token", json!("a\r\nx: y")),
        ("access_token", json!("a=b")),
        ("access_token", json!("é")),
        ("access_token", json!("a".repeat(LONGEST_TOKEN + 1))),
        ("access_token", json!(7)),
        ("access_token", json!(null)),
        ("issued_token_type", json!("urn:ietf:params:oauth:token-type:jwt")),
        ("issued_token_type", json!(null)),
        ("scope", json!("a everything")),
        ("scope", json!(["a"])),
        ("token_type", json!("DPoP")),
        ("token_type", json!(null)),
        ("expires_in", json!(0)),
        ("expires_in", json!(-1)),
        ("expires_in", json!(1.5)),
        ("expires_in", json!("3599")),
        ("expires_in", json!(LONGEST_LIFE + 1)),
        ("expires_in", json!(null)),
    ] {
        let mut body = good_answer();
        body[member] = value.clone();
        let trouble = given(&answered(&body), SCOPE, Some(NOW + 300), NOW).expect_err(member);
        assert!(matches!(trouble, Trouble::Invalid { .. }), "{member}: {value}");
    }
    for body in ["", "[]", "{", r#"{"access_token":"a","access_token":"b"}"#] {
        let answered = Answered { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
        assert!(matches!(given(&answered, SCOPE, None, NOW), Err(Trouble::Invalid { .. })), "{body}");
    }
    let mut less = good_answer();
    less["scope"] = json!("b");
    assert!(given(&answered(&less), SCOPE, None, NOW).is_ok());
    let longest = json!("a".repeat(LONGEST_TOKEN));
    let mut body = good_answer();
    body["access_token"] = longest;
    assert!(given(&answered(&body), SCOPE, None, NOW).is_ok());
}
