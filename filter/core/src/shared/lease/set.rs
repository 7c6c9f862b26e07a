//! A set of leases as one value.

use super::Ticket;
use crate::shared::{
    bytes::{Reader, Writer},
    identity::KeyDigest,
    vms::Holder,
};

/// The leases in one value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LeaseSet(pub(super) Vec<Entry>);

/// One of them. When it is free it still remembers the key's generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: KeyDigest,
    /// Begins at random, so that an entry that was reused in between cannot be taken for the old one.
    pub(super) generation: u64,
    pub(super) held: bool,
    pub(super) ticket: [u8; 16],
    pub(super) holder: Holder,
    /// By the steady clock.
    pub(super) ends_ms: u64,
    /// Queues of those who wait.
    pub(super) waiters: Vec<u32>,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shared) enum Standing {
    Held,
    /// An invalidation has come in between, or so much time that it cannot be told.
    Invalidated,
    TakenOver,
}

impl LeaseSet {
    pub(super) fn entry(&mut self, digest: &KeyDigest) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.digest == *digest)
    }

    pub(super) fn standing(&self, ticket: &Ticket) -> Standing {
        match self.0.iter().find(|entry| entry.digest == ticket.digest) {
            Some(entry) if entry.generation != ticket.generation => Standing::Invalidated,
            Some(entry) if entry.held && entry.ticket == ticket.id => Standing::Held,
            Some(_) => Standing::TakenOver,
            None => Standing::Invalidated,
        }
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value)?;
        // An empty slot holds nothing more.
        let count = reader.byte().unwrap_or_default();
        if usize::from(count) > MOST_ENTRIES {
            return None;
        }
        let mut entries = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let digest = KeyDigest(reader.take()?);
            let generation = reader.u64()?;
            let held = reader.byte()? == 1;
            let ticket = reader.take()?;
            let holder = Holder { place: reader.u32()?, incarnation: reader.take()? };
            let ends_ms = reader.u64()?;
            let waiting = reader.byte()?;
            if usize::from(waiting) > MOST_WAITERS {
                return None;
            }
            let waiters = (0..waiting).map(|_| reader.u32()).collect::<Option<_>>()?;
            entries.push(Entry { digest, generation, held, ticket, holder, ends_ms, waiters });
        }
        reader.end(Self(entries))
    }

    pub(super) fn write(&self) -> Vec<u8> {
        // Neither number can be larger: what is read is bounded, and so is what is added.
        let count = |length: usize| u8::try_from(length).unwrap_or(u8::MAX);
        let mut writer = Writer::new().byte(count(self.0.len()));
        for Entry { digest, generation, held, ticket, holder, ends_ms, waiters } in &self.0 {
            writer = writer.bytes(digest.0).u64(*generation).byte(u8::from(*held)).bytes(ticket);
            writer = writer.u32(holder.place).bytes(holder.incarnation).u64(*ends_ms).byte(count(waiters.len()));
            writer = waiters.iter().fold(writer, |writer, queue| writer.u32(*queue));
        }
        writer.finish()
    }
}

impl Entry {
    /// Frees it, and says who waited.
    pub(super) fn free(&mut self) -> Vec<u32> {
        self.held = false;
        std::mem::take(&mut self.waiters)
    }
}

/// Leases in one value. With as few keys under way as there are in practice, no set of the default size is ever full.
pub(super) const MOST_ENTRIES: usize = 8;

/// Workers that can be noted in one lease; more have to look by themselves.
pub(super) const MOST_WAITERS: usize = 64;
