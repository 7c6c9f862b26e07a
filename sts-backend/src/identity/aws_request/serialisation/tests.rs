use form_urlencoded::byte_serialize;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::identity::aws_request::sample;

fn read(text: &str) -> Option<Presented> {
    match Presented::read(text) {
        Ok(presented) => Some(presented),
        Err(refusal) => {
            assert_eq!(refusal.reason(), Reason::SubjectTokenMalformed);
            assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{refusal:?}");
            assert!(text.len() < 40 || !format!("{refusal:?}").contains(text), "{refusal:?}");
            None
        }
    }
}

/// As google-auth for Python does it: a space is `%20`, and `/` stays.
fn quoted(text: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte);
    text.bytes().map(|byte| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[test]
fn every_client_s_way_of_writing_it_down_is_the_same_request() {
    let json = sample::google().to_string();
    for text in [json.clone(), quoted(&json), byte_serialize(json.as_bytes()).collect(), base64url::encode(&json)] {
        let presented = read(&text).unwrap();
        assert_eq!((presented.form, presented.method.as_str(), presented.body.as_str()), (Form::Google, "POST", ""));
        assert!(presented.url.starts_with("https://sts.us-east-2.amazonaws.com?Action="));
        assert_eq!(presented.headers.len(), 5);
        assert_eq!(presented.headers[3], ("x-amz-security-token".to_owned(), "SESS+TOK/==".to_owned()));
        assert!(presented.headers[0].1.contains(", SignedHeaders="), "spaces are spaces again");
    }
}

#[test]
fn members_that_some_clients_add_are_no_harm() {
    let mut request = sample::google();
    request["body"] = json!("");
    request["more"] = json!({"a": 1});
    assert_eq!(read(&request.to_string()).unwrap().body, "");
}

#[test]
fn vault_s_form_is_read_from_json_and_from_base64url() {
    let json = sample::vault().to_string();
    for text in [json.clone(), base64url::encode(&json)] {
        let presented = read(&text).unwrap();
        assert_eq!((presented.form, presented.method.as_str()), (Form::Vault, "POST"));
        assert_eq!(presented.url, "https://sts.us-east-2.amazonaws.com/");
        assert_eq!(presented.body, "Action=GetCallerIdentity&Version=2011-06-15");
        assert!(presented.headers.contains(&("X-Amz-Date".to_owned(), "20261122T075405Z".to_owned())));
    }
}

#[test]
fn what_is_written_otherwise_is_malformed() {
    let json = sample::google().to_string();
    let changed = |name: &str, value: Value| {
        let mut request = sample::google();
        request[name] = value;
        request.to_string()
    };
    let vault = |name: &str, value: Value| {
        let mut request = sample::vault();
        request[name] = value;
        request.to_string()
    };
    let many: Vec<_> = (0..=MAX_HEADERS).map(|index| json!({"key": format!("h{index}"), "value": ""})).collect();
    let wide: Map<String, Value> = (0..=MAX_HEADERS).map(|index| (format!("h{index}"), json!(""))).collect();
    let encoded = |value: Value| json!(STANDARD.encode(value.to_string()));
    for text in [
        "".to_owned(),
        "a.b.c".to_owned(),
        "{}".to_owned(),
        "{".to_owned(),
        "[]".to_owned(),
        "%7".to_owned(),
        "%7B%zz".to_owned(),
        format!("{}&x=y", quoted(&json)),
        format!("{json} {json}"),
        format!("{}=", base64url::encode(&json)),
        STANDARD.encode(format!("{json}>>>???")),
        json.replacen("\"method\"", "\"method\":\"GET\",\"method\"", 1),
        changed("method", json!(1)),
        changed("url", json!(null)),
        changed("body", json!(null)),
        changed("headers", json!({})),
        changed("headers", json!([{"key": "host"}])),
        changed("headers", json!([{"key": "host", "value": 1}])),
        changed("headers", json!(["host"])),
        changed("headers", json!(many)),
        changed("iam_request_url", json!("x")),
        vault("iam_request_url", json!("https://sts.amazonaws.com/")),
        vault("iam_request_url", json!("/+8=")),
        vault("iam_request_body", json!(null)),
        vault("iam_http_request_method", json!(["POST"])),
        vault("iam_request_headers", json!({"Host": "x"})),
        vault("iam_request_headers", encoded(json!([]))),
        vault("iam_request_headers", encoded(json!({"Host": ["a", "b"]}))),
        vault("iam_request_headers", encoded(json!({"Host": []}))),
        vault("iam_request_headers", encoded(json!({"Host": 1}))),
        vault("iam_request_headers", encoded(Value::Object(wide))),
        vault("iam_request_headers", json!(STANDARD.encode(r#"{"Host":"a","Host":"b"}"#))),
        vault("url", json!("https://sts.amazonaws.com/")),
    ] {
        assert!(read(&text).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[{}%\"a-zA-Z0-9:,+&=é]{0,120}") {
        _ = read(&text);
    }
}
