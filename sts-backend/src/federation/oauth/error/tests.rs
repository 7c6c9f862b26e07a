use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// 2026-11-22, 00:00:00.
const NOW: u64 = 1_795_305_600;

fn answered(status: u16, retry_after: Option<&str>, body: impl Into<hyper::body::Bytes>) -> Answered {
    let mut headers = HeaderMap::new();
    if let Some(retry_after) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
    }
    Answered { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

fn with(status: u16, retry_after: Option<&str>, code: &str) -> Trouble {
    trouble(&answered(status, retry_after, json!({ "error": code }).to_string()), NOW)
}

#[test]
fn refusals_say_what_to_do_and_are_not_asked_again() {
    for code in [
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_target",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "access_denied",
        "use_dpop_nonce",
        "interaction_required",
    ] {
        for status in [400, 401, 403] {
            let Trouble::Refused { code: kept, help } = with(status, None, code) else { panic!("{code}") };
            assert_eq!(kept, code);
            assert!(!help.is_empty());
        }
    }
}

#[test]
fn what_may_pass_is_asked_again() {
    let busy = |code: &str, retry_after| Trouble::Throttled { code: code.to_owned(), retry_after };
    let down = |code: &str| Trouble::Unavailable { code: code.to_owned() };
    for (status, retry_after, code, wanted) in [
        (400, None, "temporarily_unavailable", down("temporarily_unavailable")),
        (400, Some("7"), "temporarily_unavailable", busy("temporarily_unavailable", Some(7))),
        (400, None, "server_error", down("server_error")),
        (400, None, "slow_down", busy("slow_down", None)),
        (429, Some("30"), "invalid_request", busy("invalid_request", Some(30))),
        (429, None, "", busy("429", None)),
        (500, None, "invalid_grant", down("invalid_grant")),
        (502, None, "", down("502")),
        (503, Some("5"), "", busy("503", Some(5))),
        (408, None, "", down("408")),
    ] {
        let trouble = with(status, retry_after, code);
        assert_eq!(trouble, wanted, "{status} {code}");
        assert!(trouble.is_retryable());
    }
}

#[test]
fn other_answers_are_no_token_endpoint_s() {
    for status in [201, 204, 301, 302, 307] {
        assert!(matches!(with(status, None, "invalid_grant"), Trouble::Invalid { .. }), "{status}");
    }
    for body in ["", "<html>", "[]", r#"{"error":{}}"#, r#"{"message":"no"}"#] {
        let trouble = trouble(&answered(404, None, body), NOW);
        assert!(
            matches!(&trouble, Trouble::Refused { code, .. } if code == "404 without an OAuth error code"),
            "{body}"
        );
    }
}

#[test]
fn a_token_in_the_place_of_a_code_is_not_passed_on() {
    for code in ["eyJhbGciOiJFUzI1NiJ9", "invalid grant", "invalid_grant\n", &"a".repeat(65), "", "Invalid", "ü"] {
        let trouble = with(400, None, code);
        assert_eq!(trouble.to_string(), "400 without an OAuth error code", "{code:?}");
    }
}

proptest! {
    #[test]
    fn no_error_makes_it_panic_or_quote(status in 100_u16..600, body in ".{0,200}", retry_after in "[ -~]{0,40}") {
        let trouble = trouble(&answered(status, Some(&retry_after), body), NOW);
        prop_assert!(trouble.to_string().len() < 80);
    }

    #[test]
    fn only_the_code_of_an_error_is_passed_on(description in ".{0,80}", code in ".{0,80}") {
        let body = json!({ "error": code, "error_description": description }).to_string();
        let shown = trouble(&answered(400, None, body), NOW).to_string();
        prop_assert!(shown == code && is_code(&code) || shown == "400 without an OAuth error code");
    }
}
