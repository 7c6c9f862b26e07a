use std::sync::Arc;

use token::{constraint::Constraint, reason::Reason, secret::Secret};

use super::{
    simulation::{SimHost, World},
    *,
};
use crate::key::{Probe, Subject, tests::facts};

mod hostile;
mod interleaved;
mod room;
mod schedule;
mod table;
mod turns;

const COUNTS: Counts = Counts { tokens: 8, refusals: 8, lease_sets: 2, vms: 4 };

pub(super) fn at(ms: u64) -> Now {
    Now { unix_ms: 1_800_000_000_000 + ms, steady_ms: 50_000 + ms }
}

pub(super) fn key(token: &str) -> Key {
    Probe::new(&Arc::new(facts()), Subject::Token(token)).unwrap().to_key()
}

pub(super) fn credential(header_value: &str) -> Credential {
    Credential::Header(Secret::new(header_value))
}

pub(super) fn issued(header_value: &str) -> Issued {
    Issued {
        credential: credential(header_value),
        constraints: vec![Constraint::new(Some(vec!["GET".into()]), None)],
        lent_until: None,
    }
}

/// One VM with its host.
struct Worker {
    host: SimHost,
    shared: Shared,
}

impl Worker {
    fn start(world: &World, now: Now) -> Self {
        Self::start_with(world, COUNTS, now)
    }

    fn start_with(world: &World, counts: Counts, now: Now) -> Self {
        let mut host = world.host();
        let mut shared = Shared::open(&mut host, counts, now).unwrap();
        shared.attend(100 + u32::try_from(shared.place()).unwrap());
        Self { host, shared }
    }

    fn find(&mut self, key: &Key, now: Now) -> Option<String> {
        match self.shared.find(&mut self.host, key, now) {
            Found::Issued { issued, .. } => Some(issued.header_value().to_owned()),
            Found::Refused { refusal, .. } => Some(refusal.code().to_owned()),
            Found::Nothing => None,
        }
    }

    fn lease(&mut self, key: &Key, now: Now) -> Lease {
        self.shared.lease(&mut self.host, key, None, now, 1_000)
    }

    fn take(&mut self, key: &Key, now: Now) -> Ticket {
        match self.lease(key, now) {
            Lease::Taken(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    fn publish(&mut self, ticket: Ticket, header_value: &str, now: Now) -> Outcome {
        let issued = issued(header_value);
        let answer = Published::Issued { issued: &issued, asked: now, until: now.after(60_000) };
        self.shared.publish(&mut self.host, ticket, answer, now)
    }

    fn refuse(&mut self, ticket: Ticket, reason: Reason, now: Now) -> Outcome {
        let refusal = Refusal::new(reason);
        self.shared.publish(
            &mut self.host,
            ticket,
            Published::Refused { refusal: &refusal, until: now.after(2_000) },
            now,
        )
    }

    fn invalidate(&mut self, key: &Key, sent: Option<&str>, now: Now) {
        self.shared.invalidate(&mut self.host, key, sent.map(credential).as_ref(), now);
    }

    fn beat(&mut self, now: Now) -> Option<Totals> {
        self.shared.beat(&mut self.host, Contribution { entries: 1, ..Contribution::default() }, now)
    }
}

fn two() -> (World, Worker, Worker) {
    let world = World::new(1);
    let (a, b) = (Worker::start(&world, at(0)), Worker::start(&world, at(0)));
    (world, a, b)
}

#[test]
fn one_asks_and_the_other_is_woken_and_finds_the_answer() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    assert_eq!(a.find(&key, at(0)), None);
    let ticket = a.take(&key, at(0));
    assert!(matches!(b.lease(&key, at(1)), Lease::Held));
    assert!(matches!(b.lease(&key, at(2)), Lease::Held), "asking again changes nothing");
    assert_eq!(a.publish(ticket, "Bearer x", at(3)), Outcome::Kept);
    assert_eq!((world.take_knocks(100), world.take_knocks(101)), (0, 1));
    let Found::Issued { issued: found, asked, until } = b.shared.find(&mut b.host, &key, at(4)) else { panic!() };
    assert_eq!(found.header_value(), "Bearer x");
    assert_eq!(found.constraints, issued("").constraints);
    assert_eq!((asked, until), (at(3), at(3).after(60_000)));
    assert_eq!(b.find(&key, at(60_003)), None, "its end has come");
}

#[test]
fn who_comes_too_late_for_the_waking_gets_the_answer_with_the_lease() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    a.publish(ticket, "Bearer x", at(1));
    assert!(matches!(b.lease(&key, at(2)), Lease::Answered(Found::Issued { .. })));
    let replacing = |than| b.shared.lease(&mut b.host, &key, Some(than), at(3), 1_000);
    let [older, same] = [at(0), at(1)].map(replacing);
    assert!(matches!(older, Lease::Answered(Found::Issued { .. })));
    assert!(matches!(same, Lease::Taken(_)), "a refresh wants a newer one");
}

#[test]
fn a_refusal_is_shared_and_drops_the_token_only_when_it_is_final() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    a.publish(ticket, "Bearer x", at(0));
    let refresh = |worker: &mut Worker| match worker.shared.lease(&mut worker.host, &key, Some(at(0)), at(1), 1_000) {
        Lease::Taken(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    let ticket = refresh(&mut a);
    assert_eq!(a.refuse(ticket, Reason::StsUnavailable, at(1)), Outcome::Kept);
    assert_eq!(b.find(&key, at(2)).as_deref(), Some("Bearer x"));
    assert!(matches!(
        b.shared.lease(&mut b.host, &key, Some(at(0)), at(2), 1_000),
        Lease::Answered(Found::Refused { .. })
    ));
    let ticket = match a.shared.lease(&mut a.host, &key, Some(at(0)), at(2_001), 1_000) {
        Lease::Taken(ticket) => ticket,
        other => panic!("{other:?}"),
    };
    assert_eq!(a.refuse(ticket, Reason::PolicyDenied, at(2_001)), Outcome::Kept);
    assert_eq!(b.find(&key, at(2_002)).as_deref(), Some("policy_denied"));
    assert_eq!(b.find(&key, at(4_001)), None);
}

#[test]
fn a_lease_given_back_wakes_and_can_be_taken() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    assert!(matches!(b.lease(&key, at(0)), Lease::Held));
    a.shared.release(&mut a.host, ticket);
    assert_eq!(world.take_knocks(101), 1);
    assert!(matches!(b.lease(&key, at(0)), Lease::Taken(_)));
}

#[test]
fn a_lease_ends_by_itself_and_the_slow_one_does_not_overwrite() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let slow = a.take(&key, at(0));
    a.beat(at(900));
    assert!(matches!(b.lease(&key, at(999)), Lease::Held));
    let ticket = b.take(&key, at(1_000));
    assert_eq!(a.publish(slow, "Bearer slow", at(1_001)), Outcome::Lost);
    assert_eq!(b.find(&key, at(1_002)), None);
    assert_eq!(b.publish(ticket, "Bearer quick", at(1_003)), Outcome::Kept);
    assert_eq!(a.find(&key, at(1_004)).as_deref(), Some("Bearer quick"));
}

#[test]
fn a_dead_vm_s_lease_is_taken_over_and_its_waiters_stay() {
    let world = World::new(3);
    let [mut a, mut b, mut c] = [0; 3].map(|ms| Worker::start(&world, at(ms)));
    let key = key("t");
    let _dead = a.take(&key, at(0));
    assert!(matches!(c.lease(&key, at(0)), Lease::Held));
    assert!(matches!(b.lease(&key, at(500)), Lease::Held), "not dead yet");
    b.beat(at(501));
    let ticket = b.take(&key, at(501));
    b.publish(ticket, "Bearer x", at(510));
    assert_eq!((world.take_knocks(101), world.take_knocks(102)), (0, 1));
}

#[test]
fn a_vm_that_comes_back_in_the_same_place_does_not_hold_the_old_leases() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    let _dead = a.take(&key, at(0));
    b.beat(at(6_000));
    let again = Worker::start(&world, at(6_000));
    assert_eq!(again.shared.place(), 0, "the place is used again");
    assert!(matches!(b.lease(&key, at(6_000)), Lease::Taken(_)));
}

#[test]
fn a_fetch_in_flight_loses_against_an_invalidation() {
    let (world, mut a, mut b) = two();
    let key = key("t");
    let doomed = a.take(&key, at(0));
    assert!(matches!(b.lease(&key, at(0)), Lease::Held));
    b.invalidate(&key, None, at(1));
    assert_eq!(world.take_knocks(101), 1, "who waits may ask again at once");
    let ticket = b.take(&key, at(2));
    assert_eq!(a.publish(doomed, "Bearer old", at(3)), Outcome::Invalidated);
    assert_eq!(b.find(&key, at(4)), None);
    assert_eq!(b.publish(ticket, "Bearer new", at(5)), Outcome::Kept);
    assert_eq!(a.find(&key, at(6)).as_deref(), Some("Bearer new"));
}

#[test]
fn a_storm_of_401s_drops_one_token_and_no_fetch() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    a.publish(ticket, "Bearer x", at(0));
    a.invalidate(&key, Some("Bearer other"), at(1));
    assert!(a.find(&key, at(1)).is_some(), "another token was sent");
    a.invalidate(&key, Some("Bearer x"), at(1));
    assert_eq!(a.find(&key, at(1)), None);
    let ticket = a.take(&key, at(2));
    b.invalidate(&key, Some("Bearer x"), at(3));
    assert_eq!(a.publish(ticket, "Bearer y", at(4)), Outcome::Kept);
    b.invalidate(&key, Some("Bearer x"), at(5));
    assert_eq!(b.find(&key, at(6)).as_deref(), Some("Bearer y"));
}

#[test]
fn another_key_finds_nothing() {
    let (_, mut a, mut b) = two();
    let ticket = a.take(&key("t"), at(0));
    a.publish(ticket, "Bearer x", at(0));
    assert_eq!(b.find(&key("t2"), at(1)), None);
    let mut other = facts();
    other.epoch = 1;
    let other = Probe::new(&Arc::new(other), Subject::Token("t")).unwrap().to_key();
    assert_eq!(b.find(&other, at(1)), None);
}

#[test]
fn garbage_pushes_out_no_token() {
    let (world, mut a, mut b) = two();
    let good = key("good");
    let ticket = a.take(&good, at(0));
    a.publish(ticket, "Bearer x", at(0));
    let names = world.names();
    for garbage in 0..200 {
        let key = key(&format!("garbage-{garbage}"));
        let ticket = a.take(&key, at(1));
        a.refuse(ticket, Reason::SubjectTokenMalformed, at(1));
    }
    assert_eq!(b.find(&good, at(2)).as_deref(), Some("Bearer x"));
    assert_eq!(world.names(), names, "no value was added");
}

#[test]
fn what_is_too_large_is_not_shared() {
    let (_, mut a, mut b) = two();
    let key = key("t");
    let ticket = a.take(&key, at(0));
    assert_eq!(a.publish(ticket, &"x".repeat(30_000), at(0)), Outcome::Kept);
    assert_eq!(b.find(&key, at(1)), None);
    let ticket = a.take(&key, at(2));
    assert_eq!(a.publish(ticket, &"x".repeat(16 * 1024 + 7), at(2)), Outcome::Kept);
    assert!(b.find(&key, at(3)).is_some(), "the longest token there is");
}
