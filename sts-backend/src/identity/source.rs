//! The settings of a trust source: which issuer is believed, for which audience, and where its keys come from.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
};

use http::Uri;
use thiserror::Error;
use token::{jws::Algorithm, spiffe::SpiffeId};

use super::{
    aws_request::AwsRequestSettings,
    inquiry::ServerSettings,
    introspection::IntrospectionSettings,
    jwks::KeySource,
    name,
    preset::{KeyLocation, github::GithubJobs, oidc::OidcClaims},
    shared_audience,
};
use crate::outgoing::{address::uri_problem, authorities::AuthoritiesError};

/// The longest audience, in bytes.
const MAX_AUDIENCE: usize = 1024;

/// One trust source, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSettings {
    /// Its name in configuration, policy (`principal.source`) and records.
    pub name: String,
    /// The one `aud` its tokens must have: reserved for this service.
    pub audience: String,
    /// The proxies that this source vouches to; absent: to every caller. Callers without a certificate are none of them.
    pub actors: Option<BTreeSet<SpiffeId>>,
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
    /// Requests for `GetCallerIdentity` that callers of listed AWS accounts have signed.
    AwsSignedRequest(AwsRequestSettings),
    /// Google ID tokens of service accounts. `projects` limits them; empty: any project.
    Google { projects: Vec<String> },
    /// Entra access tokens of version 1.0.
    EntraV1 { tenant: String },
    /// Entra access tokens of version 2.0.
    EntraV2 { tenant: String },
    /// Projected service-account tokens of one cluster, whose API server may be asked about each of them.
    Kubernetes { issuer: String, cluster: String, token_review: Option<ServerSettings> },
    /// JWTs that Google service accounts sign themselves. `max_life` bounds them, in seconds.
    GoogleServiceAccount { accounts: Vec<String>, max_life: u64 },
    /// Jobs of GitHub Actions.
    Github(GithubJobs),
    /// JWT-SVIDs of one trust domain.
    Spiffe { trust_domain: String },
    /// Any OpenID Connect issuer.
    Oidc { issuer: String, algorithms: Vec<Algorithm>, claims: OidcClaims },
    /// Opaque tokens of a server that can be asked (RFC 7662).
    Introspection(IntrospectionSettings),
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwksSettings {
    /// The key set's address; absent: the preset's, or what the issuer's discovery document names. Service accounts have a
    /// key set each, below it.
    pub uri: Option<Uri>,
    /// A file with the key set, instead of an address.
    pub file: Option<PathBuf>,
    /// The hosts (`HOST` or `HOST:PORT`) that a discovery document may name besides the issuer's own.
    pub hosts: Vec<String>,
    /// The certificate authorities that are believed instead of the system's, as a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether the address may be a loopback, private or link-local one.
    pub allow_private_addresses: bool,
}

/// Why the trust sources cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    #[error("source `{0}` stands twice; give each source a name of its own")]
    RepeatedName(String),
    #[error("source `{0}`: a name has letters, digits, `.`, `-` and `_`")]
    Name(String),
    #[error("source `{name}`: `audience` `{audience}`: {problem}")]
    Audience { name: String, audience: String, problem: String },
    #[error("source `{name}`: {problem}")]
    Preset { name: String, problem: String },
    #[error("source `{name}`: issuer `{issuer}` is not an https URI without query, fragment and user")]
    Issuer { name: String, issuer: String },
    #[error(
        "sources `{name}` and `{other}` have the same issuer `{issuer}` and may serve the same caller: a source is chosen, never \
         tried; give each of them `actors` of its own, or one of the issuers another name (Kubernetes: `--service-account-issuer`)"
    )]
    SameIssuer { name: String, other: String, issuer: String },
    #[error(
        "sources `{name}` and `{other}` introspect and may serve the same caller: an opaque token does not say whose it is, and \
         servers are not asked in turn; give each of them `actors` of its own"
    )]
    TwoServers { name: String, other: String },
    #[error(
        "sources `{name}` and `{other}` both take signed requests to AWS and may serve the same caller: a source is chosen, never \
         tried; give each of them `actors` of its own, or make them one"
    )]
    SameForm { name: String, other: String },
    #[error("sources `{name}` and `{other}` would give workloads the same names, under `{prefix}`")]
    SameNames { name: String, other: String, prefix: String },
    #[error("source `{name}`: `{uri}` {problem}")]
    Address { name: String, uri: String, problem: &'static str },
    #[error("source `{name}`: {problem}")]
    Authorities { name: String, problem: AuthoritiesError },
}

impl SourceSettings {
    /// Whether this source vouches to `actor`; `None` is a caller without a certificate.
    pub(super) fn serves(&self, actor: Option<&SpiffeId>) -> bool {
        self.actors.as_ref().is_none_or(|actors| actor.is_some_and(|actor| actors.contains(actor)))
    }

    /// Whether some caller could be served by both.
    fn serves_with(&self, other: &Self) -> bool {
        match (&self.actors, &other.actors) {
            (Some(ours), Some(theirs)) => !ours.is_disjoint(theirs),
            _ => true,
        }
    }

    /// What is wrong with these settings, looked at alone.
    fn check(&self) -> Result<(), SourceError> {
        let name = || self.name.clone();
        if !name::is_plain(&self.name) || matches!(self.name.as_str(), "." | "..") {
            return Err(SourceError::Name(name()));
        }
        if let Some(problem) = audience_problem(&self.audience) {
            return Err(SourceError::Audience { name: name(), audience: self.audience.clone(), problem });
        }
        let unfit = |problem: String| SourceError::Preset { name: name(), problem };
        self.preset.check().map_err(unfit)?;
        key_problem(&self.preset, &self.jwks).map_or(Ok(()), |problem| Err(unfit(problem.to_owned())))?;
        if let Preset::AwsOutbound { issuer, .. }
        | Preset::Kubernetes { issuer, .. }
        | Preset::Oidc { issuer, .. }
        | Preset::Introspection(IntrospectionSettings { issuer, .. }) = &self.preset
            && !is_issuer(issuer)
        {
            return Err(SourceError::Issuer { name: name(), issuer: issuer.clone() });
        }
        if let Some((uri, allow_private_addresses)) = self.preset.asked_at()
            && let Some(problem) = uri_problem(uri, allow_private_addresses)
        {
            return Err(SourceError::Address { name: name(), uri: uri.to_string(), problem });
        }
        Ok(())
    }

    /// Where the keys come from, by these settings: for each key set, the issuers whose tokens it judges.
    pub(super) fn key_sources(&self) -> Result<Vec<(Vec<String>, KeySource)>, SourceError> {
        let address_error = |uri: String, problem| SourceError::Address { name: self.name.clone(), uri, problem };
        let sources = self
            .preset
            .key_sources(&self.jwks)
            .map_err(|_| address_error(self.preset.issuers().concat(), "is no URI"))?;
        for (_, source) in &sources {
            let reached = match &source.location {
                KeyLocation::File(_) => continue,
                KeyLocation::Set(uri) => uri.clone(),
                KeyLocation::Discovery(issuer) => {
                    issuer.parse().map_err(|_| address_error(issuer.clone(), "is no URI"))?
                }
            };
            if let Some(problem) = uri_problem(&reached, self.jwks.allow_private_addresses) {
                return Err(address_error(reached.to_string(), problem));
            }
        }
        Ok(sources)
    }
}

/// What is wrong with the settings of all sources, each alone and together. Reads no file and fetches nothing.
pub fn check_all(all: &[SourceSettings]) -> Result<(), SourceError> {
    for source in all {
        source.check()?;
        source.key_sources()?;
    }
    check_together(all)
}

/// What is wrong between the sources: names, issuers and derived names must be one source's alone.
fn check_together(all: &[SourceSettings]) -> Result<(), SourceError> {
    let mut names = HashMap::new();
    let mut prefixes: HashMap<String, Vec<&SourceSettings>> = HashMap::new();
    let mut issuers: HashMap<String, Vec<&SourceSettings>> = HashMap::new();
    let mut servers = Vec::new();
    let mut requests = Vec::new();
    for source in all {
        let name = || source.name.clone();
        let serves = |other: &SourceSettings| other.serves_with(source);
        if names.insert(&source.name, ()).is_some() {
            return Err(SourceError::RepeatedName(name()));
        }
        if matches!(source.preset, Preset::AwsSignedRequest(_))
            && let Some(other) = join(&mut requests, source, serves)
        {
            return Err(SourceError::SameForm { name: name(), other });
        }
        for issuer in source.preset.issuers() {
            if let Some(other) = join(issuers.entry(issuer.clone()).or_default(), source, serves) {
                return Err(SourceError::SameIssuer { name: name(), other, issuer });
            }
        }
        if matches!(source.preset, Preset::Introspection(_))
            && let Some(other) = join(&mut servers, source, serves)
        {
            return Err(SourceError::TwoServers { name: name(), other });
        }
        for prefix in source.preset.name_prefixes(&source.name) {
            let clashes = |other: &SourceSettings| !other.preset.shares_names_with(&source.preset);
            if let Some(other) = join(prefixes.entry(prefix.clone()).or_default(), source, clashes) {
                return Err(SourceError::SameNames { name: name(), other, prefix });
            }
        }
    }
    Ok(())
}

/// The name of the one of `others` that `clashes`. Where none does, `source` joins them.
fn join<'a>(
    others: &mut Vec<&'a SourceSettings>,
    source: &'a SourceSettings,
    clashes: impl Fn(&SourceSettings) -> bool,
) -> Option<String> {
    let other = others.iter().find(|other| clashes(other)).map(|other| other.name.clone());
    if other.is_none() {
        others.push(source);
    }
    other
}

/// What is wrong between a preset and where its keys are to come from.
fn key_problem(preset: &Preset, jwks: &JwksSettings) -> Option<&'static str> {
    let JwksSettings { uri, file, hosts, .. } = jwks;
    match preset {
        _ if uri.is_some() && file.is_some() => Some("`jwks` has both `uri` and `file`; keys come from one place"),
        _ if !hosts.is_empty() && (uri.is_some() || file.is_some()) => {
            Some("`jwks.hosts` counts for what a discovery document names, and none is read here; leave it out")
        }
        Preset::Spiffe { .. } if uri.is_none() && file.is_none() => {
            Some("name the trust domain's bundle, by `jwks.uri` or `jwks.file`: nothing says by itself where it is")
        }
        Preset::GoogleServiceAccount { accounts, .. } if file.is_some() && accounts.len() > 1 => {
            Some("`jwks.file` would let each account sign for the others; give each a source of its own")
        }
        _ => None,
    }
}

fn audience_problem(audience: &str) -> Option<String> {
    if audience.is_empty() {
        return Some("it is empty; name an audience that is reserved for this service".to_owned());
    }
    if audience.len() > MAX_AUDIENCE || audience.chars().any(char::is_control) {
        return Some("it is too long or holds control characters".to_owned());
    }
    let other = shared_audience::user_of(audience)?;
    Some(format!("{other} accepts it too, so a token sent here could be used there; reserve one for this service"))
}

fn is_issuer(issuer: &str) -> bool {
    let Ok(uri) = issuer.parse::<Uri>() else { return false };
    uri_problem(&uri, true).is_none() && !issuer.contains(['?', '#'])
}

#[cfg(test)]
mod tests;
