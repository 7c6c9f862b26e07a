//! What can be counted from outside.

use std::time::Duration;

use harness::{Result, clouds::cloud::Cloud, edge::sum, topology::Topology, wait};

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_per_route_with_labels() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    for _ in 0..3 {
        topology.call("/gcp-reports/q3", &native).await?;
    }
    topology.client.get(&topology.url("/gcp-reports/q3"), &[]).await?;
    topology.client.get(&topology.url("/health"), &[]).await?;

    // All of it comes a little later: on the tick, and histograms at the flush.
    let wanted: [(&str, &[&str], f64); 9] = [
        ("cloakroom_requests", &[r#"route="gcp-reports""#, r#"outcome="miss""#], 1.0),
        ("cloakroom_requests", &[r#"route="gcp-reports""#, r#"outcome="hit""#], 2.0),
        ("cloakroom_requests", &[r#"route="gcp-reports""#, r#"outcome="refused""#], 1.0),
        ("cloakroom_requests", &[r#"route="health""#, r#"outcome="untouched""#], 1.0),
        ("cloakroom_refusals", &[r#"route="gcp-reports""#, r#"reason="subject_token_missing""#], 1.0),
        ("cloakroom_sts_calls", &[r#"route="gcp-reports""#, r#"result="ok""#], 1.0),
        ("cloakroom_cache_entries", &[], 1.0),
        ("cloakroom_sts_latency_ms_count", &[], 1.0),
        ("cloakroom_sts_latency_ms_bucket", &[r#"le="2000""#], 1.0),
    ];
    for (name, labels, value) in wanted {
        wait::until(&format!("{name}{labels:?} is {value}"), Duration::from_secs(15), || async {
            (sum(&topology.egress.prometheus("cloakroom").await.ok()?, name, labels) == value).then_some(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sts_counts_exchanges_and_says_whether_it_is_ready() -> Result<()> {
    let topology = Topology::start().await?;
    topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?;
    topology.call("/gcp-reports/q3", &topology.native(Cloud::Gcp).await?).await?;
    let text = topology.sts.metrics().await?;
    assert_eq!(sum(&text, "cloakroom_exchanges_total", &[r#"reason="none""#]), 1.0, "{text}");
    assert_eq!(sum(&text, "cloakroom_exchanges_total", &[r#"reason="policy_denied""#]), 1.0, "{text}");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(topology.client.get(&topology.sts.operations(path), &[]).await?.status, 200);
    }
    // Operators' paths and nothing else.
    assert_eq!(topology.client.get(&topology.sts.operations("/jwks.json"), &[]).await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_interface_is_locked() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let topology = Topology::start().await?;
    for name in ["egress", "destination"] {
        let socket = topology.folder().join(format!("run/{name}-admin.sock"));
        assert_eq!(std::fs::metadata(socket)?.permissions().mode() & 0o777, 0o600);
    }
    for path in ["/config_dump", "/quitquitquit", "/logging", "/certs"] {
        let answer = topology.egress.admin(path).await?;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    Ok(())
}
