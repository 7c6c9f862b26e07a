//! What each platform's tokens say of a workload, and what they must say to be believed.

use http::Uri;
use token::jws::Algorithm;

use super::{claims::Claims, name, source::Preset};
use crate::refusal::Refusal;

pub(super) mod aws;
mod entra;
mod google;
mod kubernetes;
mod oidc;

/// Where a workload runs. `principal.platform` in policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Aws,
    Azure,
    Gcp,
    Kubernetes,
    Oidc,
}

impl Platform {
    /// Its name in policy and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Kubernetes => "kubernetes",
            Self::Oidc => "oidc",
        }
    }
}

/// Who the claims of one token speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The path segments of the workload's name.
    pub segments: Vec<String>,
    /// The platform's own, stable name for it.
    pub subject: String,
    /// What policy may read besides.
    pub attributes: Vec<(&'static str, String)>,
}

/// Where a platform publishes its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyLocation {
    /// A key set.
    Set(Uri),
    /// The issuer's discovery document names it.
    Discovery(String),
}

impl Preset {
    /// The platform.
    pub fn platform(&self) -> Platform {
        match self {
            Self::AwsOutbound { .. } | Self::AwsSignedRequest(_) => Platform::Aws,
            Self::EntraV1 { .. } | Self::EntraV2 { .. } => Platform::Azure,
            Self::Google { .. } => Platform::Gcp,
            Self::Kubernetes { .. } => Platform::Kubernetes,
            Self::Oidc { .. } => Platform::Oidc,
        }
    }

    /// The exact `iss` values that mean this issuer; the first is the one in its discovery document. None where what proves
    /// an identity has no `iss`.
    pub fn issuers(&self) -> Vec<String> {
        match self {
            Self::AwsOutbound { issuer, .. } | Self::Kubernetes { issuer, .. } | Self::Oidc { issuer, .. } => {
                vec![issuer.clone()]
            }
            Self::EntraV1 { tenant } => vec![entra::issuer_v1(tenant)],
            Self::EntraV2 { tenant } => vec![entra::issuer_v2(tenant)],
            Self::Google { .. } => google::ISSUERS.map(str::to_owned).to_vec(),
            Self::AwsSignedRequest(_) => Vec::new(),
        }
    }

    /// The algorithms its keys may have. The token's header only chooses among them.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::AwsOutbound { .. } => vec![Algorithm::Rs256, Algorithm::Es384],
            Self::EntraV1 { .. } | Self::EntraV2 { .. } | Self::Google { .. } => vec![Algorithm::Rs256],
            Self::Kubernetes { .. } => vec![Algorithm::Rs256, Algorithm::Es256],
            Self::Oidc { algorithms, .. } => algorithms.clone(),
            Self::AwsSignedRequest(_) => Vec::new(),
        }
    }

    /// Where the keys are published; nothing where there are none. Fails where the issuer is no URI.
    pub fn key_location(&self) -> Result<Option<KeyLocation>, http::uri::InvalidUri> {
        Ok(Some(match self {
            Self::AwsSignedRequest(_) => return Ok(None),
            Self::AwsOutbound { issuer, .. } => KeyLocation::Set(aws::key_set(issuer).parse()?),
            Self::EntraV1 { tenant } => KeyLocation::Set(entra::key_set_v1(tenant).parse()?),
            Self::EntraV2 { tenant } => KeyLocation::Set(entra::key_set_v2(tenant).parse()?),
            Self::Google { .. } => KeyLocation::Set(Uri::from_static(google::KEY_SET)),
            Self::Kubernetes { issuer, .. } | Self::Oidc { issuer, .. } => KeyLocation::Discovery(issuer.clone()),
        }))
    }

    /// The path prefixes under which this source of the given name makes names. Two sources that share one could pass each
    /// other's workloads off as their own, unless they [speak of the same](Self::names_the_same_as).
    pub fn name_prefixes(&self, source: &str) -> Vec<String> {
        match self {
            Self::AwsOutbound { account, .. } => vec![format!("aws/{account}")],
            Self::AwsSignedRequest(settings) => {
                settings.accounts.iter().map(|account| format!("aws/{account}")).collect()
            }
            Self::EntraV1 { tenant } | Self::EntraV2 { tenant } => vec![format!("azure/{tenant}")],
            Self::Google { .. } => vec!["gcp".to_owned()],
            Self::Kubernetes { cluster, .. } => vec![format!("k8s/{cluster}")],
            Self::Oidc { .. } => vec![format!("oidc/{source}")],
        }
    }

    /// Whether the same name under a shared prefix is the same workload, whichever of the two says it: one tenant's tokens of
    /// both versions speak of the same objects, and so do the two proofs of one AWS account's roles.
    pub fn names_the_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::EntraV1 { .. } | Self::EntraV2 { .. }, Self::EntraV1 { .. } | Self::EntraV2 { .. })
            | (Self::AwsOutbound { .. }, Self::AwsSignedRequest(_))
            | (Self::AwsSignedRequest(_), Self::AwsOutbound { .. }) => true,
            // An account's number is its own in its partition only.
            (Self::AwsSignedRequest(one), Self::AwsSignedRequest(other)) => one.partition() == other.partition(),
            _ => false,
        }
    }

    /// What is wrong with the settings, if anything.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::AwsOutbound { account, .. } => aws::check_account(account),
            Self::AwsSignedRequest(settings) => settings.check(),
            Self::EntraV1 { tenant } | Self::EntraV2 { tenant } => entra::check_tenant(tenant),
            Self::Google { projects } => google::check_projects(projects),
            Self::Kubernetes { issuer, cluster } => kubernetes::check(issuer, cluster),
            Self::Oidc { algorithms, .. } if algorithms.is_empty() => {
                Err("`algorithms` is empty; name those the issuer signs with, for example `[RS256]`".to_owned())
            }
            Self::Oidc { .. } => Ok(()),
        }
    }

    /// Who `claims` speak of, once everything the platform promises of such a token holds.
    pub fn identify(&self, source: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
        match self {
            Self::AwsOutbound { account, .. } => aws::identify(account, claims),
            // No `iss` leads here.
            Self::AwsSignedRequest(_) => Err(claims.mismatch("iss", claims.value("iss"), "a source that takes JWTs")),
            Self::EntraV1 { tenant } => entra::identify(tenant, "1.0", claims),
            Self::EntraV2 { tenant } => entra::identify(tenant, "2.0", claims),
            Self::Google { projects } => google::identify(projects, claims),
            Self::Kubernetes { cluster, .. } => kubernetes::identify(cluster, claims),
            Self::Oidc { .. } => oidc::identify(source, claims),
        }
    }
}

fn plain_segment(claims: Claims<'_>, claim: &str, text: &str) -> Result<String, Refusal> {
    if name::is_plain(text) {
        return Ok(text.to_owned());
    }
    Err(claims.mismatch(claim, Some(&text.into()), "letters, digits, `.`, `-` and `_`"))
}

#[cfg(test)]
mod tests;
