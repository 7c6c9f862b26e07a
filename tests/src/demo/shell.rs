//! `target/demo/env.sh`: what `endpoints.json` says, as shell variables for lines typed by hand.

use crate::{Result, clouds::cloud::Cloud, topology::Topology};

use super::{endpoints::Published, route};

/// Writes the file for a running topology; it is gone when dropped.
pub fn write(topology: &Topology) -> Result<Published> {
    let mut lines = vec![
        // So that plain `curl` trusts the demo's CA.
        variable("CURL_CA_BUNDLE", &topology.pki.ca().display().to_string()),
        variable("RECORD", &topology.upstream_url("/__record")),
        variable("STS", &topology.sts.no_client_certificate_url()),
        variable("STS_PID", &topology.sts.pid().unwrap_or_default().to_string()),
        variable("METRICS", &topology.sts.operations("/metrics")),
        variable("EDGE_ADMIN", &topology.folder().join("run/egress-admin.sock").display().to_string()),
        variable("CLOUDS", &topology.cloud_url("")),
    ];
    for route in route::ALL {
        let name = route.name.to_uppercase().replace('-', "_");
        lines.push(variable(&name, &topology.url(&format!("/{}", route.name))));
    }
    for cloud in Cloud::ALL {
        let url = topology.cloud_url(&format!("/{}/token", cloud.name()));
        lines.push(format!("{}_token() {{ curl -s \"{url}${{1:+?$1}}\"; }}", cloud.name().replace('-', "_")));
    }
    lines.push(String::new());
    Published::write("env.sh", lines.join("\n"))
}

fn variable(name: &str, value: &str) -> String {
    format!("export {name}='{value}'")
}
