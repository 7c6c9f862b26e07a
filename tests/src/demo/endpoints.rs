//! `target/demo/endpoints.json`: what runs where, for scripts.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::{Value, json};

use super::route;
use crate::{Result, clouds::cloud::Cloud, topology::Topology, workspace};

/// A file in `target/demo`, gone when dropped: what it names is gone then too.
pub struct Published {
    path: PathBuf,
    text: String,
}

/// Writes the file for a running topology.
pub fn write(topology: &Topology) -> Result<Published> {
    Published::write("endpoints.json", serde_json::to_string_pretty(&describe(topology))?)
}

impl Published {
    /// Writes `target/demo/NAME`.
    pub fn write(name: &str, text: String) -> Result<Self> {
        let folder = workspace::root().join("target/demo");
        fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        // Whole or not at all: a script may be waiting for it.
        let new = folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&new, &text)?;
        fs::rename(&new, &path)?;
        Ok(Self { path, text })
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        // Another demo may have written its own since.
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            _ = fs::remove_file(&self.path);
        }
    }
}

fn describe(topology: &Topology) -> Value {
    let pids: BTreeMap<_, _> = topology.pids().into_iter().collect();
    let edge: BTreeMap<_, _> =
        route::ALL.iter().map(|route| (route.name, topology.url(&format!("/{}/", route.name)))).collect();
    let native_token: BTreeMap<_, _> = Cloud::ALL
        .iter()
        .map(|cloud| (cloud.name(), topology.cloud_url(&format!("/{}/token", cloud.name()))))
        .collect();
    let issuers: BTreeMap<_, _> = Cloud::ALL
        .iter()
        .map(|cloud| {
            let keys = topology.cloud_url(&format!("/{}/{}", cloud.name(), cloud.keys_path()));
            (cloud.name(), json!({"issuer": cloud.issuer(), "jwks_uri": keys, "audience": cloud.audience()}))
        })
        .collect();
    let resource: BTreeMap<_, _> = route::ALL.iter().map(|route| (route.name, route.resource)).collect();
    json!({
        "sts": topology.sts.url(),
        "sts_no_client_cert": topology.sts.no_client_certificate_url(),
        "sts_operations": topology.sts.operations(""),
        "edge": edge,
        "resource": resource,
        "upstream_record": topology.upstream_url("/__record"),
        "native_token": native_token,
        "issuers": issuers,
        "ca_file": topology.pki.ca(),
        "client_cert": topology.pki.certificate("probe"),
        "client_key": topology.pki.key("probe"),
        "logs": topology.folder().join("log"),
        "pids": pids,
    })
}
