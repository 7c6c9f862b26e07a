use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{
    Result,
    load::{Load, Report},
    topology::Topology,
};
use serde_json::json;

use super::ground::{AWS, Destination, GCP, ONE_EACH, PARTNER, plan, scaled, until_all_are_served, workloads};

/// Requests per second at the destinations that are well, and how many of three in a row are of a workload that was not there
/// before: those need their provider.
const RATE: f64 = 60.0;
const ONE_NEW_OF: u64 = 5;

/// Requests per second at the one in trouble, by so many workloads that have no credential. Every fourth is of one that has.
const RATE_IN_TROUBLE: f64 = 40.0;
const WITHOUT: usize = 20;
const ONE_WITH_OF: u64 = 4;
const WITH: usize = 8;

/// What the provider in trouble may be called.
const PER_SECOND: u32 = 10;
const BURST: u32 = 10;

/// The longest that a caller may wait for bad news: a tenth of how long the provider hangs.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

/// A machine that is busy otherwise makes latencies differ by as much. Who had to wait for the provider in trouble would wait
/// for half a second and longer.
const UNAFFECTED: f64 = 4.0;
const NOISE: Duration = Duration::from_millis(50);

const PATIENCE: Duration = Duration::from_secs(40);

/// What goes wrong.
struct Trouble {
    sick: Destination,
    switch: &'static str,
    reason: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_throttles_is_nobody_else_s_matter() -> Result<()> {
    Trouble { sick: AWS, switch: "trouble=throttle", reason: "provider_throttled" }.passes().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_is_nobody_else_s_matter() -> Result<()> {
    Trouble { sick: GCP, switch: "trouble=hang", reason: "provider_unavailable" }.passes().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_is_nobody_else_s_matter() -> Result<()> {
    Trouble { sick: PARTNER, switch: "trouble=unaware:1000000", reason: "provider_refused" }.passes().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_lies_is_nobody_else_s_matter() -> Result<()> {
    Trouble { sick: AWS, switch: "trouble=lie:wider", reason: "provider_reply_invalid" }.passes().await
}

/// Load on one egress edge, and what it needs.
struct Ground {
    topology: Topology,
    well: Vec<Destination>,
    with: Vec<String>,
    without: Vec<String>,
    new: Vec<String>,
    lasts: Duration,
}

impl Trouble {
    /// Load on the destinations that are well before the trouble and during it, and on the one in trouble; then all is well.
    async fn passes(self) -> Result<()> {
        let ground = Ground::start(self.sick).await?;
        let before = ground.load_on_the_well(0).run().await?;
        let reached = self.sick.reached(&ground.topology)?;

        self.sick.switches(&ground.topology)?.tell(self.switch)?;
        let (began, called) = (Instant::now(), self.sick.calls(&ground.topology)?);
        let (well, sick) = (ground.load_on_the_well(1).start(), ground.load_on(self.sick).start());
        let (well, sick) = (well.ended().await?, sick.ended().await?);
        let reached = self.sick.reached(&ground.topology)? - reached;
        self.sick.switches(&ground.topology)?.tell("trouble=none")?;

        let over = Instant::now();
        until_all_are_served(&ground.topology, self.sick, &ground.without, PATIENCE).await?;
        let (back, calls) = (over.elapsed(), self.sick.calls(&ground.topology)? - called);
        let most = began.elapsed().as_secs_f64() * f64::from(PER_SECOND) + f64::from(BURST);

        self.is_told(&sick, reached);
        self.leaves_alone(&before, &well);
        println!("{}: back after {back:.1?}; {calls} calls of the provider, {most:.0} allowed", self.switch);
        assert!(calls as f64 <= most, "{calls} calls of the provider, {most:.0} are allowed");
        assert_eq!(ground.topology.leaks().await?, Vec::<String>::new());
        Ok(())
    }

    /// Who has a credential goes on, who has none is told why, soon.
    fn is_told(&self, report: &Report, reached: u64) {
        let (with, without): (Vec<_>, Vec<_>) =
            report.answers.iter().partition(|answer| answer.number.is_multiple_of(ONE_WITH_OF));
        let reasons: BTreeSet<_> = without.iter().map(|answer| answer.reason.as_deref().unwrap_or_default()).collect();
        println!(
            "{}: {} requests were told {reasons:?} after {:.1?} in the middle and {:.1?} at most",
            self.switch,
            without.len(),
            report.quantile(0.5),
            report.quantile(1.0)
        );
        assert!(with.iter().all(|answer| answer.status == 200), "{:?}", report.statuses());
        assert_eq!(reached, with.len() as u64, "only who has a credential reaches the destination");
        // Whoever asks first may be told that it takes longer than callers wait.
        assert!(reasons.contains(self.reason), "{reasons:?}");
        assert!(reasons.is_subset(&[self.reason, "provider_unavailable"].into()), "{reasons:?}");
        for answer in without {
            let refused = answer.reason.as_deref() == Some("provider_refused");
            assert_eq!((answer.status, answer.retry_after), if refused { (403, false) } else { (503, true) });
        }
        assert_eq!(report.slower_than(TOLD_WITHIN), 0, "at most {:?}", report.quantile(1.0));
    }

    /// Nobody else fails, nor waits longer than before.
    fn leaves_alone(&self, before: &Report, during: &Report) {
        for report in [before, during] {
            assert!(report.not(200).is_empty(), "{:?}: {:?}", report.statuses(), report.not(200).first());
        }
        for (who, new) in [("with a credential", false), ("without", true)] {
            let [before, during] = [before, during].map(|report| median(report, new));
            let ratio = during.as_secs_f64() / before.as_secs_f64();
            println!("{}: others {who} took {during:.1?}, {ratio:.2} of {before:.1?} before", self.switch);
            assert!(during <= before.mul_f64(UNAFFECTED) + NOISE, "{who}: {during:?}, {before:?} before");
        }
    }
}

impl Ground {
    async fn start(sick: Destination) -> Result<Self> {
        let limits = json!({"calls_per_second": PER_SECOND, "burst": BURST});
        let topology = plan(&[(sick.provider, limits)]).start().await?;
        let lasts = Duration::from_secs(scaled(4, 30));
        let new = 2 * new_in(lasts);
        let ground = Self {
            well: ONE_EACH.into_iter().filter(|destination| *destination != sick).collect(),
            with: workloads(&topology, "with", WITH).await?,
            without: workloads(&topology, "without", WITHOUT).await?,
            new: workloads(&topology, "new", new).await?,
            topology,
            lasts,
        };
        for destination in ONE_EACH {
            until_all_are_served(&ground.topology, destination, &ground.with, PATIENCE).await?;
        }
        Ok(ground)
    }

    /// Requests at all destinations that are well in turn. Each window has new workloads of its own.
    fn load_on_the_well(&self, window: usize) -> Load {
        let (well, with, new) = (self.well.clone(), self.with.clone(), self.new.clone());
        let first = window * new_in(self.lasts);
        let request = move |number: u64| {
            let (round, turn) = (number / well.len() as u64, (number % well.len() as u64) as usize);
            let native = if round.is_multiple_of(ONE_NEW_OF) {
                &new[first + (round / ONE_NEW_OF) as usize]
            } else {
                &with[round as usize % with.len()]
            };
            well[turn].request(native)
        };
        self.load(RATE, request)
    }

    /// Requests at the one in trouble.
    fn load_on(&self, sick: Destination) -> Load {
        let (with, without) = (self.with.clone(), self.without.clone());
        let request = move |number: u64| {
            let among = if number.is_multiple_of(ONE_WITH_OF) { &with } else { &without };
            sick.request(&among[number as usize % among.len()])
        };
        self.load(RATE_IN_TROUBLE, request)
    }

    fn load(&self, rate: f64, request: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> Load {
        Load {
            address: self.topology.egress.address(),
            connections: 48,
            rate: Some(rate),
            count: (rate * self.lasts.as_secs_f64()) as u64,
            request: Arc::new(request),
            patience: Duration::from_secs(10),
        }
    }
}

/// The workloads that come in the time of a window.
fn new_in(lasts: Duration) -> usize {
    let requests = (RATE * lasts.as_secs_f64()) as u64;
    requests.div_ceil((ONE_EACH.len() as u64 - 1) * ONE_NEW_OF) as usize
}

/// The latency in the middle of those that did or did not need their provider.
fn median(report: &Report, new: bool) -> Duration {
    let well = ONE_EACH.len() as u64 - 1;
    let is_new = |number: u64| (number / well).is_multiple_of(ONE_NEW_OF);
    let mut part = report.clone();
    part.answers.retain(|answer| is_new(answer.number) == new);
    part.quantile(0.5)
}
