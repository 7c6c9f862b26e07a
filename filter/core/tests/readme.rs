//! The filter's README and pages, and the project's where it shows settings, are held to the code.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use filter_core::{
    config::{self, Config, Injection, Limits, Payload, RouteIdentification, RouteMode},
    life::Upkeep,
    refusal,
};
use token::{reason::Reason, token_type::TokenType};

#[path = "readme/settings.rs"]
mod settings;

const README: &str = include_str!("../../README.md");
const CREDENTIALS: &str = include_str!("../../docs/credentials.md");
const REFUSALS: &str = include_str!("../../docs/refusals.md");
const PROJECT_README: &str = include_str!("../../../README.md");

#[test]
fn the_example_is_read_and_says_what_it_seems_to_say() {
    let config = example(README);
    let metadata = RouteIdentification::RouteMetadata { namespace: "cloakroom".to_owned(), key: "route".to_owned() };
    assert_eq!(*config.identify_routes_by(), metadata);
    assert_eq!(config.limits(), Limits::default(), "the limits shown are the defaults");
    let Some(RouteMode::Exchange(route)) = config.route("gcp-reports") else { panic!("an exchange route") };
    assert_eq!(route.subject_header(), Some("x-native-token"));
    let bearer = Injection::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) };
    assert_eq!(*route.inject(), bearer);
    assert!(matches!(config.route("health"), Some(RouteMode::Untouched)));
}

#[test]
fn each_way_to_use_a_credential_has_an_example_that_is_one() {
    let mut ways = Vec::new();
    for (name, kind) in [("azure", TokenType::AzureSas), ("s3", TokenType::AwsKeys), ("db", TokenType::AwsKeys)] {
        let (_, rest) = CREDENTIALS.split_once(&format!("```json {name}\n")).expect("an example");
        let (json, _) = rest.split_once("```").expect("its end");
        let config = format!(
            r#"{{"version": 1, "listener": "l", "reads_bodies": {}, "routes": {{"r": {{"exchange": {json}}}}},
            "sts": {{"cluster": "sts", "authority": "sts.test", "actor": "spiffe://td.test/edge"}}}}"#,
            name == "db"
        );
        let config = Config::parse(config.as_bytes()).expect("it is valid");
        let Some(RouteMode::Exchange(route)) = config.route("r") else { panic!("an exchange route") };
        assert_eq!(route.facts().requested_token_type, kind, "{name}");
        ways.push(route.sigv4().map(|sigv4| (sigv4.service.clone(), sigv4.payload, route.reads_bodies())));
    }
    let way = |service: &str, payload, reads| Some((service.to_owned(), payload, reads));
    assert_eq!(ways, [None, way("s3", Payload::Reuse, false), way("dynamodb", Payload::Hash, true)]);
}

#[test]
fn a_route_of_one_s_own_is_as_short_as_it_says() {
    let config = example(PROJECT_README);
    let Some(RouteMode::Exchange(route)) = config.route("invoices") else { panic!("an exchange route") };
    assert!(route.permits_cluster(b"invoices"));
}

#[test]
fn the_table_of_settings_is_the_schema_s() {
    let (_, section) = README.split_once("## Settings").expect("a section on settings");
    let (section, _) = section.split_once("\n## ").expect("another section behind it");
    let table: BTreeSet<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let rows = settings::rows(&config::schema());
    let wanted: BTreeSet<&str> = rows.iter().map(String::as_str).collect();
    let missing: Vec<_> = wanted.difference(&table).collect();
    let extra: Vec<_> = table.difference(&wanted).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing:\n{missing:#?}\ntoo many:\n{extra:#?}");
}

#[test]
fn the_example_shows_every_setting() {
    let (_, rest) = README.split_once("```json\n").expect("an example");
    let (json, _) = rest.split_once("```").expect("its end");
    for row in settings::rows(&config::schema()) {
        let path = row.trim_start_matches("| `").split('`').next().expect("a name");
        let name = path.trim_start_matches('…').rsplit('.').next().expect("its last part");
        assert!(name == "NAME" || json.contains(&format!("\"{name}\":")), "{path} is not in it");
    }
}

#[test]
fn the_prices_of_promises_are_the_code_s() {
    let (_, section) = README.split_once("## The price of a promise").expect("a section on promises");
    let (section, _) = section.split_once("\n## ").expect("another section behind it");
    let rows: Vec<(u64, &str, &str)> = section
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let &[outage_s, replaced_after, requests] = cells.as_slice() else { return None };
            Some((outage_s.parse().ok()?, replaced_after, requests))
        })
        .collect();
    assert_eq!(rows.len(), 5);
    for (outage_s, replaced_after, requests) in rows {
        let upkeep = Upkeep {
            expiry_margin_ms: 5_000,
            route_timeout_ms: 15_000,
            sts_timeout_ms: 750,
            survive_outage_ms: (outage_s > 0).then_some(outage_s * 1_000),
        };
        let plan = upkeep.plan(300_000).expect("a plan");
        let [earliest, latest] = [plan.earliest_refresh_ms, plan.latest_refresh_ms].map(|ms| ms / 1_000);
        assert_eq!(replaced_after, format!("{earliest} to {latest} s"), "{outage_s}");
        assert_eq!(requests, format!("{:.2}", plan.price_per_minute()), "{outage_s}");
        assert!(upkeep.keeps_promise(300_000), "{outage_s}");
    }
}

#[test]
fn the_table_of_refusals_is_the_code_s() {
    let table: Vec<[&str; 3]> = REFUSALS
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let &[code, status, title] = cells.as_slice() else { return None };
            status.parse::<u16>().ok().map(|_| [code.trim_matches('`'), status, title])
        })
        .collect();
    for reason in Reason::ALL {
        let row = refusal::row(*reason);
        let status = row.status.to_string();
        assert!(table.contains(&[reason.code(), &status, row.title]), "{reason} is missing or differs");
    }
    assert_eq!(table.len(), Reason::ALL.len(), "a row too many");
}

/// The first example of settings in `text`.
fn example(text: &str) -> Config {
    let (_, rest) = text.split_once("```json\n").expect("an example");
    let (json, _) = rest.split_once("```").expect("its end");
    Config::parse(json.as_bytes()).expect("it is valid")
}
