//! Which signatures have been used, so that a request that somebody copied is not believed a second time.
//!
//! A request that names us under its signature is good for us alone: the proxy that sent it may send it again, as it does to
//! renew a token, and nobody else. One that names us outside the signature could have been meant for anyone: it is good once.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use token::{digest::FieldDigest, spiffe::SpiffeId};

/// How many signatures are remembered. At about 160 bytes each these are 20 MB; they are enough for 360 new ones a second.
const CAPACITY: usize = 1 << 17;

/// How many dead entries one claim clears away.
const CLEARED: usize = 64;

/// The signatures in use, in memory only: another replica of this service has its own.
pub struct Replays {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    by_signature: HashMap<[u8; 32], Entry>,
    by_end: BTreeSet<(u64, [u8; 32])>,
}

struct Entry {
    asker: [u8; 32],
    ends: u64,
    /// Whether AWS has confirmed it.
    kept: bool,
}

/// How often a signature may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uses {
    Once,
    /// By the same asker, for as long as it lives.
    Again,
}

/// Why a signature may not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// It has been used.
    Used,
    /// Somebody else has used it.
    ByAnother,
    /// No more can be remembered, and what cannot be remembered is not used.
    Full,
}

/// A signature in use. Unless it is [kept](Claim::keep), dropping it makes it unused: AWS has not confirmed it.
pub struct Claim {
    replays: Arc<Replays>,
    signature: [u8; 32],
}

impl Default for Replays {
    fn default() -> Self {
        Self::new(CAPACITY)
    }
}

impl Replays {
    fn new(capacity: usize) -> Self {
        Self { capacity, held: Mutex::default() }
    }

    /// Claims a signature, by its digest, until `ends`, in seconds since the epoch like `now`.
    pub fn claim(
        self: &Arc<Self>,
        signature: [u8; 32],
        asker: Option<&SpiffeId>,
        uses: Uses,
        (ends, now): (u64, u64),
    ) -> Result<Claim, Replayed> {
        let asker = FieldDigest::new("asker of a signed request").optional(asker.map(SpiffeId::as_str)).finish();
        let mut held = self.held();
        held.clear(now);
        match held.by_signature.get(&signature) {
            Some(_) if uses == Uses::Once => return Err(Replayed::Used),
            Some(entry) if entry.asker != asker => return Err(Replayed::ByAnother),
            Some(_) => {}
            None if held.by_signature.len() >= self.capacity => return Err(Replayed::Full),
            None => {
                held.by_signature.insert(signature, Entry { asker, ends, kept: false });
                held.by_end.insert((ends, signature));
            }
        }
        Ok(Claim { replays: Arc::clone(self), signature })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn clear(&mut self, now: u64) {
        for _ in 0..CLEARED {
            match self.by_end.first() {
                Some((ends, signature)) if *ends <= now => {
                    self.by_signature.remove(signature);
                    self.by_end.pop_first();
                }
                _ => return,
            }
        }
    }
}

impl Claim {
    /// AWS has confirmed the signature: it has been used.
    pub fn keep(self) {
        if let Some(entry) = self.replays.held().by_signature.get_mut(&self.signature) {
            entry.kept = true;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.replays.held();
        if let Some(entry) = held.by_signature.get(&self.signature).filter(|entry| !entry.kept) {
            let end = (entry.ends, self.signature);
            held.by_signature.remove(&self.signature);
            held.by_end.remove(&end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: (u64, u64) = (300, 0);

    fn actor(name: &str) -> SpiffeId {
        SpiffeId::parse(&format!("spiffe://td/{name}")).unwrap()
    }

    #[test]
    fn what_names_us_outside_the_signature_is_good_once() {
        let replays = Arc::new(Replays::default());
        let first = replays.claim([1; 32], None, Uses::Once, LIFE).ok().unwrap();
        assert_eq!(replays.claim([1; 32], None, Uses::Once, LIFE).err(), Some(Replayed::Used), "while it is in use");
        first.keep();
        assert_eq!(replays.claim([1; 32], None, Uses::Once, (300, 299)).err(), Some(Replayed::Used));
        assert!(replays.claim([2; 32], None, Uses::Once, LIFE).is_ok());
        assert!(replays.claim([1; 32], None, Uses::Once, (600, 300)).is_ok(), "by then the request itself is dead");
    }

    #[test]
    fn what_names_us_under_it_is_good_for_the_same_asker() {
        let replays = Arc::new(Replays::default());
        let (one, other) = (actor("one"), actor("other"));
        replays.claim([1; 32], Some(&one), Uses::Again, LIFE).ok().unwrap().keep();
        assert!(replays.claim([1; 32], Some(&one), Uses::Again, LIFE).is_ok());
        for asker in [Some(&other), None] {
            assert_eq!(replays.claim([1; 32], asker, Uses::Again, LIFE).err(), Some(Replayed::ByAnother));
        }
        assert!(
            replays.claim([1; 32], Some(&one), Uses::Again, LIFE).is_ok(),
            "dropping a later claim forgets nothing"
        );
    }

    #[test]
    fn what_aws_has_not_confirmed_is_unused() {
        let replays = Arc::new(Replays::default());
        drop(replays.claim([1; 32], None, Uses::Once, LIFE).ok().unwrap());
        assert!(replays.held().by_end.is_empty() && replays.held().by_signature.is_empty());
        // One of two that are under way at once is confirmed: it counts.
        let slow = replays.claim([1; 32], None, Uses::Again, LIFE).ok().unwrap();
        replays.claim([1; 32], None, Uses::Again, LIFE).ok().unwrap().keep();
        drop(slow);
        let other = actor("other");
        assert_eq!(replays.claim([1; 32], Some(&other), Uses::Again, LIFE).err(), Some(Replayed::ByAnother));
    }

    #[test]
    fn more_than_can_be_remembered_is_refused_until_something_dies() {
        let replays = Arc::new(Replays::new(2));
        for signature in [1, 2] {
            replays.claim([signature; 32], None, Uses::Once, LIFE).ok().unwrap().keep();
        }
        assert_eq!(replays.claim([3; 32], None, Uses::Once, LIFE).err(), Some(Replayed::Full));
        assert!(replays.claim([3; 32], None, Uses::Once, (600, 300)).is_ok());
        assert!(replays.held().by_signature.len() <= 1);
    }
}
