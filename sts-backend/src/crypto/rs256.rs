//! Our own key for RS256: for those who take nothing else, Entra among them.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use x509_parser::{prelude::FromDer, public_key::PublicKey, x509::SubjectPublicKeyInfo};
use zeroize::Zeroizing;

use super::CryptoError;

/// A private RSA key of 2048 bits for RS256 (RFC 7518, section 3.3).
pub struct Rs256Key {
    pair: KeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    random: SystemRandom,
}

impl Rs256Key {
    /// A new key, with its PKCS #8 form for keeping. Takes a tenth of a second or so.
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), CryptoError> {
        let refused = |_| CryptoError("no key could be made");
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
        let document: Pkcs8V1Der<'_> = pair.as_der().map_err(refused)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Ok((Self::new(pair)?, pkcs8))
    }

    /// The key that `pkcs8` holds.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, CryptoError> {
        Self::new(KeyPair::from_pkcs8(pkcs8).map_err(|_| CryptoError("not a PKCS #8 key for RSA"))?)
    }

    fn new(pair: KeyPair) -> Result<Self, CryptoError> {
        let unreadable = CryptoError("an RSA key whose public half cannot be read");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| unreadable)?;
        let (_, info) = SubjectPublicKeyInfo::from_der(public.as_ref()).map_err(|_| unreadable)?;
        let Ok(PublicKey::RSA(rsa)) = info.parsed() else { return Err(unreadable) };
        let (modulus, exponent) = (rsa.modulus.to_vec(), rsa.exponent.to_vec());
        Ok(Self { pair, modulus, exponent, random: SystemRandom::new() })
    }

    /// The signature of `message`, as long as the modulus.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
            .map_err(|_| CryptoError("nothing could be signed"))?;
        Ok(signature)
    }

    /// Modulus and exponent, big-endian, as ASN.1 has them: a zero may precede.
    pub fn public_components(&self) -> (&[u8], &[u8]) {
        (&self.modulus, &self.exponent)
    }
}
