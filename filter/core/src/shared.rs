//! What the workers of one Envoy share: issued tokens, refusals, and who is asking for what, so that there is one exchange
//! per key and Envoy and not one per worker.
//!
//! Each worker is a VM with no memory in common with the others. What they have is the host's shared data: one map per
//! process with compare-and-swap, without delete, which outlives VMs and configurations. So there is a fixed number of slots,
//! made once ([`Shared::open`]) and reused:
//!
//! - **Leases** say who asks for a key. One is taken before asking and freed with the answer; whoever else wants the key is
//!   noted in it and woken. It ends by itself, and is taken over at once when its holder's VM has stopped to beat.
//! - **Tokens and refusals** are the answers, in slots of their own each, so that garbage cannot push out a good token.
//! - **VMs** beat on every tick, and one of them adds up what all of them hold.
//!
//! A lease carries a *generation*. An invalidation raises it before it drops the token, and a publisher looks at it between
//! reading and swapping the token's slot: a fetch in flight loses against an invalidation, wherever the two meet.
//!
//! # Who could read or disturb what
//!
//! Every plugin of the process that was given the same `vm_id` can read and write all of this, and so can the queues be
//! written. Nothing that is read is believed: it is bounded, parsed, and held against the clock, and what does not fit counts
//! as nothing. Beyond that:
//!
//! - **Read**: answers are sealed under a key made from the native token, so only who presents that token can open them. Digests
//!   of keys, times and sizes are visible. A native token that can be guessed can be tried offline.
//! - **Forge**: without the native token no answer can be made, moved to another slot or key, or given a longer life. An old
//!   answer of the same slot and key can be put back; a token that was invalidated can so come back until its `until`.
//! - **Disturb**: slots can be wiped, leases taken for ever and beats faked. Then workers ask the STS more often, each for
//!   itself, or wait until the lease they see has ended; requests are refused only by their own deadlines. A value too large
//!   for the VM's memory ends the VM; the host gives no way to see the size first.
//!
//! What an answer costs whoever has the same native token is nothing new: they could ask the STS themselves.

use crate::{
    issued::{Credential, Issued},
    key::Key,
    refusal::Refusal,
    time::{Deadline, Now},
};

mod answers;
mod bytes;
mod identity;
mod layout;
mod lease;
mod publish;
mod seal;
mod slots;
mod vms;

pub use layout::Counts;
pub use lease::{Lease, Ticket};
pub use publish::Outcome;
pub use vms::{Contribution, Totals};

use identity::KeyDigest;
use slots::Slots;
use vms::Seat;

/// The host's shared data, queues and random numbers.
pub trait Host {
    /// A value and its number for compare-and-swap.
    fn get(&mut self, key: &str) -> Option<(Vec<u8>, u32)>;
    /// Writes a value, if it still has the number `cas`. On a key that does not exist this always succeeds.
    fn set(&mut self, key: &str, value: &[u8], cas: Option<u32>) -> Set;
    /// Wakes whoever listens on a queue. It may get lost.
    fn wake(&mut self, queue: u32);
    /// Fills `bytes` from a generator fit for keys; `false` if it cannot.
    fn random(&mut self, bytes: &mut [u8]) -> bool;
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    Done,
    /// Somebody else was quicker; nothing was written.
    Changed,
    /// The host refuses.
    Failed,
}

/// One worker's part in what is shared.
#[derive(Debug)]
pub struct Shared {
    tokens: Slots,
    refusals: Slots,
    lease_sets: u32,
    seat: Seat,
    queue: Option<u32>,
}

/// What the STS answered, for [`Shared::publish`].
#[derive(Clone, Copy, Debug)]
pub enum Published<'a> {
    Issued {
        issued: &'a Issued,
        /// When the STS was asked.
        asked: Now,
        until: Deadline,
    },
    Refused {
        refusal: &'a Refusal,
        until: Deadline,
    },
}

/// What the workers know of a key.
#[derive(Debug)]
pub enum Found {
    Issued {
        issued: Issued,
        /// When the STS was asked.
        asked: Now,
        until: Deadline,
    },
    Refused {
        refusal: Refusal,
        until: Deadline,
    },
    Nothing,
}

impl Shared {
    /// Opens what is shared, making the slots that are missing, and takes a place among the VMs. `None`: the host refuses,
    /// or all places are taken; then there is no sharing, and the worker works for itself.
    pub fn open(host: &mut dyn Host, counts: Counts, now: Now) -> Option<Self> {
        let counts = layout::create(host, counts)?;
        Some(Self {
            tokens: Slots::tokens(counts.tokens),
            refusals: Slots::refusals(counts.refusals),
            lease_sets: counts.lease_sets,
            seat: Seat::take(host, counts.vms, now)?,
            queue: None,
        })
    }

    /// This VM's place in the table. It names the queue to be registered, so that names are reused. It changes only in
    /// [`Self::beat`], when this VM was silent for so long that another has taken its place; then a queue of the new name has
    /// to be registered and attended.
    pub fn place(&self) -> usize {
        self.seat.place()
    }

    /// Whether it does, on a queue of the name that [`Self::place`] gives.
    pub fn is_attending(&self) -> bool {
        self.queue.is_some()
    }

    /// This worker listens on `queue`. Until then, and when a knock gets lost, it learns of answers by asking again.
    pub fn attend(&mut self, queue: u32) {
        self.queue = Some(queue);
    }

    /// What another worker has already got for `key`. To be called on a local miss.
    pub fn find(&self, host: &mut dyn Host, key: &Key, now: Now) -> Found {
        self.find_newer(host, key, &KeyDigest::of(key), None, now)
    }

    /// Drops the token of `key`: with `sent` only if that credential is the one that is shared, else whichever it is. A
    /// fetch in flight for the key then loses. With `sent` and another token, or none, nothing changes: somebody has done it
    /// before, and a storm of 401s must not become a storm of exchanges.
    pub fn invalidate(&self, host: &mut dyn Host, key: &Key, sent: Option<&Credential>, now: Now) {
        let digest = KeyDigest::of(key);
        if let Some(sent) = sent
            && !self.holds(host, key, &digest, sent, now)
        {
            return;
        }
        self.end_lease(host, &digest);
        self.tokens.empty(host, &digest, None);
    }

    /// What to do on every tick: to show that this VM lives and what it holds. The sum over all live VMs comes back for
    /// exactly one of them, the one that is to report it.
    pub fn beat(&mut self, host: &mut dyn Host, mine: Contribution, now: Now) -> Option<Totals> {
        let place = self.seat.place();
        self.seat.beat(host, mine, now);
        if self.seat.place() != place {
            self.queue = None;
        }
        self.seat.totals(host, now)
    }
}

/// How far the clock readings of two workers may lie apart: they take them once per callback.
const CLOCK_SLACK_MS: u64 = 1_000;

#[cfg(test)]
pub(crate) mod simulation;
#[cfg(test)]
mod tests;
