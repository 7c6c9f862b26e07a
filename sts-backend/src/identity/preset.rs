//! What each platform's tokens say of a workload, and what they must say to be believed.

use std::path::PathBuf;

use http::Uri;
use token::jws::Algorithm;

use super::{
    claims::Claims,
    jwks::{KeyForm, KeySource},
    name,
    source::{JwksSettings, Preset},
    validity,
};
use crate::refusal::Refusal;

pub(super) mod aws;
pub mod entra;
pub mod github;
mod google;
pub mod google_service_account;
mod kubernetes;
pub mod managed;
pub mod oidc;
mod spiffe;

/// `typ` values a platform's token may have (RFC 7519 section 5.1, RFC 9068 section 2.1), compared without case. Others are
/// JWTs for another purpose (RFC 8725, section 3.11).
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// The same of a JWT-SVID (JWT-SVID, section 2.3).
const SVID_TYPES: [&str; 2] = ["JWT", "JOSE"];

/// Where a workload runs. `principal.platform` in policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    Aws,
    Azure,
    Gcp,
    Github,
    Kubernetes,
    Oidc,
    Spiffe,
}

impl Platform {
    /// Its name in policy and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Github => "github",
            Self::Kubernetes => "kubernetes",
            Self::Oidc => "oidc",
            Self::Spiffe => "spiffe",
        }
    }
}

/// Who the claims of one token speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// The path segments of the workload's name; none where the workload comes with a SPIFFE ID, which is then `subject`.
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
    /// A file of ours.
    File(PathBuf),
}

impl Preset {
    /// The platform.
    pub fn platform(&self) -> Platform {
        match self {
            Self::AwsOutbound { .. } | Self::AwsSignedRequest(_) => Platform::Aws,
            Self::EntraV1 { .. } | Self::EntraV2 { .. } => Platform::Azure,
            Self::Google { .. } | Self::GoogleServiceAccount { .. } => Platform::Gcp,
            Self::Github(_) => Platform::Github,
            Self::Kubernetes { .. } => Platform::Kubernetes,
            Self::Oidc { .. } | Self::Introspection(_) => Platform::Oidc,
            Self::Spiffe { .. } => Platform::Spiffe,
        }
    }

    /// The issuer's name.
    pub fn issuer(&self) -> String {
        match self {
            Self::Introspection(settings) => settings.issuer.clone(),
            _ => self.issuers().into_iter().next().unwrap_or_default(),
        }
    }

    /// The configured address of the server that is asked about each token, where there is one, and whether it may be a
    /// loopback, private or link-local one.
    pub fn asked_at(&self) -> Option<(&Uri, bool)> {
        let server = match self {
            Self::AwsSignedRequest(settings) => {
                return settings.endpoint.as_ref().map(|endpoint| (&endpoint.uri, endpoint.allow_private_addresses));
            }
            Self::Kubernetes { token_review, .. } => token_review.as_ref()?,
            Self::Introspection(settings) => &settings.server,
            _ => return None,
        };
        Some((&server.address, server.allow_private_addresses))
    }

    /// The exact `iss` values by which a JWT is one of this issuer; the first is the one in its discovery document. None
    /// where what proves an identity has no `iss`.
    pub fn issuers(&self) -> Vec<String> {
        match self {
            Self::AwsOutbound { issuer, .. } | Self::Kubernetes { issuer, .. } | Self::Oidc { issuer, .. } => {
                vec![issuer.clone()]
            }
            Self::EntraV1 { tenant } => vec![entra::issuer_v1(tenant)],
            Self::EntraV2 { tenant } => vec![entra::issuer_v2(tenant)],
            Self::Google { .. } => google::ISSUERS.map(str::to_owned).to_vec(),
            Self::Introspection(_) | Self::AwsSignedRequest(_) => Vec::new(),
            Self::GoogleServiceAccount { accounts, .. } => accounts.clone(),
            Self::Github(jobs) => vec![jobs.issuer.clone()],
            Self::Spiffe { trust_domain } => vec![spiffe::issuer(trust_domain)],
        }
    }

    /// The algorithms its keys may have. The token's header only chooses among them.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::AwsOutbound { .. } => vec![Algorithm::Rs256, Algorithm::Es384],
            Self::EntraV1 { .. }
            | Self::EntraV2 { .. }
            | Self::Google { .. }
            | Self::GoogleServiceAccount { .. }
            | Self::Github(_) => vec![Algorithm::Rs256],
            Self::Spiffe { .. } => spiffe::ALGORITHMS.to_vec(),
            Self::Kubernetes { .. } => vec![Algorithm::Rs256, Algorithm::Es256],
            Self::Oidc { algorithms, .. } => algorithms.clone(),
            Self::Introspection(_) | Self::AwsSignedRequest(_) => Vec::new(),
        }
    }

    /// The `typ` values its tokens may have, where they have one.
    pub fn types(&self) -> &'static [&'static str] {
        if matches!(self, Self::Spiffe { .. }) { &SVID_TYPES } else { &TYPES }
    }

    /// The longest life its tokens may have been given, in seconds.
    pub fn max_life(&self) -> u64 {
        match self {
            Self::GoogleServiceAccount { max_life, .. } => *max_life,
            _ => validity::MAX_LIFE,
        }
    }

    /// Where the keys are published, unless `settings` say otherwise: for each key set, the issuers whose tokens it judges.
    /// Fails where an address is no URI.
    pub fn key_sources(&self, settings: &JwksSettings) -> Result<Vec<(Vec<String>, KeySource)>, http::uri::InvalidUri> {
        let form = if matches!(self, Self::Spiffe { .. }) { KeyForm::SpiffeBundle } else { KeyForm::KeySet };
        let source = |location| KeySource { location, form, hosts: settings.hosts.clone() };
        // Each account judges its own tokens alone: one that can sign for another would be that other.
        if let Self::GoogleServiceAccount { accounts, .. } = self
            && settings.file.is_none()
        {
            let base = settings.uri.as_ref().map(Uri::to_string);
            let base = base.as_deref().unwrap_or(google_service_account::KEY_SETS);
            let set = |account: &String| google_service_account::key_set(base, account).parse();
            let each = |account: &String| Ok((vec![account.clone()], source(KeyLocation::Set(set(account)?))));
            return accounts.iter().map(each).collect();
        }
        let location = match (&settings.file, &settings.uri) {
            (Some(file), _) => Some(KeyLocation::File(file.clone())),
            (None, Some(uri)) => Some(KeyLocation::Set(uri.clone())),
            (None, None) => self.key_location()?,
        };
        Ok(location.map(|location| (self.issuers(), source(location))).into_iter().collect())
    }

    /// Where the platform itself publishes the keys, if it does.
    fn key_location(&self) -> Result<Option<KeyLocation>, http::uri::InvalidUri> {
        Ok(Some(match self {
            Self::AwsOutbound { issuer, .. } => KeyLocation::Set(aws::key_set(issuer).parse()?),
            Self::EntraV1 { tenant } => KeyLocation::Set(entra::key_set_v1(tenant).parse()?),
            Self::EntraV2 { tenant } => KeyLocation::Set(entra::key_set_v2(tenant).parse()?),
            Self::Google { .. } => KeyLocation::Set(Uri::from_static(google::KEY_SET)),
            Self::GoogleServiceAccount { .. } => KeyLocation::Set(google_service_account::KEY_SETS.parse()?),
            Self::Github(jobs) => KeyLocation::Set(github::key_set(&jobs.issuer).parse()?),
            Self::Kubernetes { issuer, .. } | Self::Oidc { issuer, .. } => KeyLocation::Discovery(issuer.clone()),
            Self::Spiffe { trust_domain } => KeyLocation::Discovery(spiffe::issuer(trust_domain)),
            Self::Introspection(_) | Self::AwsSignedRequest(_) => return Ok(None),
        }))
    }

    /// The path prefixes under which this source of the given name makes names. Two sources that share one could pass each
    /// other's workloads off as their own, unless they [speak of the same](Self::shares_names_with).
    pub fn name_prefixes(&self, source: &str) -> Vec<String> {
        match self {
            Self::AwsOutbound { account, .. } => vec![format!("aws/{account}")],
            Self::AwsSignedRequest(settings) => {
                settings.accounts.iter().map(|account| format!("aws/{account}")).collect()
            }
            Self::EntraV1 { tenant } | Self::EntraV2 { tenant } => vec![format!("azure/{tenant}")],
            Self::Google { .. } | Self::GoogleServiceAccount { .. } => vec!["gcp".to_owned()],
            Self::Github(jobs) => vec![github::name_prefix(&jobs.issuer)],
            Self::Spiffe { trust_domain } => vec![spiffe::issuer(trust_domain)],
            Self::Kubernetes { cluster, .. } => vec![format!("k8s/{cluster}")],
            Self::Oidc { .. } | Self::Introspection(_) => vec![format!("oidc/{source}")],
        }
    }

    /// Whether a name that both give is the same workload's, because the platform itself gives out what names are made of: one
    /// tenant's objects in tokens of both versions, service accounts, repositories.
    pub fn shares_names_with(&self, other: &Self) -> bool {
        let entra = |preset: &Self| matches!(preset, Self::EntraV1 { .. } | Self::EntraV2 { .. });
        let accounts = |preset: &Self| matches!(preset, Self::GoogleServiceAccount { .. });
        let google = |preset: &Self| matches!(preset, Self::Google { .. } | Self::GoogleServiceAccount { .. });
        let github = |preset: &Self| matches!(preset, Self::Github(_));
        let both = |kind: fn(&Self) -> bool| kind(self) && kind(other);
        let aws = match (self, other) {
            (Self::AwsOutbound { .. }, Self::AwsSignedRequest(_))
            | (Self::AwsSignedRequest(_), Self::AwsOutbound { .. }) => true,
            // An account's number is its own in its partition only.
            (Self::AwsSignedRequest(one), Self::AwsSignedRequest(other)) => one.partition() == other.partition(),
            _ => false,
        };
        both(entra) || both(google) && (accounts(self) || accounts(other)) || both(github) || aws
    }

    /// What is wrong with the settings, if anything.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::AwsOutbound { account, .. } => aws::check_account(account),
            Self::AwsSignedRequest(settings) => settings.check(),
            Self::EntraV1 { tenant } | Self::EntraV2 { tenant } => entra::check_tenant(tenant),
            Self::Google { projects } => google::check_projects(projects),
            Self::Kubernetes { issuer, cluster, .. } => kubernetes::check(issuer, cluster),
            Self::Oidc { algorithms, .. } if algorithms.is_empty() => {
                Err("`algorithms` is empty; name those the issuer signs with, for example `[RS256]`".to_owned())
            }
            Self::Introspection(_) => Ok(()),
            Self::Oidc { claims, .. } => claims.check(),
            Self::GoogleServiceAccount { accounts, max_life } => google_service_account::check(accounts, *max_life),
            Self::Github(jobs) => github::check(jobs),
            Self::Spiffe { trust_domain } => spiffe::check(trust_domain),
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
            Self::Introspection(_) => oidc::identify(source, &oidc::OidcClaims::default(), claims),
            Self::Oidc { claims: rules, .. } => oidc::identify(source, rules, claims),
            Self::GoogleServiceAccount { accounts, .. } => google_service_account::identify(accounts, claims),
            Self::Github(jobs) => github::identify(jobs, claims),
            Self::Spiffe { trust_domain } => spiffe::identify(trust_domain, claims),
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
