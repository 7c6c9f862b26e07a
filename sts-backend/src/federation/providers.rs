//! The providers of one configuration.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use thiserror::Error;

use super::{
    assertion::Signer,
    limits::Limits,
    meters::Meters,
    provider::{Lent, Parts, Provider, Wish},
    shelf::Key,
    shortfall::Shortfall,
    trouble::Trouble,
    way::Kind,
};
use crate::{
    crypto,
    outgoing::{
        authorities::{Authorities, AuthoritiesError},
        fetch::Fetcher,
    },
};

/// One provider, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSettings {
    pub name: String,
    pub kind: Kind,
    /// The certificate authorities that are believed instead of the system's, as a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether its addresses may be loopback, private or link-local ones.
    pub allow_private_addresses: bool,
    pub limits: Limits,
}

/// What all providers have in common.
#[derive(Clone)]
pub struct Common {
    pub signer: Arc<dyn Signer>,
    /// The trust domain of our names.
    pub trust_domain: String,
    /// For how many keys each of them keeps something.
    pub capacity: usize,
    /// How many callers may wait at a time for one of them.
    pub waiting_callers: usize,
}

/// Why a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProviderError {
    #[error("provider `{name}`: {problem}")]
    Authorities { name: String, problem: AuthoritiesError },
    #[error("provider `{name}`: {problem}")]
    Tls { name: String, problem: String },
}

/// The providers by name.
#[derive(Default)]
pub struct Providers {
    by_name: BTreeMap<String, Running>,
    meters: Meters,
}

/// A provider with all that a reload compares.
struct Running {
    settings: ProviderSettings,
    authorities: Option<[u8; 32]>,
    capacity: usize,
    waiting_callers: usize,
    provider: Arc<Provider>,
}

impl Providers {
    /// Starts them, and takes over from `previous` those about which nothing has changed, with everything they keep. Calls
    /// nobody.
    pub fn new(
        settings: Vec<ProviderSettings>,
        common: &Common,
        previous: Option<&Self>,
    ) -> Result<Self, ProviderError> {
        let meters = previous.map(|previous| previous.meters.clone()).unwrap_or_default();
        let mut by_name = BTreeMap::new();
        for one in settings {
            let before = previous.and_then(|previous| previous.by_name.get(&one.name));
            by_name.insert(one.name.clone(), Running::new(one, common, &meters, before)?);
        }
        for (name, before) in previous.into_iter().flat_map(|previous| &previous.by_name) {
            let stays = by_name.get(name).is_some_and(|now| Arc::ptr_eq(&now.provider, &before.provider));
            if !stays {
                meters.forget(name, &before.provider.hosts());
            }
        }
        Ok(Self { by_name, meters })
    }

    /// What is counted of them.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// The provider of that name.
    pub fn of(&self, name: &str) -> Option<&Arc<Provider>> {
        self.by_name.get(name).map(|running| &running.provider)
    }

    /// The credential for `key` of the provider `name`.
    pub async fn lend(&self, name: &str, key: Key, wish: &Wish) -> Result<Lent, Shortfall> {
        match self.of(name) {
            Some(provider) => provider.lend(key, wish).await,
            // Targets name configured providers only; were it otherwise, nobody is called.
            None => Err(Shortfall::Trouble(Trouble::Unavailable { code: "it is not configured".to_owned() })),
        }
    }
}

impl Running {
    fn new(
        settings: ProviderSettings,
        common: &Common,
        meters: &Meters,
        before: Option<&Self>,
    ) -> Result<Self, ProviderError> {
        let name = || settings.name.clone();
        let Authorities { store, digest: authorities } = Authorities::load(settings.ca.as_deref())
            .map_err(|problem| ProviderError::Authorities { name: name(), problem })?;
        let Common { signer, trust_domain, capacity, waiting_callers } = common.clone();
        let same = |before: &&Self| {
            before.settings == settings
                && before.authorities == authorities
                && (before.capacity, before.waiting_callers) == (capacity, waiting_callers)
        };
        let provider = match before.filter(same) {
            Some(before) => Arc::clone(&before.provider),
            None => Provider::new(Parts {
                name: name(),
                limits: settings.limits,
                fetcher: Fetcher::keeping(settings.limits.at_once, store, settings.allow_private_addresses)
                    .map_err(|error| ProviderError::Tls { name: name(), problem: error.to_string() })?,
                signer,
                trust_domain,
                capacity,
                waiting_callers,
                meters: meters.clone(),
                entropy: crypto::random_number,
            }),
        };
        Ok(Self { settings, authorities, capacity, waiting_callers, provider })
    }
}

#[cfg(test)]
mod tests;
