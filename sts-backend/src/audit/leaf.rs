//! One entry of the record, version 1.

use serde::{Deserialize, Serialize};
use token::constraint::Constraint;

/// The version that [`Leaf`] describes.
pub const VERSION: u32 = 1;

/// One decision. Members stand in the order of their names, absent ones are left out, and there is no white space: one
/// decision has one spelling (RFC 8785), so that a digest of the bytes is a digest of the decision. Times are seconds since
/// the epoch; digests are unpadded base64url of SHA-256. No token stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The proxy, by its SPIFFE ID, once verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The proxy on whose word alone it is known that the workload asks; absent where a token proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_by: Option<String>,
    /// What kind of caller it was.
    pub caller: CallerKind,
    /// The claim or parameter that was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// What proxies have to check on every use of the token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<Constraint>,
    /// When the provider's credential dies, which was lent until `exp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_exp: Option<u64>,
    /// The decision's name in answers and logs.
    pub decision_id: String,
    /// Why, in words, where it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When the token dies, or the loan of a provider's credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<u64>,
    /// What the claim or parameter was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// What the caller was told to do, or which policies came nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The digest of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_token_sha256: Option<String>,
    /// The issuer of the subject token, once verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The token's own name. Of a provider's credential: that of the assertion it was given for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The proxy's listener, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// What was decided.
    pub outcome: Outcome,
    /// The policy that decided: the permit, or what forbids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What that policy says of itself: its `@reason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_reason: Option<String>,
    /// The digest of schema and policies.
    pub policy_version: String,
    /// The provider whose credential the destination takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// By what the provider's own record names the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_reference: Option<String>,
    /// The stable code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the token was made, or the credential had, for an earlier request: the one with the same `jti` and without this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reissued: bool,
    /// The kind of token asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_token_type: Option<String>,
    /// The proxy's route, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The scope asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_asked: Option<String>,
    /// The scope granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_granted: Option<String>,
    /// The trust source that vouches for the subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The workload, by its SPIFFE ID, once verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The digest of the subject token, once there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_token_sha256: Option<String>,
    /// The destination, by its resource URI, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// When it was decided.
    pub time: u64,
    /// The version of this schema.
    pub v: u32,
    /// What the claim or parameter should have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Granted,
    Refused,
}

/// How the caller was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// By its certificate.
    Proxy,
    /// Not at all, but for its token.
    Direct,
}

impl Leaf {
    /// The bytes that are stored.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    /// Reads stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}
