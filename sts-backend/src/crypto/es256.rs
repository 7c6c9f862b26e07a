//! Our own key for ES256.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use zeroize::Zeroizing;

use super::CryptoError;

/// A private key for ES256 (RFC 7518, section 3.4).
pub struct Es256Key {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Es256Key {
    /// A new key, with its PKCS #8 form for keeping.
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| CryptoError("no key could be made"))?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Ok((Self::from_pkcs8(&pkcs8)?, pkcs8))
    }

    /// The key that `pkcs8` holds.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(|_| CryptoError("not a PKCS #8 key for P-256"))?;
        Ok(Self { pair, random: SystemRandom::new() })
    }

    /// The signature of `message`: r‖s, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| CryptoError("nothing could be signed"))?;
        Ok(signature.as_ref().to_vec())
    }

    /// The public point, `04 ‖ x ‖ y`.
    pub fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }
}
