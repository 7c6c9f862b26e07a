//! The filter as Envoy is told to run it.

use std::collections::HashMap;

use filter_core::config::Config;
use serde_json::Value;

use super::{At, Report, bodies};

const WASM: &str = "envoy.extensions.filters.http.wasm.v3.Wasm";
const TEXT: &str = "google.protobuf.StringValue";

/// Whether an HTTP filter is ours: by name, by root id, or because its configuration has the form of ours.
pub(super) fn is_ours(filter: &At<'_>) -> bool {
    if filter.get("typed_config").message() != WASM {
        return filter.get("name").text() == Some("cloakroom");
    }
    let config = filter.follow("typed_config.config");
    let named = |at: At<'_>| at.text() == Some("cloakroom");
    let text = config.follow("configuration.value");
    named(filter.get("name"))
        || named(config.get("name"))
        || named(config.get("root_id"))
        || text.text().is_some_and(looks_like_ours)
}

/// Also a configuration with a mistake in it must be recognised, or nothing would be checked just where it is needed.
fn looks_like_ours(text: &str) -> bool {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    json.get("sts").is_some() && json.get("routes").is_some()
}

/// Checks the plugin, and reads its configuration.
pub(super) fn check(filter: &At<'_>, vm_ids: &mut HashMap<String, String>, report: &mut Report<'_>) -> Option<Config> {
    if filter.get("typed_config").message() != WASM {
        let at = filter.get("typed_config");
        let remedy = "what is delivered by discovery cannot be checked here";
        report.wrong(&at, at.shown(), format!("the filter in the file itself, as `{WASM}`"), remedy);
        return None;
    }
    for member in ["disabled", "is_optional"] {
        if filter.get(member).is_true() {
            let remedy = "requests would pass with the token they came with";
            report.wrong(&filter.get(member), "`true`", "the filter on every request of this listener", remedy);
        }
    }
    let plugin = filter.follow("typed_config.config");
    check_failure(&plugin, report);
    check_vm(&plugin, vm_ids, report);
    let config = configuration(&plugin, report)?;
    bodies::check_flag(&plugin, &config, report);
    Some(config)
}

fn check_failure(plugin: &At<'_>, report: &mut Report<'_>) {
    let policy = plugin.get("failure_policy");
    if policy.text() != Some("FAIL_RELOAD") {
        let remedy = "FAIL_OPEN forwards the native token after a trap, FAIL_CLOSED refuses for ever";
        report.wrong(&policy, policy.shown(), "`FAIL_RELOAD`", remedy);
    }
    let open = plugin.get("fail_open");
    if open.exists() {
        let remedy = "remove it: after a trap it would forward the native token";
        report.wrong(&open, open.shown(), "nothing: `failure_policy` decides", remedy);
    }
}

/// Shared data belongs to a `vm_id`: two plugins with the same one read and write each other's.
fn check_vm(plugin: &At<'_>, vm_ids: &mut HashMap<String, String>, report: &mut Report<'_>) {
    let id = plugin.follow("vm_config.vm_id");
    let Some(text) = id.text().filter(|text| !text.is_empty()) else {
        let remedy = "without one the plugin shares its data with every other that has none";
        report.wrong(&id, id.shown(), "a `vm_id` that no other plugin has", remedy);
        return;
    };
    if let Some(other) = vm_ids.insert(text.to_owned(), id.path.clone()) {
        let found = format!("`{text}`, which `{other}` has too");
        report.wrong(&id, found, "a `vm_id` that no other plugin has", "plugins that share one read each other's data");
    }
}

/// Where the filter's own configuration stands.
pub(super) fn place<'v>(filter: &At<'v>) -> At<'v> {
    filter.follow("typed_config.config.configuration.value")
}

fn configuration(plugin: &At<'_>, report: &mut Report<'_>) -> Option<Config> {
    let configuration = plugin.get("configuration");
    let value = configuration.get("value");
    let Some(text) = value.text().filter(|_| configuration.message() == TEXT) else {
        let expected = format!("`{TEXT}` with the filter's JSON");
        report.wrong(&configuration, configuration.shown(), expected, "the filter reads nothing else");
        return None;
    };
    match Config::parse(text.as_bytes()) {
        Ok(config) => Some(config),
        Err(error) => {
            report.wrong(&value, error.to_string(), "", "Envoy does not start with it");
            None
        }
    }
}
