use std::time::Duration;

use harness::{Result, topology::Topology, wait};

use super::ground::{AWS, AZURE, Destination, GCP, ONE_EACH, PARTNER, plan, told, until_all_are_served, workload};

/// How long anything may take to be told, or to come back.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest that a caller may wait for bad news. A proxy's request waits half a second for a provider.
const TOLD_WITHIN: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_is_told_by_its_own_code() -> Result<()> {
    let told = [
        (AWS, "AccessDenied"),
        (GCP, "invalid_target"),
        // That a new credential is not known everywhere yet looks the same, so it is asked for some seconds.
        (AZURE, "AADSTS70021"),
        (PARTNER, "invalid_grant"),
    ];
    everywhere("trouble=unaware:1000000", "provider_refused", told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_asked_too_much_is_told_by_its_own_code() -> Result<()> {
    let told = [
        (AWS, "Throttling"),
        (GCP, "RESOURCE_EXHAUSTED"),
        (AZURE, "AADSTS90055"),
        (PARTNER, "temporarily_unavailable"),
    ];
    everywhere("trouble=throttle", "provider_throttled", told).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_out_of_order_is_told_so() -> Result<()> {
    everywhere("trouble=outage", "provider_unavailable", ONE_EACH.map(|destination| (destination, ""))).await
}

/// Has all providers in the same trouble at once: each route is told `reason` and its provider's code, and is served again
/// when the trouble is over.
async fn everywhere(switch: &str, reason: &str, told: [(Destination, &str); 4]) -> Result<()> {
    let topology = plan(&[]).start().await?;
    for (destination, _) in told {
        destination.switches(&topology)?.tell(switch)?;
    }
    let [one, two, three, four] = told.map(|(destination, code)| in_trouble(&topology, destination, reason, code));
    tokio::try_join!(one, two, three, four)?;
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

async fn in_trouble(topology: &Topology, destination: Destination, reason: &str, code: &str) -> Result<()> {
    let native = workload(topology, "told").await?;
    let what = format!("{} is told {reason} with {code}", destination.provider);
    // Whoever asks first may be told that it takes longer than callers wait.
    let answer = wait::until(&what, PATIENCE, || async {
        let answer = topology.call(destination.path, &native).await.ok()?;
        let (said, got) = told(&answer);
        assert!([reason, "provider_unavailable"].contains(&said.as_str()), "{}: {}", answer.status, answer.text());
        assert!(answer.elapsed < TOLD_WITHIN, "{}: told after {:?}", destination.provider, answer.elapsed);
        (said == reason && got.contains(code) && !got.is_empty()).then_some(answer)
    })
    .await?;
    let problem = answer.json()?;
    assert_eq!(problem["claim"], format!("provider {}", destination.provider), "{problem}");
    assert_eq!(answer.status.as_u16(), if reason == "provider_refused" { 403 } else { 503 });
    assert_eq!(answer.header("retry-after").is_empty(), reason == "provider_refused", "{:?}", answer.headers);
    assert_eq!(destination.reached(topology)?, 0, "{} was called without a credential", destination.service);
    destination.switches(topology)?.tell("trouble=none")?;
    until_all_are_served(topology, destination, &[native], PATIENCE).await?;
    Ok(())
}
