//! The filter's README, and the project's where it shows settings, are held to the code.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use filter_core::{
    config::{Config, Injection, Limits, RouteIdentification, RouteMode},
    refusal,
};
use token::reason::Reason;

const README: &str = include_str!("../../README.md");
const PROJECT_README: &str = include_str!("../../../README.md");

#[test]
fn the_example_is_read_and_says_what_it_seems_to_say() {
    let config = example(README);
    let metadata = RouteIdentification::RouteMetadata { namespace: "cloakroom".to_owned(), key: "route".to_owned() };
    assert_eq!(*config.identify_routes_by(), metadata);
    assert_eq!(config.limits(), Limits::default(), "the limits shown are the defaults");
    let Some(RouteMode::Exchange(route)) = config.route("gcp-reports") else { panic!("an exchange route") };
    assert_eq!(route.subject_header(), "x-native-token");
    let bearer = Injection::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) };
    assert_eq!(*route.inject(), bearer);
    assert!(matches!(config.route("health"), Some(RouteMode::Untouched)));
}

#[test]
fn a_route_of_one_s_own_is_as_short_as_it_says() {
    let config = example(PROJECT_README);
    let Some(RouteMode::Exchange(route)) = config.route("invoices") else { panic!("an exchange route") };
    assert!(route.permits_cluster(b"invoices"));
}

#[test]
fn the_table_of_refusals_is_the_code_s() {
    let (_, section) = README.split_once("## Refusals").expect("a section on refusals");
    let table: Vec<[&str; 3]> = section
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
