use proptest::prelude::*;

use super::*;
use crate::{path_pattern::PathPattern, token_type::TokenType};

fn request() -> ExchangeRequest {
    ExchangeRequest {
        subject_token: Secret::new("a.b.c"),
        subject_token_type: TokenType::Jwt.urn().to_owned(),
        actor_token: None,
        actor_token_type: None,
        resource: vec!["https://reports.example/?a=b&c".to_owned()],
        audience: vec!["reports".to_owned()],
        scope: Some("a b".to_owned()),
        requested_token_type: Some(TokenType::AccessToken.urn().to_owned()),
        request_context: Some(r#"{"route":"r"}"#.to_owned()),
    }
}

fn form(pairs: &[(&str, &str)]) -> Result<ExchangeRequest, FormError> {
    let base = [
        ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
        ("subject_token", "a.b.c"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    let mut form = form_urlencoded::Serializer::new(String::new());
    let kept = base.iter().filter(|(name, _)| !pairs.iter().any(|(other, value)| other == name && *value == "-"));
    kept.chain(pairs.iter().filter(|(_, value)| *value != "-")).for_each(|(name, value)| {
        form.append_pair(name, value);
    });
    ExchangeRequest::from_form(form.finish().as_bytes())
}

#[test]
fn a_request_survives_the_wire() {
    assert_eq!(ExchangeRequest::from_form(request().to_form().as_bytes()), Ok(request()));
}

#[test]
fn what_the_standards_ask_of_a_form_is_checked() {
    assert_eq!(form(&[("grant_type", "-")]), Err(FormError::NoGrantType));
    assert_eq!(form(&[("grant_type", "-"), ("grant_type", "password")]), Err(FormError::GrantType));
    assert_eq!(form(&[("subject_token", "-")]), Err(FormError::Missing("subject_token")));
    assert_eq!(form(&[("subject_token_type", "-")]), Err(FormError::Missing("subject_token_type")));
    assert_eq!(form(&[("subject_token", "d.e.f")]), Err(FormError::Repeated("subject_token")));
    assert_eq!(form(&[("scope", "a"), ("scope", "b")]), Err(FormError::Repeated("scope")));
    assert_eq!(form(&[("actor_token", "x")]), Err(FormError::Without("actor_token", "actor_token_type")));
    assert_eq!(form(&[("actor_token_type", "x")]), Err(FormError::Without("actor_token_type", "actor_token")));
    let many: Vec<_> = (0..40).map(|_| ("resource", "https://a")).collect();
    assert_eq!(form(&many), Err(FormError::TooMany));
}

#[test]
fn another_grant_type_is_named_as_such() {
    let body = b"grant_type=client_credentials&subject_token=a&subject_token_type=b";
    assert_eq!(ExchangeRequest::from_form(body), Err(FormError::GrantType));
}

#[test]
fn unknown_parameters_are_ignored_and_empty_ones_count_as_not_sent() {
    let read = form(&[("options", "{}"), ("audience", ""), ("scope", ""), ("resource", "https://a")]).unwrap();
    assert_eq!((read.audience, read.scope, read.resource), (vec![], None, vec!["https://a".to_owned()]));
}

#[test]
fn a_token_file_s_trailing_newline_is_dropped() {
    let body = request().to_form().replace("a.b.c", "a.b.c%0A");
    assert_eq!(ExchangeRequest::from_form(body.as_bytes()).unwrap().subject_token.expose(), "a.b.c");
}

fn response_json(changes: &[(&str, serde_json::Value)]) -> Vec<u8> {
    let mut json = serde_json::json!({
        "access_token": "a.b.c",
        "issued_token_type": TokenType::AccessToken.urn(),
        "token_type": "Bearer",
        "expires_in": 60,
    });
    for (name, value) in changes {
        json[name] = value.clone();
    }
    serde_json::to_vec(&json).unwrap()
}

#[test]
fn a_response_survives_the_wire() {
    let paths = vec![PathPattern::parse("/reports/*").unwrap()];
    let response = ExchangeResponse {
        access_token: Secret::new("a.b.c"),
        issued_token_type: TokenType::AccessToken.urn().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_in: 60,
        scope: Some("a b".to_owned()),
        authorization_details: vec![Constraint::new(Some(vec!["GET".to_owned()]), Some(paths))],
        credential_expires_in: Some(60),
    };
    let json = response.to_json().unwrap();
    assert_eq!(ExchangeResponse::from_json(json.as_bytes()), Ok(response));
}

#[test]
fn what_must_not_become_a_header_is_refused() {
    for token in ["", "a b", "a\r\nx: y", "a\u{0}", "é", &"a".repeat(MAX_ISSUED_TOKEN_LENGTH + 1)] {
        let json = response_json(&[("access_token", token.into())]);
        assert_eq!(ExchangeResponse::from_json(&json), Err(ResponseError::Token), "{token:?}");
    }
}

#[test]
fn a_life_of_nothing_or_for_ever_is_refused() {
    for life in [0, MAX_EXPIRES_IN + 1, u64::MAX] {
        let json = response_json(&[("expires_in", life.into())]);
        assert_eq!(ExchangeResponse::from_json(&json), Err(ResponseError::Life(life)));
    }
    for life in [serde_json::json!("60"), serde_json::json!(-1), serde_json::json!(1.5), serde_json::Value::Null] {
        let json = response_json(&[("expires_in", life)]);
        assert!(matches!(ExchangeResponse::from_json(&json), Err(ResponseError::Malformed(_))));
    }
}

#[test]
fn a_credential_is_not_lent_for_longer_than_it_lives() {
    let json = response_json(&[("credential_expires_in", 59.into())]);
    assert_eq!(ExchangeResponse::from_json(&json), Err(ResponseError::CredentialLife(59)));
    let json = response_json(&[("credential_expires_in", 900.into())]);
    assert_eq!(ExchangeResponse::from_json(&json).unwrap().credential_expires_in, Some(900));
}

#[test]
fn a_constraint_that_is_not_understood_refuses_the_response() {
    let unknown = serde_json::json!([{"type": "cloakroom_constraint", "moon": "full"}]);
    let json = response_json(&[("authorization_details", unknown)]);
    assert!(matches!(ExchangeResponse::from_json(&json), Err(ResponseError::Malformed(_))));
    let one = serde_json::json!({"type": "cloakroom_constraint"});
    let json = response_json(&[("authorization_details", vec![one; MAX_CONSTRAINTS + 1].into())]);
    assert_eq!(ExchangeResponse::from_json(&json), Err(ResponseError::Constraints));
}

#[test]
fn an_error_about_a_response_quotes_none_of_it() {
    let json = response_json(&[("access_token", serde_json::json!({"s3cr3t": "s3cr3t"}))]);
    let error = ExchangeResponse::from_json(&json).unwrap_err().to_string();
    assert!(!error.contains("s3cr3t"), "{error}");
}

#[test]
fn an_error_response_leads_back_to_its_reason() {
    let json = r#"{"error":"invalid_request","reason":"policy_denied","new_member":1}"#;
    let response: ErrorResponse = serde_json::from_str(json).unwrap();
    assert_eq!(response.known_reason(), Some(Reason::PolicyDenied));
    let foreign: ErrorResponse = serde_json::from_str(r#"{"error":"x","reason":"from_the_future"}"#).unwrap();
    assert_eq!(foreign.known_reason(), None);
}

proptest! {
    #[test]
    fn any_value_survives_the_form(token in "[!-~]{1,80}", scope in "[ -~]{1,40}", context in "\\PC{1,60}") {
        let mut sent = request();
        sent.subject_token = Secret::new(token);
        sent.scope = Some(scope);
        sent.request_context = Some(context);
        prop_assert_eq!(ExchangeRequest::from_form(sent.to_form().as_bytes()), Ok(sent));
    }

    #[test]
    fn reading_never_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ExchangeRequest::from_form(&body);
        let _ = ExchangeResponse::from_json(&body);
    }
}
