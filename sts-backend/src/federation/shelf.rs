//! What one provider gave and said of late, in memory only, bounded.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    kept::{Kept, OVERTAKING},
    order::Order,
    trouble::Trouble,
    way::Way,
};

/// How many dead entries one addition clears away: more than it adds, and never so many that others wait for it.
const CLEARED: usize = 8;

/// Everything that a credential depends on.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub way: Arc<Way>,
    pub order: Order,
}

/// Enough to spread the keys of a map; equality looks at everything.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.order.subject.as_str().hash(state);
        self.order.target.hash(state);
        self.order.permissions.hash(state);
        self.order.life.hash(state);
    }
}

/// What is known under one key.
#[derive(Debug, Default)]
pub struct Slot {
    age: u64,
    dies_at: u64,
    kept: Option<Arc<Kept>>,
    trouble: Option<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    trouble: Trouble,
    since: u64,
    until: u64,
}

/// The slots by key, by age and by death.
#[derive(Debug)]
pub struct Shelf {
    capacity: usize,
    slots: HashMap<Arc<Key>, Slot>,
    by_age: BTreeMap<u64, Arc<Key>>,
    by_death: BTreeSet<(u64, u64)>,
    added: u64,
}

impl Slot {
    /// The credential, if it can be lent at `now`.
    pub fn kept(&self, now: u64) -> Option<&Arc<Kept>> {
        self.kept.as_ref().filter(|kept| kept.left(now) > 0)
    }

    /// What the provider said, if asking again at `now` would bring the same.
    pub fn trouble(&self, now: u64) -> Option<&Trouble> {
        let counts = |said: &&Remembered| said.since <= now.saturating_add(OVERTAKING) && now < said.until;
        self.trouble.as_ref().filter(counts).map(|said| &said.trouble)
    }
}

impl Shelf {
    /// One with room for `capacity` keys.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, slots: HashMap::new(), by_age: BTreeMap::new(), by_death: BTreeSet::new(), added: 0 }
    }

    /// What is known under `key`.
    pub fn slot(&self, key: &Key) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// How many keys have something.
    pub fn keys(&self) -> usize {
        self.slots.len()
    }

    /// Keeps a credential. What was said before is forgotten.
    pub fn keep(&mut self, key: &Arc<Key>, kept: Arc<Kept>, now: u64) {
        let dies_at = kept.usable_until();
        self.put(key, Slot { kept: Some(kept), trouble: None, dies_at, age: 0 }, now);
    }

    /// Remembers `trouble` for some seconds. Who is told no is no longer lent what was given before.
    pub fn remember(&mut self, key: &Arc<Key>, trouble: &Trouble, now: u64) {
        let seconds = seconds(trouble);
        let kept = self.slots.get(key).and_then(|slot| slot.kept(now)).cloned();
        let kept = kept.filter(|_| !matches!(trouble, Trouble::Refused { .. }));
        let until = now.saturating_add(seconds);
        let dies_at = kept.as_ref().map_or(0, |kept| kept.usable_until()).max(until);
        let trouble = Some(Remembered { trouble: trouble.clone(), since: now, until });
        self.put(key, Slot { kept, trouble, dies_at, age: 0 }, now);
    }

    fn put(&mut self, key: &Arc<Key>, slot: Slot, now: u64) {
        self.remove(key);
        for _ in 0..CLEARED {
            match self.by_death.first() {
                Some((death, age)) if *death <= now => self.remove_aged(*age),
                _ => break,
            }
        }
        while self.slots.len() >= self.capacity
            && let Some((age, _)) = self.by_age.first_key_value()
        {
            self.remove_aged(*age);
        }
        self.added += 1;
        self.by_age.insert(self.added, Arc::clone(key));
        self.by_death.insert((slot.dies_at, self.added));
        self.slots.insert(Arc::clone(key), Slot { age: self.added, ..slot });
    }

    fn remove_aged(&mut self, age: u64) {
        if let Some(key) = self.by_age.get(&age).cloned() {
            self.remove(&key);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.by_age.remove(&slot.age);
            self.by_death.remove(&(slot.dies_at, slot.age));
        }
    }
}

/// For how many seconds the same order would be answered with the same trouble, or must not ask again.
fn seconds(trouble: &Trouble) -> u64 {
    match trouble {
        Trouble::Refused { .. } => 10,
        Trouble::NotYet { .. } | Trouble::Invalid { .. } => 5,
        Trouble::Throttled { retry_after, .. } => retry_after.unwrap_or(2).clamp(1, 60),
        Trouble::Unavailable { .. } => 1,
    }
}

#[cfg(test)]
mod tests;
