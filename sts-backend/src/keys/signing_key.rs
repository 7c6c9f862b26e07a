//! One private key, with the public half that judges its signatures.

use token::{
    jwk::{Jwk, JwkError, PublicKey},
    jws::Algorithm,
};
use zeroize::Zeroizing;

use super::KeyError;
use crate::crypto::{CryptoError, Es256Key, Rs256Key};

/// A key that signs.
pub struct SigningKey {
    kid: String,
    private: Private,
    public: PublicKey,
}

enum Private {
    Es256(Es256Key),
    Rs256(Box<Rs256Key>),
}

impl SigningKey {
    /// A new key for `algorithm`, with its PKCS #8 form for keeping. Finding the primes of an RSA key takes a while: nobody else
    /// has to wait for that.
    pub(super) async fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), KeyError> {
        let (private, pkcs8) = tokio::task::spawn_blocking(move || Private::generate(algorithm))
            .await
            .map_err(|_| CryptoError("no key could be made"))??;
        Ok((Self::new(private)?, pkcs8))
    }

    /// The key that `pkcs8` holds; none, if it is of no kind we sign with.
    pub(super) fn from_pkcs8(pkcs8: &[u8]) -> Result<Option<Self>, JwkError> {
        // PKCS #8 says which kind of key it holds (RFC 5208, section 5): only one of them can read it.
        let es256 = || Es256Key::from_pkcs8(pkcs8).ok().map(Private::Es256);
        let rs256 = || Rs256Key::from_pkcs8(pkcs8).ok().map(|key| Private::Rs256(Box::new(key)));
        es256().or_else(rs256).map(Self::new).transpose()
    }

    fn new(private: Private) -> Result<Self, JwkError> {
        let jwk = private.jwk()?;
        let public = PublicKey::from_jwk(&jwk)?;
        Ok(Self { kid: jwk.thumbprint()?, private, public })
    }

    /// Its thumbprint (RFC 7638), by which it is published.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// The key that judges what [`Self::sign`] makes.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &self.private {
            Private::Es256(key) => key.sign(message),
            Private::Rs256(key) => key.sign(message),
        }
    }

    pub(super) fn jwk(&self) -> Result<Jwk, JwkError> {
        self.private.jwk()
    }
}

impl Private {
    fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        match algorithm {
            Algorithm::Es256 => Es256Key::generate().map(|(key, pkcs8)| (Self::Es256(key), pkcs8)),
            Algorithm::Rs256 => Rs256Key::generate().map(|(key, pkcs8)| (Self::Rs256(Box::new(key)), pkcs8)),
            _ => Err(CryptoError("no keys are made for this algorithm")),
        }
    }

    fn jwk(&self) -> Result<Jwk, JwkError> {
        match self {
            Self::Es256(key) => Jwk::es256(key.public_point()),
            Self::Rs256(key) => {
                let (modulus, exponent) = key.public_components();
                Jwk::rs256(modulus, exponent)
            }
        }
    }
}
