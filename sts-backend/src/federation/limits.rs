//! What bounds the calls to one provider.

use std::time::Duration;

use crate::outgoing::fetch::Bounds;

/// The longest answer of a provider that is read, in bytes. Tokens and session keys are a tenth of it.
const MAX_ANSWER: usize = 128 * 1024;

/// How many times the wait for one call all calls of an order may take together, their repetitions and the queue with them.
const CHAIN: u32 = 4;

/// The bounds of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders that are filled at a time.
    pub at_once: usize,
    /// Orders that wait for their turn; more are told to come back.
    pub waiting: usize,
    /// How long one call may take.
    pub timeout: Duration,
    /// How many calls are made each second, in the long run. Below what the provider publishes as its own limit.
    pub calls_per_second: u32,
    /// How many may be made at once after a quiet time.
    pub burst: u32,
}

impl Limits {
    /// How long an order may take from the moment it is given.
    pub fn order_time(&self) -> Duration {
        self.timeout.saturating_mul(CHAIN)
    }

    /// What one call may take.
    pub fn of_call(&self) -> Bounds {
        Bounds { body: MAX_ANSWER, time: self.timeout }
    }
}

/// What AWS's STS is asked at most. Its quota is shared by all callers of an account in a region.
pub const AWS: Limits =
    Limits { at_once: 16, waiting: 256, timeout: Duration::from_secs(3), calls_per_second: 50, burst: 50 };

/// What Google is asked at most. Its quotas are by project and minute, and an order takes up to three calls.
pub const GCP: Limits =
    Limits { at_once: 16, waiting: 256, timeout: Duration::from_secs(3), calls_per_second: 50, burst: 50 };

/// What Entra and the storage accounts are asked at most. Entra publishes no quota, and slows down apps that ask much.
pub const AZURE: Limits =
    Limits { at_once: 16, waiting: 256, timeout: Duration::from_secs(3), calls_per_second: 20, burst: 40 };

/// What any other server is asked at most.
pub const OAUTH: Limits =
    Limits { at_once: 16, waiting: 256, timeout: Duration::from_secs(3), calls_per_second: 20, burst: 40 };
