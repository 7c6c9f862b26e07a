//! The bounds of what is held.

use super::{kind::count, member::or, object::settings};

settings! {
    /// The bounds of what one worker holds, and of what all share. What is beyond them is refused as `filter_overloaded`, or
    /// leaves the cache.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Limits: Default {
        /// Issued tokens that a worker holds; remembered refusals have as many places of their own.
        pub cached_tokens: usize = or(10_000, count(1, 1_000_000)),
        /// Bytes of keys and issued tokens that a worker holds; remembered refusals have as many of their own.
        pub cached_bytes: usize = or(64 << 20, count(1, 1 << 30)),
        /// Exchanges that a worker has under way.
        pub pending_exchanges: usize = or(1_000, count(1, 100_000)),
        /// Requests that wait in a worker, over all exchanges.
        pub waiting_requests: usize = or(10_000, count(1, 100_000)),
        /// Requests that wait in a worker for one exchange.
        pub waiting_per_exchange: usize = or(5_000, count(1, 100_000)),
        /// Exchanges that a worker has under way for one source address.
        pub pending_per_source: usize = or(500, count(1, 100_000)),
        /// Places for issued tokens that all workers share; 0: workers share nothing.
        pub shared_tokens: usize = or(4_096, count(0, 65_536)),
        /// Places for the leases by which one worker asks the STS for all.
        pub shared_leases: usize = or(1_024, count(1, 65_536)),
        /// Places for remembered refusals that all workers share.
        pub shared_refusals: usize = or(1_024, count(1, 65_536)),
    }
}
