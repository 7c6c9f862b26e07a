//! Who asks for what. A set of leases is one value, so that taking one is one compare-and-swap.

use super::{
    CLOCK_SLACK_MS, Found, Host, Set, Shared,
    identity::KeyDigest,
    layout::{Kind, TRIES},
};
use crate::{key::Key, time::Now};

mod set;

pub(super) use set::Standing;
use set::{Entry, LeaseSet, MOST_ENTRIES, MOST_WAITERS};

/// What came of trying to become the one who asks.
#[derive(Debug)]
pub enum Lease {
    /// Ask the STS, then [`Shared::publish`] or [`Shared::release`].
    Taken(Ticket),
    /// Another worker is asking. This one will be woken if it listens. Then and on every tick it has to try for the lease
    /// again: the answer may be there, or the other one dead.
    Held,
    /// Another worker has had the answer in the meantime; never [`Found::Nothing`].
    Answered(Found),
    /// Ask without sharing: there is no room for another lease, or no shared data. What others invalidate meanwhile does not
    /// reach this exchange.
    Alone,
}

/// The right and the duty to ask for a key.
#[derive(Debug)]
#[must_use = "a lease that is neither published nor released makes others wait until it ends"]
pub struct Ticket {
    pub(super) key: Key,
    pub(super) digest: KeyDigest,
    pub(super) id: [u8; 16],
    pub(super) generation: u64,
}

impl Ticket {
    /// What is to be asked for.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

/// What a change of a lease set comes to.
enum Change<T> {
    Write(T),
    Leave(T),
}

impl Shared {
    /// Tries to become the one who asks for `key`, for at most `lasts_ms`. Who wants to replace a token that it has says in
    /// `replacing` when that was asked for: only a newer one is then an answer.
    pub fn lease(&self, host: &mut dyn Host, key: &Key, replacing: Option<Now>, now: Now, lasts_ms: u64) -> Lease {
        let digest = KeyDigest::of(key);
        let mut random = [0; 24];
        if !self.seat.is_mine() || !host.random(&mut random) {
            return Lease::Alone;
        }
        let taking = Taking {
            shared: self,
            digest,
            random,
            ends_ms: now.steady_ms.saturating_add(lasts_ms.min(MOST_LEASE_MS)),
            now,
        };
        match self.change(host, &digest, |host, set| taking.attempt(host, set)) {
            Ok(Attempt::Taken { id, generation }) => {
                let ticket = Ticket { key: key.clone(), digest, id, generation };
                // The one who had it before has stored the answer before letting go.
                match self.find_newer(host, key, &digest, replacing, now) {
                    Found::Nothing => Lease::Taken(ticket),
                    found => {
                        self.release(host, ticket);
                        Lease::Answered(found)
                    }
                }
            }
            // Where so many want it at once, one of them has it.
            Ok(Attempt::Held) | Err(Unwritten::Contended) => Lease::Held,
            Ok(Attempt::NoRoom) | Err(Unwritten::Failed) => Lease::Alone,
        }
    }

    /// Gives a lease back without an answer. Those who wait are woken, and one of them may ask.
    pub fn release(&self, host: &mut dyn Host, ticket: Ticket) {
        self.free(host, &ticket);
    }

    /// Ends the ticket's lease and wakes who waited. `None`: nothing could be written.
    pub(super) fn free(&self, host: &mut dyn Host, ticket: &Ticket) -> Option<Standing> {
        let change = self.change(host, &ticket.digest, |_, set| match set.standing(ticket) {
            Standing::Held => {
                let waiters = set.entry(&ticket.digest).map(Entry::free).unwrap_or_default();
                Change::Write((Standing::Held, waiters))
            }
            other => Change::Leave((other, Vec::new())),
        });
        let (standing, waiters) = change.ok()?;
        waiters.into_iter().for_each(|queue| host.wake(queue));
        Some(standing)
    }

    /// Ends the key's lease, whoever has it: what is being fetched is no longer wanted.
    pub(super) fn end_lease(&self, host: &mut dyn Host, digest: &KeyDigest) {
        let waiters = self.change(host, digest, |_, set| match set.entry(digest) {
            Some(entry) => {
                entry.generation = entry.generation.wrapping_add(1);
                Change::Write(entry.free())
            }
            None => Change::Leave(Vec::new()),
        });
        waiters.unwrap_or_default().into_iter().for_each(|queue| host.wake(queue));
    }

    /// How many leases this VM holds, ended or not.
    #[cfg(test)]
    pub(crate) fn leases_held(&self, host: &mut dyn Host) -> usize {
        let sets = (0..self.lease_sets).filter_map(|set| LeaseSet::read(&host.get(&Kind::Lease.slot(set))?.0));
        let entries = sets.flat_map(|LeaseSet(entries)| entries);
        entries.filter(|entry| entry.held && entry.holder == self.seat.holder()).count()
    }

    /// Where the ticket stands now; `None` without shared data.
    pub(super) fn standing(&self, host: &mut dyn Host, ticket: &Ticket) -> Option<Standing> {
        let (value, _) = host.get(&self.lease_slot(&ticket.digest))?;
        Some(LeaseSet::read(&value).unwrap_or_default().standing(ticket))
    }

    /// Reads the set that `digest` belongs to, has `make` change it, and writes it if nobody was quicker; else again.
    fn change<T>(
        &self,
        host: &mut dyn Host,
        digest: &KeyDigest,
        mut make: impl FnMut(&mut dyn Host, &mut LeaseSet) -> Change<T>,
    ) -> Result<T, Unwritten> {
        let name = self.lease_slot(digest);
        for _ in 0..TRIES {
            let (value, cas) = host.get(&name).ok_or(Unwritten::Failed)?;
            let mut set = LeaseSet::read(&value).unwrap_or_default();
            let result = match make(host, &mut set) {
                Change::Leave(result) => return Ok(result),
                Change::Write(result) => result,
            };
            match host.set(&name, &set.write(), Some(cas)) {
                Set::Done => return Ok(result),
                Set::Failed => return Err(Unwritten::Failed),
                Set::Changed => {}
            }
        }
        Err(Unwritten::Contended)
    }

    fn lease_slot(&self, digest: &KeyDigest) -> String {
        Kind::Lease.slot(digest.set(self.lease_sets))
    }
}

/// Why a set was not changed.
enum Unwritten {
    /// There is none, or the host refuses.
    Failed,
    /// Others were quicker each time.
    Contended,
}

/// One worker's try to take a lease.
struct Taking<'s> {
    shared: &'s Shared,
    digest: KeyDigest,
    random: [u8; 24],
    ends_ms: u64,
    now: Now,
}

enum Attempt {
    Taken { id: [u8; 16], generation: u64 },
    Held,
    NoRoom,
}

impl Taking<'_> {
    fn attempt(&self, host: &mut dyn Host, set: &mut LeaseSet) -> Change<Attempt> {
        let queue = self.shared.queue;
        let Some(entry) = set.entry(&self.digest) else { return self.take_new(host, set) };
        if !self.is_live(host, entry) {
            entry.waiters.retain(|waiter| Some(*waiter) != queue);
            let (generation, waiters) = (entry.generation, std::mem::take(&mut entry.waiters));
            let (new, attempt) = self.entry(generation, waiters);
            *entry = new;
            return Change::Write(attempt);
        }
        match queue {
            Some(queue) if entry.waiters.len() < MOST_WAITERS && !entry.waiters.contains(&queue) => {
                entry.waiters.push(queue);
                Change::Write(Attempt::Held)
            }
            _ => Change::Leave(Attempt::Held),
        }
    }

    fn take_new(&self, host: &mut dyn Host, set: &mut LeaseSet) -> Change<Attempt> {
        let [.., a, b, c, d, e, f, g, h] = self.random;
        let (new, attempt) = self.entry(u64::from_be_bytes([a, b, c, d, e, f, g, h]), Vec::new());
        if set.0.len() < MOST_ENTRIES {
            set.0.push(new);
            return Change::Write(attempt);
        }
        // The one that has been over for longest: its generation is the least likely to be asked for again.
        let over = set.0.iter_mut().filter(|entry| !self.is_live(host, entry)).min_by_key(|entry| entry.ends_ms);
        match over {
            Some(over) => {
                let waiters = over.free();
                *over = new;
                waiters.into_iter().for_each(|queue| host.wake(queue));
                Change::Write(attempt)
            }
            None => Change::Leave(Attempt::NoRoom),
        }
    }

    fn entry(&self, generation: u64, waiters: Vec<u32>) -> (Entry, Attempt) {
        let [id @ .., _, _, _, _, _, _, _, _] = self.random;
        let holder = self.shared.seat.holder();
        let entry =
            Entry { digest: self.digest, generation, held: true, ticket: id, holder, ends_ms: self.ends_ms, waiters };
        (entry, Attempt::Taken { id, generation })
    }

    /// Whether somebody is really asking under it.
    fn is_live(&self, host: &mut dyn Host, entry: &Entry) -> bool {
        let furthest = self.now.steady_ms.saturating_add(MOST_LEASE_MS).saturating_add(CLOCK_SLACK_MS);
        entry.held
            && entry.ends_ms > self.now.steady_ms
            && entry.ends_ms <= furthest
            && self.shared.seat.lives(host, &entry.holder, self.now)
    }
}

/// No exchange takes longer.
const MOST_LEASE_MS: u64 = 60_000;
