//! The signing keys: made once, kept sealed, published.

use thiserror::Error;

use crate::store::{Store, StoreError};

/// The keys that sign, and the ones verifiers still need.
pub struct SigningKeys;

/// Why there is no key to sign with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SigningKeys {
    /// Opens the stored keys with the key-encryption key, or makes and stores the first one.
    pub async fn load_or_create(_store: &dyn Store, _kek: &[u8; 32], _now: u64) -> Result<Self, KeyError> {
        Ok(Self)
    }

    /// The public keys as a JWK Set (RFC 7517, section 5).
    pub fn jwks_json(&self) -> String {
        String::new()
    }
}
