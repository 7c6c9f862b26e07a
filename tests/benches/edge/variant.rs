//! The Envoys that are compared. Their bootstraps differ in what stands before the router and in nothing else.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use harness::{
    Result,
    bootstrap::{Document, Placement},
    edge::{Edge, Start},
};
use serde_json::{Value, json};

use crate::{
    credential::{self, issued},
    peer::Peers,
};

/// What stands between the listener and the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Router,
    CredentialInjector,
    /// The filter without the check behind it, to tell the cost of one from the other. Nobody should run this.
    FilterUnchecked,
    /// What ships: the filter, and behind it the check that Envoy's choice of route is still the same.
    Filter,
}

impl Variant {
    /// All of them, the one to compare with first.
    pub const ALL: [Self; 4] = [Self::Router, Self::CredentialInjector, Self::FilterUnchecked, Self::Filter];

    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::CredentialInjector => "credential_injector",
            Self::FilterUnchecked => "cloakroom_unchecked",
            Self::Filter => "cloakroom",
        }
    }

    /// What it is, for the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Router => "plain router",
            Self::CredentialInjector => "Envoy's credential_injector",
            Self::FilterUnchecked => "Cloakroom without route check",
            Self::Filter => "Cloakroom, cache hit",
        }
    }

    /// How often it has to ask the STS, once per token, before all of its answers are hits.
    pub fn exchanges(self) -> usize {
        match self {
            Self::Router | Self::CredentialInjector => 0,
            Self::FilterUnchecked | Self::Filter => credential::COUNT,
        }
    }

    /// Starts an Envoy of one worker.
    pub async fn start(self, envoy: &Path, filter: &Path, folder: &Path, peers: &Peers) -> Result<Edge> {
        let bootstrap = folder.join(format!("{}.json", self.name()));
        let admin = folder.join(format!("{}.sock", self.name()));
        std::fs::write(&bootstrap, self.bootstrap(filter, &admin, peers)?.to_string())?;
        Edge::start(Start {
            name: self.name(),
            envoy,
            bootstrap: &bootstrap,
            admin,
            log: folder.join(format!("{}.log", self.name())),
            concurrency: 1,
            log_level: "warning",
            component_log_level: None,
        })
        .await
    }

    fn bootstrap(self, filter: &Path, admin: &PathBuf, peers: &Peers) -> Result<Value> {
        let mut filters = match self {
            Self::Router => Vec::new(),
            Self::CredentialInjector => vec![credential_injector()],
            Self::FilterUnchecked => shipped(filter)?.into_iter().take(1).collect(),
            Self::Filter => shipped(filter)?,
        };
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
        }));
        Ok(json!({
            "admin": {"address": {"pipe": {"path": admin, "mode": 384}}},
            "static_resources": {
                "secrets": [{"name": "credential", "generic_secret": {
                    "secret": {"inline_string": format!("Bearer {}", issued(0))}
                }}],
                "listeners": [{
                    "name": "egress",
                    "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                    "filter_chains": [{"filters": [{
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                            "stat_prefix": "egress",
                            "stream_idle_timeout": "20s",
                            "route_config": {"name": "egress", "virtual_hosts": [{
                                "name": "all", "domains": ["*"],
                                "routes": [{"name": "reports", "match": {"prefix": "/"}, "route": {"cluster": "service"}}]
                            }]},
                            "http_filters": filters
                        }
                    }]}]
                }],
                "clusters": [cluster("service", peers.service), cluster("sts", peers.sts.address())]
            }
        }))
    }
}

fn credential_injector() -> Value {
    json!({
        "name": "envoy.filters.http.credential_injector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
            "overwrite": true,
            "credential": {
                "name": "envoy.http.injected_credentials.generic",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
                    "credential": {"name": "credential"},
                    "header": "authorization"
                }
            }
        }
    })
}

/// All that `envoy/egress.yaml` has before the router, with routes of our own.
fn shipped(filter: &Path) -> Result<Vec<Value>> {
    let mut egress = Document::read("envoy/egress.yaml")?;
    egress.edit_plugin(|settings| *settings = plugin())?;
    let folder = filter.parent().unwrap_or(filter).to_string_lossy().into_owned();
    egress.place(&Placement { folders: vec![("/usr/local/lib/cloakroom", folder)], ..Placement::default() });
    let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    let mut filters = egress.0.pointer(filters).and_then(Value::as_array).cloned().unwrap_or_default();
    match filters.pop() {
        Some(router) if router["name"] == "envoy.filters.http.router" && !filters.is_empty() => Ok(filters),
        _ => Err("envoy/egress.yaml has no HTTP filters that end in the router".into()),
    }
}

fn plugin() -> Value {
    json!({
        "version": 1,
        "listener": "egress",
        "sts": {
            "cluster": "sts", "authority": "sts.cloakroom.test", "path": "/oauth2/token", "timeout_ms": 5000,
            "actor": "spiffe://cloakroom.test/edge/egress"
        },
        "routes": {"reports": {"exchange": {
            "resource": "https://reports.gcp.cloakroom.test", "scope": "reports.read", "clusters": ["service"]
        }}}
    })
}

fn cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": address.ip(), "port_value": address.port()}
        }}}]}]}
    })
}
