//! The exchanges under way and who waits for them. One key, one exchange, any number of waiters; everything is bounded.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    config::{ExchangeRoute, Limits},
    key::{Identity, Key, Probe},
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
    pub traceparent: Option<String>,
    /// When the STS was asked; `None` while it still has to be.
    pub asked: Option<Now>,
    give_up: Deadline,
    waiters: BTreeMap<u32, Waiter>,
}

impl Exchange {
    /// Those who wait, in the order in which they came.
    pub fn into_waiters(self) -> impl Iterator<Item = Waiter> {
        self.waiters.into_values()
    }
}

/// All of them.
pub struct Pending {
    exchanges: HashMap<u64, Exchange>,
    by_key: HashMap<Key, u64>,
    by_stream: HashMap<u32, u64>,
    to_start: VecDeque<u64>,
    next: u64,
    waiting_bytes: usize,
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
    /// Nothing pending.
    pub fn new(limits: Limits) -> Self {
        Self {
            exchanges: HashMap::new(),
            by_key: HashMap::new(),
            by_stream: HashMap::new(),
            to_start: VecDeque::new(),
            next: 0,
            waiting_bytes: 0,
            limits,
        }
    }

    /// Parks `waiter` on the exchange for `probe`, opening one if there is none. It is given up after `patience_ms`.
    ///
    /// # Errors
    /// [`Full`]: a bound is reached, nothing has changed.
    pub fn join(
        &mut self,
        probe: Probe<'_>,
        mut waiter: Waiter,
        open: impl FnOnce() -> (Arc<ExchangeRoute>, Option<String>),
        now: Now,
        patience_ms: u64,
    ) -> Result<(Joined, Key), Full> {
        let bytes = self.waiting_bytes.saturating_add(size(&waiter));
        if self.by_stream.len() >= self.limits.waiting_requests
            || bytes > MOST_WAITING_BYTES
            || self.by_stream.contains_key(&waiter.stream)
        {
            return Err(Full);
        }
        let stream = waiter.stream;
        let (id, joined, key) = match self.by_key.get(&probe as &dyn Identity) {
            Some(id) => {
                let exchange = self.exchanges.get_mut(id).ok_or(Full)?;
                if exchange.waiters.len() >= self.limits.waiting_per_exchange {
                    return Err(Full);
                }
                exchange.waiters.insert(stream, waiter);
                (*id, Joined::Other, exchange.key.clone())
            }
            None => {
                if self.exchanges.len() >= self.limits.pending_exchanges {
                    return Err(Full);
                }
                let id = self.next;
                self.next = self.next.wrapping_add(1);
                let (route, traceparent) = open();
                let key = probe.to_key();
                waiter.first = true;
                self.by_key.insert(key.clone(), id);
                let waiters = BTreeMap::from([(stream, waiter)]);
                let give_up = now.after(patience_ms);
                let exchange = Exchange { key: key.clone(), route, traceparent, asked: None, give_up, waiters };
                self.exchanges.insert(id, exchange);
                self.to_start.push_back(id);
                (id, Joined::First, key)
            }
        };
        self.by_stream.insert(stream, id);
        self.waiting_bytes = bytes;
        Ok((joined, key))
    }

    /// The next exchange that has to be started; it counts as asked at `now`. One that nobody waits for any more is not
    /// started.
    pub fn start(&mut self, now: Now) -> Option<(u64, &Exchange)> {
        while let Some(id) = self.to_start.pop_front() {
            match self.exchanges.get_mut(&id) {
                None => {}
                Some(exchange) if exchange.waiters.is_empty() => _ = self.take(id),
                Some(exchange) => {
                    exchange.asked = Some(now);
                    return self.exchanges.get(&id).map(|exchange| (id, exchange));
                }
            }
        }
        None
    }

    /// Ends an exchange and hands out what it was.
    pub fn take(&mut self, id: u64) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        self.by_key.remove(&exchange.key as &dyn Identity);
        for waiter in exchange.waiters.values() {
            self.by_stream.remove(&waiter.stream);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(size(waiter));
        }
        Some(exchange)
    }

    /// The exchanges whose time is over.
    pub fn overdue(&self, now: Now) -> Vec<u64> {
        let over = |(id, exchange): (&u64, &Exchange)| exchange.give_up.passed_steadily(now).then_some(*id);
        self.exchanges.iter().filter_map(over).collect()
    }

    /// Forgets a request whose stream has ended. Its exchange goes on for the others, and for the cache.
    pub fn forget(&mut self, stream: u32) {
        let exchange = self.by_stream.remove(&stream).and_then(|id| self.exchanges.get_mut(&id));
        if let Some(waiter) = exchange.and_then(|exchange| exchange.waiters.remove(&stream)) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&waiter));
        }
    }

    /// Whether the stream's request waits.
    pub fn is_waiting(&self, stream: u32) -> bool {
        self.by_stream.contains_key(&stream)
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.by_stream.len()
    }

    /// How many exchanges are under way.
    pub fn len(&self) -> usize {
        self.exchanges.len()
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
