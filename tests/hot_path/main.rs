//! The hot path under load and under failure: a real Envoy with the real filter, an STS that does what it is told, and a
//! service that judges every request by its own clock.
//!
//! Each module is one proof, run alone by its name. By default it runs a part that takes seconds; all of it with
//! `CLOAKROOM_WHOLE=1 cargo test --release --test hot_path NAME -- --nocapture`, which prints what was measured.

/// How much of a proof runs.
mod scale;

/// Any number of identical first requests over all workers ask once, also when the one who asks dies.
mod first_requests;

/// Everybody who waits for an STS that fails or hangs is told at once.
mod waiters;

/// Warm routes notice nothing of an STS that is away, and it is not overrun when it is back.
mod outage;

/// Tokens of three seconds: nobody waits for a refresh, nothing expired is sent.
mod refresh;

/// The destination says 401: that token goes, once, and no storm comes of it.
mod unauthorized;

/// An STS that gives the same token again and again.
mod same_token;

/// Settings changed while everything runs.
mod reload;

/// Millions of requests with rotating tokens.
mod soak;

/// The module dies.
mod trap;

/// Large headers, many connections, garbage, ten thousand routes.
mod limits;
