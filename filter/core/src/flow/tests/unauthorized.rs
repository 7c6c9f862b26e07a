//! The destination answers 401 to an issued token.

use super::*;

#[test]
fn exactly_the_token_that_was_sent_is_dropped_and_another_is_asked_for_fresh() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.warm("u", 60, START, START);
    worker.hit(2, "t", later(10));
    worker.unauthorized(2, later(20));
    assert_eq!(worker.hit(3, "u", later(30)).1, "Bearer for-u");
    worker.parks(4, "t", later(30));
    let ask = worker.ask(later(30));
    assert!(ask.fresh, "the STS may not answer from a cache of its own");
    worker.answer(ask.id, ok(&issued("second", 60)), later(40)).unwrap();
    assert_eq!(worker.hit(5, "t", later(50)).1, "Bearer second");
    worker.parks(6, "t", later(54_100));
    assert!(!worker.ask(later(54_100)).fresh, "once");
}

#[test]
fn a_waiter_s_token_can_be_dropped_too() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.unauthorized(1, later(20));
    worker.parks(2, "t", later(30));
}

#[test]
fn a_late_401_to_a_token_that_was_replaced_says_nothing_of_the_one_that_is_held() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    for stream in 2..10 {
        worker.hit(stream, "t", later(10));
    }
    worker.unauthorized(2, later(20));
    worker.parks(20, "t", later(20));
    let ask = worker.ask(later(20));
    worker.answer(ask.id, ok(&issued("second", 60)), later(30)).unwrap();
    for stream in 3..10 {
        worker.unauthorized(stream, later(40));
    }
    assert_eq!(worker.hit(21, "t", later(50)).1, "Bearer second");
    worker.unauthorized(99, later(60));
    assert_eq!(worker.hit(22, "t", later(70)).1, "Bearer second", "a stream that was never sent with one");
}

#[test]
fn a_destination_that_refuses_one_key_whatever_it_gets_costs_a_handful_of_exchanges() {
    let mut worker = Worker::alone();
    let mut asked = 0;
    for ms in (0..60_000).step_by(10) {
        let stream = u32::try_from(ms).unwrap();
        if matches!(worker.get(stream, "t", later(ms)), Verdict::Park { .. }) {
            let ask = worker.ask(later(ms));
            asked += 1;
            worker.answer(ask.id, ok(&issued(&format!("i-{asked}"), 3_600)), later(ms)).unwrap();
        }
        worker.unauthorized(stream, later(ms + 5));
    }
    assert!((5..=8).contains(&asked), "at 0, 1, 3, 7, 15, 31 seconds: {asked}");
}

#[test]
fn a_destination_that_refuses_everything_makes_bounded_work() {
    let mut worker = Worker::with(&json!({"limits": {"shared_tokens": 0, "pending_per_source": 100_000}}));
    let (keys, mut dropped) = (2_000_u32, 0);
    for key in 0..keys {
        worker.warm(&format!("t-{key}"), 3_600, START, START);
    }
    for ms in (0..2_000).step_by(100) {
        for key in 0..keys {
            let token = format!("t-{key}");
            match worker.get(key, &token, later(ms)) {
                Verdict::Forward(_) => worker.unauthorized(key, later(ms)),
                _ => {
                    dropped += 1;
                    let ask = worker.ask(later(ms));
                    worker.answer(ask.id, ok(&issued(&format!("{token}-{ms}"), 3_600)), later(ms)).unwrap();
                }
            }
        }
    }
    let first = 512 + 2 * 128;
    let more = 128 + 2 * 32;
    assert!((512..=first + more).contains(&dropped), "{dropped}");
}

#[test]
fn a_fetch_in_flight_loses_against_it_and_is_asked_anew() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, renewal) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.unauthorized(2, later(ms + 1));
    worker.parks(3, "t", later(ms + 2));
    worker.rests(later(ms + 2));
    assert!(worker.answer(renewal.id, ok(&issued("too-early", 60)), later(ms + 3)).is_none());
    assert!(worker.flow.is_waiting(3));
    let again = worker.ask(later(ms + 3));
    assert!(again.fresh);
    let settled = worker.answer(again.id, ok(&issued("second", 60)), later(ms + 4)).unwrap();
    assert_eq!(told(&settled), [(3, Ok("Bearer second"))]);
    assert_eq!(worker.hit(4, "t", later(ms + 5)).1, "Bearer second");
}

#[test]
fn what_was_not_asked_for_yet_does_not_lose() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    // The renewal is open, and the 401 comes before it is started.
    let ms = (100..54_000).step_by(100).find(|ms| {
        worker.tick(later(*ms));
        !worker.flow.pending.is_empty()
    });
    let ms = ms.expect("it is renewed");
    worker.unauthorized(2, later(ms));
    let ask = worker.ask(later(ms));
    assert!(ask.fresh);
    assert!(worker.answer(ask.id, ok(&issued("second", 60)), later(ms)).is_some(), "it was asked for after the 401");
    assert_eq!(worker.hit(4, "t", later(ms + 5)).1, "Bearer second");
}

#[test]
fn a_fetch_that_loses_again_and_again_is_given_up_and_everybody_is_told() {
    let mut worker = Worker::alone();
    worker.parks(1, "t", START);
    for tries in 0..3 {
        let ask = worker.ask(later(tries));
        worker.flow.pending.get_mut(ask.id).unwrap().invalidated = true;
        let settled = worker.answer(ask.id, ok(&issued(&format!("i-{tries}"), 60)), later(tries));
        assert_eq!(settled.is_some(), tries == 2, "{tries}");
        if let Some(settled) = settled {
            assert_eq!(told(&settled), [(1, Err("sts_unavailable"))]);
        }
    }
    assert!(worker.flow.pending.is_empty() && worker.flow.cached() == 0);
}

#[test]
fn when_the_sts_refuses_another_that_is_what_the_next_request_is_told() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.unauthorized(1, later(10));
    worker.parks(2, "t", later(20));
    let ask = worker.ask(later(20));
    let settled = worker.answer(ask.id, DENIED, later(30)).unwrap();
    assert_eq!(told(&settled), [(2, Err("policy_denied"))]);
}
