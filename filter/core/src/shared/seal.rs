//! The seal on what is shared: only who presents the same native token can make or open one.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use hmac_sha256::HKDF;
use token::secret::Secret;

use super::identity::KeyDigest;

/// Seals and opens for one key (XChaCha20-Poly1305; the cipher's key is made from the native token by HKDF, RFC 5869).
pub(super) struct Seal(XChaCha20Poly1305);

impl Seal {
    pub(super) fn new(subject: &Secret, digest: &KeyDigest) -> Self {
        let pseudorandom = HKDF::extract("cloakroom shared seal 1", subject.expose());
        let mut key = [0; 32];
        HKDF::expand(&mut key, pseudorandom, digest.0);
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// `text` under seal; the same `associated` opens it again.
    pub(super) fn close(&self, text: String, nonce: [u8; NONCE], associated: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = text.into_bytes();
        // Otherwise the tag could make the buffer move, and leave the plain text behind where it was.
        if buffer.capacity().saturating_sub(buffer.len()) < TAG {
            return None;
        }
        self.0.encrypt_in_place(&XNonce::from(nonce), associated, &mut buffer).ok()?;
        Some(buffer)
    }

    /// What was sealed; `None` if it was not sealed by this key with this `nonce` and `associated`, or is no text.
    pub(super) fn open(&self, sealed: &[u8], nonce: [u8; NONCE], associated: &[u8]) -> Option<Secret> {
        let mut buffer = sealed.to_vec();
        self.0.decrypt_in_place(&XNonce::from(nonce), associated, &mut buffer).ok()?;
        String::from_utf8(buffer).ok().map(Secret::new)
    }
}

/// Bytes of a nonce: long enough to be drawn at random.
pub(super) const NONCE: usize = 24;

/// Bytes that the seal adds.
pub(super) const TAG: usize = 16;
