use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::config::{Config, RouteMode};

fn route(inject: &Value) -> Arc<ExchangeRoute> {
    let json = json!({
        "version": 1, "listener": "l",
        "sts": {"cluster": "s", "authority": "s", "actor": "spiffe://td/e"},
        "routes": {"r": {"exchange": {"audience": "a", "clusters": ["c"], "inject": inject}}},
    });
    match Config::parse(&serde_json::to_vec(&json).unwrap()).unwrap().route("r") {
        Some(RouteMode::Exchange(route)) => Arc::clone(route),
        other => panic!("{other:?}"),
    }
}

fn judged(status: u16, body: &Value) -> Result<Accepted, Refusal> {
    let body = serde_json::to_vec(body).unwrap();
    let answer = Answer { status: Some(status), decision_id: Some("d-1"), body: &body };
    judge(answer, &route(&Value::Null), &Secret::new("native"))
}

fn good() -> Value {
    json!({
        "access_token": "issued", "token_type": "Bearer", "expires_in": 60,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut body = good();
    body[name] = value;
    body
}

#[test]
fn a_good_answer_becomes_the_header_value() {
    let accepted = judged(200, &good()).unwrap();
    assert_eq!((accepted.issued.header_value.expose(), accepted.expires_in), ("Bearer issued", 60));
    let body = serde_json::to_vec(&good()).unwrap();
    let answer = Answer { status: Some(200), decision_id: None, body: &body };
    let bare = judge(answer, &route(&json!({"header": {"name": "x-token"}})), &Secret::new("n")).unwrap();
    assert_eq!(bare.issued.header_value.expose(), "issued");
}

#[test]
fn what_cannot_be_injected_is_an_invalid_reply() {
    for body in [
        with("issued_token_type", json!("urn:ietf:params:oauth:token-type:saml2")),
        with("issued_token_type", json!("urn:ietf:params:oauth:token-type:id_token")),
        with("token_type", json!("DPoP")),
        with("token_type", json!("mac")),
        with("access_token", json!("a\r\nx: y")),
        with("access_token", json!("")),
        with("access_token", json!("native")),
        with("expires_in", json!(0)),
        with("expires_in", json!(1_000_000_000)),
        with("expires_in", Value::Null),
        with("authorization_details", json!([{"type": "cloakroom_constraint", "phase_of_moon": "full"}])),
        json!([]),
    ] {
        let refusal = judged(200, &body).unwrap_err();
        assert_eq!(refusal.reason(), Some(Reason::StsReplyInvalid), "{body}");
        assert!(!refusal.is_final());
        assert!(!format!("{refusal:?}").contains("native\""), "{refusal:?}");
    }
}

#[test]
fn a_refusal_is_read_by_its_reason_and_never_by_the_oauth_code() {
    let body = json!({"error": "invalid_request", "reason": "policy_denied", "claim": "sub", "got": "a", "wanted": "b",
        "help": "ask for it", "decision_id": "d-2"});
    let refusal = judged(400, &body).unwrap_err();
    assert_eq!((refusal.reason(), refusal.row().status), (Some(Reason::PolicyDenied), 403));
    let response = String::from_utf8(refusal.to_response("x").body).unwrap();
    assert!(response.contains("ask for it") && response.contains("d-2"), "{response}");
    let unknown = judged(400, &json!({"error": "invalid_request", "reason": "new_reason"})).unwrap_err();
    assert_eq!((unknown.code(), unknown.row().status), ("new_reason", 403));
    assert_eq!(judged(503, &json!({"error": "x", "reason": "new_reason"})).unwrap_err().row().status, 503);
    assert_eq!(judged(400, &json!({"error": "x"})).unwrap_err().reason(), Some(Reason::StsReplyInvalid));
}

#[test]
fn silence_and_other_peoples_answers_are_told_apart() {
    let judge_text = |status, body: &[u8]| {
        let refusal = judge(Answer { status, decision_id: None, body }, &route(&Value::Null), &Secret::new("n"));
        let result = call_result(&refusal);
        (refusal.unwrap_err().reason().unwrap(), result)
    };
    let unavailable = |reason| (reason, CallResult::Unavailable);
    assert_eq!(judge_text(None, b""), unavailable(Reason::StsUnavailable));
    assert_eq!(judge_text(Some(504), b"upstream request timeout"), unavailable(Reason::StsUnavailable));
    assert_eq!(judge_text(Some(404), b"<html>"), unavailable(Reason::StsReplyInvalid));
    assert_eq!(judge_text(Some(302), b""), unavailable(Reason::StsReplyInvalid));
    assert_eq!(judge_text(Some(200), &vec![b'x'; MAX_BODY_LENGTH + 1]), unavailable(Reason::StsReplyInvalid));
    let denied = br#"{"error":"x","reason":"policy_denied"}"#;
    assert_eq!(judge_text(Some(400), denied), (Reason::PolicyDenied, CallResult::Refused));
}
