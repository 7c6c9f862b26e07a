//! What the STS refuses, and for how long that stands.

use super::*;

/// When after `START` a request of the key is no longer refused from memory, after `answer` at `START`.
fn remembered_for(seed: u64, answer: Answer<'_>) -> u64 {
    let mut worker = Worker::alone();
    worker.flow = Flow::new(config(&json!({"limits": {"shared_tokens": 0}})), seed, START);
    worker.parks(1, "t", START);
    let ask = worker.ask(START);
    worker.answer(ask.id, answer, START).unwrap();
    let ends = |ms: &u64| matches!(worker.get(2, "t", later(*ms)), Verdict::Park { .. });
    (0..10_000).step_by(10).find(ends).expect("it ends")
}

#[test]
fn a_refusal_is_remembered_for_one_to_five_seconds_and_that_the_sts_is_away_for_less_than_one() {
    let range = |answer, least, most| {
        let waits: Vec<_> = (0..50).map(|seed| remembered_for(seed, answer)).collect();
        assert!(waits.iter().all(|ms| (least..=most).contains(ms)), "{waits:?}");
        let apart = waits.iter().max().unwrap() - waits.iter().min().unwrap();
        assert!(apart > (most - least) / 2, "they spread: {waits:?}");
    };
    range(DENIED, 1_000, 5_010);
    range(NO_ANSWER, 250, 760);
    range(OVERLOADED, 250, 760);
    range(Answer { status: Some(502), decision_id: None, body: b"bad gateway" }, 250, 760);
    range(Answer { status: Some(200), decision_id: None, body: b"no token" }, 250, 760);
}

#[test]
fn a_refusal_is_remembered_for_its_key_only() {
    let mut worker = Worker::alone();
    worker.parks(1, "t", START);
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, DENIED, START).unwrap();
    assert_eq!((settled.result, told(&settled)), (CallResult::Refused, vec![(1, Err("policy_denied"))]));
    let verdict = worker.get(2, "t", later(500));
    assert_eq!(reason(&verdict), Some(Reason::PolicyDenied));
    let response = response(refusal(&verdict).unwrap());
    let id = response.headers.iter().find(|(name, _)| *name == "x-cloakroom-decision-id").unwrap();
    assert_eq!((response.status, id.1.as_str()), (403, "d-1"));
    assert!(matches!(worker.arrive(3, "r1", &get("t"), later(500)), Verdict::Park { .. }));
    worker.parks(4, "u", later(500));
}

#[test]
fn a_refusal_of_a_renewal_ends_the_token_and_is_told_to_who_comes_next() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    let settled = worker.answer(ask.id, DENIED, later(ms)).unwrap();
    assert_eq!((settled.renewal, settled.deliveries.len()), (true, 0));
    assert_eq!(reason(&worker.get(3, "t", later(ms + 10))), Some(Reason::PolicyDenied));
    assert!(worker.flow.schedule.is_empty(), "what is gone is not renewed");
}
