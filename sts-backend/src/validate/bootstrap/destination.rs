//! Where an exchange route leads, how often and for how long: one place that its settings name, once, in time.

use filter_core::config::{ExchangeRoute, RouteCheck};

use super::{At, Report, clusters::Clusters, manager};

/// What Envoy waits for where a route names no `timeout` (`RouteAction.timeout`).
const ENVOYS_TIMEOUT_SECONDS: f64 = 15.0;

/// What has a request chosen a cluster for when it is already under way, or by the request itself.
const SPECIFIERS: [&str; 3] = ["cluster_header", "cluster_specifier_plugin", "inline_cluster_specifier_plugin"];

/// An exchange route as the filter knows it, and the clusters it may find.
pub(super) struct Destination<'a, 'v> {
    pub exchange: &'a ExchangeRoute,
    pub clusters: &'a Clusters<'v>,
    pub route_check: RouteCheck,
}

impl Destination<'_, '_> {
    /// Checks `route`; `levels` are what is around it.
    pub fn check(&self, route: &At<'_>, levels: &[At<'_>], report: &mut Report<'_>) {
        let action = route.get("route");
        if !action.exists() {
            let at = route.either(&["redirect", "direct_response", "filter_action", "non_forwarding_action", "route"]);
            report.wrong(&at, at.shown(), "a `route` to a cluster", "there is nobody to give the exchanged token to");
            return;
        }
        self.check_clusters(&action, report);
        self.check_timeouts(&action, report);
        for at in levels.iter().chain([&action]) {
            check_once(at, report);
        }
        for redirect in ["internal_redirect_policy", "internal_redirect_action"] {
            report.forbid(&action.get(redirect), "the answer would decide where the token goes next");
        }
        manager::check_upgrades(&action, "the filter refuses every upgrade on a route that exchanges tokens", report);
    }

    fn check_clusters(&self, action: &At<'_>, report: &mut Report<'_>) {
        for specifier in SPECIFIERS {
            report.forbid(&action.get(specifier), "it chooses the cluster anew after the swap: write `cluster`");
        }
        let weighted = action.follow("weighted_clusters.clusters").items();
        let chosen_otherwise = !weighted.is_empty() || SPECIFIERS.iter().any(|name| action.get(name).is_filled());
        let cluster = action.get("cluster");
        if cluster.exists() || !chosen_otherwise {
            self.check_cluster(&cluster, report);
        }
        for member in weighted {
            report.forbid(&member.get("cluster_header"), "the request would say where the token goes: write `name`");
            self.check_cluster(&member.get("name"), report);
        }
    }

    /// The cluster whose name stands at `at`.
    fn check_cluster(&self, at: &At<'_>, report: &mut Report<'_>) {
        let name = at.text().unwrap_or_default();
        if !self.exchange.permits_cluster(name.as_bytes()) {
            let expected = format!("one of the route's `clusters`: {}", self.exchange.clusters().join(", "));
            report.wrong(at, at.shown(), expected, "the filter would not have the token sent anywhere else");
        }
        let known = self.clusters.check_destination(name, report);
        if !known && self.route_check == RouteCheck::Validated {
            let remedy = "with `route_check` \"validated\" it has to be seen that the cluster leads where it says";
            report.wrong(at, format!("no cluster {} in the file", at.shown()), "a cluster of the file", remedy);
        }
    }

    /// The filter reckons with `request_timeout_seconds`: what Envoy waits for must be no longer.
    fn check_timeouts(&self, action: &At<'_>, report: &mut Report<'_>) {
        let most = self.exchange.request_timeout_ms() as f64 / 1_000.0;
        let expected = format!("a duration greater than 0, up to the route's `request_timeout_seconds`, {most}s");
        let remedy = "a token would be under way for longer than was reckoned with: shorten this, or lengthen that";
        let fits = |seconds: f64| seconds > 0.0 && seconds <= most;
        let timeout = action.get("timeout");
        let (found, seconds) = match timeout.exists() {
            true => (timeout.shown(), timeout.seconds()),
            false => ("nothing, which means 15s".to_owned(), Some(ENVOYS_TIMEOUT_SECONDS)),
        };
        if !seconds.is_some_and(fits) {
            report.wrong(&timeout, found, expected.as_str(), remedy);
        }
        // Where these stand, a gRPC client's own wish takes the place of `timeout`.
        for member in ["max_grpc_timeout", "max_stream_duration.grpc_timeout_header_max"] {
            let at = action.follow(member);
            if at.exists() && !at.seconds().is_some_and(fits) {
                report.wrong(&at, at.shown(), expected.as_str(), remedy);
            }
        }
    }
}

/// A request, and the token in it, is sent once.
fn check_once(at: &At<'_>, report: &mut Report<'_>) {
    report.forbid(&at.get("request_mirror_policies"), "the copy would carry the exchanged token to another cluster");
    report.forbid(&at.get("hedge_policy"), "it sends the request, and with it the token, twice");
    for retry in ["retry_policy", "retry_policy_typed_config"] {
        report.forbid(&at.get(retry), "a second attempt carries the token again, after the checks of the first");
    }
}
