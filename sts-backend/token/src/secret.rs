//! Text that must never be printed.

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::digest;

/// A token, key or proof. It has no `Display` and its `Debug` shows a digest; its memory is overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text` under protection.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. Every caller of this is a place where the secret leaves its wrapping.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be written down about it.
    pub fn fingerprint(&self) -> String {
        digest::fingerprint(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(sha256:{})", self.fingerprint())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_digest_only() {
        let shown = format!("{:?}", Secret::new("s3cr3t-token"));
        assert!(!shown.contains("s3cr3t"));
        assert!(shown.contains("sha256:"));
    }
}
