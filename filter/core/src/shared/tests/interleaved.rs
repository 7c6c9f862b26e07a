//! One call of a worker, with what others do, or its death, between any two of its calls to the host.

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
        let done = Arc::new(std::sync::Mutex::new(None));
        let (seen, mut b) = (Arc::clone(&done), {
            b.beat(at(0));
            b
        });
        a.host.before_each(move |call| {
            if call == step {
                b.invalidate(&key("t"), None, at(1));
                *seen.lock().unwrap() = Some(b.find(&key("t"), at(1)));
            }
        });
        let outcome = a.publish(ticket, "Bearer old", at(1));
        let reached = done.lock().unwrap().take();
        if let Some(found) = &reached {
            assert_eq!(*found, None, "after call {step}");
            assert_eq!(a.find(&key("t"), at(2)), None, "after call {step}, {outcome:?}");
        } else {
            assert_eq!(outcome, Outcome::Kept);
        }
        reached.is_some()
    });
}

#[test]
fn two_never_lead_wherever_they_meet() {
    at_every_step(|step| {
        let (_, mut a, mut b) = two();
        let theirs = Arc::new(std::sync::Mutex::new(None));
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
        let (other, reached) = (world.clone(), Arc::new(std::sync::Mutex::new(None)));
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
