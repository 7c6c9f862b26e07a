//! Workers in threads, one host call at a time, in every order that chance makes.

use std::{sync::Mutex, thread};

use proptest::prelude::*;

use super::*;
use crate::shared::simulation::Turns;

/// What a worker does, on one of two keys.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// Asks for the lease; the answer comes with the next [`Op::Answer`].
    Lease(usize),
    Answer,
    Find(usize),
    Invalidate(usize),
}

/// What came of it, from one moment to another in the order of all host calls.
#[derive(Debug)]
struct Event {
    from: usize,
    to: usize,
    worker: usize,
    key: usize,
    what: What,
}

#[derive(Debug, PartialEq)]
enum What {
    Taken,
    Held,
    Published {
        /// When its lease was asked for, and when it was had.
        leased: (usize, usize),
        token: String,
        outcome: Outcome,
    },
    Found(String),
    FoundNothing,
    Invalidated,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Op::Lease),
        4 => Just(Op::Answer),
        2 => (0..2_usize).prop_map(Op::Find),
        1 => (0..2_usize).prop_map(Op::Invalidate),
    ]
}

/// Runs each worker's script in a thread of its own and tells what happened. Every lease that was taken is answered.
fn run(scripts: Vec<Vec<Op>>, seed: u64) -> (World, Vec<Event>) {
    let world = World::new(seed);
    let turns = Turns::new(scripts.len(), seed);
    let log = Arc::new(Mutex::new((0, Vec::new())));
    let workers: Vec<Worker> = scripts.iter().map(|_| Worker::start(&world, at(0))).collect();
    let threads: Vec<_> = scripts
        .into_iter()
        .zip(workers)
        .enumerate()
        .map(|(me, (script, mut worker))| {
            let (turns, log) = (turns.clone(), Arc::clone(&log));
            let clock = Arc::clone(&log);
            let order = turns.clone();
            worker.host.before_each(move |_| {
                order.wait(me);
                clock.lock().unwrap().0 += 1;
            });
            thread::spawn(move || {
                let mut actor = Actor { me, worker, log, tickets: Vec::new(), serial: 0 };
                script.into_iter().for_each(|op| actor.act(op));
                while !actor.tickets.is_empty() {
                    actor.act(Op::Answer);
                }
                turns.leave();
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let events = std::mem::take(&mut log.lock().unwrap().1);
    (world, events)
}

struct Actor {
    me: usize,
    worker: Worker,
    log: Arc<Mutex<(usize, Vec<Event>)>>,
    tickets: Vec<(usize, (usize, usize), Ticket)>,
    serial: usize,
}

impl Actor {
    fn act(&mut self, op: Op) {
        let from = self.log.lock().unwrap().0;
        let (number, what) = match op {
            Op::Lease(number) => match self.worker.lease(&key(&number.to_string()), at(0)) {
                Lease::Taken(ticket) => {
                    let had = self.log.lock().unwrap().0;
                    self.tickets.push((number, (from, had), ticket));
                    (number, What::Taken)
                }
                Lease::Held => (number, What::Held),
                Lease::Answered(Found::Issued { issued, .. }) => {
                    (number, What::Found(issued.header_value().to_owned()))
                }
                other => panic!("{other:?}"),
            },
            Op::Answer => {
                let Some((number, leased, ticket)) = self.tickets.pop() else { return };
                self.serial += 1;
                let token = format!("{number} by {} no {}", self.me, self.serial);
                let outcome = self.worker.publish(ticket, &token, at(0));
                (number, What::Published { leased, token, outcome })
            }
            Op::Find(number) => match self.worker.find(&key(&number.to_string()), at(0)) {
                Some(found) => (number, What::Found(found)),
                None => (number, What::FoundNothing),
            },
            Op::Invalidate(number) => {
                self.worker.invalidate(&key(&number.to_string()), None, at(0));
                (number, What::Invalidated)
            }
        };
        let mut log = self.log.lock().unwrap();
        let to = log.0;
        log.1.push(Event { from, to, worker: self.me, key: number, what });
    }
}

/// Whether the key was invalidated after `from` and before `to`, from beginning to end.
fn invalidated_within(events: &[Event], key: usize, from: usize, to: usize) -> bool {
    events.iter().any(|e| e.key == key && e.what == What::Invalidated && e.from >= from && e.to < to)
}

/// Whether an invalidation of the key was under way at any time from `from` to `to`.
fn invalidated_about(events: &[Event], key: usize, from: usize, to: usize) -> bool {
    events.iter().any(|e| e.key == key && e.what == What::Invalidated && e.to >= from && e.from <= to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn in_no_order_do_two_lead_or_does_an_invalidated_token_come_back(
        scripts in prop::collection::vec(prop::collection::vec(op(), 1..8), 2..4),
        seed: u64,
    ) {
        let (world, events) = run(scripts, seed);
        let mut published = Vec::new();
        for event in &events {
            if let What::Published { leased, token, outcome } = &event.what {
                let (asked, had) = *leased;
                published.push((event, asked, had, token.as_str()));
                prop_assert_ne!(*outcome, Outcome::Lost, "nobody is slow");
                if invalidated_within(&events, event.key, had, event.from) {
                    prop_assert_eq!(*outcome, Outcome::Invalidated, "{:?}", &event);
                }
                if !invalidated_about(&events, event.key, asked, event.to) {
                    prop_assert_eq!(*outcome, Outcome::Kept, "{:?}", &event);
                }
            }
        }
        for event in &events {
            if let What::Found(token) = &event.what {
                let (by, _, had, _) = published.iter().find(|(.., known)| known == token).unwrap();
                prop_assert_eq!(by.key, event.key);
                prop_assert!(!invalidated_within(&events, event.key, *had, event.from), "{:?}", event);
            }
        }
        for (number, (one, asked, had, _)) in published.iter().enumerate() {
            for (other, other_asked, other_had, _) in published.iter().skip(number + 1) {
                let both = one.key == other.key && had.max(other_had) < &one.from.min(other.from);
                let to = one.from.min(other.from);
                prop_assert!(!both || invalidated_about(&events, one.key, *asked.min(other_asked), to), "two lead");
            }
        }
        // All leases are over by now, so whoever was put off has been told.
        let woken = [100, 101, 102].map(|queue| world.take_knocks(queue) > 0);
        for held in events.iter().filter(|event| event.what == What::Held) {
            let later = events.iter().any(|e| e.worker == held.worker && e.from >= held.to && e.key == held.key);
            prop_assert!(later || woken[held.worker], "nobody woke {:?}", held);
        }
    }
}
