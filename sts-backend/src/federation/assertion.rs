//! What we show a provider: a JWT of ours that says who asks (RFC 7523, section 3), made for one call and never kept.

use std::collections::BTreeMap;

use serde_json::Value;
use token::{jws::Algorithm, secret::Secret};

use super::trouble::Trouble;

/// What an assertion says. `iat`, `nbf`, `exp` and `jti` are added when it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// `iss`, where it is not our own issuer: RFC 7523 wants the client's own id there for client authentication.
    pub issuer: Option<String>,
    /// `sub`: whom the provider's trust names.
    pub subject: String,
    /// `aud`, one and no more.
    pub audience: String,
    /// `typ` of the header.
    pub typ: &'static str,
    /// ES256 or RS256: what the provider takes.
    pub algorithm: Algorithm,
    /// Claims besides.
    pub claims: BTreeMap<String, Value>,
}

/// A signed assertion.
#[derive(Debug)]
pub struct Signed {
    pub jwt: Secret,
    /// Its own name, by which the provider's record and ours can be matched.
    pub jti: String,
}

/// Who signs assertions.
pub trait Signer: Send + Sync {
    /// Signs `assertion` at `now`, in seconds since the epoch, to live for a minute or so.
    fn sign(&self, assertion: &Assertion, now: u64) -> Result<Signed, Trouble>;
}
