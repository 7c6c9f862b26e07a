//! What all Envoys here have in common.

use std::{net::SocketAddr, path::Path};

use serde_json::{Value, json};

use crate::{credential::issued, ground::Ground, request::Traffic};

/// A bootstrap whose only listener has these filters before the router.
pub fn document(mut filters: Vec<Value>, ground: &Ground, traffic: &Traffic, admin: &Path) -> Value {
    filters.push(json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    }));
    let mut chain = json!({"filters": [{
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "egress",
            "stream_idle_timeout": "20s",
            "route_config": {"name": "egress", "virtual_hosts": traffic.routes.virtual_hosts()},
            "http_filters": filters
        }
    }]});
    if traffic.protocol.tls {
        chain["transport_socket"] = tls(ground, traffic);
    }
    let peers = &ground.peers;
    json!({
        "admin": {"address": {"pipe": {"path": admin, "mode": 384}}},
        "static_resources": {
            "secrets": [{"name": "credential", "generic_secret": {
                "secret": {"inline_string": format!("Bearer {}", issued(0).unwrap_or_default())}
            }}],
            "listeners": [{
                "name": "egress",
                "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
                "filter_chains": [chain]
            }],
            "clusters": [
                cluster("service", peers.service),
                cluster("sts", peers.sts.address()),
                http2(cluster("authorization", peers.authorization)),
                http2(cluster("processor", peers.processor)),
            ]
        }
    })
}

fn tls(ground: &Ground, traffic: &Traffic) -> Value {
    let party = "destination";
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": [if traffic.protocol.http2 { "h2" } else { "http/1.1" }],
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "tls_certificates": [{
                    "certificate_chain": {"filename": ground.pki.certificate(party)},
                    "private_key": {"filename": ground.pki.key(party)}
                }]
            }
        }
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

fn http2(mut cluster: Value) -> Value {
    cluster["typed_extension_protocol_options"] = json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}}
    }});
    cluster
}
