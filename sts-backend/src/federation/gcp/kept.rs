//! Federated tokens, kept for a workload's next order: they live for an hour or so, and several destinations need the same.
//!
//! They never leave this process, and are wiped when they are forgotten. One call is made for those who want the same token at
//! the same time, and what it comes to, token or trouble, is said to all of them. If whoever makes it is gone, the next one does.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use token::secret::Secret;

use crate::federation::trouble::Trouble;

/// The most tokens that are kept.
const MOST: usize = 4096;

/// A federated token.
#[derive(Debug, PartialEq, Eq)]
pub struct Federated {
    pub token: Secret,
    /// In seconds since the epoch.
    pub expires_at: u64,
    /// `jti` of the assertion it was given for.
    pub jti: String,
}

/// A token as it was had.
#[derive(Debug)]
pub struct Had {
    pub federated: Arc<Federated>,
    /// Whether it was given for an earlier order.
    pub was_kept: bool,
}

/// The tokens of one provider. Copies share them.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<HashMap<[u8; 32], Arc<Slot>>>>);

type Outcome = Result<Arc<Federated>, Trouble>;

#[derive(Default)]
struct Slot {
    /// How many calls came to an end.
    rounds: AtomicU64,
    /// When its token ends; 0 without one.
    ends: AtomicU64,
    /// What the last call came to. Whoever makes one holds the lock.
    last: tokio::sync::Mutex<Option<Outcome>>,
}

impl Kept {
    /// The token under `key`, if it lasts until `until`; else what `call` comes to.
    pub async fn have(
        &self,
        key: [u8; 32],
        until: u64,
        now: u64,
        call: impl Future<Output = Result<Federated, Trouble>>,
    ) -> Result<Had, Trouble> {
        let slot = self.slot(key, now);
        let seen = slot.rounds.load(Ordering::Acquire);
        let mut last = slot.last.lock().await;
        let waited = slot.rounds.load(Ordering::Acquire) != seen;
        match &*last {
            Some(Ok(federated)) if until <= federated.expires_at || waited => {
                return Ok(Had { federated: Arc::clone(federated), was_kept: !waited });
            }
            Some(Err(trouble)) if waited => return Err(trouble.clone()),
            _ => {}
        }
        let outcome = call.await.map(Arc::new);
        slot.ends.store(outcome.as_ref().map_or(0, |federated| federated.expires_at), Ordering::Release);
        *last = Some(outcome.clone());
        slot.rounds.fetch_add(1, Ordering::Release);
        outcome.map(|federated| Had { federated, was_kept: false })
    }

    /// Forgets the token under `key`, if it is still this one.
    pub async fn forget(&self, key: [u8; 32], federated: &Arc<Federated>) {
        let slot = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(slot) = slot {
            let mut last = slot.last.lock().await;
            if matches!(&*last, Some(Ok(held)) if Arc::ptr_eq(held, federated)) {
                *last = None;
                slot.ends.store(0, Ordering::Release);
            }
        }
    }

    /// The place of `key`. To make room for a new one, those go whose token has ended, then the one that ends first; never
    /// one that is in use.
    fn slot(&self, key: [u8; 32], now: u64) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        let in_use = |slot: &Arc<Slot>| Arc::strong_count(slot) > 1;
        slots.retain(|_, slot| in_use(slot) || now < slot.ends.load(Ordering::Acquire));
        if slots.len() >= MOST {
            let idle = slots.iter().filter(|(_, slot)| !in_use(slot));
            let first = idle.min_by_key(|(_, slot)| slot.ends.load(Ordering::Acquire)).map(|(key, _)| *key);
            first.map(|first| slots.remove(&first));
        }
        let slot = Arc::new(Slot::default());
        // One that finds no room serves those who hold it, and is forgotten with them.
        if slots.len() < MOST {
            slots.insert(key, Arc::clone(&slot));
        }
        slot
    }
}

/// Settings are the same whatever was kept by them.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Kept {}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Kept").field("held", &held).finish()
    }
}

#[cfg(test)]
mod tests;
