//! What is counted, in the OpenMetrics text format. No label holds anything a caller chose.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::{
    federation::meters::Meters,
    identity::IssuerReadiness,
    issued::{Issued, Origin},
};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper ends of the buckets of the exchange's duration, in seconds. The store's commit is most of it.
const DURATION_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// How an exchange ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Lookup {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfListener {
    listener: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfSource {
    source: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Versions {
    configuration: String,
    policy: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// The service's counters. Each service has its own registry, so that two in one process do not mix.
pub struct Metrics {
    registry: Registry,
    exchanges: Family<Outcome, Counter>,
    reissues: Family<Lookup, Counter>,
    reissue_entries: Gauge,
    http_refusals: Family<Status, Counter>,
    duration: Histogram,
    in_flight: Gauge,
    handshakes_failed: Family<OfListener, Counter>,
    connections: Family<OfListener, Gauge>,
    reloads: Counter,
    reload_failures: Counter,
    versions: Family<Versions, Gauge>,
    issuer_ready: Family<OfSource, Gauge>,
    issuer_keys: Family<OfSource, Gauge>,
    issuer_keys_fetched: Family<OfSource, Gauge<u64, AtomicU64>>,
    issuer_fetches: Family<OfSource, Counter>,
    issuer_clock_offset: Family<OfSource, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("cloakroom"),
            exchanges: Family::default(),
            reissues: Family::default(),
            reissue_entries: Gauge::default(),
            http_refusals: Family::default(),
            duration: Histogram::new(DURATION_BUCKETS),
            in_flight: Gauge::default(),
            handshakes_failed: Family::default(),
            connections: Family::default(),
            reloads: Counter::default(),
            reload_failures: Counter::default(),
            versions: Family::default(),
            issuer_ready: Family::default(),
            issuer_keys: Family::default(),
            issuer_keys_fetched: Family::default(),
            issuer_fetches: Family::default(),
            issuer_clock_offset: Family::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("build", "The release that runs", Info::new(Build { version: env!("CARGO_PKG_VERSION") }));
        registry.register("exchanges", "Exchanges by outcome and reason", self.exchanges.clone());
        registry.register("reissues", "Releases that a kept token could have served", self.reissues.clone());
        registry.register("reissue_entries", "Tokens kept to be released again", self.reissue_entries.clone());
        registry.register("http_refusals", "Requests refused before any decision", self.http_refusals.clone());
        registry.register("exchange_duration_seconds", "From request to answer", self.duration.clone());
        registry.register("exchanges_in_flight", "Exchanges being worked on", self.in_flight.clone());
        registry.register("tls_handshakes_failed", "Handshakes that failed", self.handshakes_failed.clone());
        registry.register("connections", "Connections that are open", self.connections.clone());
        registry.register("reloads", "Configurations taken over while running", self.reloads.clone());
        registry.register("reload_failures", "Configurations refused while running", self.reload_failures.clone());
        registry.register("configuration_in_force", "1, with the digests of what is in force", self.versions.clone());
        registry.register("issuer_ready", "1 if the issuer's tokens can be verified", self.issuer_ready.clone());
        registry.register("issuer_keys", "Keys held of the issuer", self.issuer_keys.clone());
        let help = "When the issuer's keys were fetched, in seconds since the epoch";
        registry.register("issuer_keys_fetched_timestamp_seconds", help, self.issuer_keys_fetched.clone());
        registry.register("issuer_key_fetches", "Fetches of the issuer's keys that ended", self.issuer_fetches.clone());
        let help = "How far the issuer's clock is ahead of ours, in seconds";
        registry.register("issuer_clock_offset_seconds", help, self.issuer_clock_offset.clone());
    }

    /// An exchange ended after `seconds`; `reason` is `None` for a granted one.
    pub fn exchange_ended(&self, reason: Option<token::reason::Reason>, seconds: f64) {
        let outcome = if reason.is_none() { "granted" } else { "refused" };
        let reason = reason.map_or("none", token::reason::Reason::code);
        self.exchanges.get_or_create(&Outcome { outcome, reason }).inc();
        self.duration.observe(seconds);
    }

    /// Has what is counted of providers shown too.
    pub fn show_providers(&mut self, meters: &Meters) {
        meters.register(&mut self.registry);
    }

    /// Something was released. Credentials of providers are counted with their providers.
    pub fn released(&self, issued: &Issued) {
        if issued.borrowed().is_some() {
            return;
        }
        let result = match issued.origin() {
            Origin::Single => return,
            Origin::Minted => "miss",
            Origin::Renewed => "bypassed",
            Origin::Kept => "hit",
        };
        self.reissues.get_or_create(&Lookup { result }).inc();
    }

    /// The number of tokens that are kept to be released again.
    pub fn reissue_entries(&self, number: usize) {
        self.reissue_entries.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// A request was refused before it became an exchange.
    pub fn http_refused(&self, status: http::StatusCode) {
        self.http_refusals.get_or_create(&Status { status: status.as_u16() }).inc();
    }

    /// The number of exchanges being worked on.
    pub fn in_flight(&self, number: usize) {
        self.in_flight.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// A handshake on `listener` failed, was too slow, or ended in a certificate that names no client.
    pub fn handshake_failed(&self, listener: &'static str) {
        self.handshakes_failed.get_or_create(&OfListener { listener }).inc();
    }

    /// A connection on `listener` was opened; it counts until the returned guard is dropped.
    pub fn connection_opened(&self, listener: &'static str) -> OpenConnection {
        let gauge = self.connections.get_or_create_owned(&OfListener { listener });
        gauge.inc();
        OpenConnection(gauge)
    }

    /// Another configuration came into force.
    pub fn in_force(&self, configuration: &str, policy: &str) {
        self.versions.clear();
        let versions = Versions { configuration: configuration.to_owned(), policy: policy.to_owned() };
        self.versions.get_or_create(&versions).set(1);
    }

    /// A configuration was taken over while running.
    pub fn reloaded(&self) {
        self.reloads.inc();
    }

    /// A configuration was refused while running.
    pub fn reload_failed(&self) {
        self.reload_failures.inc();
    }

    /// Everything as text. How the issuers stand is asked for when the metrics are.
    pub fn text(&self, issuers: &[IssuerReadiness]) -> Result<String, std::fmt::Error> {
        self.issuer_ready.clear();
        self.issuer_keys.clear();
        self.issuer_keys_fetched.clear();
        self.issuer_fetches.clear();
        self.issuer_clock_offset.clear();
        for (source, issuers) in by_source(issuers) {
            let source = OfSource { source: source.to_owned() };
            let keys: usize = issuers.iter().map(|issuer| issuer.keys).sum();
            let fetched = issuers.iter().map(|issuer| issuer.fetched_at.unwrap_or(0)).min().unwrap_or(0);
            let fetches = issuers.iter().map(|issuer| issuer.fetches).sum();
            self.issuer_ready.get_or_create(&source).set(i64::from(issuers.iter().all(|issuer| issuer.ready)));
            self.issuer_keys.get_or_create(&source).set(i64::try_from(keys).unwrap_or(i64::MAX));
            self.issuer_keys_fetched.get_or_create(&source).set(fetched);
            self.issuer_fetches.get_or_create(&source).inner().store(fetches, Ordering::Relaxed);
            let offsets = issuers.iter().filter_map(|issuer| issuer.clock_offset);
            if let Some(offset) = offsets.max_by_key(|offset| offset.unsigned_abs()) {
                self.issuer_clock_offset.get_or_create(&source).set(offset);
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The issuers by their source: some sources have several, with keys for each. The worst of them is what counts.
fn by_source(issuers: &[IssuerReadiness]) -> BTreeMap<&str, Vec<&IssuerReadiness>> {
    let mut sources: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for issuer in issuers {
        sources.entry(&issuer.source).or_default().push(issuer);
    }
    sources
}

/// A connection that counts as open until this is dropped.
pub struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use token::reason::Reason;

    use super::*;

    #[test]
    fn outcomes_are_counted_by_reason() {
        let metrics = Metrics::default();
        metrics.exchange_ended(None, 0.002);
        metrics.exchange_ended(Some(Reason::PolicyDenied), 0.001);
        metrics.exchange_ended(Some(Reason::PolicyDenied), 0.001);
        let text = metrics.text(&[]).unwrap();
        assert!(text.contains(r#"cloakroom_exchanges_total{outcome="granted",reason="none"} 1"#), "{text}");
        assert!(text.contains(r#"cloakroom_exchanges_total{outcome="refused",reason="policy_denied"} 2"#), "{text}");
        assert!(text.contains("cloakroom_exchange_duration_seconds_count 3"), "{text}");
        assert!(text.contains("cloakroom_build_info{version="), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn a_closed_connection_no_longer_counts() {
        let metrics = Metrics::default();
        let first = metrics.connection_opened("mtls");
        let _second = metrics.connection_opened("mtls");
        drop(first);
        assert!(metrics.text(&[]).unwrap().contains(r#"cloakroom_connections{listener="mtls"} 1"#));
    }

    #[test]
    fn a_source_that_left_is_no_longer_shown() {
        let metrics = Metrics::default();
        let issuer = IssuerReadiness {
            source: "aws".into(),
            issuer: "https://issuer.test".into(),
            ready: true,
            keys: 2,
            fetched_at: Some(7),
            error: None,
            fetches: 3,
            clock_offset: Some(-4),
        };
        let other = IssuerReadiness { ready: false, fetched_at: None, clock_offset: Some(1), ..issuer.clone() };
        let text = metrics.text(&[issuer.clone(), other]).unwrap();
        assert!(text.contains(r#"cloakroom_issuer_ready{source="aws"} 0"#), "the worst of a source's issuers: {text}");
        assert!(text.contains(r#"cloakroom_issuer_keys{source="aws"} 4"#), "{text}");
        let text = metrics.text(&[issuer]).unwrap();
        assert!(text.contains(r#"cloakroom_issuer_clock_offset_seconds{source="aws"} -4"#), "{text}");
        assert!(text.contains(r#"cloakroom_issuer_keys{source="aws"} 2"#), "{text}");
        assert!(text.contains(r#"cloakroom_issuer_keys_fetched_timestamp_seconds{source="aws"} 7"#), "{text}");
        assert!(text.contains(r#"cloakroom_issuer_key_fetches_total{source="aws"} 3"#), "{text}");
        assert!(!metrics.text(&[]).unwrap().contains("aws"));
    }
}
