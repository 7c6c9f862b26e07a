//! `providers`, and what targets say of them, as it is written.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawProvider {
    pub name: String,
    pub aws: Option<RawAws>,
    pub gcp: Option<RawGcp>,
    pub azure: Option<RawAzure>,
    pub oauth: Option<RawOauth>,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private_addresses: bool,
    #[serde(default)]
    pub limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawAws {
    pub role_arn: String,
    #[serde(default)]
    pub then_roles: Vec<String>,
    pub region: String,
    pub audience: Option<String>,
    pub endpoint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawGcp {
    pub provider: String,
    pub audience: Option<String>,
    pub service_account: Option<String>,
    pub sts_endpoint: Option<String>,
    pub iam_endpoint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawAzure {
    pub tenant: String,
    pub client_id: String,
    pub audience: Option<String>,
    pub subject: Option<String>,
    #[serde(default)]
    pub own_credentials: Vec<String>,
    pub authority: Option<String>,
    pub storage_endpoint: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawOauth {
    pub token_endpoint: String,
    pub grant: String,
    pub audience: String,
    pub client_id: Option<String>,
    pub exchange_endpoint: Option<String>,
    pub exchange_audience: Option<String>,
    pub exchange_client_id: Option<String>,
    pub algorithm: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawLimits {
    pub at_once: Option<u64>,
    pub waiting: Option<u64>,
    pub timeout_ms: Option<u64>,
    pub calls_per_second: Option<u64>,
    pub burst: Option<u64>,
}

/// `target` of a target: what is opened. Which members may stand there depends on the provider.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawOpening {
    pub bucket: Option<String>,
    pub prefix: Option<String>,
    pub table: Option<String>,
    pub queue: Option<String>,
    pub scopes: Option<Vec<String>>,
    pub id_token_audience: Option<String>,
    pub account: Option<String>,
    pub container: Option<String>,
    pub scope: Option<String>,
    pub resource: Option<String>,
    pub audience: Option<String>,
}

impl RawOpening {
    /// The members that are there.
    pub fn members(&self) -> Vec<&'static str> {
        let there = |value: &Option<String>| value.is_some();
        let all = [
            ("bucket", there(&self.bucket)),
            ("prefix", there(&self.prefix)),
            ("table", there(&self.table)),
            ("queue", there(&self.queue)),
            ("scopes", self.scopes.is_some()),
            ("id_token_audience", there(&self.id_token_audience)),
            ("account", there(&self.account)),
            ("container", there(&self.container)),
            ("scope", there(&self.scope)),
            ("resource", there(&self.resource)),
            ("audience", there(&self.audience)),
        ];
        all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
}
