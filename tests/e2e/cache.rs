//! One question to the STS, however many ask for the same.

use std::sync::Arc;

use harness::{
    Result,
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
};
use http::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_within_a_token_s_life_ask_once() -> Result<()> {
    let topology = Arc::new(Topology::start().await?);
    let native = topology.native(Cloud::Aws).await?;
    for _ in 0..50 {
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let (topology, native) = (Arc::clone(&topology), native.clone());
            calls.spawn(async move { topology.call("/gcp-reports/q3", &native).await });
        }
        while let Some(answer) = calls.join_next().await {
            assert_eq!(answer??.status, 200);
        }
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    assert_eq!(topology.recorded().await?.len(), 1000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_first_calls_at_once_ask_once() -> Result<()> {
    let topology = Arc::new(patient().await?);
    let native = topology.native(Cloud::Gcp).await?;
    // While the STS is frozen all of them arrive and wait; then it answers.
    topology.sts.pause();
    let mut calls = JoinSet::new();
    for number in 0..100 {
        let (topology, bearer) = (Arc::clone(&topology), format!("Bearer {native}"));
        calls.spawn(async move {
            let url = topology.url(&format!("/aws-orders/{number}"));
            let body = vec![b'x'; number * 100];
            topology.client.request(Method::POST, &url, &[("authorization", &bearer)], body).await
        });
    }
    arrived(&topology, 100).await?;
    topology.sts.resume();
    while let Some(answer) = calls.join_next().await {
        let answer = answer??;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    let mut lengths: Vec<_> = topology.recorded().await?.iter().map(|seen| seen.body_length).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, (0..100).map(|number| number * 100).collect::<Vec<_>>());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_client_may_leave_and_the_others_get_their_answer() -> Result<()> {
    let topology = Arc::new(patient().await?);
    let native = topology.native(Cloud::Aws).await?;
    topology.sts.pause();
    let mut first = TcpStream::connect(topology.egress.address()).await?;
    let request = format!("GET /gcp-reports/first HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {native}\r\n\r\n");
    first.write_all(request.as_bytes()).await?;
    arrived(&topology, 1).await?;
    let second = tokio::spawn({
        let (topology, native) = (Arc::clone(&topology), native.clone());
        async move { topology.call("/gcp-reports/second", &native).await }
    });
    arrived(&topology, 2).await?;
    drop(first);
    topology.sts.resume();
    let answer = second.await??;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(topology.sts.exchanges().await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_the_destination_refused_is_not_used_again() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(topology.sts.exchanges().await?, 1);
    assert_eq!(topology.call("/gcp-reports/q3?answer=401", &native).await?.status, 401);
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(topology.sts.exchanges().await?, 2);
    let ids: std::collections::BTreeSet<_> =
        topology.recorded().await?.iter().map(|seen| seen.header("x-cloakroom-token-id").to_owned()).collect();
    assert_eq!(ids.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_workers_together_ask_once() -> Result<()> {
    let topology = Arc::new(Plan::default().concurrency(2).start().await?);
    let native = topology.native(Cloud::Aws).await?;
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let (topology, native) = (Arc::clone(&topology), native.clone());
        calls.spawn(async move { topology.call("/gcp-reports/q3", &native).await });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer??.status, 200);
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    Ok(())
}

/// A topology whose filter waits long enough for a test that freezes the STS.
async fn patient() -> Result<Topology> {
    Plan::default().plugin(|plugin| plugin["sts"]["timeout_ms"] = json!(10_000)).start().await
}

/// Waits until the egress edge holds `requests` open requests.
async fn arrived(topology: &Topology, requests: u64) -> Result<()> {
    harness::wait::until("the requests have arrived", std::time::Duration::from_secs(10), || async {
        let stats = topology.egress.admin("/stats?filter=http.egress.downstream_rq_active").await.ok()?.text();
        let active: u64 = stats.lines().next()?.rsplit(' ').next()?.parse().ok()?;
        (active >= requests).then_some(())
    })
    .await
}
