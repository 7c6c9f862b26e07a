//! The signing keys: made once, kept sealed, published.
//!
//! The newest key signs. All of them are published, so that tokens signed before a restart, or by another replica, verify.

use serde::Serialize;
use thiserror::Error;
use token::jwk::{Jwk, JwkError, PublicKey};

use crate::{
    crypto::{CryptoError, Es256Key},
    store::{SealedKey, Store, StoreError},
};

use self::seal::SealError;

mod seal;

/// How often a start is tried again when another replica adds a key at the same moment.
const ATTEMPTS: usize = 3;

/// The keys that sign, and the ones verifiers still need.
pub struct SigningKeys {
    newest: SigningKey,
    published: Vec<Jwk>,
}

/// One private key with the public half that judges its signatures.
struct SigningKey {
    kid: String,
    private: Es256Key,
    public: PublicKey,
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
    #[error("the stored signing key `{0}` is not the key its name says")]
    Mismatch(String),
    #[error("a signing key is no public key: {0}")]
    Jwk(#[from] JwkError),
    #[error("other services kept adding signing keys to the store while this one started")]
    Contended,
}

impl SigningKeys {
    /// Opens the stored keys with the key-encryption key, or makes and stores the first one. `now` is in seconds since the
    /// epoch.
    pub async fn load_or_create(store: &dyn Store, kek: &[u8; 32], now: u64) -> Result<Self, KeyError> {
        for _ in 0..ATTEMPTS {
            let stored = store.signing_keys().await?;
            if !stored.is_empty() {
                return Self::open(&stored, kek);
            }
            let (private, pkcs8) = Es256Key::generate()?;
            let key = SigningKey::new(private)?;
            let sealed =
                seal::seal(kek, &key.kid, &pkcs8).map_err(|cause| KeyError::Sealed { kid: key.kid.clone(), cause })?;
            store.add_signing_key(SealedKey { kid: key.kid, created_at: now, sealed }, 0).await?;
            // What is used is what was read back: the key that is stored, whoever made it.
        }
        Err(KeyError::Contended)
    }

    fn open(stored: &[SealedKey], kek: &[u8; 32]) -> Result<Self, KeyError> {
        let mut keys = stored.iter().map(|sealed| open_one(sealed, kek)).collect::<Result<Vec<_>, _>>()?;
        let published = keys.iter().map(SigningKey::jwk).collect::<Result<_, _>>()?;
        let newest = keys.pop().ok_or(KeyError::Contended)?;
        Ok(Self { newest, published })
    }

    /// The public keys as a JWK Set (RFC 7517, section 5), each named by its thumbprint (RFC 7638).
    pub fn jwks_json(&self) -> String {
        #[derive(Serialize)]
        struct Set<'k> {
            keys: &'k [Jwk],
        }
        serde_json::to_string(&Set { keys: &self.published }).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }

    /// The `kid` of the key that signs.
    pub fn kid(&self) -> &str {
        &self.newest.kid
    }

    /// The key that judges what [`Self::sign`] makes.
    pub fn public_key(&self) -> &PublicKey {
        &self.newest.public
    }

    /// The ES256 signature of `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.newest.private.sign(message)
    }
}

impl SigningKey {
    fn new(private: Es256Key) -> Result<Self, JwkError> {
        let jwk = Jwk::es256(private.public_point())?;
        let public = PublicKey::from_jwk(&jwk)?;
        Ok(Self { kid: jwk.thumbprint()?, private, public })
    }

    fn jwk(&self) -> Result<Jwk, JwkError> {
        Jwk::es256(self.private.public_point())
    }
}

fn open_one(sealed: &SealedKey, kek: &[u8; 32]) -> Result<SigningKey, KeyError> {
    let pkcs8 = seal::open(kek, &sealed.kid, &sealed.sealed)
        .map_err(|cause| KeyError::Sealed { kid: sealed.kid.clone(), cause })?;
    let key = SigningKey::new(Es256Key::from_pkcs8(&pkcs8)?)?;
    if key.kid == sealed.kid { Ok(key) } else { Err(KeyError::Mismatch(sealed.kid.clone())) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use token::{digest, jwk::JwkSet, jws::VerifySignature};

    use super::*;
    use crate::{crypto::AwsLc, store::EmbeddedStore};

    const KEK: [u8; 32] = [1; 32];

    #[tokio::test]
    async fn the_key_survives_a_restart_and_judges_what_was_signed_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let (kid, signature) = {
            let store = EmbeddedStore::open(&path).unwrap();
            let keys = SigningKeys::load_or_create(&store, &KEK, 1).await.unwrap();
            (keys.kid().to_owned(), keys.sign(b"message").unwrap())
        };
        let store = EmbeddedStore::open(&path).unwrap();
        let keys = SigningKeys::load_or_create(&store, &KEK, 2).await.unwrap();
        assert_eq!(keys.kid(), kid);
        assert!(AwsLc.verify_signature(keys.public_key(), b"message", &signature));
        assert_eq!(store.signing_keys().await.unwrap()[0].created_at, 1);
    }

    #[tokio::test]
    async fn another_key_encryption_key_is_named_as_the_cause() {
        let store = EmbeddedStore::in_memory().unwrap();
        SigningKeys::load_or_create(&store, &KEK, 1).await.unwrap();
        let error = SigningKeys::load_or_create(&store, &[2; 32], 1).await.err().unwrap();
        assert!(matches!(error, KeyError::Sealed { cause: SealError::Open, .. }), "{error}");
        assert!(error.to_string().contains("encryption_key_file"), "{error}");
    }

    #[tokio::test]
    async fn services_that_start_at_once_agree_on_one_key() {
        let store = Arc::new(EmbeddedStore::in_memory().unwrap());
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(
                    async move { SigningKeys::load_or_create(&*store, &KEK, 1).await.unwrap().kid().to_owned() },
                )
            })
            .collect();
        let mut kids = std::collections::HashSet::new();
        for start in starts {
            kids.insert(start.await.unwrap());
        }
        assert_eq!(kids.len(), 1);
        assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_published_set_names_keys_by_thumbprint_and_holds_nothing_private() {
        let store = EmbeddedStore::in_memory().unwrap();
        let keys = SigningKeys::load_or_create(&store, &KEK, 1).await.unwrap();
        let json = keys.jwks_json();
        let set = JwkSet::from_json(json.as_bytes()).unwrap();
        assert!(set.has_kid(keys.kid()));
        assert_eq!(set.keys(), [keys.public_key().clone()]);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let key = value["keys"][0].as_object().unwrap();
        let mut members: Vec<_> = key.keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
        assert_eq!(digest::fingerprint(canonical), keys.kid());
    }

    #[tokio::test]
    async fn the_store_never_sees_the_private_key() {
        let store = EmbeddedStore::in_memory().unwrap();
        SigningKeys::load_or_create(&store, &KEK, 1).await.unwrap();
        let stored = store.signing_keys().await.unwrap().remove(0);
        let pkcs8 = seal::open(&KEK, &stored.kid, &stored.sealed).unwrap();
        assert!(!stored.sealed.windows(16).any(|window| pkcs8.windows(16).any(|secret| secret == window)));
    }
}
