//! Random lives of one process: requests, answers, deaths, slowness, invalidations and hostile writes, held against a model.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

const WORKERS: usize = 3;
const KEYS: usize = 10;
const LASTS_MS: u64 = 1_000;
const LIFE_MS: u64 = 3_000;

#[derive(Clone, Debug)]
enum Op {
    /// Looks, and asks if there is nothing. `dies` is the number of host calls after which the VM dies, if it does.
    Request {
        worker: usize,
        key: usize,
        dies: Option<usize>,
    },
    Answer {
        worker: usize,
        refused: bool,
        dies: Option<usize>,
    },
    GiveUp {
        worker: usize,
    },
    /// Time passes; the workers in `beats` show that they live.
    Pass {
        ms: u64,
        beats: [bool; WORKERS],
    },
    Unauthorized {
        worker: usize,
        key: usize,
    },
    Revoked {
        worker: usize,
        key: usize,
    },
    Hostile(Write),
}

#[derive(Clone, Debug)]
enum Write {
    Random {
        slot: usize,
        bytes: Vec<u8>,
    },
    /// Puts back what was in a slot, there or elsewhere.
    Replay {
        from: usize,
        to: usize,
    },
    Flip {
        slot: usize,
        byte: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let dies = || prop::option::weighted(0.05, 0..12_usize);
    let write = prop_oneof![
        (0..64_usize, prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(slot, bytes)| Write::Random { slot, bytes }),
        (0..64_usize, 0..64_usize).prop_map(|(from, to)| Write::Replay { from, to }),
        (0..64_usize, 0..4096_usize).prop_map(|(slot, byte)| Write::Flip { slot, byte }),
    ];
    prop_oneof![
        8 => (0..WORKERS, 0..KEYS, dies()).prop_map(|(worker, key, dies)| Op::Request { worker, key, dies }),
        8 => (0..WORKERS, prop::bool::weighted(0.2), dies())
            .prop_map(|(worker, refused, dies)| Op::Answer { worker, refused, dies }),
        1 => (0..WORKERS).prop_map(|worker| Op::GiveUp { worker }),
        4 => (1..300_u64, prop::array::uniform3(prop::bool::weighted(0.8)))
            .prop_map(|(ms, beats)| Op::Pass { ms, beats }),
        1 => (0..WORKERS, 0..KEYS).prop_map(|(worker, key)| Op::Unauthorized { worker, key }),
        1 => (0..WORKERS, 0..KEYS).prop_map(|(worker, key)| Op::Revoked { worker, key }),
        2 => write.prop_map(Op::Hostile),
    ]
}

/// A lease that was taken and, as far as its holder knows, still stands.
struct Leading {
    key: usize,
    ticket: Option<Ticket>,
    taken_ms: u64,
    /// The life of the VM that took it.
    life: usize,
    /// Whether an invalidation has come in between.
    doomed: bool,
    /// `false`: its holder died while it took it or let it go.
    certain: bool,
    /// Whether there was a moment at which others could take it over.
    exposed: bool,
}

struct Life {
    worker: Worker,
    number: usize,
}

struct Model {
    world: World,
    ms: u64,
    lives: Vec<Life>,
    last_beat: HashMap<usize, u64>,
    leading: Vec<Leading>,
    /// Header value to key and the moment of its end.
    tokens: HashMap<String, (usize, u64)>,
    invalidated: HashSet<String>,
    names: Vec<String>,
    seen: Vec<Vec<u8>>,
    /// Whether anything hostile was written.
    hostile: bool,
    next: usize,
}

impl Model {
    fn new() -> Self {
        let world = World::new(7);
        let lives: Vec<Life> = (0..WORKERS).map(|number| Life { worker: start(&world, 0), number }).collect();
        let names = world.names();
        let last_beat = (0..WORKERS).map(|life| (life, 0)).collect();
        Self {
            world,
            ms: 0,
            lives,
            last_beat,
            leading: Vec::new(),
            tokens: HashMap::new(),
            invalidated: HashSet::new(),
            names,
            seen: Vec::new(),
            hostile: false,
            next: WORKERS,
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Request { worker, key, dies } => self.request(worker, key, dies),
            Op::Answer { worker, refused, dies } => self.answer(worker, refused, dies),
            Op::GiveUp { worker } => {
                if let Some((_, ticket)) = self.ticket(worker) {
                    let Worker { host, shared } = &mut self.lives[worker].worker;
                    shared.release(host, ticket);
                }
            }
            Op::Pass { ms, beats } => {
                self.ms += ms;
                for worker in (0..WORKERS).filter(|worker| beats[*worker]) {
                    self.lives[worker].worker.beat(at(self.ms));
                    self.last_beat.insert(self.lives[worker].number, self.ms);
                }
            }
            Op::Unauthorized { worker, key } => {
                let found = self.lives[worker].worker.find(&super::key(&key.to_string()), at(self.ms));
                if let Some(sent) = found.filter(|found| self.tokens.contains_key(found)) {
                    self.invalidate(worker, key, Some(&sent));
                }
            }
            Op::Revoked { worker, key } => self.invalidate(worker, key, None),
            Op::Hostile(write) => self.write(write),
        }
        assert_eq!(self.world.names(), self.names, "the number of values is constant");
        for number in 0..self.leading.len() {
            self.leading[number].exposed |= !self.leads(&self.leading[number], usize::MAX);
        }
        self.look();
    }

    /// What any worker finds of any key is right.
    fn look(&mut self) {
        for key in 0..KEYS {
            let found = self.lives[key % WORKERS].worker.find(&super::key(&key.to_string()), at(self.ms));
            self.check(key, found);
        }
    }

    fn check(&self, key: usize, found: Option<String>) {
        let Some(found) = found.filter(|found| found != "policy_denied") else { return };
        let (issued_for, until) = self.tokens[&found];
        assert_eq!(issued_for, key, "{found}");
        assert!(self.ms < until, "{found} has ended");
        // Only a hostile plugin can put an old value back.
        assert!(self.hostile || !self.invalidated.contains(&found), "{found} was invalidated");
    }

    fn request(&mut self, worker: usize, key: usize, dies: Option<usize>) {
        let now = at(self.ms);
        let Life { worker: Worker { host, shared }, number } = &mut self.lives[worker];
        let number = *number;
        if let Some(calls) = dies {
            host.die_after(calls);
        }
        let lease = shared.lease(host, &super::key(&key.to_string()), None, now, LASTS_MS);
        match lease {
            Lease::Taken(ticket) => {
                if !self.hostile {
                    let other = self
                        .leading
                        .iter()
                        .find(|other| other.certain && other.key == key && self.leads(other, number));
                    assert!(other.is_none(), "two lead for {key}");
                }
                self.leading.push(Leading {
                    key,
                    ticket: Some(ticket),
                    taken_ms: self.ms,
                    life: number,
                    doomed: false,
                    certain: true,
                    exposed: false,
                });
            }
            Lease::Held => {
                let live = |leading: &Leading| leading.key == key && self.leads(leading, number);
                assert!(self.hostile || self.leading.iter().any(live), "nobody asks for {key}");
            }
            Lease::Answered(Found::Issued { issued, .. }) => {
                self.check(key, Some(issued.header_value().to_owned()));
            }
            Lease::Answered(found) => assert!(matches!(found, Found::Refused { .. })),
            Lease::Alone => {}
        }
        if dies.is_some() {
            let (taken_ms, life) = (self.ms, number);
            self.leading.push(Leading {
                key,
                ticket: None,
                taken_ms,
                life,
                doomed: false,
                certain: false,
                exposed: false,
            });
        }
        self.bury(worker, dies);
    }

    /// Whether the VM in its life `by` has to believe that it leads.
    fn leads(&self, leading: &Leading, by: usize) -> bool {
        !leading.doomed
            && self.ms < leading.taken_ms + LASTS_MS
            && (leading.life == by || self.ms <= self.last_beat[&leading.life] + 500)
    }

    /// A ticket of the worker's.
    fn ticket(&mut self, worker: usize) -> Option<(Leading, Ticket)> {
        let life = self.lives[worker].number;
        let place = self.leading.iter().position(|leading| leading.life == life && leading.ticket.is_some())?;
        let mut leading = self.leading.remove(place);
        let ticket = leading.ticket.take()?;
        Some((leading, ticket))
    }

    fn answer(&mut self, worker: usize, refused: bool, dies: Option<usize>) {
        let Some((leading, ticket)) = self.ticket(worker) else { return };
        let now = at(self.ms);
        let value = format!("token {} for {}", self.tokens.len(), leading.key);
        let host = &mut self.lives[worker].worker.host;
        if let Some(calls) = dies {
            host.die_after(calls);
        }
        let outcome = if refused {
            self.lives[worker].worker.refuse(ticket, Reason::PolicyDenied, now)
        } else {
            self.tokens.insert(value.clone(), (leading.key, self.ms + LIFE_MS));
            let issued = issued(&value);
            let answer = Published::Issued { issued: &issued, asked: now, until: now.after(LIFE_MS) };
            let Worker { host, shared } = &mut self.lives[worker].worker;
            shared.publish(host, ticket, answer, now)
        };
        if dies.is_none() && !self.hostile {
            assert!(!leading.doomed || outcome == Outcome::Invalidated, "{outcome:?} of a fetch that was invalidated");
            assert!(leading.doomed || leading.exposed || outcome == Outcome::Kept, "{outcome:?} of a leader");
        }
        if leading.doomed && !refused {
            self.invalidated.insert(value);
        }
        let unsure = dies.is_some() && self.bury(worker, dies);
        if unsure {
            // It may not have come to letting go.
            self.leading.push(Leading { ticket: None, certain: false, ..leading });
        }
    }

    fn invalidate(&mut self, worker: usize, key: usize, sent: Option<&str>) {
        self.lives[worker].worker.invalidate(&super::key(&key.to_string()), sent, at(self.ms));
        self.leading.iter_mut().filter(|leading| leading.key == key).for_each(|leading| leading.doomed = true);
        let of_key = self.tokens.iter().filter(|(_, (of, _))| *of == key).map(|(value, _)| value.clone());
        let dropped: Vec<String> =
            sent.map(str::to_owned).into_iter().chain(of_key.filter(|_| sent.is_none())).collect();
        self.invalidated.extend(dropped);
    }

    /// Ends the VM if it was to die, and starts another.
    fn bury(&mut self, worker: usize, dies: Option<usize>) -> bool {
        if dies.is_none() {
            return false;
        }
        let life = self.lives[worker].number;
        self.leading.iter_mut().filter(|leading| leading.life == life).for_each(|leading| leading.ticket = None);
        self.last_beat.insert(self.next, self.ms);
        self.lives[worker] = Life { worker: start(&self.world, self.ms), number: self.next };
        self.next += 1;
        true
    }

    fn write(&mut self, write: Write) {
        self.hostile = true;
        let name = |slot: usize| self.names[slot % self.names.len()].clone();
        let (slot, value) = match write {
            Write::Random { slot, bytes } => (name(slot), bytes),
            Write::Replay { from, to } => {
                self.seen.push(self.world.value(&name(from)).unwrap());
                (name(to), self.seen[from % self.seen.len()].clone())
            }
            Write::Flip { slot, byte } => {
                let mut value = self.world.value(&name(slot)).unwrap();
                if let Some(length @ 1..) = Some(value.len()) {
                    value[byte % length] ^= 1;
                }
                (name(slot), value)
            }
        };
        // A layout that is whole would be adopted, and add slots; that is bounded, and tested elsewhere.
        if !slot.ends_with("/layout") {
            self.world.write(&slot, &value);
        }
    }
}

/// A VM in a table that has room for all that ever live.
fn start(world: &World, ms: u64) -> Worker {
    Worker::start_with(world, Counts { vms: 64, ..COUNTS }, at(ms))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_schedule_breaks_what_must_hold(
        ops in prop::collection::vec(op(), 1..60),
        friendly: bool,
    ) {
        let mut model = Model::new();
        for op in ops {
            if !(friendly && matches!(op, Op::Hostile(_))) {
                model.run(op);
            }
        }
    }
}
