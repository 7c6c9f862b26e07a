//! The exchanges under way and who waits for them. One key, one exchange, any number of waiters; everything is bounded.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    breaker,
    config::{ExchangeRoute, Limits},
    key::{Identity, Key, Probe},
    miss_limit::Source,
    shared,
    time::{Deadline, Now},
};

/// A request that waits.
#[derive(Debug)]
pub struct Waiter {
    /// The host's name for the request's stream.
    pub stream: u32,
    pub method: String,
    pub path: String,
    /// Whether the exchange was started for this one.
    pub first: bool,
}

/// An exchange under way.
#[derive(Debug)]
pub struct Exchange {
    pub key: Key,
    pub route: Arc<ExchangeRoute>,
    /// The route's place among the configured ones.
    pub index: usize,
    pub traceparent: Option<String>,
    pub purpose: Purpose,
    pub state: State,
    /// A 401 or a revocation has come since the STS was asked: what it answers is not used.
    pub invalidated: bool,
    /// How often it was asked anew for that.
    pub repeats: u32,
    waiters: BTreeMap<u32, Waiter>,
}

/// Why an exchange was opened.
#[derive(Debug)]
pub enum Purpose {
    /// A request of this source had nothing to go on with.
    Miss(Source),
    /// A token in use is to be replaced before it ends. It was asked for at this moment.
    Renewal(Now),
}

/// How far it has come.
#[derive(Debug)]
pub enum State {
    /// To be started.
    Queued,
    /// Another worker asks.
    Following,
    /// The STS was asked.
    Asked(Call),
}

/// A call to the STS.
#[derive(Debug)]
pub struct Call {
    pub at: Now,
    /// The right to answer for all workers, if it could be had.
    pub lease: Option<shared::Ticket>,
    /// What the breaker has to be told of it.
    pub ticket: breaker::Ticket,
}

impl Exchange {
    /// How many requests wait for it.
    pub fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// Ends the call that is under way for it; `None` if none is.
    pub fn end_call(&mut self) -> Option<Call> {
        match std::mem::replace(&mut self.state, State::Queued) {
            State::Asked(call) => Some(call),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Those who wait, in the order in which they came.
    pub fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        self.waiters.into_values()
    }
}

/// What opens an exchange.
#[derive(Debug)]
pub struct Opening {
    pub route: Arc<ExchangeRoute>,
    pub index: usize,
    pub traceparent: Option<String>,
    pub purpose: Purpose,
}

/// All of them.
pub struct Pending {
    /// By their numbers, so in the order in which they were opened.
    exchanges: BTreeMap<u64, Exchange>,
    by_key: HashMap<Key, u64>,
    by_stream: HashMap<u32, u64>,
    to_start: VecDeque<u64>,
    following: BTreeSet<u64>,
    /// When each wait ends, in the order in which they began: all are of one length.
    waits: VecDeque<(Deadline, u32, u64)>,
    next: u64,
    waiting_bytes: usize,
    patience_ms: u64,
    limits: Limits,
}

/// How a request came to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// It opened an exchange, which now has to be started.
    First,
    /// It waits for one that is under way.
    Other,
}

/// No room: as many exchanges or waiters as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Pending {
    /// Nothing pending. Nobody waits longer than `patience_ms`.
    pub fn new(limits: Limits, patience_ms: u64) -> Self {
        Self {
            exchanges: BTreeMap::new(),
            by_key: HashMap::new(),
            by_stream: HashMap::new(),
            to_start: VecDeque::new(),
            following: BTreeSet::new(),
            waits: VecDeque::new(),
            next: 0,
            waiting_bytes: 0,
            patience_ms,
            limits,
        }
    }

    /// Whether an exchange for the key is under way.
    pub fn has(&self, key: &dyn Identity) -> bool {
        self.by_key.contains_key(key)
    }

    /// Parks `waiter` on the exchange for `probe`, opening one if there is none.
    ///
    /// # Errors
    /// [`Full`]: a bound is reached, nothing has changed.
    pub fn join(
        &mut self,
        probe: Probe<'_>,
        mut waiter: Waiter,
        open: impl FnOnce() -> Opening,
        now: Now,
    ) -> Result<Joined, Full> {
        let bytes = self.waiting_bytes.saturating_add(size(&waiter));
        if self.by_stream.len() >= self.limits.waiting_requests
            || bytes > MOST_WAITING_BYTES
            || self.by_stream.contains_key(&waiter.stream)
        {
            return Err(Full);
        }
        let (stream, known) = (waiter.stream, self.by_key.get(&probe as &dyn Identity).copied());
        let (id, joined) = match known {
            Some(id) => (id, Joined::Other),
            None => (self.open(probe.to_key(), open())?, Joined::First),
        };
        let exchange = self.exchanges.get_mut(&id).ok_or(Full)?;
        if exchange.waiters.len() >= self.limits.waiting_per_exchange {
            return Err(Full);
        }
        waiter.first = joined == Joined::First;
        exchange.waiters.insert(stream, waiter);
        self.by_stream.insert(stream, id);
        self.waits.push_back((now.after(self.patience_ms), stream, id));
        self.waiting_bytes = bytes;
        self.forget_ended_waits();
        Ok(joined)
    }

    /// Drops the ends of waits that were answered before, when most are of those: else every request that ever waited would
    /// be remembered for as long as one waits at most.
    fn forget_ended_waits(&mut self) {
        if self.waits.len() > self.by_stream.len().saturating_mul(2).saturating_add(LEFT_OVER) {
            let by_stream = &self.by_stream;
            self.waits.retain(|(_, stream, id)| by_stream.get(stream) == Some(id));
        }
    }

    /// Opens an exchange for which nobody waits.
    ///
    /// # Errors
    /// [`Full`]: there are as many as there may be, or one for the key.
    pub fn open(&mut self, key: Key, opening: Opening) -> Result<u64, Full> {
        if self.exchanges.len() >= self.limits.pending_exchanges || self.by_key.contains_key(&key as &dyn Identity) {
            return Err(Full);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.by_key.insert(key.clone(), id);
        let Opening { route, index, traceparent, purpose } = opening;
        let exchange = Exchange {
            key,
            route,
            index,
            traceparent,
            purpose,
            state: State::Queued,
            invalidated: false,
            repeats: 0,
            waiters: BTreeMap::new(),
        };
        self.exchanges.insert(id, exchange);
        self.to_start.push_back(id);
        Ok(id)
    }

    /// The next exchange that has to be started. It is up to the caller to say what became of it.
    pub fn next_to_start(&mut self) -> Option<u64> {
        self.to_start.pop_front()
    }

    /// An exchange under way.
    pub fn get_mut(&mut self, id: u64) -> Option<&mut Exchange> {
        self.exchanges.get_mut(&id)
    }

    /// The exchange under way for a key.
    pub fn of_key(&mut self, key: &Key) -> Option<&mut Exchange> {
        let id = self.by_key.get(key as &dyn Identity)?;
        self.exchanges.get_mut(id)
    }

    /// From now on another worker is waited for.
    pub fn follow(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.state = State::Following;
            self.following.insert(id);
        }
    }

    /// Has every exchange that waits for another worker looked at again.
    pub fn look_again(&mut self) {
        self.to_start.extend(std::mem::take(&mut self.following));
    }

    /// Has an exchange asked for once more.
    pub fn restart(&mut self, id: u64) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.state = State::Queued;
            exchange.invalidated = false;
            exchange.repeats = exchange.repeats.saturating_add(1);
            self.to_start.push_back(id);
        }
    }

    /// Ends an exchange and hands out what it was.
    pub fn take(&mut self, id: u64) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        self.by_key.remove(&exchange.key as &dyn Identity);
        self.following.remove(&id);
        for waiter in exchange.waiters.values() {
            self.by_stream.remove(&waiter.stream);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(size(waiter));
        }
        if self.exchanges.is_empty() {
            self.waits.clear();
        }
        Some(exchange)
    }

    /// The exchanges whose call should have ended `longest_ms` after it was made, and has not.
    pub fn overdue(&self, longest_ms: u64, now: Now) -> Vec<u64> {
        let over = |(id, exchange): (&u64, &Exchange)| match &exchange.state {
            State::Asked(call) if call.at.after(longest_ms).passed_steadily(now) => Some(*id),
            _ => None,
        };
        self.exchanges.iter().filter_map(over).collect()
    }

    /// Ends the waits that have lasted too long, by exchange. The exchanges go on, for the cache.
    pub fn impatient(&mut self, now: Now) -> BTreeMap<u64, Vec<Waiter>> {
        let mut ended: BTreeMap<_, Vec<_>> = BTreeMap::new();
        while let Some((until, stream, id)) = self.waits.front().copied() {
            if !until.passed_steadily(now) {
                break;
            }
            self.waits.pop_front();
            if self.by_stream.get(&stream) == Some(&id)
                && let Some(waiter) = self.exchanges.get_mut(&id).and_then(|exchange| exchange.waiters.remove(&stream))
            {
                self.by_stream.remove(&stream);
                self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&waiter));
                ended.entry(id).or_default().push(waiter);
            }
        }
        ended
    }

    /// The stream's request waits no more: it was answered otherwise, or has gone.
    pub fn leave(&mut self, stream: u32) {
        let Some(id) = self.by_stream.remove(&stream) else { return };
        let waiter = self.exchanges.get_mut(&id).and_then(|exchange| exchange.waiters.remove(&stream));
        self.waiting_bytes = self.waiting_bytes.saturating_sub(waiter.as_ref().map_or(0, size));
    }

    /// Whether the stream's request waits.
    pub fn is_waiting(&self, stream: u32) -> bool {
        self.by_stream.contains_key(&stream)
    }

    /// The key for which the stream's request waits.
    pub fn key_of(&self, stream: u32) -> Option<&Key> {
        let id = self.by_stream.get(&stream)?;
        self.exchanges.get(id).map(|exchange| &exchange.key)
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.by_stream.len()
    }

    /// How many exchanges are under way.
    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    /// How many of them a request opened.
    #[cfg(test)]
    pub(crate) fn misses(&self) -> usize {
        self.exchanges.values().filter(|exchange| matches!(exchange.purpose, Purpose::Miss(_))).count()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }
}

fn size(waiter: &Waiter) -> usize {
    waiter.method.len().saturating_add(waiter.path.len())
}

/// Paths can be tens of kilobytes; this many bytes of them may wait.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
const LEFT_OVER: usize = 1_024;

#[cfg(test)]
mod tests;
