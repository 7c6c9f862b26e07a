//! `cloakroom.yaml` as it is written, before anything in it is believed.
//!
//! Members whose absence deserves a better message than "missing field" are optional here and checked later, so that all
//! such mistakes are reported together.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::providers::raw::{RawOpening, RawProvider};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    pub version: u32,
    pub issuer: Option<String>,
    pub trust_domain: Option<String>,
    pub listeners: RawListeners,
    #[serde(default)]
    pub actors: Vec<RawActor>,
    #[serde(default)]
    pub sources: Vec<RawSource>,
    #[serde(default)]
    pub providers: Vec<RawProvider>,
    #[serde(default)]
    pub targets: Vec<RawTarget>,
    pub policy: RawPolicy,
    #[serde(default)]
    pub tokens: RawTokens,
    pub keys: RawKeys,
    pub store: RawStore,
    #[serde(default)]
    pub log: RawLog,
    #[serde(default)]
    pub limits: RawLimits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListeners {
    pub mtls: RawMtls,
    pub no_client_certificate: Option<RawDirect>,
    pub operations: Option<RawOperations>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMtls {
    pub address: String,
    pub certificate_file: PathBuf,
    pub private_key_file: PathBuf,
    pub client_ca_file: PathBuf,
    pub url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDirect {
    pub address: String,
    pub certificate_file: PathBuf,
    pub private_key_file: PathBuf,
    pub default_life_seconds: Option<u64>,
    pub url: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOperations {
    pub address: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawActor {
    pub spiffe_id: String,
    #[serde(default)]
    pub vouches_for: Vec<RawVouch>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVouch {
    pub trust_domain: String,
    pub bundle_file: PathBuf,
    pub subjects: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSource {
    pub name: String,
    pub audience: Option<String>,
    pub actors: Option<Vec<String>>,
    pub preset: RawPreset,
    #[serde(default)]
    pub jwks: RawJwks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum RawPreset {
    AwsOutbound {
        issuer: String,
        account: String,
    },
    AwsSignedRequest(RawAwsSignedRequest),
    Google {
        #[serde(default)]
        projects: Vec<String>,
    },
    #[serde(rename = "entra_v1")]
    EntraV1 {
        tenant: String,
    },
    #[serde(rename = "entra_v2")]
    EntraV2 {
        tenant: String,
    },
    Kubernetes {
        issuer: String,
        cluster: String,
        token_review: Option<RawTokenReview>,
    },
    Eks {
        issuer: Option<String>,
        region: Option<String>,
        id: Option<String>,
        cluster: String,
        token_review: Option<RawTokenReview>,
    },
    Gke {
        project: String,
        location: String,
        cluster: String,
        name: Option<String>,
        token_review: Option<RawTokenReview>,
    },
    Aks {
        issuer: String,
        cluster: String,
        token_review: Option<RawTokenReview>,
    },
    GoogleServiceAccount {
        accounts: Vec<String>,
        max_life_seconds: Option<u64>,
    },
    Github {
        issuer: Option<String>,
        owner_ids: Vec<String>,
        #[serde(default)]
        repository_ids: Vec<String>,
        events: Option<Vec<String>>,
    },
    Spiffe {
        trust_domain: String,
    },
    Oidc {
        issuer: String,
        algorithms: Vec<String>,
        name: Option<Vec<String>>,
        subject_claims: Option<Vec<String>>,
        #[serde(default)]
        require: BTreeMap<String, String>,
    },
    Introspection(RawIntrospection),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTokenReview {
    pub url: String,
    pub token_file: PathBuf,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private_addresses: bool,
    pub timeout_ms: Option<u64>,
    pub remember_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIntrospection {
    pub issuer: String,
    pub endpoint: String,
    pub client: RawClient,
    pub token_type_hint: Option<String>,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private_addresses: bool,
    pub timeout_ms: Option<u64>,
    pub remember_seconds: Option<u64>,
    pub max_life_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClient {
    pub bearer_token_file: Option<PathBuf>,
    pub client_id: Option<String>,
    pub secret_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAwsSignedRequest {
    #[serde(default)]
    pub accounts: Vec<String>,
    #[serde(default)]
    pub regions: Vec<String>,
    #[serde(default)]
    pub role_ids: Vec<String>,
    #[serde(default)]
    pub allow_users: bool,
    #[serde(default)]
    pub allow_unsigned_audience: bool,
    pub endpoint: Option<RawEndpoint>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEndpoint {
    pub uri: String,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private_addresses: bool,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJwks {
    pub uri: Option<String>,
    pub file: Option<PathBuf>,
    #[serde(default)]
    pub hosts: Vec<String>,
    pub ca_file: Option<PathBuf>,
    #[serde(default)]
    pub allow_private_addresses: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub name: String,
    pub resource: String,
    pub audience: Option<String>,
    pub provider: Option<String>,
    pub target: Option<RawOpening>,
    pub permissions: Option<Vec<String>>,
    pub max_life_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub schema_version: u32,
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTokens {
    pub default_life_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeys {
    pub encryption_key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(super) enum RawStore {
    Embedded { path: PathBuf },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLog {
    pub level: Option<String>,
    /// Levels of single crates besides our own, as `hyper: info`.
    #[serde(default)]
    pub libraries: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub connections: Option<u64>,
    pub exchanges_in_flight: Option<u64>,
    pub reissue_cache_entries: Option<u64>,
    pub credential_cache_entries: Option<u64>,
    pub drain_seconds: Option<u64>,
}
