//! What a server said a moment ago, by the digest of the token it was asked about.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// The most answers that are remembered; the oldest is forgotten first.
const MOST: usize = 4096;

/// Answers that count for some seconds.
pub struct Memory<A> {
    seconds: u64,
    held: Mutex<Held<A>>,
}

struct Held<A> {
    answers: HashMap<[u8; 32], Remembered<A>>,
    /// The keys of `answers`, oldest first.
    order: VecDeque<[u8; 32]>,
}

struct Remembered<A> {
    answer: A,
    given_at: u64,
}

impl<A: Clone> Memory<A> {
    /// A memory of so many seconds; of 0: none.
    pub fn new(seconds: u64) -> Self {
        Self { seconds, held: Mutex::new(Held { answers: HashMap::new(), order: VecDeque::new() }) }
    }

    /// What was said of `key`, if that still counts at `now`. A clock that was set back does not prolong it.
    pub fn recall(&self, key: &[u8; 32], now: u64) -> Option<A> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.answers.get(key).filter(|known| self.counts(known.given_at, now)).map(|known| known.answer.clone())
    }

    /// Remembers what was said of `key` at `now`.
    pub fn keep(&self, key: [u8; 32], answer: A, now: u64) {
        if self.seconds == 0 {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { answers, order } = &mut *held;
        while let Some(oldest) = order.front() {
            let counts = answers.get(oldest).is_some_and(|known| self.counts(known.given_at, now));
            if counts && order.len() < MOST {
                break;
            }
            answers.remove(oldest);
            order.pop_front();
        }
        if answers.insert(key, Remembered { answer, given_at: now }).is_none() {
            order.push_back(key);
        }
    }

    fn counts(&self, given_at: u64, now: u64) -> bool {
        given_at <= now && now < given_at.saturating_add(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> [u8; 32] {
        token::digest::sha256(number.to_be_bytes())
    }

    #[test]
    fn an_answer_counts_for_its_seconds_and_no_longer() {
        let memory = Memory::new(5);
        memory.keep(key(1), "yes", 100);
        assert_eq!(memory.recall(&key(1), 104), Some("yes"));
        assert_eq!(memory.recall(&key(1), 105), None);
        assert_eq!(memory.recall(&key(1), 99), None, "the clock was set back");
        assert_eq!(memory.recall(&key(2), 100), None);
        memory.keep(key(1), "no", 105);
        assert_eq!(memory.recall(&key(1), 109), Some("no"));
    }

    #[test]
    fn no_seconds_are_no_memory() {
        let memory = Memory::new(0);
        memory.keep(key(1), "yes", 100);
        assert_eq!(memory.recall(&key(1), 100), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_goes() {
        let memory = Memory::new(30);
        for number in 0..MOST + 10 {
            memory.keep(key(number), number, 100);
        }
        let held = memory.held.lock().unwrap();
        assert_eq!((held.answers.len(), held.order.len()), (MOST, MOST));
        drop(held);
        assert_eq!(memory.recall(&key(9), 100), None);
        assert_eq!(memory.recall(&key(10), 100), Some(10));
        // Answers that count no more make room, however many they are.
        memory.keep(key(1), 1, 130);
        assert_eq!(memory.held.lock().unwrap().answers.len(), 1);
    }
}
