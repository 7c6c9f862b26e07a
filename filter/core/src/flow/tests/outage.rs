//! The STS does not answer.

use super::*;

#[test]
fn that_the_sts_is_away_is_told_to_all_at_once_and_to_who_comes_just_after() {
    let mut worker = Worker::alone();
    for stream in 0..10 {
        worker.parks(stream, "t", START);
    }
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, NO_ANSWER, later(5)).unwrap();
    assert_eq!((settled.result, settled.deliveries.len()), (CallResult::Unavailable, 10));
    for delivery in &settled.deliveries {
        let response = response(delivery.verdict.as_ref().err().unwrap());
        assert_eq!(response.status, 503);
        assert!((1..=5).contains(&retry_after(&response).unwrap()));
    }
    assert_eq!(reason(&worker.get(20, "t", later(200))), Some(Reason::StsUnavailable));
    worker.rests(later(200));
    worker.parks(21, "t", later(5 + 760));
}

#[test]
fn a_wait_ends_even_if_no_answer_ever_comes() {
    let mut worker = Worker::alone();
    worker.parks(1, "t", START);
    let ask = worker.ask(START);
    assert!(worker.tick(later(PATIENCE_MS - 1)).is_empty());
    let settled = worker.tick(later(PATIENCE_MS));
    assert_eq!(settled.iter().flat_map(told).collect::<Vec<_>>(), [(1, Err("sts_unavailable"))]);
    assert!(worker.answer(ask.id, ok(&issued("late", 60)), later(900)).is_none());
    assert!(worker.flow.pending.is_empty() && worker.flow.cached() == 0);
}

#[test]
fn a_step_of_the_wall_clock_ends_no_wait() {
    let mut worker = Worker::alone();
    worker.parks(1, "t", START);
    worker.ask(START);
    let stepped = Now { unix_ms: START.unix_ms + 3_600_000, ..later(100) };
    assert!(worker.tick(stepped).is_empty());
    assert!(worker.flow.is_waiting(1));
}

#[test]
fn many_who_lose_patience_are_told_at_once_and_in_one_word() {
    let mut worker = Worker::alone();
    worker.parks(0, "t", START);
    worker.parks(100, "u", START);
    // Nothing starts the exchanges, as when another worker holds the leases for too long.
    for stream in 1..50 {
        worker.parks(stream, "t", later(1));
    }
    let settled = worker.tick(later(PATIENCE_MS + 1));
    assert_eq!(settled.iter().map(|settled| settled.deliveries.len()).collect::<Vec<_>>(), [50, 1]);
    assert!(settled.iter().all(|settled| settled.result == CallResult::Unavailable && settled.took_ms.is_none()));
}

/// Five calls without an answer open the breaker; the next is refused at once.
fn open_breaker(worker: &mut Worker) {
    for call in 0..5_u32 {
        worker.parks(call, &format!("first-{call}"), START);
        let ask = worker.ask(START);
        worker.answer(ask.id, NO_ANSWER, START).unwrap();
    }
}

#[test]
fn with_the_breaker_open_who_has_nothing_is_refused_at_once_and_nobody_is_asked() {
    let mut worker = Worker::alone();
    open_breaker(&mut worker);
    for stream in 10..100 {
        worker.parks(stream, &format!("other-{stream}"), later(1));
        let settled = worker.told(later(1));
        assert_eq!(told(&settled), [(stream, Err("sts_unavailable"))]);
        assert_eq!((settled.result, settled.took_ms), (CallResult::Unavailable, None));
        let response = response(settled.deliveries[0].verdict.as_ref().err().unwrap());
        assert!((response.status, retry_after(&response).is_some()) == (503, true));
    }
    worker.rests(later(1));
    assert!(worker.flow.pending.is_empty());
    worker.tick(later(100));
    assert!(worker.flow.take_report().opened);
    worker.tick(later(200));
    assert!(!worker.flow.take_report().opened, "reported once");
}

#[test]
fn one_call_finds_out_that_the_sts_is_back_and_then_all_may_ask() {
    let mut worker = Worker::alone();
    open_breaker(&mut worker);
    worker.parks(10, "a", later(501));
    let probe = worker.ask(later(501));
    worker.parks(11, "b", later(502));
    assert_eq!(told(&worker.told(later(502))), [(11, Err("sts_unavailable"))], "one at a time");
    assert!(worker.answer(probe.id, ok(&issued("i", 60)), later(520)).unwrap().deliveries[0].verdict.is_ok());
    for stream in 20..30 {
        worker.parks(stream, &format!("c-{stream}"), later(521));
        worker.ask(later(521));
    }
}

#[test]
fn a_refusal_of_the_sts_is_an_answer_and_opens_no_breaker() {
    let mut worker = Worker::alone();
    for call in 0..50_u32 {
        worker.parks(call, &format!("t-{call}"), START);
        let ask = worker.ask(START);
        worker.answer(ask.id, DENIED, START).unwrap();
    }
    worker.parks(99, "t", START);
    worker.ask(START);
}

#[test]
fn answers_that_are_of_no_use_to_one_route_do_not_keep_others_from_asking() {
    let mut worker = Worker::alone();
    let useless = String::from_utf8(issued("i", 60)).unwrap().replace("token-type:access_token", "token-type:saml2");
    for call in 0..50_u32 {
        worker.parks(call, &format!("t-{call}"), START);
        let ask = worker.ask(START);
        let settled = worker.answer(ask.id, ok(useless.as_bytes()), START).unwrap();
        assert_eq!(told(&settled), [(call, Err("sts_reply_invalid"))]);
    }
    assert!(matches!(worker.arrive(99, "r1", &get("t"), START), Verdict::Park { .. }));
    worker.ask(START);
}

#[test]
fn one_platform_or_issuer_that_cannot_be_asked_does_not_keep_others_from_asking() {
    for reason in ["issuer_keys_unavailable", "platform_unavailable"] {
        let mut worker = Worker::alone();
        let body = format!(r#"{{"error":"temporarily_unavailable","reason":"{reason}"}}"#);
        for call in 0..50_u32 {
            worker.parks(call, &format!("t-{call}"), START);
            let ask = worker.ask(START);
            let answer = Answer { status: Some(503), decision_id: None, body: body.as_bytes() };
            worker.answer(ask.id, answer, START).unwrap();
        }
        assert!(matches!(worker.arrive(99, "r1", &get("t"), START), Verdict::Park { .. }), "{reason}");
        worker.ask(START);
    }
}

#[test]
fn renewals_that_the_breaker_holds_back_do_not_keep_others_waiting() {
    let mut worker = Worker::alone();
    for token in 0..20 {
        worker.warm(&format!("hot-{token}"), 60, START, START);
        worker.hit(2, &format!("hot-{token}"), START);
    }
    // All of them are due, and their exchanges are open when the STS goes away.
    for ms in (45_000..48_000).step_by(100) {
        worker.tick(later(ms));
    }
    assert!(worker.flow.pending.len() > 1);
    let now = later(48_000);
    worker.break_circuit(now);
    worker.parks(100, "cold", now);
    assert_eq!(told(&worker.told(now)), [(100, Err("sts_unavailable"))], "it is told behind all of the renewals");
    assert_eq!(worker.flow.pending.len(), 0);
}
