//! Routes whose requests are signed, or have a shared access signature: what leaves is what the filter has made.

use super::*;

const ACTION: &str = "/route_config/virtual_hosts/0/routes/1/route";
const HOST: &str = "reports.s3.eu-central-1.amazonaws.com";

/// The good bootstrap with another injection on the route `gcp-reports`.
fn with_inject(inject: Value) -> Value {
    let mut document = good();
    configure(&mut document, |plugin| plugin["routes"]["gcp-reports"]["exchange"]["inject"] = inject);
    document
}

/// The good bootstrap with signed requests, whose host and prefix Envoy rewrites.
fn signed() -> Value {
    let rewrite = json!({"match": "/gcp-reports/", "to": "/"});
    let sigv4 = json!({"service": "s3", "region": "eu-central-1", "host": HOST, "prefix_rewrite": rewrite});
    let mut document = with_inject(json!({"sigv4": sigv4}));
    set(&mut document, &format!("{MANAGER_AT}{ACTION}/host_rewrite_literal"), json!(HOST));
    set(&mut document, &format!("{MANAGER_AT}{ACTION}/prefix_rewrite"), json!("/"));
    document
}

/// The good bootstrap with signed requests that leave as they came.
fn signed_as_sent() -> Value {
    let mut document = with_inject(json!({"sigv4": {"service": "s3", "region": "eu-central-1"}}));
    set(&mut document, &format!("{MANAGER_AT}{ACTION}/host_rewrite_literal"), Value::Null);
    document
}

/// The findings after something of a connection manager was replaced.
fn after(mut document: Value, pointer: &str, value: Value) -> Vec<Finding> {
    set(&mut document, &format!("{MANAGER_AT}{pointer}"), value);
    findings(&document)
}

fn after_in_action(document: Value, name: &str, value: Value) -> Vec<Finding> {
    after(document, &format!("{ACTION}/{name}"), value)
}

/// The ways of rewriting a host, but for the literal one.
fn other_hosts() -> [(&'static str, Value); 6] {
    [
        ("auto_host_rewrite", json!(true)),
        ("autoHostRewrite", json!("true")),
        ("host_rewrite_header", json!("x-host")),
        ("host_rewrite_path_regex", json!({"pattern": {"regex": "^/(.+)/"}, "substitution": "\\1"})),
        ("host_rewrite", json!("%REQ(x-host)%")),
        ("auto_host_rewrite_some_day", json!({"x": 1})),
    ]
}

/// The ways of rewriting a path, but for a prefix.
fn other_paths() -> [(&'static str, Value); 4] {
    [
        ("regex_rewrite", json!({"pattern": {"regex": "^/a"}, "substitution": "/b"})),
        ("path_rewrite_policy", json!({"name": "envoy.path.rewrite.uri_template", "typed_config": {"@type": "x"}})),
        ("path_rewrite", json!("%REQ(x-path)%")),
        ("pathRewrite", json!("/x")),
    ]
}

#[test]
fn what_envoy_and_the_filter_agree_on_is_fine() {
    for document in [signed(), signed_as_sent(), with_inject(json!("azure_sas"))] {
        assert_eq!(finding::lines(&findings(&document)), "");
    }
    let off = after_in_action(signed(), "auto_host_rewrite", json!(false));
    assert_eq!(finding::lines(&off), "");
}

#[test]
fn the_host_that_leaves_is_the_one_that_is_signed() {
    for other in [json!("other.s3.eu-central-1.amazonaws.com"), json!(HOST.to_uppercase()), Value::Null] {
        one(after_in_action(signed(), "host_rewrite_literal", other), "route.host_rewrite_literal", HOST);
    }
    let found = after_in_action(signed_as_sent(), "host_rewrite_literal", json!(HOST));
    one(found, "route.host_rewrite_literal", "nothing here, or the same as `host`");
    for (name, value) in other_hosts() {
        for document in [signed(), signed_as_sent()] {
            one(after_in_action(document, name, value.clone()), &format!("route.{name}"), "another than was signed");
        }
    }
    let weighted = json!({"clusters": [{"name": "gcp-edge", "weight": 1, "host_rewrite_literal": HOST}]});
    let mut document = signed();
    set(&mut document, &format!("{MANAGER_AT}{ACTION}/cluster"), Value::Null);
    one(after_in_action(document, "weighted_clusters", weighted), "clusters[0].host_rewrite_literal", "one host");
}

#[test]
fn the_path_that_leaves_is_the_one_that_is_signed() {
    for other in [json!("/x/"), json!(""), Value::Null] {
        one(after_in_action(signed(), "prefix_rewrite", other), "route.prefix_rewrite", "`/`, which is");
    }
    let found = after_in_action(signed_as_sent(), "prefix_rewrite", json!("/"));
    one(found, "route.prefix_rewrite", "nothing here, or the same");
    for (name, value) in other_paths() {
        for document in [signed(), signed_as_sent()] {
            one(after_in_action(document, name, value.clone()), &format!("route.{name}"), "but `prefix_rewrite`");
        }
    }
    for matching in
        [json!({"prefix": "/gcp-"}), json!({"path": "/gcp-reports/"}), json!({"path_separated_prefix": "/gcp-reports"})]
    {
        one(after(signed(), &format!("{ROUTE}/match"), matching), "match.prefix", "`/gcp-reports/`, which is");
    }
    for insensitive in [json!(false), json!("false")] {
        one(
            after(signed(), &format!("{ROUTE}/match/case_sensitive"), insensitive),
            "match.case_sensitive",
            "signs otherwise",
        );
    }
    assert!(after(signed(), &format!("{ROUTE}/match/case_sensitive"), json!(true)).is_empty());
}

#[test]
fn no_level_adds_or_removes_a_header_that_is_signed_or_written() {
    let levels = ["/route_config", "/route_config/virtual_hosts/0", ROUTE];
    for document in [signed(), with_inject(json!("azure_sas"))] {
        for level in levels {
            for name in ["x-amz-acl", "X-Amz-Date", "Authorization", "host", ":path"] {
                let added =
                    json!([{"header": {"key": "x-tenant", "value": "a"}}, {"header": {"key": name, "value": "a"}}]);
                let found = after(document.clone(), &format!("{level}/request_headers_to_add"), added);
                one(found, "request_headers_to_add[1].header.key", "neither `x-amz-*`");
                let found = after(document.clone(), &format!("{level}/requestHeadersToRemove"), json!(["x-a", name]));
                one(found, "requestHeadersToRemove[1]", "neither `x-amz-*`");
            }
            let others = json!([{"header": {"key": "x-amzn-trace-id", "value": "a"}}]);
            assert!(after(document.clone(), &format!("{level}/request_headers_to_add"), others).is_empty());
        }
    }
    let member = json!({"name": "gcp-edge", "request_headers_to_remove": ["x-amz-date"]});
    let mut document = signed();
    set(&mut document, &format!("{MANAGER_AT}{ACTION}/cluster"), Value::Null);
    let found = after_in_action(document, "weighted_clusters", json!({"clusters": [member]}));
    one(found, "clusters[0].request_headers_to_remove[0]", "neither `x-amz-*`");
    let added = json!([{"header": {"key": "x-amz-acl", "value": "a"}}]);
    let plain = manager_with(&format!("{ROUTE}/request_headers_to_add"), added);
    assert!(plain.is_empty(), "a bearer token covers no header");
}

#[test]
fn a_shared_access_signature_stays_in_the_query_that_was_written() {
    let sas = || with_inject(json!("azure_sas"));
    assert!(after_in_action(sas(), "prefix_rewrite", json!("/container/")).is_empty());
    let regex = |substitution: &str| json!({"pattern": {"regex": "^/(.+)$"}, "substitution": substitution});
    assert!(after_in_action(sas(), "regex_rewrite", regex("/c/\\1")).is_empty());
    for query in ["/c?comp=list&x=", "/c#"] {
        one(after_in_action(sas(), "prefix_rewrite", json!(query)), "route.prefix_rewrite", "without `?` and `#`");
        one(after_in_action(sas(), "regex_rewrite", regex(query)), "regex_rewrite.substitution", "without `?` and `#`");
    }
    for (name, value) in other_paths().into_iter().skip(1) {
        one(after_in_action(sas(), name, value), &format!("route.{name}"), "no longer be in the query");
    }
    for (name, value) in other_hosts() {
        let mut document = sas();
        set(&mut document, &format!("{MANAGER_AT}{ACTION}/host_rewrite_literal"), Value::Null);
        assert!(after_in_action(document, name, value).is_empty(), "{name} is not signed");
    }
}

#[test]
fn no_route_of_the_listener_matches_on_a_parameter_that_the_filter_writes() {
    let named = |name: &str| json!([{"name": name, "present_match": true}]);
    for route in 0..3 {
        let at = format!("/route_config/virtual_hosts/0/routes/{route}/match/query_parameters");
        for name in ["sv", "se", "SKOID"] {
            let found = after(with_inject(json!("azure_sas")), &at, named(name));
            one(found, "match.query_parameters[0].name", "once it is written");
        }
        assert!(after(with_inject(json!("azure_sas")), &at, named("comp")).is_empty());
        assert!(manager_with(&at, named("sv")).is_empty(), "nobody writes it");
    }
    for header in ["x-amz-date", "X-Amz-Content-Sha256"] {
        let headers = json!([{"name": header, "present_match": true}]);
        let found = after(signed(), "/route_config/virtual_hosts/0/routes/0/match/headers", headers);
        one(found, "match.headers[0].name", "another route could be chosen");
    }
}

#[test]
fn no_filter_stands_between_the_router_and_the_endpoint() {
    let mutation = json!({"name": "late", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"}});
    let codec = json!({"name": "codec", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"}});
    let protocol = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    for document in [signed(), with_inject(json!("azure_sas"))] {
        let router =
            |filters: Value| after(document.clone(), "/http_filters/1/typed_config/upstream_http_filters", filters);
        one(router(json!([mutation, codec])), "upstream_http_filters[0]", "signed already");
        assert!(router(json!([codec])).is_empty());
        let cluster = |name: &str, filters: Value| {
            let mut document = document.clone();
            let clusters = document.pointer_mut("/static_resources/clusters").unwrap().as_array_mut().unwrap();
            let cluster = clusters.iter_mut().find(|cluster| cluster["name"] == name).unwrap();
            cluster["typed_extension_protocol_options"] = json!({protocol: {"http_filters": filters}});
            findings(&document)
        };
        one(cluster("gcp-edge", json!([codec, mutation])), "http_filters[1]", "signed already");
        assert!(cluster("gcp-edge", json!([codec])).is_empty());
        assert!(cluster("aws-edge", json!([mutation, codec])).is_empty(), "no such request goes there");
    }
    let filters = json!([mutation, codec]);
    assert!(manager_with("/http_filters/1/typed_config/upstream_http_filters", filters).is_empty());
}

#[test]
fn retries_and_copies_are_refused_as_on_every_route() {
    let retry = json!({"retry_on": "5xx"});
    one(after_in_action(signed(), "retry_policy", retry), "route.retry_policy", "second attempt");
    let mirror = json!([{"cluster": "aws-edge"}]);
    one(after_in_action(signed(), "request_mirror_policies", mirror), "request_mirror_policies", "the copy");
}
