use std::time::{Duration, Instant};

use harness::Result;
use serde_json::json;

use super::ground::{AWS, GCP, plan, scaled, until_all_are_served, workloads};

const PER_SECOND: u32 = 20;
const BURST: u32 = 5;

/// Above so many calls in a second the provider throttles. Calls that were made evenly may arrive together where the machine is
/// busy: those of two seconds in one.
const PUBLISHED: u32 = 2 * PER_SECOND + BURST;

const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_of_workloads_stays_below_the_provider_s_limit_and_all_are_served() -> Result<()> {
    let limits = json!({"calls_per_second": PER_SECOND, "burst": BURST});
    let topology = plan(&[(AWS.provider, limits)]).start().await?;
    let rush = workloads(&topology, "rush", scaled(100, 1000)).await?;
    let other = workloads(&topology, "other", 1).await?;
    AWS.switches(&topology)?.tell(&format!("limit={PUBLISHED}"))?;
    let began = Instant::now();
    let (rushed, elsewhere) = tokio::join!(until_all_are_served(&topology, AWS, &rush, PATIENCE), async {
        let served = until_all_are_served(&topology, GCP, &other, PATIENCE).await;
        served.map(|_| began.elapsed())
    });
    let ((reasons, longest), took) = (rushed?, began.elapsed());
    let (calls, counts) = (AWS.calls(&topology)?, AWS.switches(&topology)?.counts());
    let most = took.as_secs_f64() * f64::from(PER_SECOND) + f64::from(BURST);
    println!(
        "{} workloads at once: served within {took:.1?} by {calls} calls, {most:.0} allowed; told meanwhile: {reasons:?}, each \
         within {longest:.1?}",
        rush.len()
    );
    assert!(calls as f64 <= most, "{calls} calls, {most:.0} are allowed");
    assert_eq!(counts[AWS.steps[0]]["throttled"], 0, "the provider itself was asked too much: {counts}");
    assert_eq!(calls, rush.len() as u64, "each workload is asked for once");
    assert!(reasons.keys().all(|reason| ["provider_throttled", "provider_unavailable"].contains(&reason.as_str())));
    assert!(longest < Duration::from_secs(3), "told after {longest:?}");
    let at = elsewhere?;
    assert!(at < took / 2, "the other provider's destination was open after {at:?}, the rush was over after {took:?}");
    Ok(())
}
