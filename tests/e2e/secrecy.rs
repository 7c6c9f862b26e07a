//! Logs hold digests of tokens, never a part of one: our own at their most verbose, Envoy's at the level that ships.

use harness::{
    Result,
    clouds::{
        cloud::Cloud,
        mint::{Flaw, Order},
    },
    topology::{Plan, secret_parts},
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_log_holds_a_part_of_any_token_of_the_run() -> Result<()> {
    // The destination forwards the issued token for once, so that the test knows what to look for.
    let topology = Plan::default()
        .sts(|config| {
            // Finer levels of libraries are refused by the configuration.
            let libraries = ["hyper", "hyper_util", "h2", "rustls", "tower", "axum", "cedar_policy", "redb"];
            let libraries: serde_json::Map<_, _> =
                libraries.map(|name| (name.to_owned(), json!("info"))).into_iter().collect();
            config["log"] = json!({"level": "trace", "libraries": libraries});
        })
        .egress_log("warning", Some("wasm:trace"))
        .destination(|bootstrap| {
            let text = bootstrap
                .to_string()
                .replace(r#""require_expiration":true"#, r#""require_expiration":true,"forward":true"#);
            *bootstrap = serde_json::from_str(&text).unwrap_or_default();
        })
        .start()
        .await?;
    for cloud in [Cloud::Aws, Cloud::Gcp, Cloud::Azure, Cloud::AzureV1, Cloud::Kubernetes] {
        let native = topology.native(cloud).await?;
        for path in ["/gcp-reports/q3", "/aws-orders/1", "/azure-ledger/e", "/gcp-reports/q3", "/elsewhere"] {
            topology.call(path, &native).await?;
        }
    }
    let wrong = [
        Order { audience: Some("https://else.example".into()), ..Order::default() },
        Order { expires_in: Some(-30), ..Order::default() },
        Order { kid: Some("no-such-key".into()), ..Order::default() },
        Order { flaw: Some(Flaw::AlgNone), ..Order::default() },
        Order { flaw: Some(Flaw::Hs256), ..Order::default() },
        Order { flaw: Some(Flaw::ForgedKey), ..Order::default() },
        Order { flaw: Some(Flaw::Tampered), ..Order::default() },
        Order { padding: 20_000, ..Order::default() },
    ];
    for order in wrong {
        let native = topology.native_to_order(Cloud::Aws, &order).await?;
        topology.call("/gcp-reports/q3", &native).await?;
    }
    let native = topology.native(Cloud::Kubernetes).await?;
    topology.sts.kill();
    topology.call("/gcp-reports/q3", &native).await?;

    assert_eq!(topology.leaks().await?, Vec::<String>::new(), "native tokens");
    let issued: Vec<_> = topology
        .recorded()
        .await?
        .iter()
        .filter_map(|seen| Some(seen.header("authorization").strip_prefix("Bearer ")?.to_owned()))
        .collect();
    assert!(issued.len() >= 8, "the test saw too few issued tokens: {}", issued.len());
    for log in topology.logs()? {
        let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        assert!(!text.is_empty() || log.ends_with("destination.log"), "{} is empty", log.display());
        for token in &issued {
            assert!(!secret_parts(token).any(|part| text.contains(part)), "{} holds an issued token", log.display());
        }
    }
    let log = topology.sts.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the STS was not verbose");
    assert!(topology.egress.process().log().contains("[debug][wasm]"), "the filter was not verbose");
    Ok(())
}
