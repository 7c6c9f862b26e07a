//! Statistics in Envoy's own store. The names end in tags; Envoy's `stats_tags` turn them into labels.
//!
//! Their number is bounded: routes are those configured and one for all others, reasons are a closed set. What every request
//! counts is counted here and told to Envoy by the tick.

use std::collections::HashMap;

use filter_core::{
    flow::{Outcome, Report, Settled},
    reply::CallResult,
};

use crate::abi::{self, MetricKind};

/// The label of routes that are not configured.
const UNKNOWN_ROUTE: &str = "unknown";

/// Statistics, each defined when first needed. One that cannot be had is left out: no request fails for it.
pub struct Metrics {
    /// By the places of the configured routes; behind them the one for all others.
    routes: Vec<Route>,
    /// The places of those that have something to tell.
    changed: Vec<usize>,
    ids: HashMap<String, u32>,
}

struct Route {
    name: String,
    requests: [Count; Outcome::ALL.len()],
    changed: bool,
}

/// What is not told yet, and the statistic it belongs to.
#[derive(Clone, Copy, Default)]
struct Count {
    more: i64,
    metric: Option<u32>,
}

impl Metrics {
    /// Statistics for these routes.
    pub fn new(routes: Vec<String>) -> Self {
        let names = routes.into_iter().chain([UNKNOWN_ROUTE.to_owned()]);
        let route = |name| Route { name, requests: Default::default(), changed: false };
        Self { routes: names.map(route).collect(), changed: Vec::new(), ids: HashMap::new() }
    }

    /// A request on a route has come to its end here.
    pub fn request(&mut self, route: usize, outcome: Outcome) {
        let place = route.min(self.routes.len().saturating_sub(1));
        let Some(route) = self.routes.get_mut(place) else { return };
        if let Some(count) = route.requests.get_mut(outcome as usize) {
            count.more = count.more.saturating_add(1);
        }
        if !route.changed {
            route.changed = true;
            self.changed.push(place);
        }
    }

    /// A request was refused, on the route of this name or on one that is not configured.
    pub fn refusal(&mut self, route: &str, reason: &'static str) {
        let configured = self.routes.split_last().map(|(_, configured)| configured).unwrap_or_default();
        let place = configured.binary_search_by(|other| other.name.as_str().cmp(route)).unwrap_or(usize::MAX);
        self.request(place, Outcome::Refused);
        self.add(MetricKind::Counter, &format!("cloakroom_refusals_route=.={route};.;_reason=.={reason};.;"), 1);
    }

    /// An exchange has come to its end.
    pub fn settled(&mut self, settled: &Settled) {
        let (route, result) = (settled.route.name(), settled.result.name());
        if let Some(took_ms) = settled.took_ms {
            self.add(MetricKind::Counter, &format!("cloakroom_sts_calls_route=.={route};.;_result=.={result};.;"), 1);
            self.add(MetricKind::Histogram, "cloakroom_sts_latency_ms", took_ms);
        }
        if settled.renewal {
            let result = match (settled.result, settled.took_ms) {
                // Another worker did it.
                (CallResult::Ok, None) => "shared",
                _ => result,
            };
            self.add(MetricKind::Counter, &format!("cloakroom_refreshes_route=.={route};.;_result=.={result};.;"), 1);
        }
    }

    /// Tells Envoy what has been counted, and how things stand.
    pub fn flush(&mut self, report: Report) {
        for place in std::mem::take(&mut self.changed) {
            let Some(route) = self.routes.get_mut(place) else { continue };
            route.changed = false;
            for (outcome, count) in Outcome::ALL.into_iter().zip(&mut route.requests) {
                count.tell(&route.name, outcome);
            }
        }
        if report.opened {
            self.add(MetricKind::Counter, "cloakroom_circuit_opened", 1);
        }
        if let Some(totals) = report.totals {
            let seconds = totals.sum.soonest_expiry_ms.map_or(0, |ms| ms / 1000);
            for (name, value) in [
                ("cloakroom_cache_entries", totals.sum.entries),
                ("cloakroom_cache_bytes", totals.sum.bytes),
                ("cloakroom_vm_memory_bytes", totals.sum.memory_bytes),
                ("cloakroom_live_vms", u64::from(totals.vms)),
                ("cloakroom_soonest_expiry_seconds", seconds),
            ] {
                self.add(MetricKind::Gauge, name, value);
            }
        }
    }

    /// Adds to a counter or a histogram, or sets a gauge.
    fn add(&mut self, kind: MetricKind, name: &str, value: u64) {
        let id = match self.ids.get(name) {
            Some(id) => *id,
            None => {
                let Ok(id) = abi::define_metric(kind, name) else { return };
                self.ids.insert(name.to_owned(), id);
                id
            }
        };
        _ = match kind {
            MetricKind::Counter => abi::increment_metric(id, i64::try_from(value).unwrap_or(i64::MAX)),
            MetricKind::Gauge | MetricKind::Histogram => abi::record_metric(id, value),
        };
    }
}

impl Count {
    fn tell(&mut self, route: &str, outcome: Outcome) {
        if self.more == 0 {
            return;
        }
        if self.metric.is_none() {
            let name = format!("cloakroom_requests_route=.={route};.;_outcome=.={};.;", outcome.name());
            self.metric = abi::define_metric(MetricKind::Counter, &name).ok();
        }
        if let Some(metric) = self.metric
            && abi::increment_metric(metric, self.more).is_ok()
        {
            self.more = 0;
        }
    }
}
