//! Where an exchange route may lead, how often and for how long.

use super::*;

#[test]
fn what_chooses_the_cluster_anew_is_refused() {
    for (specifier, value) in [("cluster_header", json!("x-where")), ("cluster_specifier_plugin", json!("plugin"))] {
        let found = manager_with(&format!("{ROUTE}/route/{specifier}"), value);
        one(found, &format!("route.{specifier}"), "chooses the cluster anew");
    }
}

#[test]
fn an_exchanged_token_goes_to_the_clusters_its_route_names() {
    let found = manager_with(&format!("{ROUTE}/route/cluster"), json!("aws-edge"));
    one(found, "route.cluster", "one of the route's `clusters`: gcp-edge");
    one(manager_with(&format!("{ROUTE}/route"), Value::Null), "routes[1].route", "nobody to give");
}

#[test]
fn copies_redirects_hedges_and_retries_are_refused() {
    let mirror = json!([{"cluster": "aws-edge"}]);
    for level in ["/route_config", "/route_config/virtual_hosts/0", &format!("{ROUTE}/route")] {
        let found = manager_with(&format!("{level}/request_mirror_policies"), mirror.clone());
        one(found, "request_mirror_policies", "the copy");
    }
    let hedge = json!({"hedge_on_per_try_timeout": true});
    one(manager_with(&format!("{ROUTE}/route/hedge_policy"), hedge.clone()), "route.hedge_policy", "twice");
    one(manager_with("/route_config/virtual_hosts/0/hedge_policy", hedge), "hedge_policy", "twice");
    let retry = json!({"retry_on": "5xx"});
    one(manager_with(&format!("{ROUTE}/route/retry_policy"), retry.clone()), "route.retry_policy", "second attempt");
    one(manager_with("/route_config/virtual_hosts/0/retry_policy", retry), "retry_policy", "second attempt");
    let redirect = json!({"max_internal_redirects": 1});
    let found = manager_with(&format!("{ROUTE}/route/internal_redirect_policy"), redirect);
    one(found, "route.internal_redirect_policy", "where the token goes next");
}

#[test]
fn what_is_refused_is_refused_in_protobuf_s_other_spelling_too() {
    let retry = json!({"retryOn": "5xx"});
    one(manager_with(&format!("{ROUTE}/route/retryPolicy"), retry), "route.retryPolicy", "second attempt");
    one(manager_with(&format!("{ROUTE}/route/clusterHeader"), json!("x-where")), "route.clusterHeader", "anew");
    one(manager_with(&format!("{PLUGIN}/failOpen"), json!(true)), "config.failOpen", "native token");
    let mut document = good();
    let manager = document.pointer_mut(MANAGER_AT).unwrap();
    manager["streamIdleTimeout"] = manager["stream_idle_timeout"].take();
    let route = manager.pointer_mut(ROUTE).unwrap();
    route["match"]["caseSensitive"] = json!(true);
    assert_eq!(finding::lines(&findings(&document)), "");
}

#[test]
fn destinations_lead_where_they_say() {
    let mut document = good();
    set(&mut document, "/static_resources/clusters/1/type", json!("ORIGINAL_DST"));
    one(findings(&document), "clusters[1].type", "ORIGINAL_DST");
    for name in ["envoy.clusters.dynamic_forward_proxy", "envoy.clusters.aggregate"] {
        let mut document = good();
        set(&mut document, "/static_resources/clusters/1/cluster_type", json!({"name": name}));
        one(findings(&document), "clusters[1].cluster_type.name", "endpoints are its own");
    }
}

#[test]
fn weighted_clusters_are_fine_where_each_of_them_is_the_routes_own() {
    let to = |clusters: Value| {
        manager_with(&format!("{ROUTE}/route"), json!({"weighted_clusters": {"clusters": clusters}, "timeout": "15s"}))
    };
    let own = json!({"name": "gcp-edge", "weight": 1});
    assert_eq!(finding::lines(&to(json!([own, own]))), "");
    let found = to(json!([own, {"name": "aws-edge", "weight": 1}]));
    one(found, "weighted_clusters.clusters[1].name", "one of the route's `clusters`: gcp-edge");
    let off = json!({"name": "gcp-edge", "typed_per_filter_config": {"cloakroom": {"disabled": true}}});
    one(to(json!([off])), "typed_per_filter_config.cloakroom", "per route");
    let chosen = to(json!([{"cluster_header": "x-where"}]));
    assert!(chosen.iter().any(|finding| finding.path.ends_with("clusters[0].cluster_header")));
}

#[test]
fn envoy_waits_no_longer_than_the_filter_reckons_with() {
    let waits = |timeout: Value| manager_with(&format!("{ROUTE}/route/timeout"), timeout);
    for timeout in [Value::Null, json!("15s"), json!("0.5s")] {
        assert_eq!(finding::lines(&waits(timeout)), "");
    }
    for timeout in [json!("15.001s"), json!("0s"), json!("soon"), json!(15)] {
        one(waits(timeout), "route.timeout", "up to the route's `request_timeout_seconds`, 15s");
    }
    let found =
        plugin_with(|plugin| plugin["routes"]["gcp-reports"]["exchange"]["request_timeout_seconds"] = json!(14));
    one(found, "routes[1].route.timeout", "request_timeout_seconds`, 14s");
    let mut document = good();
    set(&mut document, &format!("{MANAGER_AT}{ROUTE}/route/timeout"), Value::Null);
    let at = format!("{MANAGER_AT}{PLUGIN}/configuration/value");
    let text = document
        .pointer(&at)
        .and_then(Value::as_str)
        .unwrap()
        .replace("\"expiry_margin_seconds\": 5", "\"request_timeout_seconds\": 10");
    set(&mut document, &at, json!(text));
    assert!(findings(&document).iter().any(|finding| finding.found == "nothing, which means 15s"));
}

#[test]
fn a_client_s_own_grpc_timeout_is_bounded_too() {
    for (member, value) in [
        ("max_grpc_timeout", json!("0s")),
        ("max_grpc_timeout", json!("60s")),
        ("max_stream_duration", json!({"grpc_timeout_header_max": "0s"})),
    ] {
        let found = manager_with(&format!("{ROUTE}/route/{member}"), value);
        assert_eq!(found.len(), 1, "{member}");
        assert!(found[0].path.contains(member));
    }
    assert!(manager_with(&format!("{ROUTE}/route/max_grpc_timeout"), json!("15s")).is_empty());
}
