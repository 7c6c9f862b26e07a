//! From a checked configuration to what is in force.

use std::sync::Arc;

use thiserror::Error;

use crate::{
    app::InForce,
    audit::Audit,
    config::Config,
    endpoint::metadata::{Addresses, Metadata},
    exchange::{Exchange, ExchangeSettings},
    federation::{
        providers::{Common, ProviderError, Providers},
        signer::AssertionSigner,
    },
    identity::{SourceError, Sources},
    keys::SigningKeys,
    reissue::Reissues,
};

/// The part of all exchanges in flight that may wait for one provider: those for other destinations have the rest.
const CALLERS_OF_ONE_PROVIDER: usize = 4;

/// Why a configuration cannot be put together.
#[derive(Debug, Error)]
pub enum AssemblyError {
    #[error("the trust sources cannot be used: {0}")]
    Sources(#[from] SourceError),
    #[error("the providers cannot be used: {0}")]
    Providers(#[from] ProviderError),
}

/// Puts together what `config` says. Issuers' keys that `previous` holds are taken over where nothing about the issuer has
/// changed, providers with what they gave where nothing about them has, and tokens that may be handed out again where as many
/// are to be kept. Needs a running Tokio runtime, since the keys are kept fresh by tasks.
pub fn put_together(
    config: Config,
    keys: &Arc<SigningKeys>,
    audit: &Audit,
    previous: Option<&InForce>,
) -> Result<InForce, AssemblyError> {
    let metadata = Metadata::new(&Addresses {
        issuer: &config.issuer,
        mtls: &config.listeners.mtls.url,
        direct: config.listeners.direct.as_ref().map(|direct| direct.listener.url.as_str()),
    });
    let sources =
        Arc::new(Sources::new(config.sources, &config.trust_domain, previous.map(|previous| &*previous.sources))?);
    sources.keep_fresh();
    let entries = config.limits.reissue_cache_entries;
    let kept = previous.map(|previous| previous.exchange.reissues()).filter(|kept| kept.capacity() == entries);
    let common = Common {
        signer: Arc::new(AssertionSigner::new(&config.issuer, Arc::clone(keys))),
        trust_domain: config.trust_domain.clone(),
        capacity: config.limits.credential_cache_entries,
        waiting_callers: (config.limits.exchanges_in_flight / CALLERS_OF_ONE_PROVIDER).max(1),
    };
    let providers =
        Providers::new(config.providers, &common, previous.map(|previous| &**previous.exchange.providers()))?;
    let policy_version = config.policy.version().to_owned();
    let settings = ExchangeSettings {
        issuer: config.issuer,
        trust_domain: config.trust_domain,
        default_life: config.default_life,
        direct_default_life: config.listeners.direct.map_or(config.default_life, |direct| direct.default_life),
        actors: config.actors,
        assertions: config.assertions,
        sources: Arc::clone(&sources),
        targets: config.targets,
        policy: config.policy,
        providers: Arc::new(providers),
        reissues: kept.cloned().unwrap_or_else(|| Arc::new(Reissues::new(entries))),
    };
    Ok(InForce {
        exchange: Exchange::new(settings, Arc::clone(keys), audit.clone()),
        sources,
        metadata,
        exchanges_in_flight: config.limits.exchanges_in_flight,
        configuration_version: config.version,
        policy_version,
    })
}
