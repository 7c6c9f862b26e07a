//! `cloakroom.yaml`, checked.
//!
//! A configuration is read whole or not at all: every file it names is read with it, every mistake in any of them is
//! reported at once, and what comes out needs no second look.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use token::{digest::fingerprint, spiffe::SpiffeId};
use zeroize::Zeroizing;

use crate::{
    document,
    federation::providers::ProviderSettings,
    finding::Finding,
    identity::{SourceSettings, assertion::Assertions},
    policy::Policy,
    target::Targets,
};

mod actors;
mod checker;
mod destinations;
mod files;
mod known_as;
mod listeners;
mod providers;
mod raw;
mod service;
mod sources;

use checker::Checker;
pub use known_as::KnownAs;
use raw::RawConfig;

/// A checked configuration.
pub struct Config {
    /// `iss` of the tokens and base of the published addresses.
    pub issuer: String,
    /// The trust domain in which workloads and proxies are named.
    pub trust_domain: String,
    /// Where to listen, and with which TLS.
    pub listeners: Listeners,
    /// The registered proxies.
    pub actors: BTreeSet<SpiffeId>,
    /// Whom each of them may vouch for.
    pub assertions: Assertions,
    /// Whom we believe.
    pub sources: Vec<SourceSettings>,
    /// The providers whose credentials destinations take.
    pub providers: Vec<ProviderSettings>,
    /// The destinations.
    pub targets: Targets,
    /// The policies.
    pub policy: Policy,
    /// How long a token lives where policy does not say, in seconds.
    pub default_life: u64,
    /// The key under which signing keys are stored.
    pub encryption_key: Zeroizing<[u8; 32]>,
    /// The file of the embedded store.
    pub store: PathBuf,
    /// What is logged.
    pub log: LogSettings,
    /// What bounds the work.
    pub limits: Limits,
    /// A digest of the configuration's text.
    pub version: String,
}

/// Where to listen.
pub struct Listeners {
    /// The listener that requires client certificates.
    pub mtls: TlsListener,
    /// The listener for callers without one.
    pub direct: Option<DirectListener>,
    /// A digest of the certificates of the clients' CA.
    pub client_ca: String,
    /// Plain HTTP for health and metrics.
    pub operations: Option<SocketAddr>,
}

/// A listener with TLS.
pub struct TlsListener {
    pub address: SocketAddr,
    pub tls: Arc<ServerConfig>,
    /// The base address by which clients reach it, without trailing slash.
    pub url: String,
}

/// The listener for callers without a client certificate.
pub struct DirectListener {
    pub listener: TlsListener,
    /// How long a token lives where policy does not say, in seconds.
    pub default_life: u64,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The level of our own lines.
    pub level: tracing::Level,
    /// Levels of libraries, by crate name.
    pub libraries: Vec<(String, tracing::Level)>,
}

/// What bounds the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections that one listener holds.
    pub connections: usize,
    /// Exchanges that are worked on at once; more are told to come back.
    pub exchanges_in_flight: usize,
    /// Tokens that are kept to be handed out again; 0 keeps none.
    pub reissue_cache_entries: usize,
    /// Credentials of each provider that are kept to be lent again.
    pub credential_cache_entries: usize,
    /// How long a stopping service waits for what is in flight.
    pub drain: Duration,
}

/// A reading of the configuration, and the files it depended on whether or not it succeeded.
pub struct Reading {
    pub outcome: Result<Config, Vec<Finding>>,
    pub files: BTreeSet<PathBuf>,
}

impl Config {
    /// Reads `file` and everything it names.
    pub fn load(file: &Path) -> Result<Self, Vec<Finding>> {
        Self::read(file).outcome
    }

    /// As [`Self::load`], with the files that were read.
    pub fn read(file: &Path) -> Reading {
        let mut files = BTreeSet::from([file.to_owned()]);
        let outcome = read_text(file)
            .and_then(|text| Ok((document::parse::<RawConfig>(file, &text).map_err(|finding| vec![*finding])?, text)))
            .and_then(|((raw, lines), text)| {
                let mut checker = Checker::new(file, &lines);
                let config = check(&mut checker, raw, fingerprint(&text));
                files.extend(checker.files_read());
                checker.conclude(config)
            });
        Reading { outcome, files }
    }
}

fn read_text(file: &Path) -> Result<String, Vec<Finding>> {
    std::fs::read_to_string(file).map_err(|error| {
        vec![Finding {
            file: file.to_owned(),
            line: None,
            path: String::new(),
            found: format!("the file cannot be read: {error}"),
            expected: "a readable UTF-8 file".to_owned(),
            remedy: "name the configuration with `-c`".to_owned(),
        }]
    })
}

/// Every part is checked, also after one has failed, so that all mistakes are told at once.
fn check(checker: &mut Checker<'_>, raw: RawConfig, version: String) -> Option<Config> {
    service::version(checker, raw.version);
    let issuer = service::issuer(checker, raw.issuer);
    let trust_domain = service::trust_domain(checker, raw.trust_domain);
    let listeners = listeners::check(checker, raw.listeners, issuer.as_deref());
    let (actors, assertions) = actors::check(checker, raw.actors, trust_domain.as_deref(), listeners.as_ref());
    let sources = sources::check(checker, raw.sources);
    // A target of a provider with a mistake has none of its own.
    let provider_names: BTreeSet<String> = raw.providers.iter().map(|provider| provider.name.clone()).collect();
    let providers = providers::check(checker, raw.providers, trust_domain.as_deref());
    let targets = destinations::targets(checker, raw.targets, &providers, &provider_names);
    if let Some(issuer) = &issuer {
        providers::check_together(checker, &providers, issuer);
    }
    let policy = destinations::policy(checker, raw.policy);
    let default_life = service::life(checker, "tokens.default_life_seconds", raw.tokens.default_life_seconds, 60);
    let encryption_key = files::encryption_key(checker, &raw.keys.encryption_key_file);
    let raw::RawStore::Embedded { path: store } = raw.store;
    let store = checker.resolve(&store);
    let log = service::log(checker, raw.log);
    let limits = service::limits(checker, raw.limits);
    Some(Config {
        issuer: issuer?,
        trust_domain: trust_domain?,
        listeners: listeners?,
        actors,
        assertions,
        sources,
        providers,
        targets,
        policy: policy?,
        default_life,
        encryption_key: encryption_key?,
        store,
        log,
        limits,
        version,
    })
}

#[cfg(test)]
mod tests;
