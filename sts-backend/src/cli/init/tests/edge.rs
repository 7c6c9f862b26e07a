//! The lines for the edge, put into the shipped bootstrap: the filter reads them, and `cloakroom validate` has nothing to say.

use serde_json::{Value, json};

use super::{settings, variations};
use crate::{finding, validate};

const EGRESS: &str = include_str!("../../../../../envoy/egress.yaml");
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The shipped bootstrap with the filter's and Envoy's lines added.
fn bootstrap(filter: &Value, envoy: &Value) -> Value {
    let mut document: Value = serde_saphyr::from_str(EGRESS).unwrap();
    let clusters = document.pointer_mut("/static_resources/clusters").unwrap();
    clusters.as_array_mut().unwrap().push(envoy["clusters"][0].clone());
    let manager = document.pointer_mut(MANAGER).unwrap();
    let routes = manager.pointer_mut("/route_config/virtual_hosts/0/routes").unwrap();
    routes.as_array_mut().unwrap().push(envoy["routes"][0].clone());
    let configuration = manager.pointer_mut("/http_filters/0/typed_config/config/configuration/value").unwrap();
    let mut plugin: Value = serde_json::from_str(configuration.as_str().unwrap()).unwrap();
    let routes = plugin["routes"].as_object_mut().unwrap();
    routes.extend(filter["routes"].as_object().unwrap().clone());
    *configuration = json!(plugin.to_string());
    document
}

fn found(document: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("egress.json");
    std::fs::write(&file, document.to_string()).unwrap();
    finding::lines(&validate::run(None, &[file]).findings)
}

#[test]
fn what_is_printed_passes_the_validation() {
    for line in variations().iter().filter(|line| !super::printed_by(line).contains("REPLACE_WITH")) {
        let [_, filter, envoy] = settings(line);
        assert_eq!(found(&bootstrap(&filter, &envoy)), "", "{line:?}");
    }
}

#[test]
fn a_host_that_was_not_filled_in_does_not_pass() {
    let [_, filter, envoy] = settings(&["--destination", "aws", "--issuer", "https://sts.example.com"]);
    let found = found(&bootstrap(&filter, &envoy));
    assert!(found.contains("inject.sigv4.region"), "{found}");
}
