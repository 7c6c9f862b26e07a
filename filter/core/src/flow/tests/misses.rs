//! Nothing is known of the key.

use token::message::RequestContext;

use super::*;

/// A hit on a token costs no question.
struct Unasked;

impl Connection for Unasked {
    fn source(&self) -> String {
        panic!("a hit asks for no source")
    }

    fn certificate(&self) -> Option<String> {
        panic!("a token needs no certificate")
    }

    fn uri(&self) -> Option<String> {
        panic!("a token needs no hop")
    }
}

#[test]
fn a_miss_parks_asks_once_and_serves_everyone() {
    let mut worker = Worker::alone();
    for stream in 0..100 {
        let headers = get("t");
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let arrival = Arrival { stream, route: Some(b"r0"), has_body: false, connection: &Peer::default() };
        let step = worker.flow.on_request(&mut worker.host, arrival, &headers, START);
        let Verdict::Park { start, .. } = step.verdict else { panic!("not parked") };
        assert_eq!(start, stream == 0);
        assert_eq!(step.edits, [Edit::Remove("cookie"), Edit::Remove("authorization")], "stripped before it waits");
    }
    let ask = worker.ask(START);
    worker.rests(START);
    assert_eq!(ask.request.subject_token.expose(), "native-t");
    assert_eq!(ask.request.audience, ["a0"]);
    assert!(!ask.fresh);
    let context: RequestContext = serde_json::from_str(&ask.request.request_context.unwrap()).unwrap();
    assert_eq!((context.listener.as_deref(), context.route.as_deref()), (Some("egress"), Some("r0")));
    assert_eq!(context.actor.as_deref(), Some("spiffe://td/edge"));
    let settled = worker.answer(ask.id, ok(&issued("i", 60)), later(40)).unwrap();
    assert_eq!((settled.result, settled.took_ms, settled.deliveries.len()), (CallResult::Ok, Some(40), 100));
    assert_eq!((settled.route.name(), settled.index, settled.renewal), ("r0", 1, false));
    for (place, delivery) in settled.deliveries.into_iter().enumerate() {
        let forward = delivery.verdict.unwrap();
        assert_eq!(forward.issued.header_value(), "Bearer i");
        assert_eq!(forward.outcome, if place == 0 { Outcome::Miss } else { Outcome::Coalesced });
        assert!(!worker.flow.is_waiting(delivery.stream));
    }
    assert!(worker.answer(ask.id, ok(&issued("again", 60)), later(41)).is_none(), "one answer, and no more");
    let headers = get("t");
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let arrival = Arrival { stream: 200, route: Some(b"r0"), has_body: false, connection: &Unasked };
    let step = worker.flow.on_request(&mut worker.host, arrival, &headers, later(50));
    let Verdict::Forward(forward) = step.verdict else { panic!("no hit") };
    assert_eq!((forward.issued.header_value(), forward.outcome), ("Bearer i", Outcome::Hit));
    assert_eq!(step.edits, [Edit::Remove("cookie")], "writing the credential replaces the native one");
}

#[test]
fn constraints_hold_for_waiters_and_for_every_hit() {
    let details = json!([{"type": "cloakroom_constraint", "methods": ["GET"], "paths": ["/reports/*"]}]);
    let mut worker = Worker::alone();
    for (stream, method, path) in [(1, "GET", "/reports/1"), (2, "POST", "/reports/1"), (3, "GET", "/admin")] {
        assert!(matches!(worker.arrive(stream, "r0", &request(method, path, "t"), START), Verdict::Park { .. }));
    }
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, ok(&issued_with("i", 60, &details)), START).unwrap();
    assert_eq!(told(&settled), [(1, Ok("Bearer i")), (2, Err("method_refused")), (3, Err("path_refused"))]);
    for (method, path, wanted) in [
        ("GET", "/reports/2?x=1", None),
        ("DELETE", "/reports/2", Some(Reason::MethodRefused)),
        ("GET", "/reports/../admin", Some(Reason::PathRefused)),
    ] {
        let verdict = worker.arrive(4, "r0", &request(method, path, "t"), later(1));
        assert_eq!(reason(&verdict), wanted, "{method} {path}");
        assert_eq!(matches!(verdict, Verdict::Forward(_)), wanted.is_none());
    }
}

#[test]
fn an_exchange_that_nobody_waits_for_any_more_is_not_started() {
    let mut worker = Worker::with(&json!({"limits": {"shared_tokens": 0, "pending_per_source": 1}}));
    worker.parks(1, "t", START);
    let settled = worker.tick(later(PATIENCE_MS));
    assert_eq!(settled.iter().flat_map(told).collect::<Vec<_>>(), [(1, Err("sts_unavailable"))]);
    worker.rests(later(PATIENCE_MS));
    assert!(worker.flow.pending.is_empty());
    worker.parks(2, "u", later(PATIENCE_MS));
}

#[test]
fn routes_that_are_not_configured_are_refused_and_untouched_ones_pass() {
    let mut worker = Worker::alone();
    let mut list = get("t");
    list.push(("x-cloakroom-subject".to_owned(), b"me".to_vec()));
    let list: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let mut decide = |route| {
        let arrival = Arrival { stream: 1, route, has_body: false, connection: &Peer::default() };
        worker.flow.on_request(&mut worker.host, arrival, &list, START)
    };
    for route in [None, Some(&b"other"[..]), Some(b""), Some(b"\xff")] {
        let step = decide(route);
        assert_eq!(reason(&step.verdict), Some(Reason::RouteUnknown));
        let removed = ["authorization", "cookie", "x-cloakroom-subject"];
        assert_eq!(step.edits, removed.map(Edit::Remove));
    }
    let step = decide(Some(b"plain"));
    assert!(matches!(step.verdict, Verdict::Pass { route: 0 }), "the first by name");
    assert_eq!(step.edits, [Edit::Remove("x-cloakroom-subject")]);
}

#[test]
fn a_place_says_which_route_it_is() {
    let worker = Worker::alone();
    assert_eq!(worker.flow.route_names(), ["plain", "r0", "r1", "r2"]);
}
