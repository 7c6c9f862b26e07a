//! The trust sources of one configuration.

use std::{collections::HashMap, path::Path, sync::Arc};

use rustls::RootCertStore;
use token::{jws::Algorithm, reason::Reason, spiffe::SpiffeId, token_type::TokenType};

use super::{
    IssuerReadiness,
    aws_request::{
        AwsRequestSettings,
        replays::Replays,
        service::{self, AwsSts},
    },
    introspection::Introspection,
    jwks::{IssuerKeys, KeySource},
    preset::KeyLocation,
    source::{self, Preset, SourceError, SourceSettings},
    token_review::TokenReview,
};
use crate::{
    actor::VerifiedActor,
    outgoing::{authorities::Authorities, fetch::Fetcher},
    refusal::Refusal,
};

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

/// One trust source; where its issuers have keys of their own, one for each of them.
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
            let mut groups: Vec<_> = one.key_sources()?.into_iter().map(Some).collect();
            if groups.is_empty() {
                // A server is asked; there are no keys.
                groups.push(None);
            }
            for keys in groups {
                let source = Arc::new(Source::new(one.clone(), keys, previous)?);
                for issuer in source.issuers() {
                    sources.by_issuer.entry(issuer.to_owned()).or_default().push(Arc::clone(&source));
                }
                sources.all.push(source);
            }
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
        let issuers: Vec<_> = served.flat_map(|source| source.issuers()).take(8).collect();
        let wanted = match issuers.as_slice() {
            [] => "no JWT: no source with keys serves this caller".to_owned(),
            issuers => format!("exactly one of {}", issuers.join(", ")),
        };
        Err(Refusal::new(
            Reason::SubjectIssuerUnknown,
            "no trust source is configured for the token's issuer and this caller",
        )
        .claim(claim)
        .got(issuer.unwrap_or("nothing"))
        .wanted(wanted)
        .help("add the issuer under `sources`, or send a token of a configured one"))
    }

    /// The source that serves `asker` and asks a server about opaque tokens: one at most, by the checks of the settings.
    pub(super) fn introspecting(&self, asker: &VerifiedActor) -> Option<(&Source, &Introspection)> {
        let serves = |source: &&Arc<Source>| source.settings.serves(asker.proxy());
        self.all.iter().filter(serves).find_map(|source| Some((&**source, source.introspection.as_ref()?)))
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
    /// One of the sources that `settings` make: that of the issuers whose tokens `keys` judge, or of none.
    fn new(
        settings: SourceSettings,
        keys: Option<(Vec<String>, KeySource)>,
        previous: Option<&Sources>,
    ) -> Result<Self, SourceError> {
        let (keys, origin) = match keys {
            Some((issuers, keys)) => {
                let (keys, origin) = published(&settings, issuers, keys, previous)?;
                (Some(keys), Some(origin))
            }
            None => (None, None),
        };
        let (name, audience) = (&settings.name, &settings.audience);
        let unusable = |error: rustls::Error| SourceError::Preset { name: name.clone(), problem: error.to_string() };
        let review = match &settings.preset {
            Preset::Kubernetes { token_review: Some(server), .. } => {
                let authorities = authorities(name, server.ca.as_deref())?.store;
                Some(TokenReview::new(name, audience, server.clone(), authorities).map_err(unusable)?)
            }
            _ => None,
        };
        let introspection = match &settings.preset {
            Preset::Introspection(introspection) => {
                let authorities = authorities(name, introspection.server.ca.as_deref())?.store;
                Some(Introspection::new(name, audience, introspection.clone(), authorities).map_err(unusable)?)
            }
            _ => None,
        };
        Ok(Self { algorithms: settings.preset.algorithms(), settings, keys, review, introspection, origin })
    }

    /// The issuers whose keys these are; none where a server is asked.
    fn issuers(&self) -> impl Iterator<Item = &str> {
        self.origin.iter().flat_map(|origin| &origin.issuers).map(String::as_str)
    }

    /// The first of them, as it names itself.
    pub(super) fn issuer(&self) -> &str {
        self.issuers().next().unwrap_or_default()
    }
}

impl AwsRequestSource {
    fn new(aws: AwsRequestSettings, settings: SourceSettings) -> Result<Self, SourceError> {
        let endpoint = aws.endpoint.as_ref();
        let ca = endpoint.and_then(|endpoint| endpoint.ca.as_deref());
        let authorities = authorities(&settings.name, ca)?.store;
        let private = endpoint.is_some_and(|endpoint| endpoint.allow_private_addresses);
        let fetcher = Fetcher::keeping(service::KEPT, authorities, private)
            .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
        Ok(Self { sts: AwsSts::new(fetcher, endpoint.map(|endpoint| endpoint.uri.clone())), settings, aws })
    }
}

/// The cache of an issuer's keys, and what decides which keys it gives.
fn published(
    settings: &SourceSettings,
    issuers: Vec<String>,
    keys: KeySource,
    previous: Option<&Sources>,
) -> Result<(Arc<IssuerKeys>, Origin), SourceError> {
    let Authorities { store, digest } = match keys.location {
        KeyLocation::File(_) => Authorities { store: RootCertStore::empty(), digest: None },
        KeyLocation::Set(_) | KeyLocation::Discovery(_) => authorities(&settings.name, settings.jwks.ca.as_deref())?,
    };
    let origin = Origin {
        name: settings.name.clone(),
        issuers,
        keys: keys.clone(),
        authorities: digest,
        allow_private_addresses: settings.jwks.allow_private_addresses,
    };
    let same = |other: &&Arc<Source>| other.origin.as_ref() == Some(&origin);
    let kept = previous.and_then(|previous| previous.all.iter().find(same)?.keys.clone());
    let keys = match kept {
        Some(kept) => kept,
        None => {
            let fetcher = Fetcher::new(store, settings.jwks.allow_private_addresses)
                .map_err(|error| SourceError::Preset { name: settings.name.clone(), problem: error.to_string() })?;
            IssuerKeys::new(&settings.name, origin.issuers.first().map_or("", String::as_str), keys, fetcher)
        }
    };
    Ok((keys, origin))
}

/// The authorities that this source believes.
fn authorities(source: &str, file: Option<&Path>) -> Result<Authorities, SourceError> {
    Authorities::load(file).map_err(|problem| SourceError::Authorities { name: source.to_owned(), problem })
}
