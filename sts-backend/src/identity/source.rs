//! The settings of a trust source: which issuer is believed, for which audience, and where its keys come from.

use std::path::PathBuf;

use thiserror::Error;
use token::jws::Algorithm;

/// One trust source, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// Its name in configuration, policy (`principal.source`) and records.
    pub name: String,
    /// The one `aud` its tokens must have: reserved for this service.
    pub audience: String,
    /// Which platform the tokens come from.
    pub preset: Preset,
    /// Where the issuer's keys come from.
    pub jwks: JwksSettings,
}

/// The platforms that are understood, each with what its tokens say of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preset {
    /// AWS IAM outbound identity federation: one issuer for each account.
    AwsOutbound { issuer: String, account: String },
    /// Google ID tokens of service accounts. `projects` limits them; empty: any project.
    Google { projects: Vec<String> },
    /// Entra access tokens of version 1.0.
    EntraV1 { tenant: String },
    /// Entra access tokens of version 2.0.
    EntraV2 { tenant: String },
    /// Projected service-account tokens of one cluster.
    Kubernetes { issuer: String, cluster: String },
    /// Any OpenID Connect issuer.
    Oidc { issuer: String, algorithms: Vec<Algorithm> },
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwksSettings {
    /// The key set's address; absent: the preset's, or what the issuer's discovery document names on the same host.
    pub uri: Option<http::Uri>,
    /// The certificate authorities that are believed instead of the system's, as a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether the address may be a loopback, private or link-local one.
    pub allow_private_addresses: bool,
}

/// Why the trust sources cannot be used. The first field names the source.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    #[error("source `{0}` stands twice")]
    RepeatedName(String),
}
