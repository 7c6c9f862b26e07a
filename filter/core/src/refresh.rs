//! When the tokens of one worker are renewed, and how many of them at once.
//!
//! Due entries go by the end of their tokens, the soonest first: of all orders that is the one that loses fewest when there is
//! not time for all. [`Budget`] says how many may start.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use crate::{
    bucket::Rate,
    time::{Deadline, Now},
};

mod budget;

pub use budget::Budget;

/// The renewals to come, by the caller's handle for the key. Every key in it counts as hot.
pub struct Schedule {
    entries: HashMap<u64, Entry>,
    /// Not due yet, by the moment they are; and those under way, by the end of their tokens.
    waiting: BinaryHeap<Reverse<Place>>,
    /// Due, by the end of their tokens.
    ready: BinaryHeap<Reverse<Place>>,
    next_stamp: u64,
    steady: Rate,
    most: usize,
    /// [`Now::offset_ms`] when the places were worked out.
    offset_ms: i128,
}

struct Entry {
    refresh_at: Deadline,
    usable_until: Deadline,
    rate: Rate,
    state: State,
    /// That of its only valid place; places with another are left over.
    stamp: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    /// Handed out, and not heard of since.
    Started,
}

/// A place in one of the queues: a moment of the steady clock first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    steady_ms: u64,
    stamp: u64,
    id: u64,
}

/// The schedule holds as many keys as it may. The token serves its life, and is not renewed ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Schedule {
    /// An empty schedule for at most so many keys.
    pub fn new(most: usize) -> Self {
        Self {
            entries: HashMap::new(),
            waiting: BinaryHeap::new(),
            ready: BinaryHeap::new(),
            next_stamp: 0,
            steady: Rate::default(),
            most,
            offset_ms: 0,
        }
    }

    /// Plans the renewal of `id` for `refresh_at`, in place of what was planned for it. `interval_ms` is the mean time between
    /// its renewals when all goes well; see [`crate::life::Life`]. After a failure it is put again with a later moment and the
    /// same interval.
    ///
    /// # Errors
    /// [`Full`]; keys that are there already can always be put.
    pub fn put(
        &mut self,
        id: u64,
        refresh_at: Deadline,
        usable_until: Deadline,
        interval_ms: u64,
        now: Now,
    ) -> Result<(), Full> {
        self.remove(id);
        if self.entries.len() >= self.most {
            return Err(Full);
        }
        self.catch_up(now);
        let (rate, stamp) = (Rate::once_in_ms(interval_ms), self.stamp());
        self.steady = self.steady.plus(rate);
        self.entries.insert(id, Entry { refresh_at, usable_until, rate, state: State::Waiting, stamp });
        self.waiting.push(place(refresh_at, stamp, id, now));
        Ok(())
    }

    /// Takes `id` out.
    pub fn remove(&mut self, id: u64) {
        if let Some(entry) = self.entries.remove(&id) {
            self.steady = self.steady.less(entry.rate);
        }
    }

    /// The keys whose renewal has to start now: at most `most`, and no more than the budget has. Each has to be put or removed
    /// again once its answer is there; until its token ends it is not handed out a second time.
    ///
    /// `wanted` says whether a key is still in use; one that is not is dropped, and costs nothing. So are those whose tokens
    /// have ended.
    pub fn due(&mut self, now: Now, most: usize, budget: &mut Budget, mut wanted: impl FnMut(u64) -> bool) -> Vec<u64> {
        self.catch_up(now);
        self.move_due(now);
        budget.refill(self.steady, now);
        let mut started = Vec::new();
        while let Some(&Reverse(Place { stamp, id, .. })) = self.ready.peek() {
            let Some(entry) = self.entries.get(&id).filter(|entry| entry.stamp == stamp) else {
                self.ready.pop();
                continue;
            };
            let left_ms = entry.usable_until.left_ms(now);
            if left_ms == 0 {
                self.ready.pop();
                self.remove(id);
                continue;
            }
            if started.len() >= most || !budget.permits(left_ms) {
                break;
            }
            self.ready.pop();
            if wanted(id) {
                budget.take(left_ms);
                self.start(id, now);
                started.push(id);
            } else {
                self.remove(id);
            }
        }
        started
    }

    /// How often tokens are asked for when all goes well: the sum over all keys.
    pub fn steady(&self) -> Rate {
        self.steady
    }

    /// How many keys are in it.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many milliseconds the token has left that ends first. Looks at all of them.
    pub fn soonest_end_ms(&self, now: Now) -> Option<u64> {
        self.entries.values().map(|entry| entry.usable_until.left_ms(now)).min()
    }

    fn move_due(&mut self, now: Now) {
        while let Some(&Reverse(Place { steady_ms, stamp, id })) = self.waiting.peek() {
            if steady_ms > now.steady_ms {
                break;
            }
            self.waiting.pop();
            let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.stamp == stamp) else { continue };
            match entry.state {
                // Its answer never came, and its token has ended.
                State::Started => self.remove(id),
                State::Waiting | State::Ready => {
                    entry.state = State::Ready;
                    self.ready.push(place(entry.usable_until, stamp, id, now));
                }
            }
        }
    }

    fn start(&mut self, id: u64, now: Now) {
        let stamp = self.stamp();
        if let Some(entry) = self.entries.get_mut(&id) {
            (entry.state, entry.stamp) = (State::Started, stamp);
            self.waiting.push(place(entry.usable_until, stamp, id, now));
        }
    }

    fn stamp(&mut self) -> u64 {
        self.next_stamp = self.next_stamp.wrapping_add(1);
        self.next_stamp
    }

    /// Works all places out anew when one of the clocks has jumped, and when too many are left over. Slewing of a clock moves
    /// places by less than the tolerance, and adds up to a new reckoning now and then.
    fn catch_up(&mut self, now: Now) {
        let jumped = now.offset_ms().saturating_sub(self.offset_ms).unsigned_abs() > CLOCK_TOLERANCE_MS;
        let places = self.waiting.len().saturating_add(self.ready.len());
        if !jumped && places <= self.entries.len().saturating_mul(2).saturating_add(LEFT_OVER) {
            return;
        }
        self.offset_ms = now.offset_ms();
        self.waiting.clear();
        self.ready.clear();
        for (id, entry) in &self.entries {
            let (queue, until) = match entry.state {
                State::Waiting => (&mut self.waiting, entry.refresh_at),
                State::Started => (&mut self.waiting, entry.usable_until),
                State::Ready => (&mut self.ready, entry.usable_until),
            };
            queue.push(place(until, entry.stamp, *id, now));
        }
    }
}

/// The place for `until`: the moment of the steady clock at which the first of the clocks will reach it.
fn place(until: Deadline, stamp: u64, id: u64, now: Now) -> Reverse<Place> {
    Reverse(Place { steady_ms: now.steady_ms.saturating_add(until.left_ms(now)), stamp, id })
}

const CLOCK_TOLERANCE_MS: u128 = 100;
const LEFT_OVER: usize = 64;

#[cfg(test)]
mod tests;
