//! The routes of a connection manager against what the filter is told of them.

use std::collections::BTreeSet;

use filter_core::{
    config::{Config, ExchangeRoute, RouteIdentification, RouteMode},
    credential,
};

use super::{At, Report, clusters::Clusters, manager};

/// What is known of the connection manager whose routes are checked.
struct Around<'a, 'v> {
    config: &'a Config,
    clusters: &'a Clusters<'v>,
    /// The name by which routes would switch the filter off.
    filter_name: Option<&'v str>,
}

pub(super) fn check(
    manager: &At<'_>,
    filter: &At<'_>,
    config: &Config,
    clusters: &Clusters<'_>,
    report: &mut Report<'_>,
) {
    let table = manager.get("route_config");
    if !table.exists() {
        let at = manager.either(&["rds", "scoped_routes", "route_config"]);
        let remedy = "routes that a control plane delivers cannot be checked here: check what it delivers";
        report.wrong(&at, at.shown(), "the routes in the file, as `route_config`", remedy);
        return;
    }
    let around = Around { config, clusters, filter_name: filter.get("name").text() };
    around.check_table(&table, report);
}

impl Around<'_, '_> {
    fn check_table(&self, table: &At<'_>, report: &mut Report<'_>) {
        let mut levels = vec![table.clone()];
        let mut seen = BTreeSet::new();
        self.check_switched_off(table, report);
        check_undeliverable(&table.get("vhds"), report);
        for host in table.get("virtual_hosts").items() {
            check_undeliverable(&host.get("matcher"), report);
            self.check_switched_off(&host, report);
            levels.push(host.clone());
            for route in host.get("routes").items() {
                self.check_route(&route, &levels, &mut seen, report);
            }
            levels.pop();
        }
        for (name, _) in self.config.routes().filter(|(name, _)| !seen.contains(*name)) {
            let found = format!("no route is named `{name}`, which the filter's configuration names");
            let remedy = "name the route, or remove it from the filter's configuration";
            report.wrong(table, found, "every configured route among Envoy's", remedy);
        }
    }

    fn check_route(&self, route: &At<'_>, levels: &[At<'_>], seen: &mut BTreeSet<String>, report: &mut Report<'_>) {
        check_match(route, self.config, report);
        self.check_switched_off(route, report);
        manager::check_upgrades(&route.get("route"), report);
        let (at, name) = self.identity(route);
        match name.and_then(|name| self.config.route(name).map(|mode| (name, mode))) {
            None => {
                let found = format!("{}, which the filter's configuration does not name", at.shown());
                let remedy = "the filter refuses its requests: configure it, be it as \"untouched\"";
                report.wrong(&at, found, "a route the filter's configuration names", remedy);
            }
            Some((name, mode)) => {
                seen.insert(name.to_owned());
                if let RouteMode::Exchange(exchange) = mode {
                    check_exchange(route, levels, exchange, self.clusters, report);
                }
            }
        }
    }

    /// Where the route says who it is, and who it says it is.
    fn identity<'v>(&self, route: &At<'v>) -> (At<'v>, Option<&'v str>) {
        let at = match self.config.identify_routes_by() {
            RouteIdentification::RouteName => route.get("name"),
            RouteIdentification::RouteMetadata { namespace, key } => {
                route.follow("metadata.filter_metadata").get(namespace).get(key)
            }
        };
        let name = at.text();
        (at, name)
    }

    /// The filter must not be switched off for any request of its listener: the route is chosen again after the swap.
    fn check_switched_off(&self, at: &At<'_>, report: &mut Report<'_>) {
        let Some(name) = self.filter_name else { return };
        let own = at.get("typed_per_filter_config").get(name);
        if own.exists() {
            let remedy = "requests would pass with the token they came with: name the route \"untouched\" instead";
            report.wrong(&own, own.shown(), "no settings of the filter per route", remedy);
        }
    }
}

fn check_undeliverable(at: &At<'_>, report: &mut Report<'_>) {
    if at.exists() {
        let remedy = "what it leads to cannot be checked here";
        report.wrong(at, at.shown(), "routes as a list in the file", remedy);
    }
}

/// After a header was written Envoy chooses the route again: no route may be chosen by what the filter changes.
fn check_match(route: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let tunnel = route.follow("match.connect_matcher");
    if tunnel.exists() {
        let remedy = "what is sent through a tunnel never passes the filter: remove the route";
        report.wrong(&tunnel, tunnel.shown(), "no CONNECT beside the filter", remedy);
    }
    for header in route.follow("match.headers").items() {
        let name = header.get("name");
        let text = name.text().unwrap_or_default().to_ascii_lowercase();
        if changed_by_filter(&text, config) {
            let remedy = "after the swap another route could be chosen: match on something else";
            report.wrong(&name, name.shown(), "no header that the filter writes or removes", remedy);
        }
    }
    for parameter in route.follow("match.query_parameters").items() {
        let name = parameter.get("name");
        if credential::query::may_be_removed(name.text().unwrap_or_default()) {
            let remedy = "once it is removed another route could be chosen: match on something else";
            report.wrong(&name, name.shown(), "no query parameter that the filter removes", remedy);
        }
    }
    report.forbid(&route.follow("match.cookies"), "cookies are removed, and then another route could be chosen");
}

fn changed_by_filter(header: &str, config: &Config) -> bool {
    let exchanges = config.routes().filter_map(|(_, mode)| match mode {
        RouteMode::Exchange(route) => Some(route),
        RouteMode::Untouched => None,
    });
    credential::is_removed(header)
        || exchanges.into_iter().any(|route| {
            route.subject_header() == header
                || route.injected_header() == header
                || route.strip_headers().iter().any(|stripped| stripped == header)
        })
}

fn check_exchange(
    route: &At<'_>,
    levels: &[At<'_>],
    exchange: &ExchangeRoute,
    clusters: &Clusters<'_>,
    report: &mut Report<'_>,
) {
    let action = route.get("route");
    if !action.exists() {
        let at = route.either(&["redirect", "direct_response", "filter_action", "non_forwarding_action", "route"]);
        report.wrong(&at, at.shown(), "a `route` to a cluster", "there is nobody to give the exchanged token to");
        return;
    }
    for specifier in
        ["cluster_header", "weighted_clusters", "cluster_specifier_plugin", "inline_cluster_specifier_plugin"]
    {
        let at = action.get(specifier);
        report.forbid(&at, "it chooses the cluster anew after the swap: write `cluster`");
    }
    let cluster = action.get("cluster");
    if let Some(name) = cluster.text() {
        if !exchange.permits_cluster(name.as_bytes()) {
            let expected = format!("one of the route's `clusters`: {}", exchange.clusters().join(", "));
            report.wrong(&cluster, cluster.shown(), expected, "the filter refuses to send the token anywhere else");
        }
        clusters.check_destination(name, report);
    }
    for at in levels.iter().chain([&action]) {
        report
            .forbid(&at.get("request_mirror_policies"), "the copy would carry the exchanged token to another cluster");
        report.forbid(&at.get("hedge_policy"), "it sends the request, and with it the token, twice");
    }
    report.forbid(&action.get("internal_redirect_policy"), "the answer would decide where the token goes next");
    report.forbid(&action.get("internal_redirect_action"), "the answer would decide where the token goes next");
}
