//! What is counted of providers. Labels hold names from the configuration and nothing that a caller chose.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::Registry,
};

use super::trouble::Trouble;

/// Upper ends of the buckets of a call's duration, in seconds.
const CALL_BUCKETS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfProvider {
    provider: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct HeldBack {
    provider: String,
    by: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Looked {
    provider: String,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfHost {
    provider: String,
    host: String,
}

#[derive(Clone, Debug)]
struct Buckets;

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(CALL_BUCKETS)
    }
}

/// The counters of all providers. Copies count into the same ones; a reload goes on with them.
#[derive(Clone, Debug)]
pub struct Meters {
    calls: Family<Ended, Counter>,
    held_back: Family<HeldBack, Counter>,
    duration: Family<OfProvider, Histogram, Buckets>,
    breakers: Family<OfHost, Gauge>,
    looked: Family<Looked, Counter>,
    kept: Family<OfProvider, Gauge>,
    under_way: Family<OfProvider, Gauge>,
}

/// What kept a call, or an order, from being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The host did not answer of late.
    Breaker,
    /// No more calls are made for now, to stay below the provider's limit or because it asked for that.
    Limit,
    /// The queue is full.
    Queue,
}

/// How a credential was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It was kept.
    Hit,
    /// It had to be asked for.
    Miss,
    /// It is being asked for already.
    Joined,
    /// It was kept, and its caller wanted another.
    Bypassed,
    /// The provider said no a moment ago.
    Remembered,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            held_back: Family::default(),
            duration: Family::new_with_constructor(Buckets),
            breakers: Family::default(),
            looked: Family::default(),
            kept: Family::default(),
            under_way: Family::default(),
        }
    }
}

impl Meters {
    /// Has them shown.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("provider_calls", "Calls to providers by outcome", self.calls.clone());
        registry.register("provider_held_back", "Calls and orders that were not made", self.held_back.clone());
        registry.register("provider_call_duration_seconds", "From call to answer", self.duration.clone());
        registry.register("provider_breaker_open", "1 while a host is left alone", self.breakers.clone());
        registry.register("credentials", "Looks for a provider's credential", self.looked.clone());
        registry.register("credentials_kept", "Credentials kept to be lent again", self.kept.clone());
        registry.register("credentials_under_way", "Orders being filled or waiting for it", self.under_way.clone());
    }

    /// A call was made, and ended so.
    pub(super) fn call_ended(&self, provider: &str, trouble: Option<&Trouble>, took: Duration) {
        let outcome = trouble.map_or("answered", outcome);
        self.calls.get_or_create(&Ended { provider: provider.to_owned(), outcome }).inc();
        self.duration.get_or_create(&of(provider)).observe(took.as_secs_f64());
    }

    /// A call, or an order, was not made.
    pub(super) fn held_back(&self, provider: &str, holder: Holder) {
        let by = match holder {
            Holder::Breaker => "breaker",
            Holder::Limit => "limit",
            Holder::Queue => "queue",
        };
        self.held_back.get_or_create(&HeldBack { provider: provider.to_owned(), by }).inc();
    }

    /// The breaker for `host` is open, half open or closed.
    pub(super) fn breaker(&self, provider: &str, host: &str, open: bool) {
        let label = OfHost { provider: provider.to_owned(), host: host.to_owned() };
        self.breakers.get_or_create(&label).set(i64::from(open));
    }

    /// A credential was looked for.
    pub(super) fn looked(&self, provider: &str, look: Look) {
        let result = match look {
            Look::Hit => "hit",
            Look::Miss => "miss",
            Look::Joined => "joined",
            Look::Bypassed => "bypassed",
            Look::Remembered => "remembered",
        };
        self.looked.get_or_create(&Looked { provider: provider.to_owned(), result }).inc();
    }

    /// How many credentials of `provider` are kept, and how many are under way.
    pub(super) fn holds(&self, provider: &str, kept: usize, under_way: usize) {
        let gauge = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.kept.get_or_create(&of(provider)).set(gauge(kept));
        self.under_way.get_or_create(&of(provider)).set(gauge(under_way));
    }

    /// A provider is no more, or is another under the same name: what it holds is no longer shown.
    pub(super) fn forget(&self, provider: &str, hosts: &[String]) {
        self.kept.remove(&of(provider));
        self.under_way.remove(&of(provider));
        for host in hosts {
            self.breakers.remove(&OfHost { provider: provider.to_owned(), host: host.clone() });
        }
    }
}

fn of(provider: &str) -> OfProvider {
    OfProvider { provider: provider.to_owned() }
}

fn outcome(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::Refused { .. } => "refused",
        Trouble::Throttled { .. } => "throttled",
        Trouble::Unavailable { .. } => "unavailable",
        Trouble::NotYet { .. } => "not_yet",
        Trouble::Invalid { .. } => "invalid",
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn text(meters: &Meters) -> String {
        let mut registry = Registry::with_prefix("cloakroom");
        meters.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn each_provider_is_counted_for_itself() {
        let meters = Meters::default();
        meters.call_ended("a", None, Duration::from_millis(20));
        meters.call_ended("a", Some(&Trouble::Throttled { code: "secret".into(), retry_after: None }), Duration::ZERO);
        meters.clone().call_ended("b", None, Duration::ZERO);
        meters.held_back("a", Holder::Breaker);
        meters.looked("a", Look::Hit);
        meters.breaker("a", "sts.test", true);
        meters.holds("a", 3, 1);
        let shown = text(&meters);
        for line in [
            r#"cloakroom_provider_calls_total{provider="a",outcome="answered"} 1"#,
            r#"cloakroom_provider_calls_total{provider="a",outcome="throttled"} 1"#,
            r#"cloakroom_provider_calls_total{provider="b",outcome="answered"} 1"#,
            r#"cloakroom_provider_held_back_total{provider="a",by="breaker"} 1"#,
            r#"cloakroom_provider_call_duration_seconds_count{provider="a"} 2"#,
            r#"cloakroom_provider_breaker_open{provider="a",host="sts.test"} 1"#,
            r#"cloakroom_credentials_total{provider="a",result="hit"} 1"#,
            r#"cloakroom_credentials_kept{provider="a"} 3"#,
            r#"cloakroom_credentials_under_way{provider="a"} 1"#,
        ] {
            assert!(shown.contains(line), "{line} in:\n{shown}");
        }
        assert!(!shown.contains("secret"));
        meters.forget("a", &["sts.test".to_owned()]);
        let shown = text(&meters);
        assert!(!shown.contains("sts.test") && !shown.contains(r#"kept{provider="a"}"#), "{shown}");
        assert!(shown.contains(r#"calls_total{provider="a",outcome="answered"} 1"#), "counters go on");
    }
}
