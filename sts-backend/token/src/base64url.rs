//! Base64url as JOSE wants it: no padding, no white space, no stray bits (RFC 7515, section 2).

use base64::{DecodeError, Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes strictly: padding, white space, the standard alphabet and non-zero trailing bits are errors, so that no two
/// spellings of one value exist.
pub fn decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    URL_SAFE_NO_PAD.decode(text)
}
