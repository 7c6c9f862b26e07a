//! The routes of a connection manager against what the filter is told of them.

use std::collections::BTreeSet;

use filter_core::config::{Config, RouteIdentification, RouteMode};

use super::{At, Report, clusters::Clusters, destination::Destination, manager, matching, unchanged};

/// What is known of the connection manager whose routes are checked.
pub(super) struct Around<'a, 'v> {
    pub config: &'a Config,
    pub clusters: &'a Clusters<'v>,
    /// The names of the filters that no route may have settings of its own for.
    pub guards: Vec<&'v str>,
}

impl Around<'_, '_> {
    /// Checks the routes of `manager`, and says how many there are.
    pub fn check(&self, manager: &At<'_>, report: &mut Report<'_>) -> usize {
        let table = manager.get("route_config");
        if !table.exists() {
            let at = manager.either(&["rds", "scoped_routes", "route_config"]);
            let remedy = "routes that a control plane delivers cannot be checked here: check what it delivers";
            report.wrong(&at, at.shown(), "the routes in the file, as `route_config`", remedy);
            return 0;
        }
        self.check_table(&table, report)
    }

    fn check_table(&self, table: &At<'_>, report: &mut Report<'_>) -> usize {
        let mut levels = vec![table.clone()];
        let mut seen = BTreeSet::new();
        let mut routes = 0;
        self.check_switched_off(table, report);
        check_undeliverable(&table.get("vhds"), report);
        matching::check_header(&table.get("vhost_header"), self.config, report);
        for host in table.get("virtual_hosts").items() {
            check_undeliverable(&host.get("matcher"), report);
            self.check_switched_off(&host, report);
            levels.push(host.clone());
            for route in host.get("routes").items() {
                self.check_route(&route, &levels, &mut seen, report);
                routes += 1;
            }
            levels.pop();
        }
        for (name, _) in self.config.routes().filter(|(name, _)| !seen.contains(*name)) {
            let found = format!("no route is named `{name}`, which the filter's configuration names");
            let remedy = "name the route, or remove it from the filter's configuration";
            report.wrong(table, found, "every configured route among Envoy's", remedy);
        }
        routes
    }

    fn check_route(&self, route: &At<'_>, levels: &[At<'_>], seen: &mut BTreeSet<String>, report: &mut Report<'_>) {
        matching::check(route, self.config, report);
        self.check_switched_off(route, report);
        for member in route.follow("route.weighted_clusters.clusters").items() {
            self.check_switched_off(&member, report);
        }
        manager::check_tunnels(&route.get("route"), report);
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
                    let route_check = self.config.route_check();
                    Destination { exchange, clusters: self.clusters, route_check }.check(route, levels, report);
                    unchanged::check(exchange, route, levels, report);
                    if unchanged::is_wanted(exchange) {
                        exchange.clusters().iter().for_each(|name| self.clusters.check_unchanged(name, report));
                    }
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

    /// The filter, and what compares its choice with Envoy's, must not be switched off for any request of the listener: the
    /// route is chosen again after the swap.
    fn check_switched_off(&self, at: &At<'_>, report: &mut Report<'_>) {
        for own in self.guards.iter().map(|name| at.get("typed_per_filter_config").get(name)) {
            if own.exists() {
                let remedy =
                    "requests would pass unchecked: where nothing is to be swapped, name the route \"untouched\"";
                report.wrong(&own, own.shown(), "no settings of this filter per route", remedy);
            }
        }
    }
}

fn check_undeliverable(at: &At<'_>, report: &mut Report<'_>) {
    if at.exists() {
        let remedy = "what it leads to cannot be checked here";
        report.wrong(at, at.shown(), "routes as a list in the file", remedy);
    }
}
