use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use harness::{
    Result,
    edge_only::{EdgeOnly, Plan, route},
    load::{Running, get},
};
use serde_json::json;

use crate::scale::{scaled, whole};

/// How long things take, in seconds.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    /// A token's life.
    life: u64,
    /// The outage that the route promises to survive.
    promised: u64,
    /// The outage that comes.
    outage: u64,
    /// Workloads; enough that the steady rate is no noise.
    keys: u64,
    /// Requests per second: each workload calls several times between two refreshes.
    rate: f64,
}

/// The breaker asks at most every five seconds whether the STS is back, whatever the lives of tokens are. That does not scale,
/// so the outage is shorter than what was promised. Without the promise it would still be too long: a token would be renewed
/// when a quarter of it is left.
const PART: Lengths = Lengths { life: 24, promised: 16, outage: 9, keys: 300, rate: 800.0 };
const WHOLE: Lengths = Lengths { life: 300, promised: 240, outage: 240, keys: 3_000, rate: 2_000.0 };

/// The breaker's longest wait, three seconds in which renewals come back to their full rate, and one call's timeout.
const RECOVERY: f64 = 5.0 + 3.0 + 0.75;

impl Lengths {
    /// The time from one renewal to the next, as `filter/README.md` has it: what is usable of a life, less the promise and the
    /// time it takes to recover, or a little earlier; but never before a tenth of the life has gone.
    fn interval(self) -> RangeInclusive<f64> {
        let [life, promised] = [self.life, self.promised].map(|seconds| seconds as f64);
        let recovery = f64::max(promised / 10.0, RECOVERY);
        let latest = f64::max(life - f64::min(20.0, life / 10.0) - promised - recovery, life / 10.0);
        0.8 * latest..=latest
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_routes_notice_no_outage_and_the_sts_is_not_overrun_afterwards() -> Result<()> {
    let lengths = scaled(PART, WHOLE);
    let edge = start(lengths).await?;
    let interval = lengths.interval().end().ceil() as u64;
    // One after another, as workloads start in life: their renewals are then spread as well.
    warm("with", lengths, interval, &edge).await?;
    let load = hot(lengths, &edge);
    // When everybody has been renewed once, the start has no part in it any more.
    sleep(interval).await;
    let steady_from = Instant::now();
    sleep(interval + 1).await;
    let calls = edge.sts.calls().since(steady_from);
    let steady = calls.len() as f64 / steady_from.elapsed().as_secs_f64();
    let steady_most = calls.most_within(Duration::from_secs(1));

    edge.sts.go_away().await;
    let (away, before) = (Instant::now(), edge.outcomes_so_far().await?);
    sleep(lengths.outage).await;
    let (unreachable, during) = (away.elapsed(), edge.outcomes_so_far().await?);
    edge.sts.come_back().await?;
    let back = Instant::now();
    sleep(2 * interval).await;
    let report = load.stop().await?;
    let most = edge.sts.calls().since(back).most_within(Duration::from_secs(1));

    println!(
        "{} keys, tokens of {} s, STS away for {unreachable:.1?} at {:.0} requests/s: {} of {} requests failed, {} were served \
         past their refresh; token requests before {steady:.1}/s and at most {steady_most} in a second, after its return at most \
         {most} in a second ({:.2} of steady)",
        lengths.keys,
        lengths.life,
        report.rate(),
        report.not(200).len(),
        report.answers.len(),
        during.stale - before.stale,
        most as f64 / steady,
    );
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    edge.judge.tally().expect_clean()?;
    assert!(during.stale > before.stale, "no refresh was due: this proves nothing");
    assert!(steady > 0.5 * lengths.keys as f64 / lengths.interval().end(), "steady is {steady:.1}/s");
    // A machine that stops for a moment lets calls of two seconds arrive in one. It did so before the outage as well, so in
    // part a busy second is held against a busy second, and only all of it against the mean.
    let most_allowed = 2.0 * if whole() { steady } else { steady_most as f64 };
    assert!(most as f64 <= most_allowed, "{most} in a second, {most_allowed:.1} are allowed");
    Ok(())
}

/// What the promise costs: token requests per minute and key.
#[tokio::test(flavor = "multi_thread")]
async fn the_price_of_the_promise_is_what_was_said() -> Result<()> {
    let lengths = Lengths { keys: 100, rate: 400.0, ..scaled(PART, WHOLE) };
    let edge = start(lengths).await?;
    let interval = lengths.interval();
    for route in ["with", "without"] {
        warm(route, lengths, 1, &edge).await?;
    }
    let mut load = edge.load(32, u64::MAX, move |number| {
        let route = if number.is_multiple_of(2) { "with" } else { "without" };
        get(route, &format!("workload-{}", number / 2 % lengths.keys), 0)
    });
    load.rate = Some(2.0 * lengths.rate);
    let load = load.start();
    sleep(interval.end().ceil() as u64).await;
    let from = Instant::now();
    sleep(scaled(12, lengths.life)).await;
    let (calls, minutes) = (edge.sts.calls().since(from), from.elapsed().as_secs_f64() / 60.0);
    let report = load.stop().await?;
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    let price = |route: &str| {
        let asked = calls.0.iter().filter(|call| call.key.ends_with(route)).count();
        asked as f64 / lengths.keys as f64 / minutes
    };
    let (with, without) = (price("~with"), price("~without"));
    println!(
        "token requests per minute and key on tokens of {} s: {without:.1}, and {with:.1} to survive {} s without an STS",
        lengths.life, lengths.promised
    );
    assert!(with > 1.5 * without, "the promise costs nothing, so it is not kept");
    // What was begun before the window, and a tick: a tenth either way.
    let (least, most) = (0.9 * 60.0 / interval.end(), 1.1 * 60.0 / interval.start());
    assert!((least..most).contains(&with), "{with:.1} a minute, {least:.1} to {most:.1} follow from the settings");
    Ok(())
}

async fn start(lengths: Lengths) -> Result<EdgeOnly> {
    let plan = Plan::default().workers(2).routes(["with", "without"]).plugin(move |plugin| {
        route(plugin, "with")["survive_outage_seconds"] = json!(lengths.promised);
    });
    let edge = plan.start().await?;
    edge.sts.script(|script| script.life_seconds = lengths.life);
    Ok(edge)
}

/// A first request for each key of a route, spread over some seconds.
async fn warm(route: &'static str, lengths: Lengths, seconds: u64, edge: &EdgeOnly) -> Result<()> {
    let mut load = edge.load(32, lengths.keys, move |number| get(route, &format!("workload-{number}"), 0));
    load.rate = Some(lengths.keys as f64 / seconds as f64);
    let report = load.run().await?;
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    Ok(())
}

fn hot(lengths: Lengths, edge: &EdgeOnly) -> Running {
    let mut load =
        edge.load(64, u64::MAX, move |number| get("with", &format!("workload-{}", number % lengths.keys), 0));
    load.rate = Some(lengths.rate);
    load.start()
}

async fn sleep(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
