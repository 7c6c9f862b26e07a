//! AWS Signature Version 4 (AWS Identity and Access Management User Guide, "Create a signed AWS API request"): a request and
//! a time in, the signature out.
//!
//! [`canonical`] brings the request into the one form that both sides digest, [`date`] writes the time, [`key`] holds the keys
//! and what is derived from them for a day, [`payload`] says what stands for the body, and [`outgoing`] says what of a request
//! that Envoy forwards is signed.

use hmac_sha256::HMAC;
use token::digest::sha256;

pub mod canonical;
pub mod date;
pub mod key;
pub mod outgoing;
pub mod payload;

pub use canonical::{PathRule, Signable};
pub use date::AmzDate;
pub use key::SigningKeys;

/// For what a signature is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'s> {
    pub date: AmzDate,
    pub region: &'s str,
    pub service: &'s str,
}

impl Scope<'_> {
    /// The scope as it stands in the string to sign, and behind the key's name in the credential.
    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date.day(), self.region, self.service)
    }

    /// The string to sign for a request in its canonical form.
    fn string_to_sign(&self, canonical: &[u8]) -> String {
        format!("{ALGORITHM}\n{}\n{}\n{}", self.date.as_str(), self.text(), hex(&sha256(canonical)))
    }
}

/// The value of `authorization` for `request`, signed with `keys`.
pub fn authorization(request: &Signable<'_>, keys: &SigningKeys, scope: Scope<'_>) -> String {
    let text = scope.string_to_sign(&request.canonical());
    let signature = keys.with_day_key(scope, |key| HMAC::mac(text, key));
    format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={}",
        keys.access_key_id(),
        scope.text(),
        request.signed_headers(),
        hex(&signature)
    )
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// SHA-256 of nothing, in hexadecimal.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3), slashes too where they are not `kept`.
fn encode(bytes: impl IntoIterator<Item = u8>, kept: Option<u8>, text: &mut Vec<u8>) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || Some(byte) == kept {
            text.push(byte);
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default().to_ascii_uppercase();
            text.extend([b'%', digit(byte >> 4) as u8, digit(byte & 0xf) as u8]);
        }
    }
}

#[cfg(test)]
mod tests;
