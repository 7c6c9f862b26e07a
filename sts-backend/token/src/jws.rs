//! Compact JWS (RFC 7515, section 7.1), taken apart strictly before anything in it is believed.
//!
//! The order is compelled by types: [`CompactJws::parse`] gives an unverified token of which only the header may be read,
//! and claims come out of [`CompactJws::verify`] alone.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{base64url, json, jwk::PublicKey};

/// The longest token that is looked at, in bytes. Cloud tokens stay below 4 KiB; Entra's with many groups reach 8.
pub const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// The longest JOSE header, in base64url characters.
const MAX_HEADER_LENGTH: usize = 2048;

/// The longest `kid`, in bytes.
const MAX_KID_LENGTH: usize = 256;

/// Signature algorithms (RFC 7518, section 3.1; RFC 8037). `none` and the MACs have no variant, so no token can name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    Es256,
    Es384,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    EdDsa,
}

impl Algorithm {
    /// Every algorithm, for messages and for reading names.
    pub const ALL: [Self; 9] = [
        Self::Es256,
        Self::Es384,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::EdDsa,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with exactly this registered name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a token was refused before or at its signature. No variant holds bytes of the token beyond its `alg`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwsError {
    #[error("the token is longer than {MAX_TOKEN_LENGTH} bytes")]
    TooLong,
    #[error("the token is not three base64url parts divided by dots")]
    NotCompact,
    #[error("the token's header is not a JSON object of the expected form: {0}")]
    Header(&'static str),
    #[error("the token's algorithm is `{0}`, which is not allowed here")]
    Algorithm(String),
    #[error("the token's signature does not verify under the issuer's key")]
    Signature,
    #[error("the token's payload is not a JSON object without doubled members")]
    Payload,
}

/// The part of a JOSE header that is read. Members not listed here are ignored, as RFC 7515 section 4 wants, but for `crit`,
/// which says that they must not be; `jku`, `x5u` and `jwk` are never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

#[derive(Deserialize)]
struct RawHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<serde::de::IgnoredAny>,
    b64: Option<serde::de::IgnoredAny>,
}

/// Who does the arithmetic: `aws-lc-rs` in the STS, the host's native crypto or a pure-Rust crate in the filter.
pub trait VerifySignature {
    /// Whether `signature` (in JWS form: r‖s for ECDSA) is the signature of `message` under `key` with the key's one
    /// algorithm.
    fn verify_signature(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool;
}

/// A token that has been taken apart and not verified.
pub struct CompactJws<'t> {
    header: Header,
    signing_input: &'t str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Takes `token` apart. `allowed` is what configuration lets this issuer use; the header only chooses among it.
    pub fn parse(token: &'t str, allowed: &[Algorithm]) -> Result<Self, JwsError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(JwsError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(JwsError::NotCompact)?;
        let (header, payload) = signing_input.split_once('.').ok_or(JwsError::NotCompact)?;
        if header.is_empty() || payload.is_empty() || payload.contains('.') {
            return Err(JwsError::NotCompact);
        }
        if header.len() > MAX_HEADER_LENGTH {
            return Err(JwsError::Header("it is too long"));
        }
        let header = base64url::decode(header).map_err(|_| JwsError::NotCompact)?;
        let header = read_header(&header, allowed)?;
        let payload = base64url::decode(payload).map_err(|_| JwsError::NotCompact)?;
        let signature = base64url::decode(signature).map_err(|_| JwsError::NotCompact)?;
        if signature.is_empty() {
            return Err(JwsError::NotCompact);
        }
        Ok(Self { header, signing_input, payload, signature })
    }

    /// What the token says of itself: fit to choose a key, and for nothing else.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The issuer the token names, to find out whose keys may judge it. Not to be believed before [`Self::verify`].
    pub fn unverified_issuer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        serde_json::from_slice::<Issuer>(&self.payload).ok().map(|claims| claims.iss)
    }

    /// The subject the token names, where the trust domain of a SPIFFE ID says whose keys may judge it. Not to be believed
    /// before [`Self::verify`].
    pub fn unverified_subject(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Subject {
            sub: String,
        }
        serde_json::from_slice::<Subject>(&self.payload).ok().map(|claims| claims.sub)
    }

    /// The payload, once `key` has verified the signature with its one algorithm.
    pub fn verify(self, key: &PublicKey, crypto: &impl VerifySignature) -> Result<VerifiedPayload, JwsError> {
        if key.algorithm() != self.header.algorithm {
            return Err(JwsError::Algorithm(self.header.algorithm.name().to_owned()));
        }
        if !crypto.verify_signature(key, self.signing_input.as_bytes(), &self.signature) {
            return Err(JwsError::Signature);
        }
        let claims = json::parse_object(&self.payload).map_err(|_| JwsError::Payload)?;
        Ok(VerifiedPayload { header: self.header, claims })
    }
}

/// The payload of a token whose signature was verified. Made by [`CompactJws::verify`] alone.
#[derive(Clone, Debug)]
pub struct VerifiedPayload {
    header: Header,
    claims: Map<String, Value>,
}

impl VerifiedPayload {
    /// The verified header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The claims; none of them stands twice.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

fn read_header(bytes: &[u8], allowed: &[Algorithm]) -> Result<Header, JwsError> {
    let raw: RawHeader = serde_json::from_slice(bytes)
        .map_err(|_| JwsError::Header("`alg`, `kid` or `typ` is missing, doubled or not a string"))?;
    if raw.crit.is_some() || raw.b64.is_some() {
        return Err(JwsError::Header("it asks for an extension (`crit` or `b64`)"));
    }
    let algorithm = Algorithm::from_name(&raw.alg)
        .filter(|algorithm| allowed.contains(algorithm))
        .ok_or_else(|| JwsError::Algorithm(raw.alg.chars().take(16).filter(char::is_ascii_graphic).collect()))?;
    if raw.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID_LENGTH) {
        return Err(JwsError::Header("`kid` is empty or too long"));
    }
    Ok(Header { algorithm, kid: raw.kid, typ: raw.typ })
}

#[cfg(test)]
mod tests;
