//! How credentials are put into requests.

use std::sync::Arc;

use token::token_type::TokenType;

use super::*;

/// An injection by signature, with `settings` on top.
pub(super) fn sigv4(settings: Value) -> Value {
    let mut sigv4 = json!({"service": "s3", "region": "eu-central-1"});
    sigv4.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    json!({ "sigv4": sigv4 })
}

/// The route with this injection.
fn injecting(inject: Value) -> Arc<ExchangeRoute> {
    let mut config = example();
    config["reads_bodies"] = json!(true);
    config["routes"]["reports"]["exchange"]["inject"] = inject;
    match parse(&config).unwrap().route("reports") {
        Some(RouteMode::Exchange(route)) => Arc::clone(route),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_asked_for_follows_from_how_it_is_used() {
    let keys = injecting(sigv4(json!({})));
    assert_eq!(keys.facts().requested_token_type, TokenType::AwsKeys);
    let Some(least) = keys.sigv4() else { panic!("{keys:?}") };
    assert_eq!((least.service.as_str(), least.region.as_str(), least.payload), ("s3", "eu-central-1", Payload::Reuse));
    assert_eq!((least.host.as_ref(), least.prefix_rewrite.as_ref(), least.max_body_bytes), (None, None, 1 << 20));
    assert_eq!((keys.injected_header(), keys.reads_bodies()), (None, false));
    let sas = injecting(json!("azure_sas"));
    assert_eq!(sas.facts().requested_token_type, TokenType::AzureSas);
    assert!(sas.sigv4().is_none() && sas.injected_header().is_none());
    for (route, headers, parameters) in [
        (keys, &["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"][..], &[][..]),
        (sas, &[":path"], &["sig", "SV"]),
        (injecting(json!({"header": {"name": "x-token"}})), &["x-token"], &[]),
    ] {
        for name in ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token", ":path", "x-token"]
        {
            assert_eq!(route.writes_header(name), headers.contains(&name), "{name} of {route:?}");
        }
        for name in ["sig", "SV", "page"] {
            assert_eq!(route.writes_parameter(name), parameters.contains(&name), "{name} of {route:?}");
        }
    }
}

#[test]
fn a_signature_can_be_for_another_host_and_path_than_the_client_s() {
    let route = injecting(sigv4(json!({
        "service": "dynamodb", "payload": "hash", "max_body_bytes": 7,
        "host": "dynamodb.eu-central-1.amazonaws.com:443", "prefix_rewrite": {"match": "/db/", "to": "/"},
    })));
    assert!(route.reads_bodies());
    let Some(SigV4 { host, prefix_rewrite: Some(rewrite), max_body_bytes: 7, .. }) = route.sigv4() else {
        panic!("{route:?}")
    };
    assert_eq!(host.as_deref(), Some("dynamodb.eu-central-1.amazonaws.com:443"));
    assert_eq!((rewrite.r#match.as_str(), rewrite.to.as_str()), ("/db/", "/"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let at = "/routes/reports/exchange/inject";
    for (inject, wanted) in [
        (
            sigv4(json!({"payload": "hash"})),
            "`routes.reports.exchange.inject.sigv4.payload`: found \"hash\" in a plugin",
        ),
        (
            sigv4(json!({"service": "sqs", "payload": "unsigned"})),
            "`routes.reports.exchange.inject.sigv4.payload`: found \"unsigned\" for the service `sqs`; expected",
        ),
        (json!("sigv4"), "`routes.reports.exchange.inject`: found the text \"sigv4\"; expected"),
        (json!({"azure_sas": {}}), "`routes.reports.exchange.inject`: found an object of 1 with the key \"azure_sas\""),
        (
            sigv4(json!({"service": "S3"})),
            "`routes.reports.exchange.inject.sigv4.service`: found the text \"S3\"; expected a name of AWS's",
        ),
        (
            sigv4(json!({"host": "https://a"})),
            "`routes.reports.exchange.inject.sigv4.host`: found the text \"https://a\"; expected a host name",
        ),
        (
            sigv4(json!({"prefix_rewrite": {"match": "/s3/"}})),
            "`routes.reports.exchange.inject.sigv4.prefix_rewrite.to`: found nothing; expected a path",
        ),
        (
            sigv4(json!({"max_body_bytes": 0})),
            "`routes.reports.exchange.inject.sigv4.max_body_bytes`: found 0; expected",
        ),
    ] {
        let said = complaint(at, inject);
        assert!(said.starts_with(wanted), "\n{said}\nshould begin with\n{wanted}");
    }
    let mut config = example();
    config["routes"]["reports"]["exchange"]["inject"] = json!("azure_sas");
    config["routes"]["reports"]["exchange"]["requested_token_type"] = json!(TokenType::AccessToken.urn());
    let said = parse(&config).unwrap_err().to_string();
    assert!(said.starts_with("`routes.reports.exchange.requested_token_type`: found urn:ietf:"), "{said}");
}

#[test]
fn whatever_decides_how_a_credential_is_used_is_in_the_route_s_facts() {
    let all = json!({"host": "a.test", "prefix_rewrite": {"match": "/a/", "to": "/b/"}});
    let settings = [
        json!({}),
        json!({"service": "s3-outposts"}),
        json!({"region": "eu-central-2"}),
        json!({"payload": "unsigned"}),
        json!({"payload": "hash"}),
        json!({"max_body_bytes": 7}),
        json!({"host": "a.test"}),
        json!({"host": "b.test"}),
        json!({"prefix_rewrite": {"match": "/a/", "to": "/"}}),
        json!({"prefix_rewrite": {"match": "/b/", "to": "/"}}),
        json!({"prefix_rewrite": {"match": "/a/", "to": "/b/"}}),
        all,
    ];
    let injections = settings.into_iter().map(sigv4).chain([
        json!("azure_sas"),
        json!({"header": {"name": "x-a"}}),
        json!({"header": {"name": "x-a", "scheme": "DPoP"}}),
    ]);
    let routes: Vec<_> = injections.map(injecting).collect();
    for (place, route) in routes.iter().enumerate() {
        assert!(routes[..place].iter().all(|other| other.facts().settings != route.facts().settings), "{route:?}");
    }
}
