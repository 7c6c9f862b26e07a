//! Keys change, on either side of the STS, and calls go on.

use harness::{
    Result,
    clouds::{cloud::Cloud, mint::Order},
    topology::Topology,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_changes_its_keys_and_calls_go_on() -> Result<()> {
    let topology = Topology::start().await?;
    for cloud in [Cloud::Aws, Cloud::Kubernetes] {
        let before = topology.native(cloud).await?;
        assert_eq!(topology.call("/gcp-reports/q3", &before).await?.status, 200);
        topology.tell(cloud, "rotate").await?;
        let after = topology.native(cloud).await?;
        let answer = topology.call("/gcp-reports/q3", &after).await?;
        assert_eq!(answer.status, 200, "{cloud:?}: {}", answer.text());
        assert_eq!(topology.call("/gcp-reports/q3", &before).await?.status, 200);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_key_ids_cannot_make_the_sts_hammer_an_issuer() -> Result<()> {
    let topology = Topology::start().await?;
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?.status, 200);
    let before = topology.key_fetches(Cloud::Aws).await?;
    for number in 0..30 {
        let order = Order { kid: Some(format!("unknown-{number}")), ..Order::default() };
        let native = topology.native_to_order(Cloud::Aws, &order).await?;
        let answer = topology.call("/gcp-reports/q3", &native).await?;
        assert_eq!(answer.header("x-cloakroom-reason"), "subject_key_unknown");
    }
    let fetches = topology.key_fetches(Cloud::Aws).await? - before;
    assert!(fetches <= 3, "{fetches} fetches for 30 unknown keys");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_s_outage_does_not_stop_tokens_of_keys_already_held() -> Result<()> {
    let topology = Topology::start().await?;
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?.status, 200);
    topology.tell(Cloud::Aws, "outage?on=true").await?;
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sts_keeps_its_signing_key_over_a_restart_and_a_crash() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    let url = format!("{}/jwks.json", topology.sts.no_client_certificate_url());
    let keys = topology.client.get(&url, &[]).await?.json()?;
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    topology.sts.restart().await?;
    assert_eq!(topology.client.get(&url, &[]).await?.json()?, keys);
    topology.sts.kill();
    topology.sts.restart().await?;
    assert_eq!(topology.client.get(&url, &[]).await?.json()?, keys);
    // The destination has not fetched keys since, and takes both an old token and a new one.
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?.status, 200);
    Ok(())
}
