//! The trust sources of one configuration.

use std::{collections::HashMap, sync::Arc};

use rustls::RootCertStore;
use token::{digest, jws::Algorithm, reason::Reason, spiffe::SpiffeId};

use super::{
    IssuerReadiness,
    fetch::{self, Fetcher},
    jwks::{IssuerKeys, KeySource},
    preset::KeyLocation,
    source::{self, SourceError, SourceSettings},
};
use crate::{actor::VerifiedActor, refusal::Refusal};

/// The trust sources of one configuration, with their key caches.
pub struct Sources {
    trust_domain: String,
    all: Vec<Arc<Source>>,
    by_issuer: HashMap<String, Vec<Arc<Source>>>,
}

/// One trust source; where its issuers have keys of their own, one for each of them.
pub(super) struct Source {
    pub(super) settings: SourceSettings,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) keys: Arc<IssuerKeys>,
    origin: Origin,
}

/// Everything that decides which keys a fetch gives. The same origin may share a cache.
#[derive(PartialEq, Eq)]
struct Origin {
    name: String,
    issuers: Vec<String>,
    keys: KeySource,
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
            for (issuers, keys) in one.key_sources()? {
                let source = Arc::new(Source::new(one.clone(), issuers, keys, previous)?);
                for issuer in &source.origin.issuers {
                    sources.by_issuer.entry(issuer.clone()).or_default().push(Arc::clone(&source));
                }
                sources.all.push(source);
            }
        }
        Ok(sources)
    }

    /// Starts a task for each issuer that keeps its keys fresh; the tasks end when the caches are dropped. Needs a
    /// running Tokio runtime. A second call starts nothing twice.
    pub fn keep_fresh(&self) {
        self.all.iter().for_each(|source| source.keys.keep_fresh());
    }

    /// How each issuer stands at `now`, in seconds since the epoch.
    pub fn readiness(&self, now: u64) -> Vec<IssuerReadiness> {
        self.all.iter().map(|source| source.keys.readiness(now)).collect()
    }

    /// The trust domain in which workloads are named.
    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The source that a token with this `iss` and `sub` belongs to, and that serves `asker`. An issuer that is configured
    /// decides alone. Any other says nothing: then a SPIFFE ID belongs to the source of its trust domain (JWT-SVID, section 3.1).
    pub(super) fn of_token(
        &self,
        issuer: Option<&str>,
        subject: Option<&str>,
        asker: &VerifiedActor,
    ) -> Result<&Source, Refusal> {
        if issuer.is_some_and(|issuer| self.by_issuer.contains_key(issuer)) {
            return self.of_issuer("iss", issuer, asker);
        }
        let id = subject.and_then(|subject| SpiffeId::parse(subject).ok());
        match id.map(|id| format!("spiffe://{}", id.trust_domain())) {
            Some(domain) if issuer.is_none() || self.by_issuer.contains_key(&domain) => {
                self.of_issuer("sub", Some(&domain), asker)
            }
            _ => self.of_issuer("iss", issuer, asker),
        }
    }

    /// The source that has exactly this issuer, told by `claim`, and serves `asker`: one at most, by the checks of the
    /// settings.
    fn of_issuer(&self, claim: &str, issuer: Option<&str>, asker: &VerifiedActor) -> Result<&Source, Refusal> {
        let serves = |source: &&Arc<Source>| source.settings.serves(asker.proxy());
        let known = issuer.and_then(|issuer| self.by_issuer.get(issuer)).into_iter().flatten();
        if let Some(source) = known.into_iter().find(serves) {
            return Ok(source);
        }
        let served = self.all.iter().filter(serves);
        let issuers: Vec<_> =
            served.flat_map(|source| source.origin.issuers.iter().map(String::as_str)).take(8).collect();
        Err(Refusal::new(
            Reason::SubjectIssuerUnknown,
            "no trust source is configured for the token's issuer and this caller",
        )
        .claim(claim)
        .got(issuer.unwrap_or("nothing"))
        .wanted(format!("exactly one of {}", issuers.join(", ")))
        .help("add the issuer under `sources`, or send a token of a configured one"))
    }

    /// Every algorithm that some source allows.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let allowed = |algorithm: &Algorithm| self.all.iter().any(|source| source.algorithms.contains(algorithm));
        Algorithm::ALL.into_iter().filter(allowed).collect()
    }
}

impl Source {
    /// The source of `issuers`, one group of those that `settings` name.
    fn new(
        settings: SourceSettings,
        issuers: Vec<String>,
        keys: KeySource,
        previous: Option<&Sources>,
    ) -> Result<Self, SourceError> {
        let (authorities, digest) = match keys.location {
            KeyLocation::File(_) => (RootCertStore::empty(), None),
            KeyLocation::Set(_) | KeyLocation::Discovery(_) => authorities(&settings)?,
        };
        let origin = Origin {
            name: settings.name.clone(),
            issuers,
            keys: keys.clone(),
            authorities: digest,
            allow_private_addresses: settings.jwks.allow_private_addresses,
        };
        let kept = previous.and_then(|previous| previous.all.iter().find(|other| other.origin == origin));
        let keys = match kept {
            Some(other) => Arc::clone(&other.keys),
            None => {
                let fetcher = Fetcher::new(authorities, settings.jwks.allow_private_addresses)
                    .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
                IssuerKeys::new(&settings.name, origin.issuers.first().map_or("", String::as_str), keys, fetcher)
            }
        };
        Ok(Self { algorithms: settings.preset.algorithms(), settings, keys, origin })
    }

    /// The issuer whose keys these are, as it names itself.
    pub(super) fn issuer(&self) -> &str {
        self.origin.issuers.first().map_or("", String::as_str)
    }
}

/// The authorities to believe, and the digest of their file where there is one.
fn authorities(settings: &SourceSettings) -> Result<(RootCertStore, Option<[u8; 32]>), SourceError> {
    let Some(file) = &settings.jwks.ca else {
        let authorities = fetch::system_authorities();
        let none = authorities.is_empty();
        return if none { Err(SourceError::NoAuthorities(settings.name.clone())) } else { Ok((authorities, None)) };
    };
    let unusable =
        |problem| SourceError::Authorities { name: settings.name.clone(), file: file.display().to_string(), problem };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    let authorities = fetch::read_authorities(&pem).map_err(unusable)?;
    Ok((authorities, Some(digest::sha256(&pem))))
}
