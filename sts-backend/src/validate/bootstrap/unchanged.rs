//! What the router makes of a request after the filter. A signed request must leave with the host, the path and the headers that
//! were signed; a shared access signature must leave as the only query that was written.

use filter_core::config::{ExchangeRoute, Injection, SigV4};

use super::{At, Report};

const SIGNED: &str = "the request is signed before it, and would leave as another than was signed";

/// Checks `route`, which is `exchange` to the filter; `levels` are what is around it.
pub(super) fn check(exchange: &ExchangeRoute, route: &At<'_>, levels: &[At<'_>], report: &mut Report<'_>) {
    let action = route.get("route");
    match exchange.inject() {
        Injection::Header { .. } => return,
        Injection::SigV4(signed) => {
            check_host(signed, &action, report);
            check_path(signed, route, &action, report);
        }
        Injection::AzureSas => check_query(&action, report),
    }
    let weighted = action.follow("weighted_clusters.clusters").items();
    for at in levels.iter().chain([route]).chain(&weighted) {
        check_headers(at, report);
    }
}

/// Whether requests of `exchange` must leave as the filter has made them.
pub(super) fn is_wanted(exchange: &ExchangeRoute) -> bool {
    match exchange.inject() {
        Injection::Header { .. } => false,
        Injection::AzureSas | Injection::SigV4(_) => true,
    }
}

/// The host is that of the filter's route, or nobody's but the client's.
fn check_host(signed: &SigV4, action: &At<'_>, report: &mut Report<'_>) {
    let literal = action.get("host_rewrite_literal");
    match &signed.host {
        Some(host) if literal.text() != Some(host) => {
            let expected = format!("`{host}`, which is `host` of the filter's route");
            report.wrong(&literal, literal.shown(), expected, SIGNED);
        }
        None if literal.is_filled() => {
            report.wrong(
                &literal,
                literal.shown(),
                "nothing here, or the same as `host` of the filter's route",
                SIGNED,
            );
        }
        _ => {}
    }
    for (name, at) in action.fields() {
        let rewrites = name.contains("host_rewrite") && name != "host_rewrite_literal";
        if rewrites && at.is_filled() && !at.is_false() {
            report.wrong(
                &at,
                at.shown(),
                "no host but `host_rewrite_literal`, and that as `host` of the filter's route",
                SIGNED,
            );
        }
    }
    for member in action.follow("weighted_clusters.clusters").items() {
        let own = member.get("host_rewrite_literal");
        if own.is_filled() {
            report.wrong(&own, own.shown(), "one host for the whole route, on the route itself", SIGNED);
        }
    }
}

/// The path is what the filter's route says that Envoy makes of it, or the client's.
fn check_path(signed: &SigV4, route: &At<'_>, action: &At<'_>, report: &mut Report<'_>) {
    for at in path_rewrites(action) {
        report.wrong(&at, at.shown(), "no rewriting of the path but `prefix_rewrite`", SIGNED);
    }
    let to = action.get("prefix_rewrite");
    let Some(rewrite) = &signed.prefix_rewrite else {
        if to.is_filled() {
            let expected = "nothing here, or the same as `prefix_rewrite` of the filter's route";
            report.wrong(&to, to.shown(), expected, SIGNED);
        }
        return;
    };
    if to.text() != Some(&rewrite.to) {
        let expected = format!("`{}`, which is `prefix_rewrite.to` of the filter's route", rewrite.to);
        report.wrong(&to, to.shown(), expected, SIGNED);
    }
    let prefix = route.follow("match.prefix");
    if prefix.text() != Some(&rewrite.r#match) {
        let expected = format!("`{}`, which is `prefix_rewrite.match` of the filter's route", rewrite.r#match);
        report.wrong(&prefix, prefix.shown(), expected, SIGNED);
    }
    let sensitive = route.follow("match.case_sensitive");
    if sensitive.is_false() {
        let remedy = "Envoy rewrites a prefix that the filter does not take for it, and signs otherwise";
        report.wrong(&sensitive, sensitive.shown(), "the prefix as it is written: `true`, or nothing", remedy);
    }
}

/// The signature is the query, behind what the client's own has: a path that is rewritten must not bring one.
fn check_query(action: &At<'_>, report: &mut Report<'_>) {
    let remedy = "the shared access signature would no longer be in the query that the filter has written";
    let has_query = |at: &At<'_>| at.is_filled() && at.text().is_none_or(|text| text.contains(['?', '#']));
    for at in [action.get("prefix_rewrite"), action.follow("regex_rewrite.substitution")] {
        if has_query(&at) {
            report.wrong(&at, at.shown(), "a path without `?` and `#`", remedy);
        }
    }
    for at in path_rewrites(action).into_iter().filter(|at| at.path != action.get("regex_rewrite").path) {
        report.wrong(&at, at.shown(), "no rewriting of the path but `prefix_rewrite` or `regex_rewrite`", remedy);
    }
}

/// What rewrites the path, save `prefix_rewrite`. Envoy gets new ways of it: they are known by their names.
fn path_rewrites<'v>(action: &At<'v>) -> Vec<At<'v>> {
    let of_path = |name: &str| name.contains("rewrite") && !name.contains("host_rewrite") && name != "prefix_rewrite";
    let fields = action.fields().into_iter().filter(|(name, at)| of_path(name) && at.is_filled());
    fields.map(|(_, at)| at).collect()
}

/// Headers that the router adds or removes at `at`.
fn check_headers(at: &At<'_>, report: &mut Report<'_>) {
    let added = at.get("request_headers_to_add").items().into_iter().map(|option| option.follow("header.key"));
    for name in added.chain(at.get("request_headers_to_remove").items()) {
        if name.text().is_none_or(is_signed) {
            let expected = "neither `x-amz-*` nor `host`, `authorization` or a header that begins with `:`";
            report.wrong(&name, name.shown(), expected, SIGNED);
        }
    }
}

fn is_signed(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    name.starts_with(':') || name.starts_with("x-amz-") || ["authorization", "host"].contains(&name.as_str())
}
