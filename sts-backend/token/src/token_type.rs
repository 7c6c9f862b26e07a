//! Token type identifiers of RFC 8693, section 3.

use std::fmt;

/// The grant type of a token exchange (RFC 8693, section 2.1).
pub const GRANT_TYPE_TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The token types this project reads or issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenType {
    /// An OAuth access token, opaque or JWT.
    AccessToken,
    /// An OpenID Connect ID token.
    IdToken,
    /// A JWT whose meaning the two sides have agreed on.
    Jwt,
    /// The certificate that a client has shown to the proxy that asks, which vouches for that. Of our own making, and spoken
    /// between our filter and our STS alone.
    PeerCertificate,
    /// A request to AWS's `GetCallerIdentity` that the workload has signed and somebody else is to send. Read, never issued.
    Aws4Request,
    /// Short-lived keys to sign requests to AWS with ([`crate::aws_keys`]). Of our own making: issued, never read.
    AwsKeys,
    /// The query of a shared access signature of Azure Storage. Of our own making: issued, never read.
    AzureSas,
}

impl TokenType {
    /// Every type, for messages that list what was expected.
    pub const ALL: [Self; 7] = [
        Self::AccessToken,
        Self::IdToken,
        Self::Jwt,
        Self::PeerCertificate,
        Self::Aws4Request,
        Self::AwsKeys,
        Self::AzureSas,
    ];

    /// The types by which a workload can be told.
    pub const READ: [Self; 5] = [Self::AccessToken, Self::IdToken, Self::Jwt, Self::PeerCertificate, Self::Aws4Request];

    /// The types of which a workload may hold a token.
    pub const TOKENS: [Self; 4] = [Self::AccessToken, Self::IdToken, Self::Jwt, Self::Aws4Request];

    /// The types that can be asked for. An AWS request is its signer's alone: nobody can issue one.
    pub const ISSUED: [Self; 5] = [Self::AccessToken, Self::IdToken, Self::Jwt, Self::AwsKeys, Self::AzureSas];

    /// Those of them that stand in a header as they are.
    pub const HEADER_TOKENS: [Self; 3] = [Self::AccessToken, Self::IdToken, Self::Jwt];

    /// The URN.
    pub const fn urn(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::PeerCertificate => "urn:cloakroom:params:oauth:token-type:peer-certificate",
            Self::Aws4Request => "urn:ietf:params:aws:token-type:aws4_request",
            Self::AwsKeys => "urn:cloakroom:params:oauth:token-type:aws-keys",
            Self::AzureSas => "urn:cloakroom:params:oauth:token-type:azure-sas",
        }
    }

    /// The type that `urn` names, exactly.
    pub fn from_urn(urn: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.urn() == urn)
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.urn())
    }
}
