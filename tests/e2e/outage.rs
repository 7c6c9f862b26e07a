//! The STS goes away. What has a token goes on to that token's last usable second, what has none is told to come back.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use harness::{
    Result,
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
    wait, workspace,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_cached_token_is_used_to_its_last_usable_second_and_then_callers_are_told_to_come_back() -> Result<()> {
    let topology = short_lived().await?;
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/azure-ledger/e", &native).await?.status, 200);
    let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
    let expires: f64 = seen.header("x-cloakroom-expires").parse()?;
    topology.sts.kill();

    let refused = wait::until("the cached token runs out", Duration::from_secs(20), || async {
        let answer = topology.call("/azure-ledger/e", &native).await.ok()?;
        (answer.status != 200).then_some(answer)
    })
    .await?;
    let left = expires - now();
    assert!((-1.0..=1.0).contains(&left), "calls went on until {left:.2} s before the token's end");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.header("x-cloakroom-reason"), "sts_unavailable");
    assert!(refused.header("retry-after").parse::<u32>()? >= 1);
    assert!(refused.elapsed < Duration::from_secs(1), "told after {:?}", refused.elapsed);
    assert!(!refused.header("x-cloakroom-decision-id").is_empty());

    topology.sts.restart().await?;
    let back = Instant::now();
    wait::until("calls go on by themselves", Duration::from_secs(10), || async {
        topology.call("/azure-ledger/e", &native).await.ok().filter(|answer| answer.status == 200)
    })
    .await?;
    assert!(back.elapsed() < Duration::from_secs(5), "calls came back after {:?}", back.elapsed());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_call_without_the_sts_is_told_to_come_back_within_a_second() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    topology.sts.kill();
    told_to_come_back(&topology, &native).await?;
    topology.sts.restart().await?;
    wait::until("calls go on by themselves", Duration::from_secs(10), || async {
        topology.call("/gcp-reports/q3", &native).await.ok().filter(|answer| answer.status == 200)
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_hangs_is_given_up_within_a_second() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    topology.sts.pause();
    told_to_come_back(&topology, &native).await?;
    topology.sts.resume();
    wait::until("calls go on by themselves", Duration::from_secs(10), || async {
        topology.call("/gcp-reports/q3", &native).await.ok().filter(|answer| answer.status == 200)
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_no_outage_and_an_outage_is_no_refusal() -> Result<()> {
    let topology = Topology::start().await?;
    topology.tell(Cloud::Kubernetes, "outage?on=true").await?;
    // Its keys were never fetched, so nothing can be said of the token yet.
    let native = topology.native(Cloud::Kubernetes).await?;
    let answer = topology.call("/gcp-reports/q3", &native).await?;
    if topology.key_fetches(Cloud::Kubernetes).await? == 0 || answer.status != 200 {
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert_eq!(answer.header("x-cloakroom-reason"), "issuer_keys_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
    topology.tell(Cloud::Kubernetes, "outage?on=false").await?;
    wait::until("the issuer's keys are found", Duration::from_secs(20), || async {
        topology.call("/gcp-reports/q3", &native).await.ok().filter(|answer| answer.status == 200)
    })
    .await?;
    Ok(())
}

async fn told_to_come_back(topology: &Topology, native: &str) -> Result<()> {
    let answer = topology.call("/gcp-reports/q3", native).await?;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").parse::<u32>()? >= 1);
    assert!(answer.elapsed < Duration::from_secs(1), "told after {:?}", answer.elapsed);
    assert!(topology.recorded().await?.is_empty());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

/// Tokens for the ledger that live six seconds.
async fn short_lived() -> Result<Topology> {
    let policy = std::fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    Plan::default().policy(policy.replace(r#"@ttl("45s")"#, r#"@ttl("6s")"#)).start().await
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs_f64()).unwrap_or_default()
}
