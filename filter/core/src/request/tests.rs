use super::*;
use crate::config::{Config, RouteMode};

fn route(settings: &str) -> std::sync::Arc<ExchangeRoute> {
    let json = format!(
        r#"{{"version":1,"listener":"l","sts":{{"cluster":"s","authority":"s","actor":"spiffe://td/e"}},
            "routes":{{"r":{{"exchange":{{"audience":"a","clusters":["c"]{settings}}}}}}}}}"#
    );
    match Config::parse(json.as_bytes()).unwrap().route("r") {
        Some(RouteMode::Exchange(route)) => route.clone(),
        other => panic!("{other:?}"),
    }
}

fn headers<'h>(list: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h [u8])> {
    let list = [(":method", "GET"), (":path", "/x")].iter().chain(list);
    list.map(|(name, value)| (*name, value.as_bytes())).collect()
}

fn token(list: &[(&str, &str)], settings: &str) -> Result<String, Reason> {
    let (headers, route) = (headers(list), route(settings));
    let reading = Reading::new(&headers, &route);
    let token = reading.subject_token(&headers, route.subject(), route.subject_header().unwrap());
    let token = token.and_then(|token| {
        check_form(token, route.subject_header().unwrap(), TokenType::Jwt).map(|()| token.to_owned())
    });
    token.map_err(|refusal| refusal.reason().unwrap())
}

#[test]
fn exactly_one_bearer_token_is_taken() {
    for value in ["Bearer tok.en", "bearer  tok.en", "BEARER\ttok.en "] {
        assert_eq!(token(&[("authorization", value)], "").as_deref(), Ok("tok.en"), "{value}");
    }
    for (list, reason) in [
        (&[][..], Reason::SubjectTokenMissing),
        (&[("authorization", "")][..], Reason::SubjectTokenMissing),
        (&[("authorization", "Bearer")][..], Reason::SubjectTokenMissing),
        (&[("authorization", "Bearer ")][..], Reason::SubjectTokenMissing),
        (&[("authorization", "Basic eDp5")][..], Reason::SubjectTokenMissing),
        (&[("authorization", "eyJhbGciOi")][..], Reason::SubjectTokenMissing),
        (&[("authorization", "Bearer a"), ("authorization", "Bearer a")][..], Reason::SubjectTokenDuplicated),
        (&[("authorization", "Bearer a,Bearer b")][..], Reason::SubjectTokenDuplicated),
        (&[("authorization", "Bearer a b")][..], Reason::SubjectTokenMalformed),
        (&[("authorization", "Bearer é")][..], Reason::SubjectTokenMalformed),
        (
            &[("authorization", format!("Bearer {}", "a".repeat(MAX_TOKEN_LENGTH + 1)).as_str())][..],
            Reason::SubjectTokenTooLarge,
        ),
    ] {
        assert_eq!(token(list, ""), Err(reason), "{:?}", list.first().map(|(_, value)| value.get(..20)));
    }
}

#[test]
fn a_signed_request_is_taken_in_base64url_and_its_sender_told_so() {
    let check = |token| check_form(token, "authorization", TokenType::Aws4Request);
    assert!(check("eyJtZXRob2QiOiJQT1NUIn0").is_ok());
    let refusal = check("%7B%22method%22%3A%22POST%22%7D").unwrap_err();
    assert_eq!(refusal.reason(), Some(Reason::SubjectTokenMalformed));
    assert!(format!("{refusal:?}").contains("base64url"), "{refusal:?}");
}

#[test]
fn another_header_is_taken_whole() {
    let settings = r#","subject":{"header":{"name":"x-native"}}"#;
    assert_eq!(token(&[("x-native", "tok")], settings).as_deref(), Ok("tok"));
    assert_eq!(token(&[("authorization", "Bearer tok")], settings), Err(Reason::SubjectTokenMissing));
    assert_eq!(token(&[("x-native", "Bearer tok")], settings), Err(Reason::SubjectTokenMalformed));
    assert_eq!(token(&[("x-native", "a"), ("x-native", "b")], settings), Err(Reason::SubjectTokenDuplicated));
}

#[test]
fn a_refusal_does_not_repeat_what_was_sent() {
    let (headers, route) = (headers(&[("authorization", "SecretTokenWithoutScheme x")]), route(""));
    let refusal = Reading::new(&headers, &route)
        .subject_token(&headers, route.subject(), route.subject_header().unwrap())
        .unwrap_err();
    assert!(!format!("{refusal:?}").contains("Secret"));
}

#[test]
fn the_token_may_stand_nowhere_else_in_what_would_be_sent() {
    let native = ("authorization", "Bearer native-token");
    let elsewhere = |name, value| token(&[native, (name, value)], "");
    assert_eq!(elsewhere("x-copy", "a native-token b"), Err(Reason::SubjectTokenDuplicated));
    assert_eq!(elsewhere("x-forwarded-access-token", "native-token").as_deref(), Ok("native-token"), "it is removed");
    let mut list = headers(&[native]);
    list[1].1 = b"/x?q=native-token";
    let route = route("");
    assert!(
        Reading::new(&list, &route).subject_token(&list, route.subject(), route.subject_header().unwrap()).is_err()
    );
    list[1].1 = b"/x?access_token=native-token";
    let reading = Reading::new(&list, &route);
    assert!(reading.subject_token(&list, route.subject(), route.subject_header().unwrap()).is_ok());
    assert_eq!(reading.path.as_str(), "/x");
    assert_eq!(reading.edits, [Edit::SetPath("/x".to_owned())]);
}

#[test]
fn carriers_are_removed_and_the_rest_is_not() {
    let route = route(r#","strip_headers":["x-legacy"],"inject":{"header":{"name":"x-injected"}}"#);
    let list = headers(&[
        ("accept", "*/*"),
        ("cookie", "a=b"),
        ("x-cloakroom-subject", "me"),
        ("x-envoy-max-retries", "9"),
        ("x-envoy-internal", "true"),
        ("x-injected", "forged"),
        ("x-legacy", "k"),
        ("authorization", "Bearer a"),
    ]);
    let removed = ["cookie", "x-cloakroom-subject", "x-envoy-max-retries", "x-injected", "x-legacy"];
    let reading = Reading::new(&list, &route);
    assert_eq!(reading.edits, removed.map(Edit::Remove));
    assert_eq!(reading.subject_header_name(), Some("authorization"));
}

#[test]
fn tunnels_are_refused() {
    let refused = |list: &[(&'static str, &'static str)], method: &'static str| {
        let mut list = headers(list);
        list[0].1 = method.as_bytes();
        Reading::new(&list, &route("")).refuse_tunnels().map_err(|refusal| refusal.reason().unwrap())
    };
    assert_eq!(refused(&[], "GET"), Ok(()));
    let wanted = Err(Reason::RequestRefused);
    assert_eq!(refused(&[], "CONNECT"), wanted);
    assert_eq!(refused(&[(":protocol", "connect-udp")], "CONNECT"), wanted);
    assert_eq!(refused(&[("upgrade", "websocket")], "GET"), wanted);
    assert_eq!(refused(&[("upgrade", "h2c"), ("http2-settings", "x")], "GET"), wanted);
    assert_eq!(refused(&[], ""), wanted);
}

#[test]
fn only_a_well_formed_traceparent_is_passed_on() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let read = |value: &str| {
        let list = headers(&[("traceparent", value)]);
        Reading::new(&list, &route("")).traceparent.map(str::to_owned)
    };
    assert_eq!(read(good).as_deref(), Some(good));
    for bad in ["", "00-1-2-3", &good.to_uppercase(), &format!("{good}-x"), &good.replace('f', "\n")] {
        assert_eq!(read(bad), None, "{bad}");
    }
}

#[test]
fn trailers_lose_carriers_and_the_native_token() {
    let list = [("grpc-status", "0"), ("authorization", "x"), ("x-late", "is native-token")]
        .map(|(name, value)| (name, value.as_bytes()));
    assert_eq!(trailer_removals(&list, &route(""), Some(Subject::Token("native-token"))), ["authorization", "x-late"]);
    assert_eq!(trailer_removals(&list, &route(""), None).len(), 3, "any of them could hold a token that is not known");
}
