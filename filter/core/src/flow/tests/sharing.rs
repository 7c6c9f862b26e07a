//! Several workers of one Envoy.

use super::*;
use crate::shared::Contribution;

/// A process with workers that listen on the queues 100, 101 and so on.
fn edge<const N: usize>() -> (World, [Worker; N]) {
    let world = World::new(9);
    let workers = std::array::from_fn(|place| Worker::of(&world, 100 + u32::try_from(place).unwrap(), START));
    (world, workers)
}

/// `worker`, who listens on `queue`, is woken, if somebody knocked.
fn wake(world: &World, worker: &mut Worker, queue: u32) -> bool {
    let knocked = world.take_knocks(queue) > 0;
    if knocked {
        worker.flow.on_wake();
    }
    knocked
}

#[test]
fn there_is_one_exchange_per_key_and_everybody_gets_what_it_brings() {
    let (world, [mut a, mut b, mut c, mut d]) = edge();
    a.parks(1, "t", START);
    let ask = a.ask(START);
    for (worker, stream) in [(&mut b, 2), (&mut c, 3)] {
        worker.parks(stream, "t", later(1));
        worker.parks(stream + 10, "t", later(1));
        worker.rests(later(1));
    }
    let settled = a.answer(ask.id, ok(&issued("i", 60)), later(40)).unwrap();
    assert_eq!(told(&settled), [(1, Ok("Bearer i"))]);
    assert!(wake(&world, &mut b, 101), "told at once");
    let settled = b.told(later(41));
    assert_eq!((settled.result, settled.took_ms), (CallResult::Ok, None), "not its own call");
    assert_eq!(told(&settled), [(2, Ok("Bearer i")), (12, Ok("Bearer i"))]);
    assert!(settled.deliveries.iter().all(|d| d.verdict.as_ref().ok().unwrap().outcome == Outcome::Shared));
    // The knock at the third was lost: it sees by itself.
    world.take_knocks(102);
    assert!(c.tick(later(100)).is_empty());
    assert_eq!(told(&c.told(later(100))), [(3, Ok("Bearer i")), (13, Ok("Bearer i"))]);
    // The fourth had nothing to do with it.
    assert_eq!(d.hit(4, "t", later(200)), (Outcome::Shared, "Bearer i".to_owned()));
    for worker in [&mut a, &mut b, &mut c, &mut d] {
        assert_eq!(worker.hit(5, "t", later(201)), (Outcome::Hit, "Bearer i".to_owned()));
        assert!(!matches!(worker.get(6, "t", later(54_000)), Verdict::Forward(_)), "it ends everywhere");
    }
}

#[test]
fn what_is_shared_holds_to_its_constraints() {
    let (_, [mut a, mut b]) = edge();
    a.parks(1, "t", START);
    let ask = a.ask(START);
    b.parks(2, "t", START);
    assert!(matches!(b.arrive(3, "r0", &request("PUT", "/", "t"), START), Verdict::Park { .. }));
    b.rests(START);
    let details = json!([{"type": "cloakroom_constraint", "methods": ["GET"]}]);
    a.answer(ask.id, ok(&issued_with("i", 60, &details)), later(10)).unwrap();
    b.flow.on_wake();
    assert_eq!(told(&b.told(later(10))), [(2, Ok("Bearer i")), (3, Err("method_refused"))]);
    let (_, [mut a, mut b]) = edge();
    a.parks(1, "t", START);
    let ask = a.ask(START);
    a.answer(ask.id, ok(&issued_with("i", 60, &details)), later(10)).unwrap();
    assert_eq!(reason(&b.arrive(4, "r0", &request("PUT", "/", "t"), later(11))), Some(Reason::MethodRefused));
    assert_eq!(b.hit(5, "t", later(12)), (Outcome::Hit, "Bearer i".to_owned()), "it was kept all the same");
}

#[test]
fn refusals_and_outages_are_learned_from_the_one_who_asked() {
    for (answer, code, status) in [(DENIED, "policy_denied", 403), (NO_ANSWER, "sts_unavailable", 503)] {
        let (_, [mut a, mut b, mut c]) = edge();
        a.parks(1, "t", START);
        let ask = a.ask(START);
        b.parks(2, "t", START);
        b.rests(START);
        a.answer(ask.id, answer, later(10)).unwrap();
        b.flow.on_wake();
        let settled = b.told(later(11));
        assert_eq!(told(&settled), [(2, Err(code))]);
        let response = response(settled.deliveries[0].verdict.as_ref().err().unwrap());
        assert_eq!((response.status, retry_after(&response).is_some()), (status, status == 503));
        let verdict = c.get(3, "t", later(12));
        assert_eq!(refusal(&verdict).unwrap().refusal.code(), code, "and by who comes later");
        c.rests(later(12));
        assert!(matches!(c.get(4, "t", later(5_011)), Verdict::Park { .. }), "not for longer than where it was said");
    }
}

#[test]
fn a_worker_that_died_with_a_lease_is_taken_over_within_a_waiter_s_patience() {
    let (_, [mut a, mut b]) = edge();
    a.parks(1, "t", START);
    a.ask(START);
    drop(a);
    b.parks(2, "t", later(10));
    b.rests(later(10));
    let (ms, ask) = b.tick_until_ask(100, 10 + PATIENCE_MS).expect("it asks in the dead one's place");
    assert!((500..=700).contains(&ms), "{ms}");
    assert_eq!(told(&b.answer(ask.id, ok(&issued("i", 60)), later(ms + 50)).unwrap()), [(2, Ok("Bearer i"))]);
}

#[test]
fn a_worker_that_beats_but_never_gives_an_answer_is_taken_over_when_its_lease_ends() {
    let (_, [mut a, mut b]) = edge();
    a.parks(1, "t", START);
    a.ask(START);
    b.parks(2, "t", later(500));
    b.rests(later(500));
    let asked = (600..1_300).step_by(100).find(|ms| {
        // Only its beats are left of it.
        a.flow.shared.as_mut().unwrap().beat(&mut a.host, Contribution::default(), later(*ms));
        b.tick(later(*ms));
        matches!(b.next(later(*ms)), Next::Ask(_))
    });
    assert_eq!(asked, Some(800));
}

#[test]
fn a_slow_answer_serves_those_who_wait_for_it_though_another_has_taken_over() {
    let (_, [mut a, mut b]) = edge();
    a.parks(1, "t", START);
    let slow = a.ask(START);
    a.tick(later(600));
    b.parks(2, "t", later(700));
    b.rests(later(700));
    b.tick(later(800));
    let quick = b.ask(later(800));
    assert_eq!(told(&a.answer(slow.id, ok(&issued("slow", 60)), later(801)).unwrap()), [(1, Ok("Bearer slow"))]);
    assert_eq!(told(&b.answer(quick.id, ok(&issued("quick", 60)), later(802)).unwrap()), [(2, Ok("Bearer quick"))]);
}

#[test]
fn one_worker_renews_and_the_others_adopt() {
    let (world, [mut a, mut b, mut c]) = edge();
    a.warm("t", 60, START, START);
    let (mut asked, mut adopted) = (0, 0);
    let mut tokens = vec!["Bearer for-t".to_owned()];
    for ms in (100..120_000).step_by(100) {
        for (queue, worker) in [(100, &mut a), (101, &mut b), (102, &mut c)] {
            let (_, token) = worker.hit(9, "t", later(ms));
            assert!(tokens.iter().rev().take(2).any(|known| *known == token), "at {ms} {token} of {tokens:?}");
            wake(&world, worker, queue);
            worker.tick(later(ms));
            match worker.next(later(ms)) {
                Next::Ask(ask) => {
                    asked += 1;
                    tokens.push(format!("Bearer i-{asked}"));
                    let settled = worker.answer(ask.id, ok(&issued(&format!("i-{asked}"), 60)), later(ms)).unwrap();
                    assert!(settled.renewal);
                }
                Next::Settled(settled) => {
                    assert!(settled.renewal && settled.took_ms.is_none());
                    assert_eq!(settled.result, CallResult::Ok);
                    adopted += 1;
                }
                Next::Nothing => {}
            }
        }
    }
    assert!((2..=8).contains(&asked), "one renewal each 15 to 43 seconds: {asked}");
    assert!(adopted >= asked, "{adopted} of {asked} by each of the others");
}

#[test]
fn a_401_at_one_worker_ends_the_token_for_all_who_have_not_kept_it() {
    let (_, [mut a, mut b, mut c]) = edge();
    a.warm("t", 60, START, START);
    b.hit(2, "t", later(10));
    a.hit(3, "t", later(10));
    a.unauthorized(3, later(20));
    c.parks(4, "t", later(30));
    let ask = c.ask(later(30));
    c.answer(ask.id, ok(&issued("second", 60)), later(40)).unwrap();
    assert_eq!(a.hit(5, "t", later(50)), (Outcome::Shared, "Bearer second".to_owned()));
    // The second worker still has the first one, until it is told itself; that does not touch the new one.
    assert_eq!(b.hit(6, "t", later(50)).1, "Bearer for-t");
    b.unauthorized(6, later(60));
    assert_eq!(b.hit(7, "t", later(70)), (Outcome::Shared, "Bearer second".to_owned()));
}

#[test]
fn a_401_at_one_worker_beats_the_fetch_of_another() {
    let (_, [mut a, mut b]) = edge();
    a.warm("t", 60, START, START);
    a.hit(2, "t", later(10));
    b.hit(3, "t", later(10));
    let (ms, ask) = a.tick_until_ask(100, 54_000).expect("it is renewed");
    b.unauthorized(3, later(ms + 1));
    assert!(a.answer(ask.id, ok(&issued("too-early", 60)), later(ms + 2)).is_none());
    b.parks(4, "t", later(ms + 3));
    let again = a.ask(later(ms + 3));
    b.rests(later(ms + 3));
    a.answer(again.id, ok(&issued("second", 60)), later(ms + 4)).unwrap();
    b.flow.on_wake();
    assert_eq!(told(&b.told(later(ms + 5))), [(4, Ok("Bearer second"))]);
}

#[test]
fn a_lease_that_the_breaker_does_not_let_be_used_is_free_for_others() {
    let (world, [mut a, mut b]) = edge();
    a.break_circuit(START);
    a.parks(1, "t", START);
    assert_eq!(told(&a.told(START)), [(1, Err("sts_unavailable"))]);
    b.parks(2, "t", later(1));
    let ask = b.ask(later(1));
    a.parks(3, "t", later(2));
    a.rests(later(2));
    b.answer(ask.id, ok(&issued("i", 60)), later(3)).unwrap();
    assert!(wake(&world, &mut a, 100));
    assert_eq!(told(&a.told(later(4))), [(3, Ok("Bearer i"))], "what another got is good for it too");
}
