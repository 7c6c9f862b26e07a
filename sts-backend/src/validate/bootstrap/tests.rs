use serde_json::{Value, json};

use super::*;
use crate::{document::Lines, finding};

mod bodies;
mod destination;
mod route_check;
mod unchanged;

/// The shipped egress bootstrap is the good one; each test below breaks one rule of it.
const GOOD: &str = include_str!("../../../../envoy/egress.yaml");

const MANAGER_AT: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const FILTER: &str = "/http_filters/0";
const PLUGIN: &str = "/http_filters/0/typed_config/config";
const ROUTE: &str = "/route_config/virtual_hosts/0/routes/1";
const STS: &str = "/static_resources/clusters/0";

fn findings(document: &Value) -> Vec<Finding> {
    let lines = Lines::default();
    let mut report = Report::new(Path::new("bootstrap.yaml"), &lines);
    assert_eq!(check(&At::root(document), None, &mut report), 1);
    report.findings
}

fn good() -> Value {
    document::parse(Path::new("egress.yaml"), GOOD).unwrap().0
}

/// Replaces what stands at a JSON pointer; the last member may be new, and `null` removes it.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
    match parent {
        Value::Array(list) => list[name.parse::<usize>().unwrap()] = value,
        parent => parent[name] = value,
    }
}

/// The findings after something of the connection manager was replaced.
fn manager_with(pointer: &str, value: Value) -> Vec<Finding> {
    let mut document = good();
    set(&mut document, &format!("{MANAGER_AT}{pointer}"), value);
    findings(&document)
}

fn sts_with(pointer: &str, value: Value) -> Vec<Finding> {
    let mut document = good();
    set(&mut document, &format!("{STS}{pointer}"), value);
    findings(&document)
}

/// Edits the plugin's own configuration.
fn configure(document: &mut Value, edit: impl FnOnce(&mut Value)) {
    let at = format!("{MANAGER_AT}{PLUGIN}/configuration/value");
    let text = document.pointer(&at).and_then(Value::as_str).unwrap();
    let mut plugin = serde_json::from_str(text).unwrap();
    edit(&mut plugin);
    set(document, &at, json!(plugin.to_string()));
}

/// The findings after the plugin's own configuration was edited.
fn plugin_with(edit: impl FnOnce(&mut Value)) -> Vec<Finding> {
    let mut document = good();
    configure(&mut document, edit);
    findings(&document)
}

#[track_caller]
fn one(found: Vec<Finding>, path: &str, words: &str) {
    assert_eq!(found.len(), 1, "{}", finding::lines(&found));
    assert!(found[0].path.ends_with(path), "{} does not end with {path}", found[0].path);
    assert!(found[0].to_string().contains(words), "`{words}` not in {}", found[0]);
}

#[test]
fn the_shipped_bootstraps_are_fine() {
    assert_eq!(finding::lines(&findings(&good())), "");
    let https = include_str!("../../../../envoy/https-app.yaml");
    assert_eq!(finding::lines(&findings(&document::parse(Path::new("https-app.yaml"), https).unwrap().0)), "");
}

#[test]
fn the_plugin_must_fail_by_reloading() {
    for policy in [json!("FAIL_OPEN"), json!("FAIL_CLOSED"), Value::Null] {
        one(manager_with(&format!("{PLUGIN}/failure_policy"), policy), "config.failure_policy", "`FAIL_RELOAD`");
    }
    one(manager_with(&format!("{PLUGIN}/fail_open"), json!(true)), "config.fail_open", "native token");
}

#[test]
fn the_filter_must_not_be_switched_off() {
    one(manager_with(&format!("{FILTER}/disabled"), json!(true)), "http_filters[0].disabled", "every request");
    one(manager_with(&format!("{FILTER}/is_optional"), json!(true)), "http_filters[0].is_optional", "every request");
    let off = json!({"cloakroom": {"disabled": true}});
    for level in ["/route_config", "/route_config/virtual_hosts/0", ROUTE] {
        let found = manager_with(&format!("{level}/typed_per_filter_config"), off.clone());
        one(found, "typed_per_filter_config.cloakroom", "per route");
    }
}

#[test]
fn a_waiting_stream_must_end_some_day() {
    for timeout in [Value::Null, json!("0s"), json!("0.0s")] {
        one(manager_with("/stream_idle_timeout", timeout), "stream_idle_timeout", "greater than 0");
    }
}

#[test]
fn nobody_is_trusted_for_where_the_call_comes_from() {
    for remote in [Value::Null, json!(false)] {
        one(manager_with("/use_remote_address", remote), "use_remote_address", "taken for internal");
    }
    for internal in [Value::Null, json!({}), json!({"cidr_ranges": []})] {
        one(
            manager_with("/internal_address_config", internal),
            "internal_address_config.cidr_ranges",
            "taken for internal",
        );
    }
}

#[test]
fn the_vm_must_be_the_plugins_own() {
    for id in [Value::Null, json!("")] {
        one(manager_with(&format!("{PLUGIN}/vm_config/vm_id"), id), "vm_config.vm_id", "no other plugin");
    }
    let mut document = good();
    let listeners = document.pointer_mut("/static_resources/listeners").unwrap().as_array_mut().unwrap();
    listeners.push(listeners[0].clone());
    let lines = Lines::default();
    let mut report = Report::new(Path::new("bootstrap.yaml"), &lines);
    assert_eq!(check(&At::root(&document), None, &mut report), 2);
    one(report.findings, "vm_config.vm_id", "which `static_resources.listeners[0]");
}

#[test]
fn the_admin_interface_stays_at_home() {
    let admin = |address: &str| {
        let mut document = good();
        let socket = json!({"socket_address": {"address": address, "port_value": 9901}});
        set(&mut document, "/admin/address", socket);
        findings(&document)
    };
    one(admin("0.0.0.0"), "admin.address.socket_address.address", "loopback");
    assert!(admin("127.0.0.1").is_empty());
    assert!(admin("::1").is_empty());
}

#[test]
fn tunnels_are_refused() {
    for kind in ["CONNECT", "connect-udp", "h2c"] {
        let upgrade = json!([{"upgrade_type": kind}]);
        one(manager_with("/upgrade_configs", upgrade.clone()), "upgrade_configs[0].upgrade_type", "tunnel");
        one(
            manager_with(&format!("{ROUTE}/route/upgrade_configs"), upgrade),
            "upgrade_configs[0].upgrade_type",
            "tunnel",
        );
    }
    let websocket = json!([{"upgrade_type": "websocket"}]);
    one(
        manager_with("/upgrade_configs", websocket.clone()),
        "upgrade_configs[0].upgrade_type",
        "where tokens are exchanged",
    );
    let on_route = |route: usize| {
        manager_with(
            &format!("/route_config/virtual_hosts/0/routes/{route}/route"),
            json!({
                "cluster": "gcp-edge", "upgrade_configs": websocket
            }),
        )
    };
    one(on_route(1), "upgrade_configs[0].upgrade_type", "refuses every upgrade");
    assert!(on_route(0).is_empty(), "an untouched route may have it");
    assert!(manager_with("/upgrade_configs", json!([{"upgrade_type": "CONNECT", "enabled": false}])).is_empty());
    one(manager_with(&format!("{ROUTE}/match"), json!({"connect_matcher": {}})), "match.connect_matcher", "CONNECT");
}

#[test]
fn no_route_matches_on_a_parameter_or_cookie_the_filter_removes() {
    let at = format!("{ROUTE}/match/query_parameters");
    let named = |name| json!([{"name": name, "present_match": true}]);
    one(manager_with(&at, named("access_token")), "match.query_parameters[0].name", "once it is removed");
    assert!(manager_with(&at, named("page")).is_empty());
    one(manager_with(&format!("{ROUTE}/match/cookies"), named("session")), "match.cookies", "cookies are removed");
}

#[test]
fn no_route_matches_on_a_header_the_filter_changes() {
    for header in ["authorization", "Authorization", "cookie", "x-cloakroom-subject", "x-amz-security-token"] {
        let headers = json!([{"name": ":method"}, {"name": header}]);
        let found = manager_with("/route_config/virtual_hosts/0/routes/0/match/headers", headers);
        one(found, "match.headers[1].name", "another route could be chosen");
    }
    assert!(manager_with(&format!("{ROUTE}/match/headers"), json!([{"name": "x-tenant"}])).is_empty());
    let mut document = good();
    set(&mut document, &format!("{MANAGER_AT}{ROUTE}/match/headers"), json!([{"name": "x-native-token"}]));
    let at = format!("{MANAGER_AT}{PLUGIN}/configuration/value");
    let mut plugin: Value = serde_json::from_str(document.pointer(&at).and_then(Value::as_str).unwrap()).unwrap();
    plugin["routes"]["gcp-reports"]["exchange"]["subject"] = json!({"header": {"name": "x-native-token"}});
    set(&mut document, &at, json!(plugin.to_string()));
    one(findings(&document), "match.headers[0].name", "x-native-token");
}

#[test]
fn routes_of_envoy_and_of_the_filter_are_the_same() {
    let found = plugin_with(|plugin| _ = plugin["routes"].as_object_mut().unwrap().remove("health"));
    one(found, "routes[0].name", "does not name");
    let found = plugin_with(|plugin| plugin["routes"]["ghost"] = json!("untouched"));
    one(found, "route_config", "`ghost`");
}

#[test]
fn routes_can_be_identified_by_metadata() {
    let by_metadata = |plugin: &mut Value| {
        plugin["identify_routes_by"] = json!({"route_metadata": {"namespace": "cloakroom", "key": "route"}});
    };
    let found = plugin_with(by_metadata);
    assert!(found.iter().any(|finding| finding.path.ends_with("routes[0].metadata.filter_metadata.cloakroom.route")));
}

#[test]
fn routes_from_elsewhere_cannot_be_checked() {
    let mut document = good();
    let manager = document.pointer_mut(MANAGER_AT).unwrap();
    manager["route_config"] = Value::Null;
    manager["rds"] = json!({"route_config_name": "egress"});
    one(findings(&document), "rds", "control plane");
}

#[test]
fn a_mistake_in_the_plugins_configuration_is_named() {
    let found = plugin_with(|plugin| plugin["defaults"]["expire"] = json!(5));
    one(found, "configuration.value", "defaults.expire");
}

#[test]
fn the_way_to_the_sts_is_encrypted_and_pinned() {
    one(sts_with("/transport_socket", Value::Null), "transport_socket", "in the clear");
    let common = "/transport_socket/typed_config/common_tls_context";
    one(sts_with(&format!("{common}/tls_certificates"), Value::Null), "tls_certificates", "client certificate");
    let context = format!("{common}/validation_context");
    one(sts_with(&format!("{context}/trusted_ca"), Value::Null), "trusted_ca", "any server's certificate");
    let names = "match_typed_subject_alt_names";
    one(sts_with(&format!("{context}/{names}"), json!([])), names, "pin the STS's own name");
    let other = json!([{"name": "plain", "match": {}}]);
    one(sts_with("/transport_socket_matches", other), "transport_socket_matches", "other TLS");
}

#[test]
fn a_dead_sts_is_given_up_in_time() {
    for timeout in [Value::Null, json!("5s"), json!("0s")] {
        one(sts_with("/connect_timeout", timeout), "clusters[0].connect_timeout", "0.75s");
    }
}

#[test]
fn the_sts_cluster_must_be_in_the_file() {
    one(sts_with("/name", json!("other")), "static_resources", "no cluster `sts`");
}

#[test]
fn findings_name_the_line_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("egress.yaml");
    std::fs::write(&file, GOOD.replace("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN")).unwrap();
    let mut validation = Validation::default();
    check_file(&file, None, &mut validation);
    let line = 1 + GOOD.lines().position(|line| line.trim_start().starts_with("failure_policy")).unwrap() as u64;
    assert_eq!(validation.findings.len(), 1);
    assert_eq!(validation.findings[0].line, Some(line));
}

/// Every place of a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(i, item)| places(item, &format!("{at}/{i}"), found)),
        Value::Object(map) => map.iter().for_each(|(name, item)| {
            places(item, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

#[test]
fn whatever_stands_in_a_bootstrap_it_is_judged_and_not_choked_on() {
    let good = good();
    let mut pointers = Vec::new();
    places(&good, "", &mut pointers);
    assert!(pointers.len() > 300);
    for pointer in &pointers {
        for other in [Value::Null, json!(true), json!(-1.5), json!("x"), json!([{}, []]), json!({"@type": 7})] {
            let mut document = good.clone();
            *document.pointer_mut(pointer).unwrap() = other;
            let lines = Lines::default();
            let mut report = Report::new(Path::new("bootstrap.yaml"), &lines);
            let managers = check(&At::root(&document), None, &mut report);
            assert!(managers <= 1, "{pointer}");
        }
    }
}

#[test]
fn no_member_of_the_plugin_can_be_lost_unnoticed() {
    for name in ["failure_policy", "vm_config", "configuration"] {
        assert!(!manager_with(&format!("{PLUGIN}/{name}"), Value::Null).is_empty(), "{name}");
    }
}

#[test]
fn a_route_that_believes_a_hop_needs_its_verified_certificate_and_its_header() {
    let mut document = good();
    configure(&mut document, |plugin| {
        plugin["routes"]["gcp-reports"]["exchange"]["subject"] =
            json!({"forwarded_certificate": {"hop": "spiffe://td/gateway"}});
    });
    let chain = "/static_resources/listeners/0/filter_chains/0";
    let kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    let context = json!({"trusted_ca": {"filename": "ca.crt"}});
    let common = json!({"validation_context": context});
    let tls =
        json!({"typed_config": {"@type": kind, "require_client_certificate": true, "common_tls_context": common}});
    set(&mut document, &format!("{chain}/transport_socket"), tls);
    let details = format!("{chain}/filters/0/typed_config/forward_client_cert_details");
    for mode in [Value::Null, json!("SANITIZE"), json!("SANITIZE_SET"), json!("APPEND_FORWARD"), json!(2)] {
        set(&mut document, &details, mode.clone());
        let found = findings(&document);
        assert_eq!(found.len(), 1, "{mode}");
        assert!(found[0].path.ends_with("forward_client_cert_details"), "{}", found[0].path);
    }
    for mode in ["FORWARD_ONLY", "ALWAYS_FORWARD_ONLY"] {
        set(&mut document, &details, json!(mode));
        assert_eq!(findings(&document).len(), 0, "{mode}");
    }
    let context = format!("{chain}/transport_socket/typed_config/common_tls_context/validation_context");
    for (place, value, end) in [
        (format!("{context}/trusted_ca"), Value::Null, "trusted_ca"),
        (format!("{context}/trust_chain_verification"), json!("ACCEPT_UNTRUSTED"), "trust_chain_verification"),
        (
            format!("{chain}/transport_socket/typed_config/require_client_certificate"),
            json!(false),
            "require_client_certificate",
        ),
    ] {
        let mut document = document.clone();
        set(&mut document, &place, value);
        let found = findings(&document);
        assert_eq!(found.len(), 1, "{place}");
        assert!(found[0].path.ends_with(end), "{}", found[0].path);
    }
}

#[test]
fn certificates_that_clients_tell_of_are_passed_on_only_where_they_are_read() {
    let details = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/forward_client_cert_details";
    for (mode, wrong) in [
        (json!("SANITIZE"), 0),
        (json!("SANITIZE_SET"), 0),
        (json!("FORWARD_ONLY"), 1),
        (json!("ALWAYS_FORWARD_ONLY"), 1),
        (json!("APPEND_FORWARD"), 1),
        (json!(4), 1),
    ] {
        let mut document = good();
        set(&mut document, details, mode.clone());
        assert_eq!(findings(&document).len(), wrong, "{mode}");
    }
}

#[test]
fn a_route_that_knows_workloads_by_their_certificates_needs_them_to_be_shown() {
    let mut document = good();
    configure(&mut document, |plugin| {
        plugin["routes"]["gcp-reports"]["exchange"]["subject"] = json!("peer_certificate")
    });
    let place =
        "static_resources.listeners[0].filter_chains[0].transport_socket.typed_config.require_client_certificate";
    assert_eq!(findings(&document)[0].path, place);
    let chain = "/static_resources/listeners/0/filter_chains/0/transport_socket";
    let kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
    for (required, wrong) in [(false, 1), (true, 0)] {
        let tls = json!({"typed_config": {"@type": kind, "require_client_certificate": required}});
        set(&mut document, chain, tls);
        assert_eq!(findings(&document).len(), wrong, "{required}");
    }
}
