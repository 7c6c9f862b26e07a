//! SHA-256 fingerprints: the only form in which a token may appear in a log, an error or a record.

use crate::base64url;

/// SHA-256 of `bytes`.
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    hmac_sha256::Hash::hash(bytes.as_ref())
}

/// The digest of a token as it stands in records: unpadded base64url of its SHA-256.
pub fn fingerprint(token: impl AsRef<[u8]>) -> String {
    base64url::encode(sha256(token))
}

/// A digest over several fields in which no field can flow into its neighbour: each is preceded by its length.
#[derive(Clone)]
pub struct FieldDigest(hmac_sha256::Hash);

impl FieldDigest {
    /// Starts a digest. `purpose` keeps digests of different things apart.
    pub fn new(purpose: &str) -> Self {
        Self(hmac_sha256::Hash::new()).field(purpose)
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.0.update((value.len() as u64).to_be_bytes());
        self.0.update(value);
        self
    }

    /// Adds a field that may be absent; absent and empty differ.
    #[must_use]
    pub fn optional(self, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field([1]).field(value),
            None => self.field([0]),
        }
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_fields_cannot_trade_bytes() {
        let left = FieldDigest::new("t").field("ab").field("c").finish();
        let right = FieldDigest::new("t").field("a").field("bc").finish();
        assert_ne!(left, right);
    }

    #[test]
    fn absent_differs_from_empty() {
        let absent = FieldDigest::new("t").optional(None::<&str>).finish();
        let empty = FieldDigest::new("t").optional(Some("")).finish();
        assert_ne!(absent, empty);
    }

    #[test]
    fn fingerprint_is_the_known_sha256() {
        // FIPS 180-2, appendix B.1: SHA-256("abc").
        assert_eq!(fingerprint("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }
}
