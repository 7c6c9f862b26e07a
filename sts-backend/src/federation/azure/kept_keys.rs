//! User delegation keys, kept for a while: a key makes any number of signatures, and costs two calls.
//!
//! A key is kept for one holder: one app, one federated credential, one account, one life. So a workload with a federated
//! credential of its own never gets a signature that another's credential paid for. Whether the holder still may is asked by
//! Azure at each use of a signature; whether Entra still trusts us is asked when the next key is due.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::storage::DelegationKey;
use crate::federation::trouble::Trouble;

/// How long a key makes new signatures, in seconds.
pub const KEPT: u64 = 300;

/// The most keys that are kept; the oldest goes first.
const MOST: usize = 256;

/// The keys of one provider. Clones share them; they are overwritten in memory when they go. What is kept is no part of what
/// is configured, so all of these are equal.
#[derive(Clone, Default)]
pub struct KeptKeys(Arc<Mutex<HashMap<[u8; 32], Arc<Flight>>>>);

/// A key on its way, or arrived. All that ask meanwhile get the one outcome.
struct Flight {
    since: u64,
    outcome: OnceCell<Result<Arc<DelegationKey>, Trouble>>,
}

impl KeptKeys {
    /// The key of `holder`: one that is kept, one that is on its way, or the one that `asked` gives.
    pub async fn get(
        &self,
        holder: [u8; 32],
        now: u64,
        asked: impl Future<Output = Result<DelegationKey, Trouble>>,
    ) -> Result<Arc<DelegationKey>, Trouble> {
        let flight = self.flight(holder, now);
        flight.outcome.get_or_init(|| async { asked.await.map(Arc::new) }).await.clone()
    }

    fn flight(&self, holder: [u8; 32], now: u64) -> Arc<Flight> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&holder).filter(|flight| flight.counts(now)) {
            return Arc::clone(flight);
        }
        flights.retain(|_, flight| flight.counts(now));
        if flights.len() >= MOST {
            let oldest = flights.iter().min_by_key(|(_, flight)| flight.since).map(|(holder, _)| *holder);
            oldest.and_then(|oldest| flights.remove(&oldest));
        }
        let flight = Arc::new(Flight { since: now, outcome: OnceCell::new() });
        flights.insert(holder, Arc::clone(&flight));
        flight
    }
}

impl Flight {
    /// Whether who comes at `now` may have its outcome. A failure is shared by those who waited for it, and by nobody later. A
    /// clock that was set back does not prolong it, but may be a little behind another task's.
    fn counts(&self, now: u64) -> bool {
        let usable = |outcome: &Result<Arc<DelegationKey>, _>| outcome.as_ref().is_ok_and(|key| key.expires_at > now);
        now.abs_diff(self.since) < KEPT && self.outcome.get().is_none_or(usable)
    }
}

impl fmt::Debug for KeptKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        write!(f, "KeptKeys({kept})")
    }
}

impl PartialEq for KeptKeys {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for KeptKeys {}

#[cfg(test)]
mod tests;
