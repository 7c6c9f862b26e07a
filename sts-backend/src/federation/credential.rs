//! What a provider gave.

use token::{aws_keys::AwsKeys, secret::Secret};

/// A credential of a provider. It opens what the order said, until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub kind: CredentialKind,
    /// When it ends, in seconds since the epoch.
    pub expires_at: u64,
    /// Its own name: `jti` of the assertion that it was given for, or a new one where it was made here, by a key that had been
    /// given before.
    pub jti: String,
    /// By what the provider's own record names it, where it is no secret: AWS's access key id, a correlation id.
    pub provider_reference: Option<String>,
}

/// The kinds of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An access token to be sent with this scheme, `Bearer` as a rule (RFC 6749, section 7.1).
    Token { token: Secret, token_type: String },
    /// The query of a shared access signature, without `?`: `sv=...&sig=...`.
    AzureSas(Secret),
    /// Keys to sign requests with.
    AwsKeys(AwsKeys),
}
