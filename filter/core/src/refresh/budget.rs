//! How many renewals may start.

use crate::{
    bucket::{Allowance, Bucket, Burst, Rate},
    time::Now,
};

/// The budget of one worker's renewals.
///
/// The steady rate is what the keys cost when all goes well. One and a half times that rate comes into the budget, and half a
/// second of the steady rate may be saved up: so no second sees more than **twice the steady rate**, and after an outage the
/// backlog still shrinks by half a second every second. A budget holds one renewal at least and gets one a second at least, so
/// that few keys with long lives can be tried again too: then a second sees at most one and a half times the steady rate and
/// one.
///
/// Tokens that end within two seconds have a second budget of the same size, after the first. To withhold those spares the
/// STS nothing, for a key in use will ask by a request that has to wait; the bound is there because not all of them will do so
/// in that same second. So at the very worst a second sees four times the steady rate, and only of keys that would otherwise
/// be lost.
#[derive(Clone, Debug)]
pub struct Budget {
    usual: Bucket,
    urgent: Bucket,
}

impl Budget {
    /// A budget for one.
    pub fn new(now: Now) -> Self {
        let bucket = Bucket::full(allowance(Rate::default()), now);
        Self { usual: bucket, urgent: bucket }
    }

    /// Puts in what has come since the last time.
    pub(super) fn refill(&mut self, steady: Rate, now: Now) {
        let allowance = allowance(steady);
        self.usual.refill(allowance, now);
        self.urgent.refill(allowance, now);
    }

    /// Whether a renewal may start whose token has `left_ms` left.
    pub(super) fn permits(&self, left_ms: u64) -> bool {
        self.usual.has_one() || (left_ms <= URGENT_MS && self.urgent.has_one())
    }

    /// Takes one that [`Self::permits`].
    pub(super) fn take(&mut self, left_ms: u64) {
        let taken = self.usual.take();
        if !taken && left_ms <= URGENT_MS {
            self.urgent.take();
        }
    }
}

fn allowance(steady: Rate) -> Allowance {
    Allowance { rate: steady.and_a_half().max(Rate::per_second(1)), burst: steady.in_ms(500).max(Burst::of(1)) }
}

/// Tokens with no more than this left may use the second budget.
const URGENT_MS: u64 = 2_000;
