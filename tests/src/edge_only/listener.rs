//! `envoy/egress.yaml`, with the routes and clusters of the test edge.

use std::{fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};

use super::http;
use crate::{Result, bootstrap::Document, issued_token::resource, scripted_sts::ScriptedSts};

/// Puts the routes, the clusters and the filter's settings in.
pub(super) fn adapt(document: &mut Document, routes: &[String], sts: &ScriptedSts, service: SocketAddr) -> Result<()> {
    let bootstrap = &mut document.0;
    let shipped = &mut http(bootstrap)["route_config"]["virtual_hosts"][0]["routes"];
    let health = shipped.as_array().and_then(|routes| routes.first()).cloned().ok_or("no routes in the bootstrap")?;
    let route = |name: &String| {
        json!({
            "name": name,
            "match": {"prefix": format!("/{name}/")},
            "route": {"cluster": "service", "timeout": "15s"}
        })
    };
    *shipped = routes.iter().map(route).chain([health]).collect();
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    // Few connections, and each worker must have its share of them.
    listener["connection_balance_config"] = json!({"exact_balance": {}});
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut().ok_or("no clusters in the bootstrap")?;
    let mut shipped_sts =
        clusters.iter().find(|cluster| cluster["name"] == "sts").cloned().ok_or("no cluster `sts`")?;
    if let Some(members) = shipped_sts.as_object_mut() {
        members.remove("transport_socket");
    }
    lead(&mut shipped_sts, sts.address());
    let mut cluster = json!({"name": "service", "connect_timeout": "1s"});
    lead(&mut cluster, service);
    *clusters = vec![shipped_sts, cluster];
    document.edit_plugin(|plugin| {
        let exchange =
            |name: &String| (name.clone(), json!({"exchange": {"resource": resource(name), "clusters": ["service"]}}));
        plugin["routes"] = routes.iter().map(exchange).chain([("health".to_owned(), json!("untouched"))]).collect();
    })
}

/// The bootstrap without its listener, which goes to a file of its own.
pub(super) fn move_to_file(mut document: Document, file: &Path) -> Result<Document> {
    let mut listener = document.0["static_resources"]["listeners"][0].take();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    if let Some(resources) = document.0["static_resources"].as_object_mut() {
        resources.remove("listeners");
    }
    document.0["dynamic_resources"] =
        json!({"lds_config": {"resource_api_version": "V3", "path_config_source": {"path": file}}});
    fs::write(file, json!({"resources": [listener]}).to_string())?;
    Ok(document)
}

fn lead(cluster: &mut Value, address: SocketAddr) {
    cluster["type"] = json!("STATIC");
    cluster["load_assignment"] = json!({
        "cluster_name": cluster["name"],
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
            "socket_address": {"address": address.ip(), "port_value": address.port()}
        }}}]}]
    });
}
