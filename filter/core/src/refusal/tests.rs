use std::collections::HashSet;

use serde_json::Value;

use super::*;

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
}

#[test]
fn every_reason_has_a_row_of_its_own_with_a_status_that_fits() {
    let mut titles = HashSet::new();
    for reason in Reason::ALL {
        let row = row(*reason);
        assert!([401, 403, 413, 429, 503].contains(&row.status), "{reason}");
        assert!(titles.insert(row.title), "{reason}: {} stands twice", row.title);
        assert_eq!(row.status == 401, reason.code().starts_with("subject_"), "{reason}");
    }
}

#[test]
fn the_response_says_why_in_body_and_headers() {
    let refusal = Refusal::new(Reason::SubjectAudienceMismatch)
        .claim("aud")
        .got("https://other.example")
        .wanted("https://sts.example")
        .decision_id("d-1");
    let response = refusal.to_response("fallback");
    assert_eq!(response.status, 401);
    assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "x-cloakroom-decision-id"), Some("d-1"));
    assert_eq!(header(&response, "x-cloakroom-reason"), Some("subject_audience_mismatch"));
    assert_eq!(
        header(&response, "www-authenticate"),
        Some(concat!(
            "Bearer realm=\"cloakroom\", error=\"invalid_token\", ",
            "error_description=\"The credential is addressed to somebody else\""
        ))
    );
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(body["type"], "https://cloakroom.dev/reasons/subject_audience_mismatch");
    assert_eq!(body["status"], 401);
    assert_eq!(
        (&body["claim"], &body["got"], &body["wanted"]),
        (&Value::from("aud"), &Value::from("https://other.example"), &Value::from("https://sts.example"))
    );
    assert_eq!(body["decision_id"], "d-1");
}

#[test]
fn without_a_credential_the_challenge_names_no_error() {
    let response = Refusal::new(Reason::SubjectTokenMissing).to_response("id");
    assert_eq!(header(&response, "www-authenticate"), Some("Bearer realm=\"cloakroom\""));
}

#[test]
fn trouble_of_our_own_asks_to_come_back() {
    let response = Refusal::new(Reason::StsUnavailable).to_response("id");
    assert_eq!((response.status, header(&response, "retry-after")), (503, Some("1")));
    assert_eq!(header(&response, "www-authenticate"), None);
    assert_eq!(header(&response, "x-cloakroom-decision-id"), Some("id"));
    assert!(!Refusal::new(Reason::StsUnavailable).is_final());
}

#[test]
fn a_newer_reason_is_passed_on_only_in_the_form_of_one() {
    let refusal = Refusal::newer("moon_phase_wrong", 400);
    assert_eq!((refusal.code(), refusal.row().status, refusal.is_final()), ("moon_phase_wrong", 403, true));
    assert_eq!(refusal.metric_code(), "other");
    assert_eq!(Refusal::newer("moon_phase_wrong", 503).row().status, 503);
    for code in ["", "Moon", "a b", "a\r\nx: y", "é", &"a".repeat(65)] {
        assert_eq!(Refusal::newer(code, 400).reason(), Some(Reason::StsReplyInvalid), "{code:?}");
    }
}

#[test]
fn what_an_sts_says_is_bounded_and_escaped() {
    let hostile = "\r\nset-cookie: a=b\u{1b}[2J\"\\".repeat(100);
    let refusal = Refusal::new(Reason::PolicyDenied).claim(&hostile).got(&hostile).wanted(&hostile).detail(&hostile);
    let response = refusal.decision_id("id\r\nx: y").to_response("fallback");
    assert_eq!(header(&response, "x-cloakroom-decision-id"), Some("fallback"));
    assert!(response.headers.iter().all(|(_, value)| value.bytes().all(|b| b == b' ' || b.is_ascii_graphic())));
    assert!(response.body.len() < 4_000);
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    let shown = body["got"].as_str().unwrap();
    assert!(shown.chars().count() <= 259 && !shown.contains(char::is_control), "{shown}");
}
