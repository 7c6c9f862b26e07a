//! One call of a worker, with what others do, or its death, between any two of its calls to the host.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::*;

/// Runs `call` of a fresh pair once for every place at which something can come in between.
fn at_every_step(mut run: impl FnMut(usize) -> bool) {
    let mut step = 0;
    while run(step) {
        step += 1;
        assert!(step < 1_000);
    }
    assert!(step > 3, "only {step} places");
}

#[test]
fn an_invalidation_wins_wherever_it_meets_a_publication() {
    at_every_step(|step| {
        let (_, mut a, mut b) = two();
        let ticket = a.take(&key("t"), at(0));
        let (reached, found) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (is_reached, is_found) = (Arc::clone(&reached), Arc::clone(&found));
        a.host.before_each(move |call| {
            if call == step {
                b.invalidate(&key("t"), None, at(1));
                is_reached.store(true, Relaxed);
            }
            // From then on at no moment.
            is_found.fetch_or(call >= step && b.find(&key("t"), at(1)).is_some(), Relaxed);
        });
        let outcome = a.publish(ticket, "Bearer old", at(1));
        a.host.before_each(|_| {});
        let reached = reached.load(Relaxed);
        assert!(reached || outcome == Outcome::Kept);
        assert!(!found.load(Relaxed) && a.find(&key("t"), at(2)).is_none() == reached, "before call {step}");
        reached
    });
}

#[test]
fn two_never_lead_wherever_they_meet() {
    at_every_step(|step| {
        let (_, mut a, mut b) = two();
        let theirs = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&theirs);
        a.host.before_each(move |call| {
            if call == step {
                *seen.lock().unwrap() = Some(matches!(b.lease(&key("t"), at(0)), Lease::Taken(_)));
            }
        });
        let mine = matches!(a.lease(&key("t"), at(0)), Lease::Taken(_));
        let theirs = theirs.lock().unwrap().take();
        assert!(mine ^ theirs.unwrap_or_default(), "before call {step}");
        theirs.is_some()
    });
}

#[test]
fn an_answer_whose_lease_has_gone_is_not_left_behind() {
    at_every_step(|step| {
        let (_, mut a, mut b) = two();
        let ticket = a.take(&key("t"), at(0));
        let reached = Arc::new(AtomicBool::new(false));
        let is_reached = Arc::clone(&reached);
        a.host.before_each(move |call| {
            if call == step {
                // The lease has ended, and others need its room.
                b.beat(at(1_000));
                _ = room::fill(&mut b, at(1_000));
                is_reached.store(true, Relaxed);
            }
        });
        let outcome = a.publish(ticket, "Bearer old", at(1));
        a.host.before_each(|_| {});
        let reached = reached.load(Relaxed);
        assert_eq!(outcome, if reached { Outcome::Invalidated } else { Outcome::Kept }, "before call {step}");
        assert_eq!(a.find(&key("t"), at(1_001)).is_none(), reached, "before call {step}");
        reached
    });
}

#[test]
fn where_everybody_wants_it_at_once_somebody_has_it() {
    let (world, _, mut b) = two();
    let slots: Vec<String> = world.names().into_iter().filter(|name| name.contains("/lease/")).collect();
    b.host.before_each(move |_| {
        for slot in &slots {
            world.write(slot, &world.value(slot).unwrap());
        }
    });
    assert!(matches!(b.lease(&key("t"), at(0)), Lease::Held));
    assert!(b.host.calls() < 1_000, "{} calls", b.host.calls());
}

#[test]
fn a_leader_that_dies_anywhere_is_taken_over() {
    at_every_step(|calls| {
        let (_, mut a, mut b) = two();
        a.host.before_each(|_| {});
        a.host.die_after(calls);
        let mut alive = false;
        if let Lease::Taken(ticket) = a.lease(&key("t"), at(0)) {
            alive = a.publish(ticket, "Bearer x", at(1)) == Outcome::Kept && a.host.calls() <= calls;
        }
        b.beat(at(501));
        match b.lease(&key("t"), at(501)) {
            Lease::Taken(ticket) => assert_eq!(b.publish(ticket, "Bearer y", at(502)), Outcome::Kept),
            Lease::Answered(_) => {}
            other => panic!("death before call {calls}: {other:?}"),
        }
        assert!(b.find(&key("t"), at(503)).is_some());
        !alive
    });
}

#[test]
fn workers_that_open_at_the_same_time_agree() {
    at_every_step(|step| {
        let world = World::new(1);
        let mut host = world.host();
        let (other, reached) = (world.clone(), Arc::new(Mutex::new(None)));
        let seen = Arc::clone(&reached);
        host.before_each(move |call| {
            if call == step {
                let mut b = Worker::start(&other, at(0));
                let ticket = b.take(&key("t"), at(0));
                *seen.lock().unwrap() = Some((b, ticket));
            }
        });
        let mut shared = Shared::open(&mut host, Counts { tokens: 16, ..COUNTS }, at(0)).unwrap();
        host.before_each(|_| {});
        shared.attend(7);
        let Some((mut b, ticket)) = reached.lock().unwrap().take() else { return false };
        let mut a = Worker { host, shared };
        assert_ne!(a.shared.place(), b.shared.place());
        assert!(matches!(a.lease(&key("t"), at(1)), Lease::Held), "before call {step}");
        b.publish(ticket, "Bearer x", at(1));
        assert!(a.find(&key("t"), at(1)).is_some());
        true
    });
}
