//! The three Envoys. Their bootstraps differ in one HTTP filter and in nothing else.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use harness::{
    Result,
    edge::{Edge, Start},
};
use serde_json::{Value, json};

use crate::{credential::issued, peer::Peers};

/// What stands between the listener and the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Router,
    CredentialInjector,
    Filter,
}

impl Variant {
    /// All of them, the one to compare with first.
    pub const ALL: [Self; 3] = [Self::Router, Self::CredentialInjector, Self::Filter];

    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::CredentialInjector => "credential_injector",
            Self::Filter => "cloakroom",
        }
    }

    /// What it is, for the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Router => "plain router",
            Self::CredentialInjector => "Envoy's credential_injector",
            Self::Filter => "Cloakroom, cache hit",
        }
    }

    /// Starts an Envoy of one worker.
    pub async fn start(self, envoy: &Path, filter: &Path, folder: &Path, peers: &Peers) -> Result<Edge> {
        let bootstrap = folder.join(format!("{}.json", self.name()));
        let admin = folder.join(format!("{}.sock", self.name()));
        std::fs::write(&bootstrap, self.bootstrap(filter, &admin, peers).to_string())?;
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

    fn bootstrap(self, filter: &Path, admin: &PathBuf, peers: &Peers) -> Value {
        let router = json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
        });
        let filters: Vec<_> = self.http_filter(filter).into_iter().chain([router]).collect();
        json!({
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
        })
    }

    fn http_filter(self, filter: &Path) -> Option<Value> {
        match self {
            Self::Router => None,
            Self::CredentialInjector => Some(json!({
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
            })),
            Self::Filter => Some(json!({
                "name": "cloakroom",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {
                        "name": "cloakroom",
                        "root_id": "cloakroom",
                        "failure_policy": "FAIL_RELOAD",
                        "vm_config": {
                            "vm_id": "cloakroom-egress",
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": {"local": {"filename": filter}}
                        },
                        "configuration": {
                            "@type": "type.googleapis.com/google.protobuf.StringValue",
                            "value": plugin().to_string()
                        }
                    }
                }
            })),
        }
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
