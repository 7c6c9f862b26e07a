use serde_json::{Value, json};

use super::*;

mod inject;

use inject::sigv4;

fn example() -> Value {
    json!({
        "version": 1,
        "listener": "egress",
        "sts": {"cluster": "sts", "authority": "sts.example", "actor": "spiffe://td.example/edge"},
        "routes": {
            "reports": {"exchange": {"resource": "https://reports.example", "scope": "reports.read", "clusters": ["gcp"]}},
            "health": "untouched"
        }
    })
}

fn parse(value: &Value) -> Result<Config, ConfigError> {
    Config::parse(&serde_json::to_vec(value).unwrap())
}

fn exchange(config: &Config) -> &ExchangeRoute {
    match config.route("reports") {
        Some(RouteMode::Exchange(route)) => route,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_least_configuration_has_the_documented_defaults() {
    let config = parse(&example()).unwrap();
    assert_eq!(config.listener(), "egress");
    assert_eq!(*config.identify_routes_by(), RouteIdentification::RouteName);
    assert_eq!((config.sts().path.as_str(), config.sts().timeout_ms), ("/oauth2/token", 750));
    assert_eq!(config.expiry_margin_ms(), 5_000);
    assert_eq!(config.limits(), Limits::default());
    assert_eq!(config.route_check(), RouteCheck::FilterState);
    assert!(!config.reads_bodies());
    assert!(matches!(config.route("health"), Some(RouteMode::Untouched)));
    assert!(config.route("other").is_none());
    let route = exchange(&config);
    assert_eq!(*route.subject(), SubjectSource::Authorization);
    let bearer = Injection::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) };
    assert_eq!(*route.inject(), bearer);
    assert_eq!(route.facts().subject_token_type.urn(), "urn:ietf:params:oauth:token-type:jwt");
    assert_eq!(route.facts().requested_token_type.urn(), "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((route.expiry_margin_ms(), route.request_timeout_ms()), (5_000, 15_000));
    assert_eq!((route.survive_outage_ms(), route.refresh_ahead()), (None, true));
    assert!(route.permits_cluster(b"gcp") && !route.permits_cluster(b"gcp2") && !route.permits_cluster(b""));
}

#[test]
fn an_aws_request_can_be_a_subject_and_cannot_be_asked_for() {
    let aws = "urn:ietf:params:aws:token-type:aws4_request";
    let mut value = example();
    value["routes"]["reports"]["exchange"]["subject_token_type"] = json!(aws);
    assert_eq!(exchange(&parse(&value).unwrap()).facts().subject_token_type.urn(), aws);
    value["routes"]["reports"]["exchange"]["requested_token_type"] = json!(aws);
    let error = parse(&value).unwrap_err().to_string();
    assert!(error.contains("requested_token_type") && error.contains("token-type:jwt"), "{error}");
}

/// Puts `value` at `pointer` and tells what is said about it.
fn complaint(pointer: &str, value: Value) -> String {
    let mut config = example();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[name] = value;
    parse(&config).expect_err(pointer).to_string()
}

#[test]
fn every_mistake_is_named_by_path_finding_and_expectation() {
    let route = "/routes/reports/exchange";
    for (pointer, value, wanted) in [
        ("/version", json!(2), "`version`: found 2; expected 1"),
        ("/listener", json!(7), "`listener`: found 7; expected 1 to 255 visible ASCII characters"),
        ("/colour", json!("red"), "`colour`: found a key that is not known; expected only `version`, `listener`"),
        ("/sts/cluster", Value::Null, "`sts.cluster`: found nothing; expected a cluster name"),
        (
            "/sts/timeout_ms",
            json!("fast"),
            "`sts.timeout_ms`: found the text \"fast\"; expected a whole number from 10 to 10000",
        ),
        (
            "/sts/actor",
            json!("edge"),
            "`sts.actor`: found the text \"edge\"; expected the SPIFFE ID in the proxy's certificate",
        ),
        ("/sts/path", json!("token"), "`sts.path`: found the text \"token\"; expected a path that begins with `/`"),
        (
            "/identify_routes_by",
            json!({"route_metadata": {"namespace": "a"}}),
            "`identify_routes_by.route_metadata.key`: found nothing",
        ),
        (
            "/identify_routes_by",
            json!("host"),
            "`identify_routes_by`: found the text \"host\"; expected \"route_name\" or {\"route_metadata\"",
        ),
        (
            "/defaults",
            json!({"expiry_margin_seconds": -1}),
            "`defaults.expiry_margin_seconds`: found -1; expected a whole number from 0 to 300",
        ),
        (
            "/defaults",
            json!({"survive_outage_seconds": 86_401}),
            "`defaults.survive_outage_seconds`: found 86401; expected a whole number from 0 to 86400",
        ),
        ("/defaults", json!({"refresh_ahead": 1}), "`defaults.refresh_ahead`: found 1; expected `true` or `false`"),
        (
            "/route_check",
            json!("none"),
            "`route_check`: found the text \"none\"; expected \"filter_state\" or \"validated\"",
        ),
        ("/reads_bodies", json!("yes"), "`reads_bodies`: found the text \"yes\"; expected `true` or `false`"),
        (
            &format!("{route}/request_timeout_seconds"),
            json!(3_601),
            "`routes.reports.exchange.request_timeout_seconds`: found 3601; expected a whole number from 0 to 3600",
        ),
        (
            "/limits",
            json!({"shared_tokens": 65_537}),
            "`limits.shared_tokens`: found 65537; expected a whole number from 0",
        ),
        ("/limits", json!({"cached_tokens": 0}), "`limits.cached_tokens`: found 0; expected a whole number from 1"),
        ("/routes", json!({}), "`routes`: found an empty object; expected at least one route"),
        (
            "/routes",
            json!({"a;b": "untouched"}),
            "`routes[\"a;b\"]`: found a route of that name; expected a name of 1 to 255 visible",
        ),
        (
            "/routes/a.b",
            json!("pass"),
            "`routes[\"a.b\"]`: found the text \"pass\"; expected \"untouched\" or {\"exchange\"",
        ),
        (
            "/routes/a",
            json!({"verify": {}}),
            "`routes.a`: found \"verify\", which this version does not have yet; expected \"untouched\" or",
        ),
        (
            "/routes/a",
            json!("observe"),
            "`routes.a`: found \"observe\", which this version does not have yet; expected \"untouched\" or",
        ),
        ("/routes/both", json!({"exchange": {}, "untouched": {}}), "`routes.both`: found an object of 2"),
        (
            &format!("{route}/clusters"),
            json!([]),
            "`routes.reports.exchange.clusters`: found an empty list; expected a list of the clusters the token may be sent to, 1 at least",
        ),
        (
            &format!("{route}/clusters"),
            Value::Null,
            "`routes.reports.exchange.clusters`: found nothing; expected a list of the clusters",
        ),
        (
            &format!("{route}/clusters"),
            json!(["a", 1]),
            "`routes.reports.exchange.clusters[1]`: found 1; expected a cluster name",
        ),
        (
            &format!("{route}/scope"),
            json!("a  b"),
            "`routes.reports.exchange.scope`: found the text \"a  b\"; expected scope tokens",
        ),
        (
            &format!("{route}/resource"),
            json!("reports"),
            "`routes.reports.exchange.resource`: found the text \"reports\"; expected an absolute URI",
        ),
        (
            &format!("{route}/resource"),
            Value::Null,
            "`routes.reports.exchange.resource`: found nothing; expected one at least of `resource`, `audience`",
        ),
        (
            &format!("{route}/subject"),
            json!({"header": {"name": "Authorization"}}),
            "`routes.reports.exchange.subject.header.name`: found the text \"Authorization\"; expected a header name in lower case",
        ),
        (
            &format!("{route}/subject"),
            json!({"cookie": {}}),
            "`routes.reports.exchange.subject`: found an object of 1 with the key \"cookie\"",
        ),
        (
            &format!("{route}/subject_token_type"),
            json!("jwt"),
            "`routes.reports.exchange.subject_token_type`: found the text \"jwt\"; expected one of urn:",
        ),
        (
            &format!("{route}/inject"),
            json!({"header": {"name": "content-length"}}),
            "`routes.reports.exchange.inject.header.name`: found the text \"content-length\"",
        ),
        (
            &format!("{route}/inject"),
            json!({"header": {"name": "x-a", "scheme": "a b"}}),
            "`routes.reports.exchange.inject.header.scheme`: found the text \"a b\"; expected an authentication scheme",
        ),
        (
            &format!("{route}/strip_headers"),
            json!(["host"]),
            "`routes.reports.exchange.strip_headers[0]`: found the text \"host\"",
        ),
        (
            &format!("{route}/exchagne"),
            json!(1),
            "`routes.reports.exchange.exchagne`: found a key that is not known; expected only `subject`",
        ),
    ] {
        let said = complaint(pointer, value);
        assert!(said.starts_with(wanted), "\n{said}\nshould begin with\n{wanted}");
        assert!(!said.contains('\n'));
    }
}

#[test]
fn text_that_is_no_object_or_repeats_a_key_is_refused() {
    for json in ["", "[]", "{", "{\"version\":1,\"version\":1}"] {
        let error = Config::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.path, "(document)", "{json}");
    }
}

#[test]
fn a_long_text_is_not_repeated_whole() {
    let said = complaint("/sts/actor", json!("eyJ".repeat(100)));
    assert!(said.len() < 250, "{said}");
}

#[test]
fn another_header_is_written_bare_unless_a_scheme_is_set() {
    let inject = |inject: Value| {
        let mut config = example();
        config["routes"]["reports"]["exchange"]["inject"] = json!({ "header": inject });
        exchange(&parse(&config).unwrap()).inject().clone()
    };
    let header = |name: &str, scheme: Option<&str>| Injection::Header {
        name: name.to_owned(),
        scheme: scheme.map(str::to_owned),
    };
    assert_eq!(inject(json!({"name": "x-token"})), header("x-token", None));
    assert_eq!(inject(json!({"name": "x-token", "scheme": "Token"})), header("x-token", Some("Token")));
    assert_eq!(inject(json!({"name": "authorization"})), header("authorization", Some("Bearer")));
}

#[test]
fn whatever_decides_how_a_token_is_used_is_in_the_route_s_facts() {
    let original = parse(&example()).unwrap();
    for (pointer, value) in [
        ("/listener", json!("egress2")),
        ("/sts/actor", json!("spiffe://td.example/other")),
        ("/defaults", json!({"expiry_margin_seconds": 1})),
        ("/defaults", json!({"request_timeout_seconds": 30})),
        ("/routes/reports/exchange/expiry_margin_seconds", json!(6)),
        ("/routes/reports/exchange/request_timeout_seconds", json!(14)),
        ("/routes/reports/exchange/resource", json!("https://other.example")),
        ("/routes/reports/exchange/audience", json!("other")),
        ("/routes/reports/exchange/scope", json!("reports.write")),
        ("/routes/reports/exchange/subject", json!({"header": {"name": "x-native"}})),
        ("/routes/reports/exchange/subject", json!("peer_certificate")),
        ("/routes/reports/exchange/subject", json!({"forwarded_certificate": {"hop": "spiffe://td.example/gateway"}})),
        ("/routes/reports/exchange/subject_token_type", json!("urn:ietf:params:oauth:token-type:id_token")),
        ("/routes/reports/exchange/requested_token_type", json!("urn:ietf:params:oauth:token-type:jwt")),
        ("/routes/reports/exchange/inject", json!({"header": {"name": "authorization", "scheme": "Token"}})),
        ("/routes/reports/exchange/clusters", json!(["gcp", "other"])),
        ("/routes/reports/exchange/strip_headers", json!(["x-key"])),
    ] {
        let mut config = example();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[name] = value;
        let changed = parse(&config).unwrap();
        assert_ne!(exchange(&original).facts(), exchange(&changed).facts(), "{pointer}");
    }
    assert_eq!(exchange(&original).facts(), exchange(&parse(&example()).unwrap()).facts());
}

#[test]
fn when_a_token_is_refreshed_is_not_in_the_facts() {
    let original = parse(&example()).unwrap();
    let mut config = example();
    config["defaults"] = json!({"survive_outage_seconds": 240, "refresh_ahead": false});
    assert_eq!(exchange(&original).facts(), exchange(&parse(&config).unwrap()).facts());
}

#[test]
fn a_route_overrides_what_the_listener_says_and_nothing_else() {
    let mut config = example();
    config["defaults"] = json!({"expiry_margin_seconds": 1, "survive_outage_seconds": 240, "refresh_ahead": false});
    config["routes"]["reports"]["exchange"]["survive_outage_seconds"] = json!(0);
    config["routes"]["reports"]["exchange"]["request_timeout_seconds"] = json!(60);
    let config = parse(&config).unwrap();
    let route = exchange(&config);
    assert_eq!((route.expiry_margin_ms(), route.request_timeout_ms()), (1_000, 60_000));
    assert_eq!((route.survive_outage_ms(), route.refresh_ahead()), (None, false));
}

/// Every property of the schema that has a default, as the pointer to the property and that default.
fn defaults(schema: &Value, at: &str, found: &mut Vec<(String, Value)>) {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, property) in properties {
        let at = format!("{at}/{name}");
        found.extend(property.get("default").map(|default| (at.clone(), default.clone())));
        defaults(property, &at, found);
    }
    let alternatives = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    alternatives.for_each(|alternative| defaults(alternative, at, found));
    if let Some(entries @ Value::Object(_)) = schema.get("additionalProperties") {
        defaults(entries, &format!("{at}/reports"), found);
    }
}

#[test]
fn the_schema_s_defaults_are_what_holds() {
    let mut found = Vec::new();
    defaults(&schema(), "", &mut found);
    assert_eq!(found.len(), 23, "{found:?}");
    let mut written = example();
    written["defaults"] = json!({});
    written["limits"] = json!({});
    written["routes"].as_object_mut().unwrap().remove("health");
    written["routes"]["reports"]["exchange"]["inject"] = sigv4(json!({}));
    let implied = format!("{:?}", parse(&written).unwrap());
    for (at, default) in found {
        let (parent, name) = at.rsplit_once('/').unwrap();
        written.pointer_mut(parent).unwrap()[name] = default;
        assert_eq!(format!("{:?}", parse(&written).unwrap()), implied, "{at}");
    }
}
