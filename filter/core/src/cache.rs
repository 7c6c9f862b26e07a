//! What a worker remembers: issued tokens until their last usable moment, and refusals for a few seconds.

use std::rc::Rc;

use crate::{
    config::Limits,
    issued::Issued,
    key::{Key, Probe},
    life::Life,
    refusal::Refusal,
    time::{Deadline, Now},
};

mod bounded;

use bounded::Bounded;
pub use bounded::Ticket;

/// An issued token as it is held.
#[derive(Clone, Debug)]
pub struct Entry {
    pub issued: Rc<Issued>,
    /// When the STS was asked for it.
    pub asked: Now,
    pub life: Life,
    /// Whether a request was served from here. One that was not is not worth a renewal.
    pub used: bool,
    /// Whether its renewal is planned or under way.
    pub planned: bool,
    /// Renewals that have failed since it came.
    pub failures: u32,
}

/// What is remembered. Refusals have places of their own, so that garbage cannot push out good tokens.
pub struct Cache {
    issued: Bounded<Entry>,
    refusals: Bounded<Rc<Refusal>>,
}

/// What is known of a key.
pub enum Known<'c> {
    /// With its key, and the ticket by which it can be found again without one.
    Issued(&'c Key, &'c mut Entry, Ticket),
    Refused(Rc<Refusal>),
    Nothing,
}

impl Cache {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        Self {
            issued: Bounded::new(limits.cached_tokens, limits.cached_bytes),
            refusals: Bounded::new(limits.cached_tokens, limits.cached_bytes),
        }
    }

    /// What is known of `probe` at `now`.
    pub fn look_up(&mut self, probe: Probe<'_>, now: Now) -> Known<'_> {
        if let Some((key, entry, ticket)) = self.issued.get(&probe, now) {
            return Known::Issued(key, entry, ticket);
        }
        match self.refusals.get(&probe, now) {
            Some((_, refusal, _)) => Known::Refused(Rc::clone(refusal)),
            None => Known::Nothing,
        }
    }

    /// What is held for a key, whether or not somebody asks for it now.
    pub fn held(&mut self, key: &Key) -> Option<(&mut Entry, Ticket)> {
        self.issued.peek(key)
    }

    /// The entry of a ticket, unless it has gone since.
    pub fn entry(&mut self, ticket: Ticket) -> Option<(&Key, &mut Entry)> {
        self.issued.at(ticket)
    }

    /// The key of a ticket, unless its entry has gone since.
    pub fn key(&self, ticket: Ticket) -> Option<&Key> {
        self.issued.key_at(ticket)
    }

    /// Keeps a token to the end of its life, in place of the key's last one. `None`: there is no room for it. `pushed_out` is
    /// told which others had to go for it.
    pub fn keep(&mut self, key: Key, entry: Entry, now: Now, pushed_out: impl FnMut(Ticket)) -> Option<Ticket> {
        self.refusals.remove(&key);
        let Entry { issued, life, .. } = &entry;
        let size = key.size().saturating_add(issued.size());
        let until = life.usable_until;
        self.issued.insert(key, entry, size, until, now, pushed_out)
    }

    /// Keeps a refusal. What it says of the request ends the key's token too; that the STS is not there ends nothing.
    pub fn keep_refusal(&mut self, key: Key, refusal: Rc<Refusal>, until: Deadline, now: Now) {
        if refusal.is_final() {
            self.issued.remove(&key);
        }
        let size = key.size().saturating_add(refusal.size());
        self.refusals.insert(key, refusal, size, until, now, |_| ());
    }

    /// Forgets the token of a ticket.
    pub fn forget(&mut self, ticket: Ticket) {
        self.issued.remove_at(ticket);
    }

    /// How many issued tokens are held.
    pub fn len(&self) -> usize {
        self.issued.len()
    }

    /// Whether no issued token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many refusals are held.
    pub fn refusals(&self) -> usize {
        self.refusals.len()
    }

    /// Bytes of keys, tokens and refusals.
    pub fn bytes(&self) -> usize {
        self.issued.bytes().saturating_add(self.refusals.bytes())
    }
}

#[cfg(test)]
mod tests;
