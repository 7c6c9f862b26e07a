use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::{
    config::{Config, RouteMode},
    issued::tests as issued,
};

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
    assert_eq!(accepted.credential, Credential::Header(Secret::new("Bearer issued")));
    assert_eq!((accepted.expires_in, accepted.credential_expires_in), (60, None));
    let lent = judged(200, &with("credential_expires_in", json!(900))).unwrap();
    assert_eq!((lent.expires_in, lent.credential_expires_in), (60, Some(900)));
    let body = serde_json::to_vec(&good()).unwrap();
    let answer = Answer { status: Some(200), decision_id: None, body: &body };
    let bare = judge(answer, &route(&json!({"header": {"name": "x-token"}})), &Secret::new("n")).unwrap();
    assert_eq!(bare.credential, Credential::Header(Secret::new("issued")));
}

/// What is made of `token`, said to be of these types, on a route that injects so.
fn used(inject: &Value, token: &str, issued: TokenType, token_type: &str) -> Result<Credential, Refusal> {
    let body = json!({
        "access_token": token, "token_type": token_type, "expires_in": 60, "issued_token_type": issued.urn(),
    });
    let body = serde_json::to_vec(&body).unwrap();
    let answer = Answer { status: Some(200), decision_id: None, body: &body };
    judge(answer, &route(inject), &Secret::new("native")).map(|accepted| accepted.credential)
}

#[test]
fn each_route_takes_what_it_can_use_and_nothing_else() {
    let (keys, sas) = (issued::keys().to_token().unwrap(), issued::SAS);
    let signs = json!({"sigv4": {"service": "s3", "region": "eu-central-1"}});
    let (merges, bearer) = (json!("azure_sas"), Value::Null);
    let dpop = json!({"header": {"name": "authorization", "scheme": "dpop"}});
    let tokens = [("plain", TokenType::AccessToken), (keys.expose(), TokenType::AwsKeys), (sas, TokenType::AzureSas)];
    let routes = [
        (&bearer, "plain", TokenType::AccessToken, &["Bearer", "bearer", "N_A"][..]),
        (&dpop, "plain", TokenType::AccessToken, &["DPoP", "dpop"]),
        (&signs, keys.expose(), TokenType::AwsKeys, &["N_A"]),
        (&merges, sas, TokenType::AzureSas, &["N_A"]),
    ];
    for (inject, takes, kind, types) in routes {
        for (token, issued) in tokens {
            for token_type in ["Bearer", "bearer", "DPoP", "dpop", "N_A", "mac", ""] {
                let used = used(inject, token, issued, token_type);
                let wanted = token == takes && issued == kind && types.contains(&token_type);
                assert_eq!(used.is_ok(), wanted, "{inject} with {issued} as {token_type:?}");
                let reason = used.err().map(|refusal| refusal.reason().unwrap());
                assert!(reason.is_none_or(|reason| reason == Reason::StsReplyInvalid));
            }
        }
    }
    assert_eq!(
        used(&signs, keys.expose(), TokenType::AwsKeys, "N_A").unwrap(),
        Credential::AwsKeys(SigningKeys::new(issued::keys()))
    );
    assert_eq!(used(&merges, sas, TokenType::AzureSas, "N_A").unwrap(), Credential::AzureSas(Secret::new(sas)));
    assert_eq!(
        used(&dpop, "bound", TokenType::AccessToken, "DPoP").unwrap(),
        Credential::Header(Secret::new("dpop bound"))
    );
}

#[test]
fn what_is_not_in_the_form_of_its_type_is_an_invalid_reply() {
    let signs = json!({"sigv4": {"service": "s3", "region": "eu-central-1"}});
    let repeated = AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "secret", "native").unwrap().to_token().unwrap();
    for (inject, token, kind) in [
        (&signs, "e30", TokenType::AwsKeys),
        (&signs, "plain", TokenType::AwsKeys),
        (&signs, repeated.expose(), TokenType::AwsKeys),
        (&json!("azure_sas"), "plain", TokenType::AzureSas),
        (&json!("azure_sas"), "sv=1&se=2&sp=r&sr=c&sig=x&comp=list", TokenType::AzureSas),
        (&json!("azure_sas"), "sv=1&se=2&sp=r&sr=c&sig=x#y", TokenType::AzureSas),
    ] {
        let refusal = used(inject, token, kind, "N_A").unwrap_err();
        assert_eq!(refusal.reason(), Some(Reason::StsReplyInvalid), "{token}");
        assert!(!format!("{refusal:?}").contains(token), "{refusal:?}");
    }
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
