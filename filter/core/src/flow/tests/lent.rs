//! Credentials that the STS lends for less than they live, and may lend again.

use super::*;

/// An answer that lends `token` for `life` seconds; it lives for `own_life` itself.
fn lends(token: &str, life: u64, own_life: u64) -> Vec<u8> {
    let mut body: Value = serde_json::from_slice(&issued(token, life)).unwrap();
    body["credential_expires_in"] = json!(own_life);
    serde_json::to_vec(&body).unwrap()
}

/// Lends `Bearer lent` on `r0`, from the start.
fn lend(worker: &mut Worker, life: u64, own_life: u64) {
    worker.parks(1, "t", START);
    let ask = worker.ask(START);
    assert_eq!(worker.answer(ask.id, ok(&lends("lent", life, own_life)), START).unwrap().result, CallResult::Ok);
}

#[test]
fn what_is_lent_again_lives_on_and_the_sts_may_answer_from_what_it_keeps() {
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 900);
    let (mut from, mut asked) = (100, 0);
    // A quarter of an hour, and each answer lends for a minute at most.
    while let Some((ms, ask)) = {
        worker.hit(2, "t", later(from));
        worker.tick_until_ask(from, 900_000)
    } {
        asked += 1;
        assert!(!ask.fresh, "the same one is as good, {ms}");
        let left = (900_000 - ms) / 1_000;
        if left == 0 {
            break;
        }
        worker.answer(ask.id, ok(&lends("lent", left.min(60), left)), later(ms)).unwrap();
        assert_eq!(worker.hit(3, "t", later(ms + 1)), (Outcome::Hit, "Bearer lent".to_owned()));
        from = ms + 100;
        if left == 1 {
            break;
        }
    }
    assert!((18..40).contains(&asked), "about each 45 seconds, and a few times at the end: {asked}");
    assert!(!matches!(worker.get(4, "t", later(900_000)), Verdict::Forward(_)));
}

#[test]
fn it_ends_with_its_own_end_whatever_is_said_later() {
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 100);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    // It cannot have got a longer life of its own since.
    worker.answer(ask.id, ok(&lends("lent", 300, 3_600)), later(ms)).unwrap();
    // A tenth of what is left when it is asked for is its margin.
    let usable = ms + (100_000 - ms) * 9 / 10;
    worker.hit(3, "t", later(usable - 2));
    assert!(!matches!(worker.get(4, "t", later(usable + 1)), Verdict::Forward(_)));
}

#[test]
fn its_own_end_only_shrinks() {
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 900);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.answer(ask.id, ok(&lends("lent", 20, 20)), later(ms)).unwrap();
    let ends = ms + 18_000;
    worker.hit(3, "t", later(ms + 1));
    let (ms, ask) = worker.tick_until_ask(ms + 100, ends).expect("it is renewed again");
    worker.answer(ask.id, ok(&lends("lent", 300, 900)), later(ms)).unwrap();
    assert!(!matches!(worker.get(4, "t", later(ends + 2_000)), Verdict::Forward(_)), "what was said first holds");
}

#[test]
fn another_credential_has_an_end_of_its_own() {
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 70);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.answer(ask.id, ok(&lends("second", 60, 900)), later(ms)).unwrap();
    worker.hit(3, "t", later(ms + 53_999));
    assert_eq!(worker.hit(4, "t", later(ms + 53_999)).1, "Bearer second");
}

#[test]
fn what_is_not_said_to_be_lent_does_not_live_longer_for_coming_again() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    assert!(ask.fresh);
    // That it is lent comes too late.
    worker.answer(ask.id, ok(&lends("for-t", 60, 900)), later(ms)).unwrap();
    worker.hit(3, "t", later(53_999));
    worker.parks(4, "t", later(54_000));
    // And what was lent once and is not any more ends as it was said last.
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 900);
    worker.hit(2, "t", later(10));
    let (ms, ask) = worker.tick_until_ask(100, 54_000).expect("it is renewed");
    worker.answer(ask.id, ok(&issued("lent", 60)), later(ms)).unwrap();
    worker.hit(3, "t", later(53_999));
    worker.parks(4, "t", later(54_000));
}

#[test]
fn after_a_401_the_sts_is_asked_past_what_it_keeps() {
    let mut worker = Worker::alone();
    lend(&mut worker, 60, 900);
    worker.hit(2, "t", later(10));
    worker.unauthorized(2, later(20));
    worker.parks(3, "t", later(30));
    assert!(worker.ask(later(30)).fresh);
}

#[test]
fn a_worker_that_adopts_it_knows_its_end() {
    let world = World::new(5);
    let (mut a, mut b) = (Worker::of(&world, 100, START), Worker::of(&world, 101, START));
    lend(&mut a, 60, 70);
    b.hit(2, "t", later(10));
    // Only the other one uses it, so it renews; what it is told then is more than was said to the first.
    let (ms, ask) = b.tick_until_ask(100, 54_000).expect("it is renewed");
    assert!(!ask.fresh);
    b.answer(ask.id, ok(&lends("lent", 300, 3_600)), later(ms)).unwrap();
    b.hit(3, "t", later(ms + 1));
    assert!(!matches!(b.get(4, "t", later(70_000)), Verdict::Forward(_)));
}
