//! Statistics in Envoy's own store. The names end in tags; Envoy's `stats_tags` turn them into labels.
//!
//! Their number is bounded: routes are those configured and one for all others, reasons are a closed set.

use std::collections::HashMap;

use filter_core::{flow::Outcome, reply::CallResult};
use proxy_wasm::types::MetricType;

use crate::host;

/// The label of routes that are not configured.
pub const UNKNOWN_ROUTE: &str = "unknown";

/// Statistics, each defined when first needed. One that cannot be had is left out: no request fails for it.
#[derive(Default)]
pub struct Metrics {
    routes: HashMap<String, Route>,
    latency: Option<u32>,
    entries: Option<u32>,
    last_entries: u64,
}

#[derive(Default)]
struct Route {
    requests: HashMap<Outcome, u32>,
    refusals: HashMap<&'static str, u32>,
    calls: HashMap<CallResult, u32>,
}

impl Metrics {
    /// A request on a route has come to its end here.
    pub fn request(&mut self, route: &str, outcome: Outcome) {
        let name = || format!("cloakroom_requests_route=.={route};.;_outcome=.={};.;", outcome.name());
        self.with_route(route, |metrics| count(&mut metrics.requests, outcome, name));
    }

    /// A request was refused.
    pub fn refusal(&mut self, route: &str, reason: &'static str) {
        let name = || format!("cloakroom_refusals_route=.={route};.;_reason=.={reason};.;");
        self.with_route(route, |metrics| count(&mut metrics.refusals, reason, name));
    }

    /// The STS was asked; `took_ms` is how long it took to answer.
    pub fn call(&mut self, route: &str, result: CallResult, took_ms: Option<u64>) {
        let name = || format!("cloakroom_sts_calls_route=.={route};.;_result=.={};.;", result.name());
        self.with_route(route, |metrics| count(&mut metrics.calls, result, name));
        if let Some(took_ms) = took_ms {
            record(&mut self.latency, MetricType::Histogram, "cloakroom_sts_latency_ms", took_ms);
        }
    }

    /// How many issued tokens this worker holds.
    pub fn entries(&mut self, entries: usize) {
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        if entries != self.last_entries {
            self.last_entries = entries;
            record(&mut self.entries, MetricType::Gauge, "cloakroom_cache_entries", entries);
        }
    }

    fn with_route(&mut self, name: &str, change: impl FnOnce(&mut Route)) {
        match self.routes.get_mut(name) {
            Some(route) => change(route),
            None => change(self.routes.entry(name.to_owned()).or_default()),
        }
    }
}

fn count<K: Copy + Eq + std::hash::Hash>(metrics: &mut HashMap<K, u32>, key: K, name: impl Fn() -> String) {
    let id = match metrics.get(&key) {
        Some(id) => *id,
        None => match host::define_metric(MetricType::Counter, &name()) {
            Ok(id) => {
                metrics.insert(key, id);
                id
            }
            Err(_) => return,
        },
    };
    _ = host::count(id);
}

fn record(metric: &mut Option<u32>, kind: MetricType, name: &str, value: u64) {
    if metric.is_none() {
        *metric = host::define_metric(kind, name).ok();
    }
    if let Some(id) = *metric {
        _ = host::record(id, value);
    }
}
