//! An app that only speaks https: the destination's name leads to the edge, which has a certificate for it.

use harness::{Result, client::Client, clouds::cloud::Cloud, topology::Plan};

#[tokio::test(flavor = "multi_thread")]
async fn its_call_is_swapped_like_any_other() -> Result<()> {
    let topology = Plan::default().egress_file("envoy/https-app.yaml").start().await?;
    // The app's own view: the destination's URL, its usual CA file, and a hosts file that says where the name is.
    let app = Client::with_hosts(&topology.pki, None, &[("reports.gcp.cloakroom.test", topology.egress.address())])?;
    let native = topology.native(Cloud::Aws).await?;
    let bearer = format!("Bearer {native}");
    for _ in 0..2 {
        let answer =
            app.get("https://reports.gcp.cloakroom.test/gcp-reports/q3", &[("authorization", &bearer)]).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()?["subject"], Cloud::Aws.spiffe_id("app-role"));
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    // A name the listener has no certificate for.
    let other = Client::with_hosts(&topology.pki, None, &[("orders.aws.cloakroom.test", topology.egress.address())])?;
    assert!(other.get("https://orders.aws.cloakroom.test/x", &[("authorization", &bearer)]).await.is_err());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}
