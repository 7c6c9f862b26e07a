//! Until when a token is sent.

use token::base64url;

use super::*;

fn serves(worker: &mut Worker, token: &str, now: Now) -> bool {
    matches!(worker.get(9, token, now), Verdict::Forward(_))
}

#[test]
fn a_life_counts_from_asking_and_ends_before_the_token_does() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, later(700));
    assert!(serves(&mut worker, "t", later(53_999)), "a tenth of the life is kept back");
    assert!(!serves(&mut worker, "t", later(54_000)));
}

#[test]
fn the_margin_is_what_the_route_says_where_a_life_is_long() {
    let mut worker = Worker::alone();
    worker.warm("t", 3_600, START, later(700));
    assert!(serves(&mut worker, "t", later(3_579_999)), "five seconds for the clocks and fifteen for the request");
    assert!(!serves(&mut worker, "t", later(3_580_000)));
}

#[test]
fn either_clock_can_end_a_life() {
    for (unix_ms, steady_ms, fit) in [(53_999, 10, true), (54_000, 10, false), (0, 53_999, true), (0, 54_000, false)] {
        let mut worker = Worker::alone();
        worker.warm("t", 60, START, START);
        let now = Now { unix_ms: START.unix_ms + unix_ms, steady_ms: START.steady_ms + steady_ms };
        assert_eq!(serves(&mut worker, "t", now), fit, "{unix_ms} {steady_ms}");
    }
}

#[test]
fn a_token_that_ended_on_its_way_is_not_sent() {
    let mut worker = Worker::alone();
    worker.parks(1, "t", START);
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, ok(&issued("i", 1)), later(900)).unwrap();
    assert_eq!(told(&settled), [(1, Err("sts_reply_invalid"))]);
    assert_eq!(settled.result, CallResult::Unavailable, "an answer that cannot be used");
    assert_eq!(worker.flow.cached(), 0);
}

#[test]
fn no_token_is_sent_after_the_native_one_has_ended() {
    let exp = START.unix_ms / 1_000 + 20;
    let token = format!("e30.{}.x", base64url::encode(format!("{{\"exp\":{exp}}}")));
    let headers = vec![
        (":method".to_owned(), b"GET".to_vec()),
        (":path".to_owned(), b"/".to_vec()),
        ("authorization".to_owned(), format!("Bearer {token}").into_bytes()),
    ];
    let mut worker = Worker::alone();
    assert!(matches!(worker.arrive(1, "r0", &headers, START), Verdict::Park { .. }));
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    assert!(matches!(worker.arrive(2, "r0", &headers, later(17_999)), Verdict::Forward(_)));
    assert!(!matches!(worker.arrive(3, "r0", &headers, later(18_000)), Verdict::Forward(_)));
}
