//! What a worker holds is bounded.

use super::*;

#[test]
fn queues_are_bounded() {
    let limits = json!({
        "waiting_requests": 5, "waiting_per_exchange": 3, "pending_exchanges": 2, "shared_tokens": 0,
    });
    let mut worker = Worker::with(&json!({"limits": limits}));
    let mut ask = |stream, token: &str| match worker.get(stream, token, START) {
        Verdict::Park { .. } => Ok(()),
        verdict => Err(reason(&verdict).unwrap()),
    };
    let full = Err(Reason::FilterOverloaded);
    assert_eq!([ask(1, "a"), ask(2, "a"), ask(3, "a"), ask(4, "a")], [Ok(()), Ok(()), Ok(()), full]);
    assert_eq!([ask(5, "b"), ask(6, "c"), ask(7, "b"), ask(8, "b")], [Ok(()), full, Ok(()), full]);
    assert_eq!(ask(1, "a"), full, "a stream waits once");
}

#[test]
fn what_the_cache_pushes_out_is_no_longer_planned() {
    let mut worker = Worker::with(&json!({"limits": {"cached_tokens": 10, "shared_tokens": 0}}));
    for token in 0..200 {
        worker.warm(&format!("t-{token}"), 60, START, START);
        assert!(worker.flow.schedule.len() <= worker.flow.cached(), "after {token}");
    }
    // The last one is still in use: there is room in the schedule for it.
    worker.hit(2, "t-199", later(1));
    let (_, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    assert_eq!(ask.request.subject_token.expose(), "native-t-199");
}

#[test]
fn as_many_tokens_are_renewed_as_are_held_however_short_they_live() {
    let mut worker = Worker::with(&json!({"limits": {"shared_tokens": 0, "pending_per_source": 100_000}}));
    let tokens: Vec<_> = (0..1_500).map(|token| format!("t-{token}")).collect();
    for token in &tokens {
        worker.warm(token, 3, START, START);
    }
    let mut asked = 0;
    for ms in (0..12_000).step_by(100) {
        for token in &tokens {
            worker.hit(2, token, later(ms));
        }
        worker.tick(later(ms));
        while let Next::Ask(ask) = worker.next(later(ms)) {
            asked += 1;
            worker.answer(ask.id, ok(&issued(&format!("i-{asked}"), 3)), later(ms)).unwrap();
        }
    }
    assert!(asked > 1_500 * 4, "every two seconds or so: {asked}");
}
