use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const START: Now = Now { unix_ms: 1_800_000_000_000, steady_ms: 10_000 };

fn later(ms: u64) -> Now {
    Now { unix_ms: START.unix_ms + ms, steady_ms: START.steady_ms + ms }
}

fn flow_with(limits: Value) -> Flow {
    let route = |audience: &str| json!({"exchange": {"audience": audience, "clusters": ["c"]}});
    let config = json!({
        "version": 1, "listener": "egress", "limits": limits,
        "sts": {"cluster": "sts", "authority": "sts", "actor": "spiffe://td/edge"},
        "routes": {"r0": route("a0"), "r1": route("a1"), "r2": route("a2"), "plain": "untouched"},
    });
    Flow::new(Arc::new(Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap()))
}

fn flow() -> Flow {
    flow_with(Value::Null)
}

fn get(token: &str) -> Vec<(String, Vec<u8>)> {
    request("GET", "/reports/1", token)
}

fn request(method: &str, path: &str, token: &str) -> Vec<(String, Vec<u8>)> {
    [(":method", method), (":path", path), ("authorization", &format!("Bearer native-{token}")), ("cookie", "c=1")]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .to_vec()
}

fn issued(token: &str, expires_in: u64, details: &Value) -> Vec<u8> {
    let body = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": expires_in,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "authorization_details": details,
    });
    serde_json::to_vec(&body).unwrap()
}

fn ok(body: &[u8]) -> Answer<'_> {
    Answer { status: Some(200), decision_id: None, body }
}

fn denied() -> Answer<'static> {
    Answer {
        status: Some(400),
        decision_id: Some("d-1"),
        body: br#"{"error":"invalid_request","reason":"policy_denied"}"#,
    }
}

fn forwarded(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Forward(forward) => forward.issued.header_value.expose(),
        _ => panic!("not forwarded"),
    }
}

fn refused(verdict: &Verdict) -> Reason {
    match verdict {
        Verdict::Refuse(refused) => refused.refusal.reason().unwrap(),
        _ => panic!("not refused"),
    }
}

/// Gets `token` a credential on `r0` that the STS asked at `asked` answers at `answered`.
fn warm(flow: &mut Flow, token: &str, expires_in: u64, details: &Value, asked: Now, answered: Now) {
    assert!(matches!(flow.on_request(1, Some(b"r0"), &get(token), asked).verdict, Verdict::Park(_)));
    let ask = flow.next_ask(asked).unwrap();
    let body = issued(&format!("for-{token}"), expires_in, details);
    assert!(flow.on_answer(ask.id, ok(&body), answered).is_some());
}

#[test]
fn a_miss_parks_asks_once_and_serves_everyone() {
    let mut flow = flow();
    for stream in 0..100 {
        let headers = get("t");
        let step = flow.on_request(stream, Some(b"r0"), &headers, START);
        let Verdict::Park(parked) = step.verdict else { panic!("not parked") };
        assert_eq!(parked.start, stream == 0);
        assert_eq!(step.edits, [Edit::Remove("cookie"), Edit::Remove("authorization")], "stripped before it waits");
    }
    let ask = flow.next_ask(START).unwrap();
    assert!(flow.next_ask(START).is_none());
    assert_eq!(ask.request.subject_token.expose(), "native-t");
    assert_eq!(ask.request.audience, ["a0"]);
    let context: RequestContext = serde_json::from_str(&ask.request.request_context.unwrap()).unwrap();
    assert_eq!((context.listener.as_deref(), context.route.as_deref()), (Some("egress"), Some("r0")));
    assert_eq!(context.actor.as_deref(), Some("spiffe://td/edge"));
    // The first one leaves; nobody is the worse for it.
    flow.on_stream_end(0);
    let settled = flow.on_answer(ask.id, ok(&issued("i", 60, &json!([]))), later(40)).unwrap();
    assert_eq!((settled.result, settled.took_ms, settled.deliveries.len()), (CallResult::Ok, Some(40), 99));
    for delivery in settled.deliveries {
        let forward = delivery.verdict.unwrap();
        assert_eq!(forward.issued.header_value.expose(), "Bearer i");
        assert_eq!(forward.outcome, Outcome::Coalesced);
        assert!(!flow.is_waiting(delivery.stream));
    }
    let headers = get("t");
    let hit = flow.on_request(200, Some(b"r0"), &headers, later(50));
    assert_eq!(forwarded(&hit.verdict), "Bearer i");
    assert_eq!(hit.edits, [Edit::Remove("cookie")], "writing the credential replaces the native one");
}

#[test]
fn a_life_counts_from_asking_and_ends_before_the_token_does() {
    let mut flow = flow();
    warm(&mut flow, "t", 60, &json!([]), START, later(700));
    let at = |flow: &mut Flow, ms| {
        matches!(flow.on_request(9, Some(b"r0"), &get("t"), later(ms)).verdict, Verdict::Forward(_))
    };
    assert!(at(&mut flow, 54_999));
    assert!(!at(&mut flow, 55_000));
}

#[test]
fn a_token_that_ended_on_its_way_is_not_sent() {
    let mut flow = flow();
    flow.on_request(1, Some(b"r0"), &get("t"), START);
    let ask = flow.next_ask(START).unwrap();
    let settled = flow.on_answer(ask.id, ok(&issued("i", 1, &json!([]))), later(900)).unwrap();
    assert_eq!(settled.deliveries[0].verdict.as_ref().err().unwrap().refusal.reason(), Some(Reason::StsReplyInvalid));
}

#[test]
fn constraints_hold_for_waiters_and_for_every_hit() {
    let details = json!([{"type": "cloakroom_constraint", "methods": ["GET"], "paths": ["/reports/*"]}]);
    let mut flow = flow();
    flow.on_request(1, Some(b"r0"), &request("GET", "/reports/1", "t"), START);
    flow.on_request(2, Some(b"r0"), &request("POST", "/reports/1", "t"), START);
    flow.on_request(3, Some(b"r0"), &request("GET", "/admin", "t"), START);
    let ask = flow.next_ask(START).unwrap();
    let settled = flow.on_answer(ask.id, ok(&issued("i", 60, &details)), START).unwrap();
    let reasons: Vec<_> =
        settled.deliveries.iter().map(|d| d.verdict.as_ref().err().map(|r| r.refusal.reason().unwrap())).collect();
    assert_eq!(reasons, [None, Some(Reason::MethodRefused), Some(Reason::PathRefused)]);
    for (method, path, wanted) in [
        ("GET", "/reports/2?x=1", None),
        ("DELETE", "/reports/2", Some(Reason::MethodRefused)),
        ("GET", "/reports/../admin", Some(Reason::PathRefused)),
    ] {
        let headers = request(method, path, "t");
        let verdict = flow.on_request(4, Some(b"r0"), &headers, later(1)).verdict;
        match wanted {
            None => assert_eq!(forwarded(&verdict), "Bearer i"),
            Some(reason) => assert_eq!(refused(&verdict), reason),
        }
    }
}

#[test]
fn a_refusal_is_remembered_for_its_key_only_and_briefly() {
    let mut flow = flow();
    flow.on_request(1, Some(b"r0"), &get("t"), START);
    let ask = flow.next_ask(START).unwrap();
    flow.on_answer(ask.id, denied(), START).unwrap();
    assert_eq!(refused(&flow.on_request(2, Some(b"r0"), &get("t"), later(500)).verdict), Reason::PolicyDenied);
    assert!(matches!(flow.on_request(3, Some(b"r1"), &get("t"), later(500)).verdict, Verdict::Park(_)));
    assert!(matches!(flow.on_request(4, Some(b"r0"), &get("u"), later(500)).verdict, Verdict::Park(_)));
    assert!(matches!(flow.on_request(5, Some(b"r0"), &get("t"), later(5_000)).verdict, Verdict::Park(_)));
}

#[test]
fn that_the_sts_is_away_is_told_to_all_at_once_and_not_remembered() {
    let mut flow = flow();
    for stream in 0..10 {
        flow.on_request(stream, Some(b"r0"), &get("t"), START);
    }
    let ask = flow.next_ask(START).unwrap();
    let settled = flow.on_answer(ask.id, NO_ANSWER, START).unwrap();
    assert_eq!((settled.result, settled.deliveries.len()), (CallResult::Unavailable, 10));
    assert!(settled.deliveries.iter().all(|d| d.verdict.as_ref().err().unwrap().refusal.row().status == 503));
    assert!(matches!(flow.on_request(20, Some(b"r0"), &get("t"), START).verdict, Verdict::Park(_)));
}

#[test]
fn a_wait_ends_even_if_no_answer_ever_comes() {
    let mut flow = flow();
    flow.on_request(1, Some(b"r0"), &get("t"), START);
    let ask = flow.next_ask(START).unwrap();
    assert!(flow.on_tick(later(849)).is_empty());
    let settled = flow.on_tick(later(850));
    assert_eq!(settled.len(), 1);
    assert_eq!(settled[0].deliveries.len(), 1);
    assert!(flow.on_answer(ask.id, ok(&issued("late", 60, &json!([]))), later(900)).is_none());
}

#[test]
fn an_exchange_nobody_waits_for_is_not_started() {
    let mut flow = flow();
    flow.on_request(1, Some(b"r0"), &get("t"), START);
    flow.on_stream_end(1);
    assert!(flow.next_ask(START).is_none());
    assert!(matches!(
        flow.on_request(2, Some(b"r0"), &get("t"), START).verdict,
        Verdict::Park(Parked { start: true, .. })
    ));
}

#[test]
fn queues_are_bounded() {
    let mut flow = flow_with(json!({"waiting_requests": 5, "waiting_per_exchange": 3, "pending_exchanges": 2}));
    let mut ask = |stream, token: &str| match flow.on_request(stream, Some(b"r0"), &get(token), START).verdict {
        Verdict::Park(_) => Ok(()),
        verdict => Err(refused(&verdict)),
    };
    let full = Err(Reason::FilterOverloaded);
    assert_eq!([ask(1, "a"), ask(2, "a"), ask(3, "a"), ask(4, "a")], [Ok(()), Ok(()), Ok(()), full]);
    assert_eq!([ask(5, "b"), ask(6, "c"), ask(7, "b"), ask(8, "b")], [Ok(()), full, Ok(()), full]);
}

#[test]
fn routes_that_are_not_configured_are_refused_and_untouched_ones_pass() {
    let mut flow = flow();
    let mut list = get("t");
    list.push(("x-cloakroom-subject".to_owned(), b"me".to_vec()));
    for route in [None, Some(&b"other"[..]), Some(b""), Some(b"\xff")] {
        let step = flow.on_request(1, route, &list, START);
        assert_eq!(refused(&step.verdict), Reason::RouteUnknown);
        let removed = ["authorization", "cookie", "x-cloakroom-subject"];
        assert_eq!(step.edits, removed.map(Edit::Remove));
    }
    let step = flow.on_request(1, Some(b"plain"), &list, START);
    assert!(matches!(step.verdict, Verdict::Pass));
    assert_eq!(step.edits, [Edit::Remove("x-cloakroom-subject")]);
}

#[derive(Clone, Debug)]
enum Event {
    Request { route: u8, token: u8 },
    Start,
    Answer { which: usize, kind: u8, life: u64 },
    Leave { which: usize },
    Wait { ms: u64 },
    SetClock { back: bool, ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3u8, 0..6u8).prop_map(|(route, token)| Event::Request { route, token }),
        3 => Just(Event::Start),
        3 => (any::<usize>(), 0..5u8, 1..20u64).prop_map(|(which, kind, life)| Event::Answer { which, kind, life }),
        1 => any::<usize>().prop_map(|which| Event::Leave { which }),
        3 => (0..3_000u64).prop_map(|ms| Event::Wait { ms }),
        1 => (any::<bool>(), 0..100_000u64).prop_map(|(back, ms)| Event::SetClock { back, ms }),
    ]
}

/// What the outside sees, to hold the flow against.
#[derive(Default)]
struct World {
    /// When the exchange for a key was opened, by the steady clock.
    opened: HashMap<String, u64>,
    /// Exchanges that were asked for: number to (key, asked at, by the steady clock).
    asked: HashMap<u64, (String, u64)>,
    /// Requests that wait: stream to key.
    waiting: HashMap<u32, String>,
    /// Issued: credential to (key, the last moment of its life by the steady clock).
    lives: HashMap<String, (String, u64)>,
}

impl World {
    fn sees(&self, credential: &str, key: &str, now: Now) {
        let (owner, end) = &self.lives[credential];
        assert_eq!(owner, key, "a credential went to another key");
        assert!(now.steady_ms < *end, "a credential outlived its life");
    }

    fn delivered(&mut self, settled: &Settled, now: Now) {
        for delivery in &settled.deliveries {
            let key = self.waiting.remove(&delivery.stream).expect("only those who wait are answered, and once");
            if let Ok(forward) = &delivery.verdict {
                self.sees(forward.issued.header_value.expose(), &key, now);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_schedule_breaks_what_must_hold(events in prop::collection::vec(event(), 1..120)) {
        let limits = json!({"cached_tokens": 4, "waiting_requests": 12, "waiting_per_exchange": 5, "pending_exchanges": 6});
        let (mut flow, mut world) = (flow_with(limits), World::default());
        let (mut now, mut stream, mut serial) = (START, 0u32, 0u64);
        for event in events {
            match event {
                Event::Request { route, token } => {
                    stream += 1;
                    let key = format!("r{route}/t{token}");
                    let headers = get(&format!("t{token}"));
                    match flow.on_request(stream, Some(format!("r{route}").as_bytes()), &headers, now).verdict {
                        Verdict::Forward(forward) => world.sees(forward.issued.header_value.expose(), &key, now),
                        Verdict::Park(parked) => {
                            if parked.start {
                                world.opened.insert(key.clone(), now.steady_ms);
                            }
                            world.waiting.insert(stream, key);
                        }
                        Verdict::Refuse(_) => {}
                        Verdict::Pass => prop_assert!(false, "passed untouched"),
                    }
                }
                Event::Start => while let Some(ask) = flow.next_ask(now) {
                    let key = format!("r{}/{}", &ask.request.audience[0][1..], ask.request.subject_token.expose().trim_start_matches("native-"));
                    prop_assert!(world.asked.values().all(|(other, _)| *other != key), "asked twice at once for {}", key);
                    world.asked.insert(ask.id, (key, now.steady_ms));
                },
                Event::Answer { which, kind, life } => {
                    let mut ids: Vec<_> = world.asked.keys().copied().collect();
                    ids.sort_unstable();
                    if ids.is_empty() { continue }
                    let id = ids[which % ids.len()];
                    let (key, asked) = world.asked.remove(&id).unwrap();
                    serial += 1;
                    let body = issued(&format!("i{serial}"), life, &json!([]));
                    world.lives.insert(format!("Bearer i{serial}"), (key, asked + life * 1000));
                    let answer = match kind { 0 => NO_ANSWER, 1 => denied(), _ => ok(&body) };
                    if let Some(settled) = flow.on_answer(id, answer, now) {
                        world.delivered(&settled, now);
                    }
                }
                Event::Leave { which } => {
                    let mut streams: Vec<_> = world.waiting.keys().copied().collect();
                    streams.sort_unstable();
                    if streams.is_empty() { continue }
                    let stream = streams[which % streams.len()];
                    world.waiting.remove(&stream);
                    flow.on_stream_end(stream);
                }
                Event::Wait { ms } => {
                    now = Now { unix_ms: now.unix_ms + ms, steady_ms: now.steady_ms + ms };
                    for settled in flow.on_tick(now) {
                        // Given up: that it was asked no longer counts.
                        let keys: HashSet<_> = settled.deliveries.iter().map(|d| world.waiting[&d.stream].clone()).collect();
                        prop_assert!(keys.len() <= 1);
                        world.delivered(&settled, now);
                    }
                    // An exchange that is overdue is over, whether anybody still waited for it or not.
                    let patience = 850;
                    let World { asked, opened, .. } = &mut world;
                    asked.retain(|_, (key, _)| now.steady_ms < opened[key] + patience);
                }
                Event::SetClock { back: true, ms } => now.unix_ms = now.unix_ms.saturating_sub(ms),
                Event::SetClock { back: false, ms } => now.unix_ms += ms,
            }
            prop_assert!(flow.cached() <= 4);
            prop_assert!(flow.pending.len() <= 6);
            prop_assert_eq!(flow.pending.waiting(), world.waiting.len());
            prop_assert!(flow.pending.waiting() <= 12);
            for stream in world.waiting.keys() {
                prop_assert!(flow.is_waiting(*stream));
            }
        }
    }
}
