//! A map with a bound on entries and on bytes, in which every operation is a bounded amount of work.
//!
//! Eviction is a clock with a second chance: a hand goes over the slots, takes the first that is over or was not used since
//! it last came by, and takes whatever it stands on after a few steps.

use std::{collections::HashMap, hash::RandomState};

use crate::{
    key::{Identity, Key, Probe},
    time::{Deadline, Now},
};

/// Keys to values, each with a moment at which it ends.
pub(super) struct Bounded<V> {
    // Keyed by the standard library's SipHash with a random key: who sends tokens cannot choose where they fall.
    places: HashMap<Key, usize, RandomState>,
    slots: Vec<Option<Slot<V>>>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
    serial: u32,
    most_entries: usize,
    most_bytes: usize,
}

struct Slot<V> {
    key: Key,
    value: V,
    size: usize,
    until: Deadline,
    used: bool,
    serial: u32,
}

/// Where a value lies. It leads to that value and to none that comes to lie there later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    place: u32,
    serial: u32,
}

impl Ticket {
    /// The ticket as a number.
    pub fn to_id(self) -> u64 {
        u64::from(self.place) << 32 | u64::from(self.serial)
    }

    /// The ticket that [`Self::to_id`] made the number of.
    pub fn from_id(id: u64) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
        Self { place: half(id >> 32), serial: half(id) }
    }
}

impl<V> Bounded<V> {
    pub(super) fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self {
            places: HashMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            hand: 0,
            bytes: 0,
            serial: 0,
            most_entries,
            most_bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes of everything in it, as they were given.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is held for `probe`, unless its end has come; then it is dropped.
    pub(super) fn get(&mut self, probe: &Probe<'_>, now: Now) -> Option<(&Key, &mut V, Ticket)> {
        let place = *self.places.get(probe as &dyn Identity)?;
        if self.slots.get(place)?.as_ref()?.until.passed(now) {
            self.vacate(place);
            return None;
        }
        let slot = self.slots.get_mut(place)?.as_mut()?;
        slot.used = true;
        let ticket = slot.ticket(place);
        Some((&slot.key, &mut slot.value, ticket))
    }

    /// What is held for `key`, its end come or not. It does not count as used by this.
    pub(super) fn peek(&mut self, key: &Key) -> Option<(&mut V, Ticket)> {
        let place = *self.places.get(key as &dyn Identity)?;
        let slot = self.slots.get_mut(place)?.as_mut()?;
        let ticket = slot.ticket(place);
        Some((&mut slot.value, ticket))
    }

    /// What the ticket was given for.
    pub(super) fn at(&mut self, ticket: Ticket) -> Option<(&Key, &mut V)> {
        let slot = self.slots.get_mut(usize::try_from(ticket.place).ok()?)?.as_mut()?;
        (slot.serial == ticket.serial).then_some((&slot.key, &mut slot.value))
    }

    /// The key of what the ticket was given for.
    pub(super) fn key_at(&self, ticket: Ticket) -> Option<&Key> {
        let slot = self.slots.get(usize::try_from(ticket.place).ok()?)?.as_ref()?;
        (slot.serial == ticket.serial).then_some(&slot.key)
    }

    /// Drops what the ticket was given for.
    pub(super) fn remove_at(&mut self, ticket: Ticket) {
        if self.key_at(ticket).is_some() {
            self.vacate(usize::try_from(ticket.place).unwrap_or(usize::MAX));
        }
    }

    /// Drops what is held for `key`.
    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(place) = self.places.get(key as &dyn Identity).copied() {
            self.vacate(place);
        }
    }

    /// Holds `value`, in place of what was held for the key before. What is over already, or does not fit, is not held.
    /// `pushed_out` is told what had to go for it.
    pub(super) fn insert(
        &mut self,
        key: Key,
        value: V,
        size: usize,
        until: Deadline,
        now: Now,
        mut pushed_out: impl FnMut(Ticket),
    ) -> Option<Ticket> {
        self.remove(&key);
        if until.passed(now) || size > self.most_bytes || self.most_entries == 0 {
            return None;
        }
        let mut evictions = MOST_EVICTIONS;
        while self.len() >= self.most_entries || self.bytes.saturating_add(size) > self.most_bytes {
            evictions = evictions.checked_sub(1)?;
            self.evict(now).map(&mut pushed_out);
        }
        self.serial = self.serial.wrapping_add(1);
        let slot = Slot { key: key.clone(), value, size, until, used: false, serial: self.serial };
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.slots.push(None);
                self.slots.len().saturating_sub(1)
            }
        };
        let ticket = slot.ticket(place);
        *self.slots.get_mut(place)? = Some(slot);
        self.bytes = self.bytes.saturating_add(size);
        self.places.insert(key, place);
        Some(ticket)
    }

    fn evict(&mut self, now: Now) -> Option<Ticket> {
        let mut candidate = None;
        for _ in 0..MOST_STEPS {
            let place = self.hand;
            self.hand = match self.hand.checked_add(1) {
                Some(next) if next < self.slots.len() => next,
                _ => 0,
            };
            let Some(Some(slot)) = self.slots.get_mut(place) else { continue };
            candidate = Some(place);
            if slot.until.passed(now) || !slot.used {
                break;
            }
            slot.used = false;
        }
        self.vacate(candidate?)
    }

    fn vacate(&mut self, place: usize) -> Option<Ticket> {
        let slot = self.slots.get_mut(place)?.take()?;
        self.bytes = self.bytes.saturating_sub(slot.size);
        self.places.remove(&slot.key as &dyn Identity);
        self.free.push(place);
        Some(slot.ticket(place))
    }
}

impl<V> Slot<V> {
    fn ticket(&self, place: usize) -> Ticket {
        // There are never as many places as a number of this size can count.
        Ticket { place: u32::try_from(place).unwrap_or(u32::MAX), serial: self.serial }
    }
}

const MOST_STEPS: usize = 16;
const MOST_EVICTIONS: usize = 64;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::key::{Subject, tests::facts};

    const START: Now = Now { unix_ms: 1_000, steady_ms: 1_000 };

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let facts = Arc::new(facts());
        let mut map = Bounded::new(8, 1_000_000);
        let hot = Probe::new(&facts, Subject::Token("hot")).unwrap();
        map.insert(hot.to_key(), 0, 10, START.after(1_000), START, |_| ());
        for cold in 0..100 {
            assert!(map.get(&hot, START).is_some(), "after {cold}");
            let text = format!("cold-{cold}");
            let probe = Probe::new(&facts, Subject::Token(&text)).unwrap();
            map.insert(probe.to_key(), cold, 10, START.after(1_000), START, |_| ());
        }
        assert_eq!(map.len(), 8);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert { token: u8, size: usize, life: u64 },
        Get { token: u8 },
        Remove { token: u8 },
        Wait { ms: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..40u8, 1..400usize, 0..50u64).prop_map(|(token, size, life)| Step::Insert { token, size, life }),
            (0..40u8).prop_map(|token| Step::Get { token }),
            (0..40u8).prop_map(|token| Step::Remove { token }),
            (0..20u64).prop_map(|ms| Step::Wait { ms }),
        ]
    }

    proptest! {
        #[test]
        fn bounds_hold_and_nothing_is_ever_mixed_up_or_outlived(steps in prop::collection::vec(step(), 1..300)) {
            let facts = Arc::new(facts());
            let mut map = Bounded::new(12, 2_000);
            let (mut now, mut tickets) = (START, Vec::new());
            for step in steps {
                let names: Vec<String> = (0..40u8).map(|token| format!("token-{token}")).collect();
                let probe = |token: u8| Probe::new(&facts, Subject::Token(&names[usize::from(token)])).unwrap();
                match step {
                    Step::Insert { token, size, life } => {
                        map.insert(probe(token).to_key(), (token, now.after(life)), size, now.after(life), now, |_| ());
                    }
                    Step::Get { token } => {
                        if let Some((key, (stored, until), ticket)) = map.get(&probe(token), now) {
                            prop_assert_eq!(*stored, token);
                            prop_assert_eq!(key.subject_token().expose(), names[usize::from(token)].as_str());
                            prop_assert!(!until.passed(now));
                            prop_assert_eq!(Ticket::from_id(ticket.to_id()), ticket);
                            tickets.push((ticket, token));
                        }
                    }
                    Step::Remove { token } => {
                        map.remove(&probe(token).to_key());
                        prop_assert!(map.get(&probe(token), now).is_none());
                    }
                    Step::Wait { ms } => now = Now { unix_ms: now.unix_ms + ms, steady_ms: now.steady_ms + ms },
                }
                for (ticket, token) in &tickets {
                    if let Some((key, _)) = map.at(*ticket) {
                        prop_assert_eq!(key.subject_token().expose(), names[usize::from(*token)].as_str());
                    }
                }
                let held: Vec<_> = map.slots.iter().flatten().collect();
                prop_assert_eq!(held.len(), map.len());
                prop_assert!(map.len() <= 12 && map.slots.len() <= 12);
                prop_assert_eq!(held.iter().map(|slot| slot.size).sum::<usize>(), map.bytes);
                prop_assert!(map.bytes <= 2_000);
            }
        }
    }
}
