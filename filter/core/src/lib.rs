//! The filter's decisions, free of any host: a request and a time in, a [`flow::Step`] out.
//!
//! One request, in order: [`request`] reads the header list once and names what must be removed ([`credential`]), [`config`]
//! says what the route that Envoy chose wants, [`forwarded_certificate`] reads what a trusted hop says of its client, [`key`]
//! makes the identity of the exchange, [`cache`] answers it if it can,
//! [`pending`] parks the request on the one exchange that is asked for it, [`reply`] judges what the STS says, and
//! [`refusal`] puts a refusal into HTTP. [`flow`] is the order itself.
//!
//! What an exchange brings is [`issued`]. [`inject`] puts it into the request: as it is, as a shared access signature ([`sas`]),
//! or as a signature over the request ([`sigv4`]).
//!
//! When things happen: [`life`] says how long a token is used and when it is renewed, [`refresh`] keeps the renewals and their
//! pace, [`breaker`] leaves an STS alone that does not answer, [`miss_limit`] keeps one source from asking for all, and
//! [`strikes`] says when a token that the destination does not take is worth another.
//!
//! What is kept out: sockets, clocks, randomness and Envoy. Time is an argument.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unwrap_used,
        reason = "a test fails by panicking"
    )
)]

pub mod breaker;
pub mod bucket;
pub mod cache;
pub mod config;
pub mod credential;
pub mod flow;
pub mod forwarded_certificate;
pub mod inject;
pub mod issued;
pub mod jitter;
pub mod key;
pub mod life;
pub mod miss_limit;
pub mod pending;
pub mod refresh;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod sas;
pub mod sent;
pub mod shared;
pub mod sigv4;
pub mod strikes;
pub mod time;
