//! The signing keys: made once, kept sealed, published.
//!
//! There is one for each of [`ALGORITHMS`], and of each the newest signs. All of them are published, so that tokens signed
//! before a restart, or by another replica, verify.

use serde::Serialize;
use thiserror::Error;
use token::{
    jwk::{Jwk, JwkError},
    jws::Algorithm,
};

use crate::{
    crypto::CryptoError,
    store::{SealedKey, Store, StoreError},
};

use self::seal::SealError;
pub use self::signing_key::SigningKey;

mod seal;
mod signing_key;

/// What we sign with: ES256 as a rule, RS256 for clouds that take nothing else.
pub const ALGORITHMS: [Algorithm; 2] = [Algorithm::Es256, Algorithm::Rs256];

/// How often a start looks at the store: once for each key that it or another replica adds, and once more than it takes to
/// see all of them.
const ATTEMPTS: usize = ALGORITHMS.len() + 2;

/// The keys that sign, and the ones verifiers still need.
pub struct SigningKeys {
    es256: SigningKey,
    rs256: SigningKey,
    published: Vec<Jwk>,
}

/// Why there is no key to sign with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("signing keys: {0}")]
    Store(#[from] StoreError),
    #[error(
        "the stored signing key `{kid}` cannot be opened: {cause}; give the `keys.encryption_key_file` it was made with, \
         or move the store away to begin with a new key"
    )]
    Sealed { kid: String, cause: SealError },
    #[error("a signing key could not be made: {0}")]
    Crypto(#[from] CryptoError),
    #[error("the stored signing key `{0}` is of no kind this version knows")]
    Unknown(String),
    #[error("the stored signing key `{0}` is not the key its name says")]
    Mismatch(String),
    #[error("a signing key is no public key: {0}")]
    Jwk(#[from] JwkError),
    #[error("other services kept adding signing keys to the store while this one started")]
    Contended,
}

impl SigningKeys {
    /// Opens the stored keys with the key-encryption key. What is missing is made and stored: all of them at the first start,
    /// and later those of algorithms that came with a newer version. `now` is in seconds since the epoch.
    pub async fn load_or_create(store: &dyn Store, kek: &[u8; 32], now: u64) -> Result<Self, KeyError> {
        for _ in 0..ATTEMPTS {
            let stored = store.signing_keys().await?;
            let keys = stored.iter().map(|sealed| open(sealed, kek)).collect::<Result<Vec<_>, _>>()?;
            let Some(missing) = missing(&keys) else { return Self::of(keys) };
            let (key, pkcs8) = SigningKey::generate(missing).await?;
            let kid = key.kid().to_owned();
            let sealed = seal::seal(kek, &kid, &pkcs8).map_err(|cause| KeyError::Sealed { kid: kid.clone(), cause })?;
            store.add_signing_key(SealedKey { kid, created_at: now, sealed }, stored.len()).await?;
            // What is used is what was read back: the key that is stored, whoever made it.
        }
        Err(KeyError::Contended)
    }

    /// The newest of each kind. `keys` are in the order of their age.
    fn of(keys: Vec<SigningKey>) -> Result<Self, KeyError> {
        let published = keys.iter().map(SigningKey::jwk).collect::<Result<_, _>>()?;
        let (mut es256, mut rs256) = (None, None);
        for key in keys {
            match key.algorithm() {
                Algorithm::Rs256 => rs256 = Some(key),
                _ => es256 = Some(key),
            }
        }
        Ok(Self { es256: es256.ok_or(KeyError::Contended)?, rs256: rs256.ok_or(KeyError::Contended)?, published })
    }

    /// The public keys as a JWK Set (RFC 7517, section 5), each named by its thumbprint (RFC 7638).
    pub fn jwks_json(&self) -> String {
        #[derive(Serialize)]
        struct Set<'k> {
            keys: &'k [Jwk],
        }
        serde_json::to_string(&Set { keys: &self.published }).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }

    /// The key that signs tokens of our own.
    pub fn es256(&self) -> &SigningKey {
        &self.es256
    }

    /// The key that signs with `algorithm`, if it is one of [`ALGORITHMS`].
    pub fn signing(&self, algorithm: Algorithm) -> Option<&SigningKey> {
        [&self.es256, &self.rs256].into_iter().find(|key| key.algorithm() == algorithm)
    }
}

fn missing(keys: &[SigningKey]) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|algorithm| !keys.iter().any(|key| key.algorithm() == *algorithm))
}

fn open(sealed: &SealedKey, kek: &[u8; 32]) -> Result<SigningKey, KeyError> {
    let pkcs8 = seal::open(kek, &sealed.kid, &sealed.sealed)
        .map_err(|cause| KeyError::Sealed { kid: sealed.kid.clone(), cause })?;
    let key = SigningKey::from_pkcs8(&pkcs8)?.ok_or_else(|| KeyError::Unknown(sealed.kid.clone()))?;
    if key.kid() == sealed.kid { Ok(key) } else { Err(KeyError::Mismatch(sealed.kid.clone())) }
}

#[cfg(test)]
mod tests;
