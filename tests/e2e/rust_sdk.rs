//! Google's Rust client, built as the program of its own that it is, exchanges at our STS.

use std::fs;

use harness::{Result, clouds::cloud::Cloud, topology::Topology, workspace};
use serde_json::{Value, json};

use crate::interop::token_is_right;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_answers_more_strictly_exchanges_too() -> Result<()> {
    let topology = Topology::start().await?;
    let file = topology.folder().join("token");
    fs::write(&file, format!("{}\n", topology.native(Cloud::Kubernetes).await?))?;
    let mut settings = json!({
        "type": "external_account",
        "audience": "gcp-reports",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url()),
        "credential_source": {"file": file}
    });
    token_is_right(&client(&topology, &settings)?, Cloud::Kubernetes)?;
    settings["audience"] = json!("nowhere");
    let said = client(&topology, &settings)?;
    assert!(said["error"].as_str().is_some_and(|error| error.contains("target_unknown")), "{said}");
    Ok(())
}

fn client(topology: &Topology, settings: &Value) -> Result<Value> {
    let manifest = workspace::root().join("tests/e2e/interop/google_cloud_auth/Cargo.toml");
    let output = workspace::cargo()
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(workspace::target()?.join("tools/google-cloud-auth"))
        .arg("--")
        .arg(settings.to_string())
        .env("SSL_CERT_FILE", topology.pki.ca())
        .env("NO_PROXY", "127.0.0.1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said).map_err(|_| format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into())
}
