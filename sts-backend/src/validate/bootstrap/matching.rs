//! What routes are chosen by. After the filter wrote a header Envoy chooses again: nothing that decides may have changed.

use filter_core::{
    config::{Config, ExchangeRoute, RouteCheck, RouteMode},
    credential, forwarded_certificate,
};

use super::{At, Report};

/// What a route may be matched on with `route_check` "validated": neither the filter nor chance nor a filter beside it
/// changes these during a request, once headers and query parameters are checked by name.
const STEADY: [&str; 10] = [
    "case_sensitive",
    "grpc",
    "headers",
    "path",
    "path_match_policy",
    "path_separated_prefix",
    "prefix",
    "query_parameters",
    "safe_regex",
    "tls_context",
];

/// Members of a match that have a check of their own.
const CHECKED: [&str; 2] = ["connect_matcher", "cookies"];

/// Checks the `match` of a route.
pub(super) fn check(route: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let matching = route.get("match");
    let tunnel = matching.get("connect_matcher");
    if tunnel.exists() {
        let remedy = "what is sent through a tunnel never passes the filter: remove the route";
        report.wrong(&tunnel, tunnel.shown(), "no CONNECT beside the filter", remedy);
    }
    for header in matching.get("headers").items() {
        check_header(&header.get("name"), config, report);
    }
    for parameter in matching.get("query_parameters").items() {
        let name = parameter.get("name");
        let text = name.text().unwrap_or_default();
        if credential::query::may_be_removed(text) {
            let remedy = "once it is removed another route could be chosen: match on something else";
            report.wrong(&name, name.shown(), "no query parameter that the filter removes", remedy);
        } else if exchanges(config).any(|route| route.writes_parameter(text)) {
            let remedy = "once it is written another route could be chosen: match on something else";
            report.wrong(&name, name.shown(), "no query parameter that the filter writes", remedy);
        }
    }
    report.forbid(&matching.get("cookies"), "cookies are removed, and then another route could be chosen");
    if config.route_check() == RouteCheck::Validated {
        for (name, at) in matching.fields() {
            if !STEADY.contains(&name.as_ref()) && !CHECKED.contains(&name.as_ref()) {
                let expected = format!("what stays as it is for a whole request: {}", STEADY.join(", "));
                let remedy = "with `route_check` \"validated\" nothing would notice that Envoy chose otherwise";
                report.wrong(&at, at.shown(), expected, remedy);
            }
        }
    }
}

/// A header whose name stands at `name` decides about routes: the filter must leave it alone.
pub(super) fn check_header(name: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let text = name.text().unwrap_or_default().to_ascii_lowercase();
    if changed_by_filter(&text, config) {
        let remedy = "after the swap another route could be chosen: match on something else";
        report.wrong(name, name.shown(), "no header that the filter writes or removes", remedy);
    }
}

/// `:path` holds the query, out of which the filter takes credentials.
fn changed_by_filter(header: &str, config: &Config) -> bool {
    header == ":path"
        || credential::is_removed(header)
        || config.reads_forwarded_certificates() && forwarded_certificate::is_named(header)
        || exchanges(config).any(|route| {
            route.subject_header() == Some(header)
                || route.writes_header(header)
                || route.strip_headers().iter().any(|stripped| stripped == header)
        })
}

fn exchanges(config: &Config) -> impl Iterator<Item = &ExchangeRoute> {
    config.routes().filter_map(|(_, mode)| match mode {
        RouteMode::Exchange(route) => Some(route.as_ref()),
        RouteMode::Untouched => None,
    })
}
