use http::{HeaderMap, StatusCode, header};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_795_305_600;

fn answered(status: u16, retry_after: Option<&'static str>, body: impl Into<hyper::body::Bytes>) -> Answered {
    let mut headers = HeaderMap::new();
    if let Some(retry_after) = retry_after {
        headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
    }
    Answered { status: StatusCode::from_u16(status).unwrap(), headers, body: body.into() }
}

/// An error as Entra writes it.
fn body(error: &str, number: u64) -> String {
    json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: No matching federated identity record found for presented assertion subject 'S3CR3T'.\r\n\
             Trace ID: 8eea681d-a1eb-487d-9be7-d61225177f00\r\nTimestamp: 2026-11-22 07:00:00Z"
        ),
        "error_codes": [number],
        "timestamp": "2026-11-22 07:00:00Z",
        "trace_id": "8eea681d-a1eb-487d-9be7-d61225177f00",
        "correlation_id": "d0f0de73-8a5d-4de0-99b6-83e71da1f7a4",
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    })
    .to_string()
}

fn of(number: u64) -> Trouble {
    trouble(&answered(401, None, body("invalid_client", number)), NOW)
}

#[test]
fn what_may_only_be_new_is_not_yet() {
    for number in [70_021, 700_211, 700_213, 700_016, 7_000_229, 7_000_272] {
        let trouble = of(number);
        assert!(
            matches!(&trouble, Trouble::NotYet { code, help } if *code == format!("AADSTS{number}") && !help.is_empty()),
            "{trouble:?}"
        );
        assert!(trouble.is_retryable());
    }
}

#[test]
fn what_is_wrong_stays_wrong() {
    for number in [
        700_212, 7_002_131, 7_002_138, 7_002_381, 700_024, 5_002_730, 5_002_738, 7_000_215, 7_000_112, 90_002, 500_011,
        70_011, 53_003, 123_456,
    ] {
        let trouble = of(number);
        assert!(
            matches!(&trouble, Trouble::Refused { code, help } if *code == format!("AADSTS{number}") && !help.is_empty()),
            "{trouble:?}"
        );
    }
}

#[test]
fn what_is_overloaded_is_asked_later() {
    let code = |number: u64| format!("AADSTS{number}");
    for (status, retry_after, error, number, wanted) in [
        (400, None, "invalid_request", 50_196, Trouble::Throttled { code: code(50_196), retry_after: None }),
        (429, Some("17"), "invalid_request", 90_055, Trouble::Throttled { code: code(90_055), retry_after: Some(17) }),
        (400, None, "temporarily_unavailable", 90_033, Trouble::Unavailable { code: code(90_033) }),
        (400, Some("3"), "invalid_request", 90_033, Trouble::Throttled { code: code(90_033), retry_after: Some(3) }),
        (400, None, "temporarily_unavailable", 123_456, Trouble::Unavailable { code: code(123_456) }),
        (500, None, "invalid_client", 700_213, Trouble::Unavailable { code: code(700_213) }),
        (503, Some("9"), "server_error", 90_012, Trouble::Throttled { code: code(90_012), retry_after: Some(9) }),
    ] {
        assert_eq!(trouble(&answered(status, retry_after, body(error, number)), NOW), wanted);
    }
}

#[test]
fn the_code_is_read_off_the_description_where_there_is_no_list() {
    let described = |description: &str| {
        let body = json!({ "error": "invalid_client", "error_description": description }).to_string();
        trouble(&answered(401, None, body), NOW).to_string()
    };
    assert_eq!(described("AADSTS700212: No matching federated identity record"), "AADSTS700212");
    for description in ["", "AADSTS", "AADSTS: x", "see AADSTS700212: x", "AADSTS99999999999999999999: x", "AADSTS7: x"]
    {
        assert_eq!(described(description), "invalid_client", "{description}");
    }
}

#[test]
fn nothing_of_the_description_is_passed_on() {
    for number in [70_021, 700_213, 700_212, 7] {
        let shown = format!("{:?} {}", of(number), of(number));
        assert!(!shown.contains("S3CR3T") && !shown.contains("Trace"), "{shown}");
    }
}

#[test]
fn an_answer_of_something_else_than_entra_is_judged_as_any_server_s() {
    assert_eq!(
        trouble(&answered(502, None, "<html>Bad Gateway</html>"), NOW),
        Trouble::Unavailable { code: "502".to_owned() }
    );
    assert!(matches!(trouble(&answered(302, None, ""), NOW), Trouble::Invalid { .. }));
    assert!(matches!(trouble(&answered(404, None, "{}"), NOW), Trouble::Refused { .. }));
}

proptest! {
    #[test]
    fn no_error_makes_it_panic_or_quote(status in 100_u16..600, body in ".{0,200}") {
        prop_assert!(trouble(&answered(status, None, body), NOW).to_string().len() < 80);
    }

    #[test]
    fn no_description_is_quoted(description in "(AADSTS)?[0-9]{0,12}.{0,60}", numbers in proptest::collection::vec(any::<u64>(), 0..3)) {
        let body = json!({ "error": "invalid_client", "error_description": description, "error_codes": numbers });
        let shown = trouble(&answered(400, None, body.to_string()), NOW).to_string();
        let number = shown.strip_prefix("AADSTS");
        prop_assert!(shown == "invalid_client" || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())));
    }
}
