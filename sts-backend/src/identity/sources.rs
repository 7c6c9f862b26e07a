//! The trust sources of one configuration.

use std::{collections::HashMap, path::Path, sync::Arc};

use rustls::RootCertStore;
use token::{digest, jws::Algorithm, reason::Reason, token_type::TokenType};

use super::{
    IssuerReadiness, Preset,
    aws_request::{AwsRequestSettings, replays::Replays, service::AwsSts},
    fetch::{self, Fetcher},
    jwks::IssuerKeys,
    preset::KeyLocation,
    source::{self, SourceError, SourceSettings},
};
use crate::{actor::VerifiedActor, refusal::Refusal};

/// The trust sources of one configuration, with their key caches.
pub struct Sources {
    trust_domain: String,
    all: Vec<Arc<Source>>,
    by_issuer: HashMap<String, Vec<Arc<Source>>>,
    aws_requests: Vec<AwsRequestSource>,
    replays: Arc<Replays>,
}

/// A trust source that takes signed requests to AWS.
pub(super) struct AwsRequestSource {
    pub(super) settings: SourceSettings,
    pub(super) aws: AwsRequestSettings,
    pub(super) sts: AwsSts,
}

/// One trust source.
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
        let mut sources = Self {
            trust_domain: trust_domain.to_owned(),
            all: Vec::new(),
            by_issuer: HashMap::new(),
            aws_requests: Vec::new(),
            replays: previous.map(|previous| Arc::clone(&previous.replays)).unwrap_or_default(),
        };
        for one in settings {
            if let Preset::AwsSignedRequest(aws) = &one.preset {
                sources.aws_requests.push(AwsRequestSource::new(aws.clone(), one)?);
                continue;
            }
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

    /// The source that has exactly this issuer and serves `asker`: one at most, by the checks of the settings.
    pub(super) fn of_issuer(&self, issuer: Option<&str>, asker: &VerifiedActor) -> Result<&Source, Refusal> {
        let serves = |source: &&Arc<Source>| source.settings.serves(asker.proxy());
        let known = issuer.and_then(|issuer| self.by_issuer.get(issuer)).into_iter().flatten();
        if let Some(source) = known.into_iter().find(serves) {
            return Ok(source);
        }
        let served = self.all.iter().filter(serves);
        let issuers: Vec<_> = served.flat_map(|source| source.settings.preset.issuers()).take(8).collect();
        Err(Refusal::new(
            Reason::SubjectIssuerUnknown,
            "no trust source is configured for the token's issuer and this caller",
        )
        .claim("iss")
        .got(issuer.unwrap_or("nothing"))
        .wanted(format!("exactly one of {}", issuers.join(", ")))
        .help("add the issuer under `sources`, or send a token of a configured one"))
    }

    /// The source that takes signed requests to AWS from `asker`: one at most, by the checks of the settings.
    pub(super) fn of_aws_requests(&self, asker: &VerifiedActor) -> Result<&AwsRequestSource, Refusal> {
        self.aws_requests.iter().find(|source| source.settings.serves(asker.proxy())).ok_or_else(|| {
            Refusal::new(Reason::SubjectIssuerUnknown, "no trust source takes signed requests to AWS from this caller")
                .claim("subject_token_type")
                .got(TokenType::Aws4Request)
                .wanted("a token of a configured source")
                .help("add a source with `preset: { aws_signed_request: ... }`, or the caller to the `actors` of one")
        })
    }

    /// The signatures of requests that have been used. They outlive a change of the configuration.
    pub(super) fn replays(&self) -> &Arc<Replays> {
        &self.replays
    }

    /// Every algorithm that some source allows.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        let allowed = |algorithm: &Algorithm| self.all.iter().any(|source| source.algorithms.contains(algorithm));
        Algorithm::ALL.into_iter().filter(allowed).collect()
    }
}

impl Source {
    fn new(settings: SourceSettings, previous: Option<&Sources>) -> Result<Self, SourceError> {
        let no_keys = "it publishes no keys".to_owned();
        let location = settings.key_location()?;
        let location = location.ok_or_else(|| SourceError::Preset { name: settings.name.clone(), problem: no_keys })?;
        let (authorities, digest) = authorities(&settings.name, settings.jwks.ca.as_deref())?;
        let origin = Origin {
            name: settings.name.clone(),
            issuers: settings.preset.issuers(),
            location: location.clone(),
            authorities: digest,
            allow_private_addresses: settings.jwks.allow_private_addresses,
        };
        let kept = previous.and_then(|previous| previous.all.iter().find(|other| other.origin == origin));
        let keys = match kept {
            Some(other) => Arc::clone(&other.keys),
            None => {
                let fetcher = Fetcher::new(authorities, settings.jwks.allow_private_addresses)
                    .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
                let issuer = settings.preset.issuers().into_iter().next().unwrap_or_default();
                IssuerKeys::new(&settings.name, &issuer, location, fetcher)
            }
        };
        Ok(Self { algorithms: settings.preset.algorithms(), settings, keys, origin })
    }
}

impl AwsRequestSource {
    fn new(aws: AwsRequestSettings, settings: SourceSettings) -> Result<Self, SourceError> {
        let endpoint = aws.endpoint.as_ref();
        let ca = endpoint.and_then(|endpoint| endpoint.ca.as_deref());
        let (authorities, _) = authorities(&settings.name, ca)?;
        let private = endpoint.is_some_and(|endpoint| endpoint.allow_private_addresses);
        let fetcher = Fetcher::for_calls(authorities, private)
            .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
        Ok(Self { sts: AwsSts::new(fetcher, endpoint.map(|endpoint| endpoint.uri.clone())), settings, aws })
    }
}

/// The authorities to believe, and the digest of their file where there is one.
fn authorities(source: &str, ca: Option<&Path>) -> Result<(RootCertStore, Option<[u8; 32]>), SourceError> {
    let Some(file) = ca else {
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
