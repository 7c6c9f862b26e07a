//! An Envoy bootstrap: the combinations with which a token could go where it must not, or a request past the filter.
//!
//! What is checked is what stands in the file. Listeners, routes and clusters that a control plane delivers are not in it;
//! where the filter's own routes come that way, that is itself a finding. How Envoy is started (its log level) is not in the
//! file either.

use std::{collections::HashMap, path::Path};

use serde_json::Value;

use super::{Validation, cursor::At, report::Report};
use crate::{document, finding::Finding};

mod admin;
mod clusters;
mod manager;
mod plugin;
mod routes;

use clusters::Clusters;

const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Reads and checks `file`.
pub(super) fn check_file(file: &Path, validation: &mut Validation) {
    let parsed = std::fs::read_to_string(file)
        .map_err(|error| {
            Box::new(Finding {
                file: file.to_owned(),
                line: None,
                path: String::new(),
                found: format!("the file cannot be read: {error}"),
                expected: "an Envoy bootstrap as YAML or JSON".to_owned(),
                remedy: "name it with `--envoy`".to_owned(),
            })
        })
        .and_then(|text| document::parse::<Value>(file, &text));
    match parsed {
        Err(finding) => validation.findings.push(*finding),
        Ok((value, lines)) => {
            let mut report = Report::new(file, &lines);
            let managers = check(&At::root(&value), &mut report);
            let plural = if managers == 1 { "" } else { "s" };
            validation.seen.push(format!("{}: {managers} connection manager{plural} with the filter", file.display()));
            validation.findings.append(&mut report.findings);
        }
    }
}

/// Checks a bootstrap, and says how many connection managers in it run the filter.
fn check(root: &At<'_>, report: &mut Report<'_>) -> usize {
    admin::check(root, report);
    let clusters = Clusters::of(root);
    let mut vm_ids = HashMap::new();
    let mut found = 0;
    for manager in root.all_of(MANAGER) {
        let filters = manager.get("http_filters").items();
        let Some(filter) = filters.iter().find(|filter| plugin::is_ours(filter)) else { continue };
        found += 1;
        manager::check(&manager, report);
        if let Some(config) = plugin::check(filter, &mut vm_ids, report) {
            routes::check(&manager, filter, &config, &clusters, report);
            clusters.check_sts(&config, filter, report);
        }
    }
    found
}

#[cfg(test)]
mod tests;
