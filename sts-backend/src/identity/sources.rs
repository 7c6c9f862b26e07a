//! The trust sources of one configuration.

use std::{collections::HashMap, path::Path, sync::Arc};

use rustls::RootCertStore;
use token::{digest, jws::Algorithm, reason::Reason};

use super::{
    IssuerReadiness,
    fetch::{self, Fetcher},
    introspection::Introspection,
    jwks::IssuerKeys,
    preset::KeyLocation,
    source::{self, Preset, SourceError, SourceSettings},
    token_review::TokenReview,
};
use crate::{actor::VerifiedActor, refusal::Refusal};

/// The trust sources of one configuration, with their key caches.
pub struct Sources {
    trust_domain: String,
    all: Vec<Arc<Source>>,
    by_issuer: HashMap<String, Vec<Arc<Source>>>,
}

/// One trust source.
pub(super) struct Source {
    pub(super) settings: SourceSettings,
    pub(super) algorithms: Vec<Algorithm>,
    /// The issuer's keys, where it signs.
    pub(super) keys: Option<Arc<IssuerKeys>>,
    /// The cluster that must vouch for each token besides, where one is configured.
    pub(super) review: Option<TokenReview>,
    introspection: Option<Introspection>,
    origin: Option<Origin>,
}

/// Everything that decides which keys a fetch gives. The same origin may share a cache.
#[derive(PartialEq, Eq)]
struct Origin {
    name: String,
    issuers: Vec<String>,
    location: KeyLocation,
    authorities: Option<[u8; 32]>,
    allow_private_addresses: bool,
}

impl Sources {
    /// Checks the settings and makes the caches, taking over from `previous` those whose settings are the same. Fetches
    /// nothing: see [`Sources::keep_fresh`].
    pub fn new(
        settings: Vec<SourceSettings>,
        trust_domain: &str,
        previous: Option<&Self>,
    ) -> Result<Self, SourceError> {
        source::check_all(&settings)?;
        let mut sources = Self { trust_domain: trust_domain.to_owned(), all: Vec::new(), by_issuer: HashMap::new() };
        for one in settings {
            let source = Arc::new(Source::new(one, previous)?);
            for issuer in source.settings.preset.issuers() {
                sources.by_issuer.entry(issuer).or_default().push(Arc::clone(&source));
            }
            sources.all.push(source);
        }
        Ok(sources)
    }

    /// Starts a task for each issuer that keeps its keys fresh; the tasks end when the caches are dropped. Needs a
    /// running Tokio runtime. A second call starts nothing twice.
    pub fn keep_fresh(&self) {
        self.all.iter().filter_map(|source| source.keys.as_ref()).for_each(IssuerKeys::keep_fresh);
    }

    /// How each issuer stands at `now`, in seconds since the epoch.
    pub fn readiness(&self, now: u64) -> Vec<IssuerReadiness> {
        self.all.iter().filter_map(|source| source.keys.as_ref()).map(|keys| keys.readiness(now)).collect()
    }

    /// The trust domain in which workloads are named.
    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The source that has exactly this issuer and serves `asker`: one at most, by the checks of the settings.
    pub(super) fn of_issuer(&self, issuer: Option<&str>, asker: &VerifiedActor) -> Result<&Source, Refusal> {
        let serves = |source: &&Arc<Source>| source.settings.serves(asker.proxy());
        let known = issuer.and_then(|issuer| self.by_issuer.get(issuer)).into_iter().flatten();
        if let Some(source) = known.into_iter().find(serves) {
            return Ok(source);
        }
        let served = self.all.iter().filter(serves);
        let issuers: Vec<_> = served.flat_map(|source| source.settings.preset.issuers()).take(8).collect();
        let wanted = match issuers.as_slice() {
            [] => "no JWT: no source with keys serves this caller".to_owned(),
            issuers => format!("exactly one of {}", issuers.join(", ")),
        };
        Err(Refusal::new(
            Reason::SubjectIssuerUnknown,
            "no trust source is configured for the token's issuer and this caller",
        )
        .claim("iss")
        .got(issuer.unwrap_or("nothing"))
        .wanted(wanted)
        .help("add the issuer under `sources`, or send a token of a configured one"))
    }

    /// The source that serves `asker` and asks a server about opaque tokens: one at most, by the checks of the settings.
    pub(super) fn introspecting(&self, asker: &VerifiedActor) -> Option<(&Source, &Introspection)> {
        let serves = |source: &&Arc<Source>| source.settings.serves(asker.proxy());
        self.all.iter().filter(serves).find_map(|source| Some((&**source, source.introspection.as_ref()?)))
    }

    /// Every algorithm that some source allows.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let allowed = |algorithm: &Algorithm| self.all.iter().any(|source| source.algorithms.contains(algorithm));
        Algorithm::ALL.into_iter().filter(allowed).collect()
    }
}

impl Source {
    fn new(settings: SourceSettings, previous: Option<&Sources>) -> Result<Self, SourceError> {
        let (keys, origin) = match settings.key_location()? {
            Some(location) => {
                let (keys, origin) = published(&settings, location, previous)?;
                (Some(keys), Some(origin))
            }
            None => (None, None),
        };
        let (name, audience) = (&settings.name, &settings.audience);
        let unusable = |error: rustls::Error| SourceError::Preset { name: name.clone(), problem: error.to_string() };
        let review = match &settings.preset {
            Preset::Kubernetes { token_review: Some(server), .. } => {
                let (authorities, _) = authorities(name, server.ca.as_deref())?;
                Some(TokenReview::new(name, audience, server.clone(), authorities).map_err(unusable)?)
            }
            _ => None,
        };
        let introspection = match &settings.preset {
            Preset::Introspection(introspection) => {
                let (authorities, _) = authorities(name, introspection.server.ca.as_deref())?;
                Some(Introspection::new(name, audience, introspection.clone(), authorities).map_err(unusable)?)
            }
            _ => None,
        };
        Ok(Self { algorithms: settings.preset.algorithms(), settings, keys, review, introspection, origin })
    }
}

/// The cache of an issuer's keys, and what decides which keys it gives.
fn published(
    settings: &SourceSettings,
    location: KeyLocation,
    previous: Option<&Sources>,
) -> Result<(Arc<IssuerKeys>, Origin), SourceError> {
    let (authorities, digest) = authorities(&settings.name, settings.jwks.ca.as_deref())?;
    let origin = Origin {
        name: settings.name.clone(),
        issuers: settings.preset.issuers(),
        location: location.clone(),
        authorities: digest,
        allow_private_addresses: settings.jwks.allow_private_addresses,
    };
    let same = |other: &&Arc<Source>| other.origin.as_ref() == Some(&origin);
    let kept = previous.and_then(|previous| previous.all.iter().find(same)?.keys.clone());
    let keys = match kept {
        Some(keys) => keys,
        None => {
            let fetcher = Fetcher::new(authorities, settings.jwks.allow_private_addresses)
                .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
            IssuerKeys::new(&settings.name, &settings.preset.issuer(), location, fetcher)
        }
    };
    Ok((keys, origin))
}

/// The authorities to believe, and the digest of their file where there is one.
fn authorities(source: &str, file: Option<&Path>) -> Result<(RootCertStore, Option<[u8; 32]>), SourceError> {
    let Some(file) = file else {
        let authorities = fetch::system_authorities();
        let none = authorities.is_empty();
        return if none { Err(SourceError::NoAuthorities(source.to_owned())) } else { Ok((authorities, None)) };
    };
    let unusable =
        |problem| SourceError::Authorities { name: source.to_owned(), file: file.display().to_string(), problem };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let authorities = fetch::read_authorities(&pem).map_err(unusable)?;
    Ok((authorities, Some(digest::sha256(&pem))))
}
