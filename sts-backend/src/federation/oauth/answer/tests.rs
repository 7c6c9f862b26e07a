use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::federation::fake::{NOW, order};

fn answered(body: impl Into<hyper::body::Bytes>, media_type: Option<&'static str>) -> Answered {
    let mut headers = HeaderMap::new();
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
    }
    Answered { status: StatusCode::OK, headers, body: body.into() }
}

fn read(answer: &Value) -> Result<TokenAnswer, Trouble> {
    TokenAnswer::read(&answered(answer.to_string(), Some("application/json;charset=UTF-8")), NOW)
}

fn good() -> Value {
    json!({ "access_token": "abc-._~+/=", "token_type": "Bearer", "expires_in": 3599, "scope": "a b" })
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = good();
    answer[name] = value;
    answer
}

#[test]
fn a_good_answer_becomes_a_credential() {
    let answer = read(&good()).unwrap();
    assert_eq!((answer.life, answer.scope.clone()), (3599, Some(Scope::parse("b a").unwrap())));
    let credential = answer.credential("j".to_owned(), NOW).unwrap();
    assert_eq!((credential.expires_at, credential.jti.as_str()), (NOW + 3599, "j"));
}

#[test]
fn lives_are_numbers_of_some_form_and_bounded() {
    for (said, life) in [
        (json!(1), 1),
        (json!("3599"), 3599),
        (json!(86_400), 86_400),
        (json!(90_000), 86_400),
        (json!(LONGEST_PROMISE), 86_400),
        (Value::Null, 60),
    ] {
        assert_eq!(read(&with("expires_in", said.clone())).unwrap().life, life, "{said}");
    }
    let mut unsaid = good();
    unsaid.as_object_mut().unwrap().remove("expires_in");
    assert_eq!(read(&unsaid).unwrap().life, 60);
    for said in [
        json!(LONGEST_PROMISE + 1),
        json!(u64::MAX),
        json!(0),
        json!("0"),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("+5"),
        json!("1h"),
        json!([5]),
        json!(true),
    ] {
        assert!(matches!(read(&with("expires_in", said.clone())), Err(Trouble::Invalid { .. })), "{said}");
    }
}

#[test]
fn schemes_are_known_ones_in_one_spelling() {
    for (said, wanted) in [("bearer", Some("Bearer")), ("dpop", Some("DPoP")), ("N_A", None), ("mac", None), ("", None)]
    {
        let credential = read(&with("token_type", said.into())).unwrap().credential("j".to_owned(), NOW);
        let scheme = credential.ok().map(|credential| match credential.kind {
            CredentialKind::Token { token_type, .. } => token_type,
            other => panic!("{other:?}"),
        });
        assert_eq!(scheme.as_deref(), wanted, "{said}");
    }
}

#[test]
fn a_token_that_no_header_may_carry_is_none() {
    let longest = "a".repeat(MAX_ISSUED_TOKEN_LENGTH);
    assert!(read(&with("access_token", longest.clone().into())).is_ok());
    for token in [String::new(), format!("{longest}a"), "a b".into(), "a\r\nb: c".into(), "ä".into(), "a\u{0}".into()]
    {
        let trouble = read(&with("access_token", token.clone().into())).err();
        assert!(matches!(trouble, Some(Trouble::Invalid { .. })), "{token:?}");
    }
}

#[test]
fn what_is_no_token_response_is_refused_without_a_byte_of_it() {
    let doubled = r#"{"access_token":"s3cr3t","access_token":"s3cr3t","token_type":"Bearer"}"#;
    for body in [
        "",
        "null",
        "s3cr3t",
        r#"["s3cr3t","Bearer"]"#,
        r#"{"access_token":"s3cr3t"}"#,
        r#"{"token_type":"Bearer"}"#,
        r#"{"access_token":["s3cr3t"],"token_type":"Bearer"}"#,
        r#"{"access_token":"s3cr3t","token_type":"Bearer","scope":"a\"s3cr3t"}"#,
        r#"{"access_token":"s3cr3t","token_type":"Bearer","expires_in":"s3cr3t"}"#,
        r#"{"access_token":"s3cr3t","token_type":"Bearer"} s3cr3t"#,
        doubled,
    ] {
        let trouble = TokenAnswer::read(&answered(body, Some("application/json")), NOW).err().expect(body);
        assert!(matches!(trouble, Trouble::Invalid { .. }) && !trouble.is_retryable(), "{body}");
        assert!(!format!("{trouble:?} {trouble}").contains("s3cr3t"), "{trouble:?}");
    }
    for media_type in [None, Some("text/html"), Some("text/plain; application/json")] {
        assert!(TokenAnswer::read(&answered(good().to_string(), media_type), NOW).is_err(), "{media_type:?}");
    }
}

#[test]
fn silence_about_the_scope_is_what_was_asked_for() {
    let mut silent = good();
    silent.as_object_mut().unwrap().remove("scope");
    assert!(read(&silent).unwrap().within(&order("a", 60)).is_ok());
    assert!(read(&good()).unwrap().within(&order("a b c", 60)).is_ok());
    assert!(read(&good()).unwrap().within(&order("a", 60)).is_err());
}

proptest! {
    #[test]
    fn no_body_makes_it_panic_or_talk(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = TokenAnswer::read(&answered(body, Some("application/json")), NOW);
    }

    #[test]
    fn whatever_is_read_can_stand_in_a_header(token in ".{0,40}", token_type in ".{0,10}", life in any::<u64>()) {
        let answer = json!({ "access_token": token, "token_type": token_type, "expires_in": life });
        if let Ok(credential) = read(&answer).and_then(|answer| answer.credential("j".to_owned(), NOW)) {
            let CredentialKind::Token { token, token_type } = &credential.kind else { panic!("{credential:?}") };
            let value = http::HeaderValue::from_str(&format!("{token_type} {}", token.expose()));
            prop_assert!(value.is_ok());
            prop_assert!(credential.expires_at > NOW && credential.expires_at <= NOW + MAX_LIFE);
        }
    }
}
