//! Policy and configuration change while calls go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use harness::{Result, clouds::cloud::Cloud, edge::sum, topology::Topology, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_policy_takes_effect_and_no_call_is_dropped_meanwhile() -> Result<()> {
    let topology = Arc::new(Topology::start().await?);
    let done = Arc::new(AtomicBool::new(false));
    let calls = tokio::spawn({
        let (topology, done) = (Arc::clone(&topology), Arc::clone(&done));
        async move {
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                // A fresh token each time, so that every call asks the STS.
                let native = topology.native(Cloud::Kubernetes).await?;
                let answer = topology.call("/azure-ledger/e", &native).await?;
                assert_eq!(answer.status, 200, "{}", answer.text());
                calls += 1;
            }
            Ok::<_, harness::Error>(calls)
        }
    });
    let file = topology.pki.folder().join("policy.cedar");
    let policy = std::fs::read_to_string(&file)?;
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);

    let without = policy.replace(
        r#"Workload::"spiffe://cloakroom.test/aws/123456789012/role/app-role""#,
        r#"Workload::"spiffe://x/y""#,
    );
    assert_ne!(without, policy);
    write_whole(&file, &without)?;
    wait::until("the grant is gone", Duration::from_secs(15), || async {
        let native = topology.native(Cloud::Aws).await.ok()?;
        let answer = topology.call("/gcp-reports/q3", &native).await.ok()?;
        (answer.header("x-cloakroom-reason") == "policy_denied").then_some(())
    })
    .await?;
    write_whole(&file, &policy)?;
    wait::until("the grant is back", Duration::from_secs(15), || async {
        let native = topology.native(Cloud::Aws).await.ok()?;
        topology.call("/gcp-reports/q3", &native).await.ok().filter(|answer| answer.status == 200)
    })
    .await?;
    done.store(true, Ordering::Relaxed);
    assert!(calls.await?? > 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_policy_keeps_the_old_one_and_the_log_says_why() -> Result<()> {
    let topology = Topology::start().await?;
    let file = topology.pki.folder().join("policy.cedar");
    let policy = std::fs::read_to_string(&file)?;
    // A fact that no proxy checks and no cache key holds.
    write_whole(
        &file,
        &format!(
            "{policy}\n@id(\"late\") permit (principal is Cloakroom::Workload, action == Cloakroom::Action::\"exchange\", resource is Cloakroom::Target) when {{ context.method == \"GET\" }};\n"
        ),
    )?;
    wait::until("the reload fails", Duration::from_secs(15), || async {
        let text = topology.sts.metrics().await.ok()?;
        (sum(&text, "cloakroom_reload_failures_total", &[]) >= 1.0).then_some(())
    })
    .await?;
    let log = topology.sts.log();
    assert!(log.contains("late") && log.contains("@methods"), "{log}");
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(topology.client.get(&topology.sts.operations("/readyz"), &[]).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_takes_effect() -> Result<()> {
    let topology = Topology::start().await?;
    let text = std::fs::read_to_string(topology.sts.config())?;
    let mut config: serde_json::Value = serde_json::from_str(&text)?;
    // The proxy is no longer registered.
    config["actors"] = serde_json::json!([{"spiffe_id": "spiffe://cloakroom.test/edge/probe"}]);
    write_whole(topology.sts.config(), &config.to_string())?;
    wait::until("the proxy is unknown", Duration::from_secs(15), || async {
        let native = topology.native(Cloud::Aws).await.ok()?;
        let answer = topology.call("/gcp-reports/q3", &native).await.ok()?;
        (answer.status == 503 && answer.header("x-cloakroom-reason") == "actor_unknown").then_some(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sts_ends_when_asked_and_finishes_what_it_has_begun() -> Result<()> {
    let topology = Topology::start().await?;
    topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?;
    assert!(topology.sts.stop(), "it had to be forced");
    Ok(())
}

/// Writes a file as careful tools do: whole, under its name at once.
fn write_whole(path: &std::path::Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    Ok(std::fs::rename(new, path)?)
}
