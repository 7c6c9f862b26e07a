//! The wire contract that the filter and the STS share, so that two implementations of it can never disagree.
//!
//! What stands here: how a JWS is taken apart ([`jws`]), which keys exist and which one algorithm each may have ([`jwk`]),
//! the claims of the tokens ([`claims`], [`constraint`]), the messages of RFC 8693 ([`message`], [`token_type`]), and the
//! stable codes by which both sides name a refusal ([`reason`]).
//!
//! What is kept out: sockets, clocks, randomness and the arithmetic of signatures. Time is an argument, and a signature is
//! judged by whoever implements [`jws::VerifySignature`].

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

pub mod aws_keys;
pub mod base64url;
pub mod claims;
pub mod constraint;
pub mod digest;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod message;
pub mod path_pattern;
pub mod reason;
pub mod secret;
pub mod spiffe;
pub mod token_type;
