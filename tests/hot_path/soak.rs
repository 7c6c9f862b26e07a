use std::time::Instant;

use harness::{
    Result,
    edge_only::{EdgeOnly, Plan},
    load::get,
};
use serde_json::json;

use crate::scale::scaled;

const WORKLOADS: u64 = 200;
/// Requests with one native token before its workload has another.
const PER_TOKEN: u64 = 40;
/// Fewer than there will be tokens, so that the cache is full and has to give way.
const CACHED: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn rotating_tokens_leave_no_trace() -> Result<()> {
    let edge =
        Plan::default().workers(2).plugin(|plugin| plugin["limits"] = json!({"cached_tokens": CACHED})).start().await?;
    let (rounds, batch) = (scaled(4, 100), scaled(8_000, 100_000));
    let started = Instant::now();
    let mut sizes = Vec::new();
    for round in 0..rounds {
        let request = move |number: u64| {
            let number = round * batch + number;
            get("reports", &format!("workload-{}", number % WORKLOADS), number / WORKLOADS / PER_TOKEN)
        };
        let report = edge.load(64, batch, request).run().await?;
        assert!(report.not(200).is_empty(), "{:?}", report.statuses());
        sizes.push(Size::now(&edge).await?);
    }
    let requests = rounds * batch;
    let (middle, last) = (sizes[sizes.len() / 2 - 1], sizes[sizes.len() - 1]);
    println!(
        "{requests} requests with {} native tokens in {:?}: half way {middle:?}, at the end {last:?}",
        edge.sts.calls().per_key().len(),
        started.elapsed(),
    );
    let tally = edge.judge.tally();
    tally.expect_clean()?;
    assert_eq!(tally.right, requests);
    assert_eq!(edge.vm_reloads().await?, 0, "a VM has died");
    assert!(last.resident <= middle.resident + middle.resident / 20 + 4 * 1024 * 1024, "memory grows: {sizes:?}");
    assert!(last.entries <= 2 * CACHED, "{last:?}");
    assert!(last.bytes <= middle.bytes + middle.bytes / 10, "the cache grows: {sizes:?}");
    Ok(())
}

#[derive(Clone, Copy, Debug)]
struct Size {
    /// Envoy's memory in RAM, bytes.
    resident: u64,
    /// Issued tokens in the caches, over all workers.
    entries: u64,
    /// Their bytes.
    bytes: u64,
}

impl Size {
    async fn now(edge: &EdgeOnly) -> Result<Self> {
        let gauge = async |name| Ok::<_, harness::Error>(edge.edge.metric(name, &[]).await? as u64);
        Ok(Self {
            resident: edge.edge.process().resident()?,
            entries: gauge("cloakroom_cache_entries").await?,
            bytes: gauge("cloakroom_cache_bytes").await?,
        })
    }
}
