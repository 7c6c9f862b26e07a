//! What outlives a process: the record and the signing keys. Never a token.
//!
//! Implementations must pass the suite in `store/conformance.rs`.

use std::{future::Future, pin::Pin};

use thiserror::Error;

#[cfg(test)]
mod conformance;
mod embedded;

pub use embedded::EmbeddedStore;

/// The answer of a store, on its way.
pub type StoreFuture<'s, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 's>>;

/// A signing key as it is kept: sealed, so that the store's reader cannot use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// The thumbprint by which verifiers know the key.
    pub kid: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: u64,
    /// The private key, encrypted with `kid` as associated data.
    pub sealed: Vec<u8>,
}

/// Why a store did not do what it was asked. Whatever the reason, nothing may be released on the strength of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    #[error("the store has more work waiting than it may hold")]
    Full,
    #[error("the store has stopped")]
    Stopped,
    #[error("the store could not read or write: {0}")]
    Io(String),
    #[error("the store holds something this version cannot read: {0}")]
    Corrupt(String),
}

/// A place to keep the record and the signing keys.
pub trait Store: Send + Sync {
    /// Appends one leaf to the record. When it answers, the leaf is durable under the number it names; numbers are
    /// contiguous from 0.
    fn append(&self, leaf: Vec<u8>) -> StoreFuture<'_, u64>;

    /// Leaves with their numbers, from number `from` on, at most `limit`.
    fn leaves(&self, from: u64, limit: usize) -> StoreFuture<'_, Vec<(u64, Vec<u8>)>>;

    /// Every signing key, the oldest first.
    fn signing_keys(&self) -> StoreFuture<'_, Vec<SealedKey>>;

    /// Adds a signing key if the store holds exactly `held` of them, and says whether it did: of two replicas that
    /// start at once one must lose.
    fn add_signing_key(&self, key: SealedKey, held: usize) -> StoreFuture<'_, bool>;
}
