//! The arithmetic, by `aws-lc-rs`: judging signatures, making ours, and names nobody can guess.
//!
//! Why not `jwt-simple` here: it verifies ES256 at a quarter of the speed and its RSA is not constant in time
//! (RUSTSEC-2023-0071). It is the second opinion in the tests of this file.

use aws_lc_rs::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use thiserror::Error;
use token::{
    base64url,
    jwk::{KeyMaterial, PublicKey},
    jws::{Algorithm, VerifySignature},
};

mod es256;
mod rs256;

pub use es256::Es256Key;
pub use rs256::Rs256Key;

/// Signatures judged by `aws-lc-rs`.
#[derive(Clone, Copy, Debug)]
pub struct AwsLc;

/// An arithmetic operation failed: the system's randomness, or a key that is none. The library says no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the cryptographic library refused: {0}")]
pub struct CryptoError(pub &'static str);

impl VerifySignature for AwsLc {
    fn verify_signature(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        match key.material() {
            KeyMaterial::Ec { point } => verify(ecdsa(key.algorithm()), point, message, signature),
            KeyMaterial::Ed25519 { point } => verify(Some(&signature::ED25519), point, message, signature),
            KeyMaterial::Rsa { modulus, exponent } => rsa(key.algorithm()).is_some_and(|parameters| {
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature).is_ok()
            }),
        }
    }
}

fn verify(algorithm: Option<&'static dyn VerificationAlgorithm>, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    algorithm.is_some_and(|algorithm| UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok())
}

fn ecdsa(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&signature::ECDSA_P256_SHA256_FIXED),
        Algorithm::Es384 => Some(&signature::ECDSA_P384_SHA384_FIXED),
        _ => None,
    }
}

/// The length of the modulus is bounded where the key is read ([`PublicKey::from_jwk`]).
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// 128 bits from the system's generator, in base64url: a name nobody can guess.
pub fn random_id() -> Result<String, CryptoError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CryptoError("no randomness"))?;
    Ok(base64url::encode(bytes))
}

/// A number from the system's generator, to spread waits with: where there is none, they are not spread.
pub fn random_number() -> u64 {
    let mut bytes = [0; 8];
    _ = aws_lc_rs::rand::fill(&mut bytes);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests;
