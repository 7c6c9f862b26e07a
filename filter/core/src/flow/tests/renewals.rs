//! Tokens in use are replaced before they end, and no request waits for that.

use super::*;

#[test]
fn a_token_in_use_is_replaced_and_no_request_waits() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    assert!((12_600..43_400).contains(&ms), "{ms}");
    assert_eq!((ask.request.subject_token.expose(), ask.traceparent), ("native-t", None));
    assert!(ask.fresh, "the one that the STS would repeat is the one that is held");
    assert_eq!(worker.hit(3, "t", later(ms + 1)), (Outcome::Hit, "Bearer for-t".to_owned()));
    let settled = worker.answer(ask.id, ok(&issued("second", 60)), later(ms + 30)).unwrap();
    assert_eq!((settled.renewal, settled.took_ms, settled.deliveries.len()), (true, Some(30), 0));
    assert_eq!(worker.hit(4, "t", later(ms + 31)), (Outcome::Hit, "Bearer second".to_owned()));
    assert_eq!(worker.hit(5, "t", later(ms + 53_999)).1, "Bearer second", "a life of its own");
}

#[test]
fn what_nobody_uses_is_not_renewed_and_is_planned_again_when_it_is_used_again() {
    let mut worker = Worker::alone();
    worker.warm("idle", 60, START, START);
    worker.warm("back", 60, START, START);
    assert!(worker.tick_until_ask(100, 50_000).is_none());
    assert!(worker.flow.schedule.is_empty());
    worker.hit(2, "back", later(50_000));
    let (ms, ask) = worker.tick_until_ask(50_100, 54_000).expect("it is in use again");
    assert_eq!((ms, ask.request.subject_token.expose()), (50_100, "native-back"));
    worker.parks(3, "idle", later(54_000));
}

#[test]
fn only_use_since_the_last_renewal_counts() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.answer(ask.id, ok(&issued("second", 60)), later(ms)).unwrap();
    assert!(worker.tick_until_ask(ms + 100, ms + 60_000).is_none());
}

#[test]
fn while_renewals_fail_the_token_serves_as_stale_to_its_last_second() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (mut ms, mut ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    let mut tries = 0;
    loop {
        tries += 1;
        let settled = worker.answer(ask.id, OVERLOADED, later(ms)).unwrap();
        assert!(settled.deliveries.is_empty() && settled.renewal);
        assert_eq!(worker.hit(3, "t", later(ms + 1)).0, Outcome::Stale, "{ms}");
        match worker.tick_until_ask(ms + 100, 54_000) {
            Some(again) => (ms, ask) = again,
            None => break,
        }
    }
    assert!((4..40).contains(&tries), "{tries} tries");
    assert_eq!(worker.hit(4, "t", later(53_999)).0, Outcome::Stale);
    assert!(!matches!(worker.get(5, "t", later(54_000)), Verdict::Forward(_)));
}

#[test]
fn a_renewal_that_succeeds_at_last_makes_an_end_of_stale() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.answer(ask.id, NO_ANSWER, later(ms)).unwrap();
    let (ms, ask) = worker.tick_until_ask(ms + 100, 54_000).expect("it is tried again");
    assert_eq!(worker.hit(3, "t", later(ms)).0, Outcome::Stale);
    worker.answer(ask.id, ok(&issued("second", 60)), later(ms)).unwrap();
    assert_eq!(worker.hit(4, "t", later(ms)), (Outcome::Hit, "Bearer second".to_owned()));
}

#[test]
fn an_sts_that_says_the_same_again_is_asked_less_and_less_and_makes_nothing_live_longer() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (mut from, mut asked) = (100, 0);
    while let Some((ms, ask)) = worker.tick_until_ask(from, 54_000) {
        asked += 1;
        worker.answer(ask.id, ok(&issued("for-t", 60)), later(ms)).unwrap();
        worker.hit(3, "t", later(ms + 1));
        from = ms + 100;
    }
    assert!((3..10).contains(&asked), "{asked} times");
    assert_eq!(worker.hit(4, "t", later(53_999)).1, "Bearer for-t");
    worker.parks(5, "t", later(54_000));
}

#[test]
fn who_comes_when_the_token_has_ended_waits_for_the_renewal_under_way() {
    let mut worker = Worker::alone();
    worker.warm("t", 10, START, START);
    worker.hit(2, "t", later(10));
    let (mut ms, mut last) = worker.tick_until_ask(100, 9_000).expect("it is renewed");
    while ms < 9_000 - PATIENCE_MS {
        worker.answer(last.id, NO_ANSWER, later(ms)).unwrap();
        worker.mend_circuit();
        (ms, last) = worker.tick_until_ask(ms + 100, 9_000).expect("it is tried again");
    }
    assert!(matches!(worker.get(9, "t", later(9_000)), Verdict::Park { start: false, .. }));
    worker.rests(later(9_000));
    let settled = worker.answer(last.id, ok(&issued("second", 60)), later(9_010)).unwrap();
    assert_eq!((settled.renewal, told(&settled)), (true, vec![(9, Ok("Bearer second"))]));
    assert_eq!(settled.deliveries[0].verdict.as_ref().ok().unwrap().outcome, Outcome::Coalesced);
    assert!(worker.tick_until_ask(9_100, 60_000).is_some(), "served from it, so it is renewed");
}

#[test]
fn a_route_may_do_without() {
    let mut worker = Worker::with(&json!({"limits": {"shared_tokens": 0}, "defaults": {"refresh_ahead": false}}));
    worker.warm("t", 60, START, START);
    for ms in (0..54_000).step_by(1_000) {
        worker.hit(2, "t", later(ms));
        worker.tick(later(ms));
        worker.rests(later(ms));
    }
}

#[test]
fn with_no_room_among_the_exchanges_under_way_a_renewal_is_tried_later() {
    let mut worker = Worker::with(&json!({"limits": {"shared_tokens": 0, "pending_exchanges": 1}}));
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    // Another exchange is under way until well after the renewal is due, each a new one.
    for (stream, ms) in (100..).zip((12_000..45_000).step_by(700)) {
        worker.parks(stream, &format!("other-{ms}"), later(ms));
        let ask = worker.ask(later(ms));
        for tick in (0..700).step_by(100) {
            worker.tick(later(ms + tick));
            worker.rests(later(ms + tick));
        }
        worker.answer(ask.id, DENIED, later(ms + 700)).unwrap();
    }
    let (ms, ask) = worker.tick_until_ask(45_700, 54_000).expect("it is tried again");
    assert!(ms <= 46_200, "{ms}");
    assert_eq!(ask.request.subject_token.expose(), "native-t");
}
