//! What holds Envoy to the filter's choice of route: the RBAC filter behind it, or a proof that nothing can change it.

use super::*;

/// A shipped bootstrap whose choices are compared.
const COMPARED: &str = include_str!("../../../../../envoy/https-app.yaml");
const NEXT: &str = "/http_filters/1";

/// The good bootstrap with the choice noted and compared, as it is where it cannot be proven.
fn compared() -> Value {
    let https: Value = document::parse(Path::new("https-app.yaml"), COMPARED).unwrap().0;
    let check = https.pointer(&format!("{MANAGER_AT}{NEXT}")).unwrap().clone();
    let mut document = good();
    configure(&mut document, |plugin| plugin["route_check"] = json!("filter_state"));
    filters(&mut document).insert(1, check);
    document
}

fn filters(document: &mut Value) -> &mut Vec<Value> {
    document.pointer_mut(&format!("{MANAGER_AT}/http_filters")).unwrap().as_array_mut().unwrap()
}

/// The findings after something of the connection manager whose choices are compared was replaced.
fn compared_with(pointer: &str, value: Value) -> Vec<Finding> {
    let mut document = compared();
    set(&mut document, &format!("{MANAGER_AT}{pointer}"), value);
    findings(&document)
}

fn filter(message: &str) -> Value {
    json!({"name": "other", "typed_config": {"@type": format!("type.googleapis.com/{message}")}})
}

#[test]
fn the_documented_check_must_be_directly_behind_the_filter() {
    let mut document = compared();
    filters(&mut document).remove(1);
    one(findings(&document), "http_filters[1]", "directly behind the filter");
    let mut document = compared();
    filters(&mut document).insert(1, filter("envoy.extensions.filters.http.fault.v3.HTTPFault"));
    one(findings(&document), "http_filters[1]", "directly behind the filter");
    let mut document = compared();
    filters(&mut document).truncate(1);
    one(findings(&document), "http_filters[0].next", "directly behind the filter");
}

#[test]
fn the_check_must_be_the_documented_one() {
    let rules = format!("{NEXT}/typed_config/rules");
    let policy = format!("{rules}/policies/same-choice");
    for (pointer, value, at) in [
        (format!("{rules}/action"), json!("DENY"), "rules.action"),
        (format!("{rules}/action"), json!("LOG"), "rules.action"),
        (format!("{rules}/policies"), json!({}), "rules.policies"),
        (format!("{policy}/condition"), Value::Null, "policies.same-choice"),
        (format!("{policy}/condition/call_expr/function"), json!("_||_"), "policies.same-choice"),
        (format!("{policy}/principals"), json!([]), "policies.same-choice"),
        (
            format!("{rules}/policies/all"),
            json!({"permissions": [{"any": true}], "principals": [{"any": true}]}),
            "rules.policies",
        ),
        (format!("{NEXT}/typed_config/matcher"), json!({"on_no_match": {}}), "typed_config.matcher"),
        (format!("{NEXT}/disabled"), json!(true), "http_filters[1].disabled"),
    ] {
        let found = compared_with(&pointer, value);
        assert_eq!(found.len(), 1, "{pointer}: {}", finding::lines(&found));
        assert!(found[0].path.ends_with(at), "{} for {pointer}", found[0].path);
    }
    assert!(compared_with(&format!("{rules}/action"), Value::Null).is_empty(), "`ALLOW` is what nothing means");
    assert!(compared_with(&format!("{NEXT}/typed_config/rules_stat_prefix"), json!("same")).is_empty());
}

#[test]
fn the_check_must_not_be_switched_off_per_route() {
    for level in ["/route_config", "/route_config/virtual_hosts/0", ROUTE] {
        let found = compared_with(&format!("{level}/typed_per_filter_config"), json!({"same-choice": {}}));
        one(found, "typed_per_filter_config.same-choice", "per route");
    }
}

#[test]
fn nobody_behind_the_check_may_have_the_route_chosen_again() {
    let lua = "envoy.extensions.filters.http.lua.v3.Lua";
    let mut document = compared();
    filters(&mut document).insert(2, filter(lua));
    one(findings(&document), "http_filters[2]", "known to change no header");
    let mut document = compared();
    filters(&mut document).insert(0, filter(lua));
    assert!(findings(&document).is_empty(), "in front of the filter it changes what the filter sees");
    let mut document = compared();
    filters(&mut document).insert(2, filter("envoy.extensions.filters.http.fault.v3.HTTPFault"));
    assert!(findings(&document).is_empty());
}

#[test]
fn a_proven_choice_needs_no_check_and_says_so() {
    let document = good();
    assert_eq!(finding::lines(&findings(&document)), "");
    let lines = Lines::default();
    let mut report = Report::new(Path::new("bootstrap.yaml"), &lines);
    check(&At::root(&document), None, &mut report);
    let [told] = report.told.as_slice() else { panic!("{:?}", report.told) };
    assert!(told.contains("which of its 4 routes is chosen"), "{told}");
}

#[test]
fn a_check_of_what_is_not_noted_would_refuse_everything() {
    let mut document = compared();
    configure(&mut document, |plugin| plugin["route_check"] = json!("validated"));
    one(findings(&document), "http_filters[1]", "would refuse every request");
}

#[test]
fn nothing_is_proven_with_a_filter_that_may_change_a_request() {
    for place in [0, 1] {
        for message in ["envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", ""] {
            let mut document = good();
            filters(&mut document).insert(place, filter(message));
            one(findings(&document), &format!("http_filters[{place}]"), "known to change no header");
        }
    }
}

#[test]
fn nothing_is_proven_where_chance_or_state_chooses_the_route() {
    for (by, value) in [
        ("runtime_fraction", json!({"default_value": {"numerator": 50}})),
        ("dynamic_metadata", json!([{"filter": "x"}])),
        ("filter_state", json!([{"key": "x"}])),
        ("some_day", json!(true)),
    ] {
        let pointer = format!("/route_config/virtual_hosts/0/routes/0/match/{by}");
        one(manager_with(&pointer, value.clone()), &format!("match.{by}"), "whole request");
        assert!(compared_with(&pointer, value).is_empty(), "where Envoy compares, it may");
    }
    let tls = json!({"presented": true});
    assert!(manager_with(&format!("{ROUTE}/match/tls_context"), tls).is_empty());
}

#[test]
fn nothing_is_proven_of_clusters_and_routes_that_come_from_elsewhere() {
    let mut document = good();
    let clusters = document.pointer_mut("/static_resources/clusters").unwrap().as_array_mut().unwrap();
    clusters.retain(|cluster| cluster["name"] != "gcp-edge");
    one(findings(&document), "routes[1].route.cluster", "leads where it says");
    let mut document = good();
    let manager = document.pointer_mut(MANAGER_AT).unwrap();
    manager["route_config"] = Value::Null;
    manager["rds"] = json!({"route_config_name": "egress"});
    one(findings(&document), "rds", "control plane");
}

#[test]
fn the_path_with_its_query_and_the_host_header_must_not_choose() {
    for name in [":path", "authorization"] {
        let headers = json!([{"name": name, "string_match": {"prefix": "/a"}}]);
        one(
            compared_with(&format!("{ROUTE}/match/headers"), headers),
            "headers[0].name",
            "another route could be chosen",
        );
    }
    one(compared_with("/route_config/vhost_header", json!("cookie")), "vhost_header", "another route could be chosen");
    assert!(compared_with("/route_config/vhost_header", json!("x-tenant")).is_empty());
}
