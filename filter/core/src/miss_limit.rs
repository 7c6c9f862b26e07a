//! What one source may ask of the STS: so many exchanges at a time, and so many refused ones. Hits are never counted.
//!
//! The table is bounded. Without a free place the source is forgotten that is **least short of its allowance** (and among
//! equals the one not seen for longest), never one with exchanges under way. So forgetting gives back as little as it can: to
//! have its limit lifted, a source that is refused now would need over a thousand others that are each refused more, and those
//! cost it a hundred refused exchanges apiece. Where every source has exchanges under way, strangers wait.

use std::collections::HashMap;

use crate::{
    bucket::{Allowance, Bucket, Burst, Rate},
    time::Now,
};

mod source;

pub use source::Source;

/// The limits of one worker.
pub struct MissLimit {
    sources: HashMap<Source, Entry>,
    pending_per_source: u32,
    most_sources: usize,
}

struct Entry {
    pending: u32,
    refused: Bucket,
    seen_ms: u64,
}

/// The source has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub limit: Limit,
    /// When it is of use to ask again.
    pub retry_after_ms: u64,
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Exchanges under way.
    Pending,
    /// Exchanges that the STS refused.
    Refused,
    /// Sources with exchanges under way.
    Sources,
}

impl Limit {
    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Refused => "refused",
            Self::Sources => "sources",
        }
    }
}

impl MissLimit {
    /// Limits without a memory. `pending_per_source`: how many exchanges one source may have under way.
    pub fn new(pending_per_source: u32) -> Self {
        Self { sources: HashMap::new(), pending_per_source, most_sources: MOST_SOURCES }
    }

    /// Whether an exchange may be started for a request of `source`. Ask only for one that opens an exchange: not on a hit, and
    /// not for a request that waits for an exchange under way.
    ///
    /// # Errors
    /// [`Limited`]: refuse the request without asking the STS.
    pub fn admit(&mut self, source: &Source, now: Now) -> Result<(), Limited> {
        let Some(entry) = self.sources.get_mut(source) else {
            return match self.sources.len() < self.most_sources || self.least_short(now).is_some() {
                true => Ok(()),
                false => Err(Limited { limit: Limit::Sources, retry_after_ms: PENDING_WAIT_MS }),
            };
        };
        entry.see(now);
        if entry.pending >= self.pending_per_source {
            return Err(Limited { limit: Limit::Pending, retry_after_ms: PENDING_WAIT_MS });
        }
        if !entry.refused.has_one() {
            return Err(Limited { limit: Limit::Refused, retry_after_ms: entry.refused.wait_ms(REFUSED.rate) });
        }
        Ok(())
    }

    /// An exchange was started for a request of `source`.
    pub fn started(&mut self, source: &Source, now: Now) {
        if !self.sources.contains_key(source) {
            if self.sources.len() >= self.most_sources {
                let Some(forgotten) = self.least_short(now) else { return };
                self.sources.remove(&forgotten);
            }
            let entry = Entry { pending: 0, refused: Bucket::full(REFUSED, now), seen_ms: now.steady_ms };
            self.sources.insert(source.clone(), entry);
        }
        if let Some(entry) = self.sources.get_mut(source) {
            entry.see(now);
            entry.pending = entry.pending.saturating_add(1);
        }
    }

    /// An exchange of `source` has ended, every one that was started exactly once. `refused`: the STS refused it for what the
    /// source sent; that the STS was not there is not the source's doing.
    pub fn ended(&mut self, source: &Source, refused: bool, now: Now) {
        if let Some(entry) = self.sources.get_mut(source) {
            entry.see(now);
            entry.pending = entry.pending.saturating_sub(1);
            if refused {
                // More may be under way than the bucket still has: what they cost is owed.
                entry.refused.take_or_owe(REFUSED);
            }
        }
    }

    /// How many sources are known.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Exchanges under way, of all sources.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> usize {
        self.sources.values().map(|entry| usize::try_from(entry.pending).unwrap()).sum()
    }

    /// The source to forget next. Looks at all of them, but only for a stranger who finds the table full.
    fn least_short(&self, now: Now) -> Option<Source> {
        let idle = self.sources.iter().filter(|(_, entry)| entry.pending == 0);
        let least = idle.min_by_key(|(_, entry)| {
            let mut refused = entry.refused;
            refused.refill(REFUSED, now);
            (refused.missing(REFUSED), entry.seen_ms)
        });
        least.map(|(source, _)| source.clone())
    }
}

impl Entry {
    fn see(&mut self, now: Now) {
        self.seen_ms = now.steady_ms;
        self.refused.refill(REFUSED, now);
    }
}

const MOST_SOURCES: usize = 1_024;
/// A hundred refused exchanges at once, and ten a second.
const REFUSED: Allowance = Allowance { rate: Rate::per_second(10), burst: Burst::of(100) };
/// Exchanges take about as long as this, or end.
const PENDING_WAIT_MS: u64 = 1_000;

#[cfg(test)]
mod tests;
