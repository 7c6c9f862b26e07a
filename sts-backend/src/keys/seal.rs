//! A private key at rest: AES-256-GCM under the key-encryption key, with the key's name as associated data, so that a
//! sealed key cannot be passed off as another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use thiserror::Error;
use zeroize::Zeroizing;

/// What precedes every sealed key, so that a later format can be told apart.
const FORMAT: u8 = 1;

/// Why sealing or opening failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    #[error("the cryptographic library refused to seal")]
    Seal,
    #[error("it is not in a sealed form this version knows")]
    Format,
    #[error("it was sealed with another key-encryption key, or has been altered")]
    Open,
}

/// Seals `secret` for `name`.
pub fn seal(kek: &[u8; 32], name: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, kek).map_err(|_| SealError::Seal)?;
    let mut buffer = Zeroizing::new(secret.to_vec());
    let nonce = key.seal_in_place_append_tag(associated(name), &mut *buffer).map_err(|_| SealError::Seal)?;
    Ok([&[FORMAT], nonce.as_ref().as_slice(), &buffer].concat())
}

/// Opens what [`seal`] made for the same `name`.
pub fn open(kek: &[u8; 32], name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, ciphertext) = sealed
        .strip_prefix(&[FORMAT])
        .and_then(|rest| rest.split_first_chunk::<NONCE_LEN>())
        .ok_or(SealError::Format)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, kek).map_err(|_| SealError::Open)?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), associated(name), &mut buffer)
        .map_err(|_| SealError::Open)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

fn associated(name: &str) -> Aad<Vec<u8>> {
    Aad::from([b"cloakroom signing key ".as_slice(), name.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEK: [u8; 32] = [7; 32];

    #[test]
    fn what_was_sealed_opens_under_the_same_key_and_name_alone() {
        let sealed = seal(&KEK, "k1", b"private").unwrap();
        assert_eq!(open(&KEK, "k1", &sealed).unwrap().as_slice(), b"private");
        assert_eq!(open(&KEK, "k2", &sealed), Err(SealError::Open));
        assert_eq!(open(&[8; 32], "k1", &sealed), Err(SealError::Open));
        assert!(!sealed.windows(7).any(|window| window == b"private"));
    }

    #[test]
    fn no_altered_byte_goes_unnoticed() {
        let sealed = seal(&KEK, "k1", b"private").unwrap();
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(open(&KEK, "k1", &altered).is_err(), "byte {index}");
        }
        assert_eq!(open(&KEK, "k1", &[]), Err(SealError::Format));
    }
}
