//! An Envoy bootstrap: the combinations with which a token could go where it must not, or a request past the filter.
//!
//! What is checked is what stands in the file. Listeners, routes and clusters that a control plane delivers are not in it;
//! where the filter's own routes come that way, that is itself a finding. How Envoy is started (its log level) is not in the
//! file either.

use std::{collections::HashMap, path::Path};

use serde_json::Value;

use filter_core::config::{RouteCheck, RouteMode};

use super::{
    Validation,
    cursor::At,
    promise::{self, Lives},
    report::Report,
};
use crate::{document, finding::Finding};

mod admin;
mod bodies;
mod chain;
mod client_certificates;
mod clusters;
mod destination;
mod manager;
mod matching;
mod plugin;
mod routes;
mod same_choice;
mod unchanged;
mod upstream;

use chain::Chain;
use clusters::Clusters;
use routes::Around;

const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Reads and checks `file`. `lives` is what the STS's configuration says, where it is checked too.
pub(super) fn check_file(file: &Path, lives: Option<Lives<'_>>, validation: &mut Validation) {
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
            let managers = check(&At::root(&value), lives, &mut report);
            let plural = if managers == 1 { "" } else { "s" };
            validation.seen.push(format!("{}: {managers} connection manager{plural} with the filter", file.display()));
            validation.seen.extend(report.told.iter().map(|line| format!("{}: {line}", file.display())));
            validation.findings.append(&mut report.findings);
        }
    }
}

/// Checks a bootstrap, and says how many connection managers in it run the filter.
fn check(root: &At<'_>, lives: Option<Lives<'_>>, report: &mut Report<'_>) -> usize {
    admin::check(root, report);
    let clusters = Clusters::of(root);
    let mut vm_ids = HashMap::new();
    let mut found = 0;
    for manager in root.all_of(MANAGER) {
        let filters = manager.get("http_filters").items();
        let Some(chain) = Chain::around(&filters, plugin::is_ours) else { continue };
        found += 1;
        let wrong = report.findings.len();
        manager::check(&manager, report);
        let Some(config) = plugin::check(chain.ours, &mut vm_ids, report) else { continue };
        chain.check(config.route_check(), report);
        let around = Around { config: &config, clusters: &clusters, guards: chain.guards(config.route_check()) };
        let routes = around.check(&manager, report);
        bodies::check_buffers(root, &manager, &config, report);
        if config.routes().any(|(_, mode)| matches!(mode, RouteMode::Exchange(route) if unchanged::is_wanted(route))) {
            upstream::check_routers(&filters, report);
        }
        client_certificates::check(root, &manager, &config, report);
        clusters.check_sts(&config, chain.ours, report);
        promise::check(&plugin::place(chain.ours), &config, lives, report);
        if config.route_check() == RouteCheck::Validated && report.findings.len() == wrong {
            report.tell(format!(
                "listener `{}`: nothing the filter writes or removes changes which of its {routes} routes is chosen, and \
                 each leads to its own clusters only",
                config.listener()
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests;
