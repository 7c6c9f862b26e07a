use std::{collections::BTreeSet, sync::Arc, time::Duration};

use harness::{
    Result,
    load::Load,
    topology::cloud_routes::{self, CloudRoute},
    wait,
};

use super::ground::{AWS, PARTNER, plan, plan_with, scaled, until_all_are_served, workloads};

const WORKLOADS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn when_a_loan_ends_the_same_credential_is_lent_again() -> Result<()> {
    let mut route = CloudRoute::aws_bucket();
    route.max_life_seconds = 3;
    let topology = plan_with(&[], cloud_routes::providers(), vec![route]).start().await?;
    let tokens = workloads(&topology, "borrower", WORKLOADS).await?;
    let loans = 3 * WORKLOADS as u64;
    let exchanges = wait::until("every loan has ended twice", PATIENCE, || async {
        for token in &tokens {
            let answer = topology.call(AWS.path, token).await.ok()?;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        topology.sts.exchanges().await.ok().filter(|exchanges| *exchanges >= loans)
    })
    .await?;
    let seen = topology.federation()?.aws.seen_by(AWS.service);
    let keys: BTreeSet<_> = seen.iter().map(|seen| seen.facts["access_key"].to_string()).collect();
    println!("{} requests, {exchanges} loans, {} sessions at the provider", seen.len(), keys.len());
    assert_eq!(AWS.calls(&topology)?, WORKLOADS as u64);
    assert_eq!(keys.len(), WORKLOADS);
    Ok(())
}

/// A credential that the destination refuses is replaced when it is half a minute old. That is the pace at which a destination
/// that refuses everything may have the provider called, so the second half of this needs as long.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_destination_refuses_is_replaced_and_no_storm_comes_of_it() -> Result<()> {
    let topology = plan(&[]).start().await?;
    let tokens = workloads(&topology, "refused", WORKLOADS).await?;
    until_all_are_served(&topology, PARTNER, &tokens, PATIENCE).await?;
    let (calls, exchanges) = (PARTNER.calls(&topology)?, topology.sts.exchanges().await?);
    assert_eq!((calls, exchanges), (WORKLOADS as u64, WORKLOADS as u64));

    topology.federation()?.partner.platform().revoke();
    let natives = tokens.clone();
    let load = Load {
        address: topology.egress.address(),
        connections: 16,
        rate: Some(200.0),
        count: 1_000,
        request: Arc::new(move |number| PARTNER.request(&natives[number as usize % natives.len()])),
        patience: Duration::from_secs(10),
    };
    let report = load.run().await?;
    let asked = topology.sts.exchanges().await? - exchanges;
    println!("{:?}: {asked} exchanges, {} calls", report.statuses(), PARTNER.calls(&topology)? - calls);
    assert_eq!(report.count(401), 1_000, "the destination's own answer goes back: {:?}", report.statuses());
    assert!(asked >= WORKLOADS as u64, "nobody wanted another one");
    // The filter's wait for each workload doubles from half a second: some four in five seconds.
    assert!(asked <= 8 * WORKLOADS as u64, "{asked} exchanges");
    assert_eq!(PARTNER.calls(&topology)?, calls, "what was given a moment ago is not replaced yet");
    if scaled(false, true) {
        until_all_are_served(&topology, PARTNER, &tokens, PATIENCE).await?;
        assert_eq!(PARTNER.calls(&topology)?, 2 * calls, "one more for each workload");
    }
    Ok(())
}
