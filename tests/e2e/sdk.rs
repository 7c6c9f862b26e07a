//! Clients that others wrote get their platform's token, unmodified, in every way they know; it opens the service behind the edge.

use std::{fs, os::unix::fs::PermissionsExt};

use harness::{
    Result,
    clouds::cloud::Cloud,
    metadata,
    server::{Server, bind},
    topology::Topology,
    workspace,
};
use serde_json::{Value, json};

use crate::interop::{python, token_is_right};

/// A credential file of Google's kind that names our STS (`external_account`).
fn external_account(topology: &Topology, source: Value) -> Value {
    json!({
        "type": "external_account",
        "audience": "gcp-reports",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url()),
        "credential_source": source
    })
}

async fn machine(topology: &Topology) -> Result<Server> {
    let router = metadata::router(topology.cloud_url(""), topology.client.clone());
    Server::plain(bind("127.0.0.1:0".parse()?).await?, router, |stream| stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_a_token_from_a_url() -> Result<()> {
    let topology = Topology::start().await?;
    let url = topology.cloud_url("/kubernetes/token");
    let said = python(&topology, "google_auth.py", &external_account(&topology, json!({"url": url})), &[])?;
    token_is_right(&said, Cloud::Kubernetes)?;
    // A server that wraps it, as GitHub's does.
    let source = json!({
        "url": topology.cloud_url("/github/id-token?audience=https://sts.cloakroom.test"),
        "headers": {"authorization": format!("bearer {}", harness::clouds::JOB_TOKEN)},
        "format": {"type": "json", "subject_token_field_name": "value"}
    });
    let said = python(&topology, "google_auth.py", &external_account(&topology, source), &[])?;
    // It is believed; that this job may not read reports is policy.
    assert!(said["error"].as_str().is_some_and(|error| error.contains("invalid_target")), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_a_token_from_a_program() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Kubernetes).await?;
    let answer = json!({
        "version": 1, "success": true, "token_type": "urn:ietf:params:oauth:token-type:jwt", "id_token": native,
        "expiration_time": 4_102_444_800_u64
    });
    let program = topology.folder().join("credential-helper");
    fs::write(&program, format!("#!/bin/sh\necho '{answer}'\n"))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    let source = json!({"executable": {"command": program, "timeout_millis": 5000}});
    let allowed = [("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")];
    let said = python(&topology, "google_auth.py", &external_account(&topology, source), &allowed)?;
    token_is_right(&said, Cloud::Kubernetes)
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_has_an_id_token_on_google_s_machine_and_the_edge_takes_it() -> Result<()> {
    let topology = Topology::start().await?;
    let machine = machine(&topology).await?;
    let address = machine.address().to_string();
    let places = [("GCE_METADATA_HOST", address.as_str()), ("GCE_METADATA_IP", address.as_str())];
    let settings = json!({"audience": Cloud::Gcp.audience()});
    let said = python(&topology, "gce_identity.py", &settings, &places)?;
    let native = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    topology.remember(native);
    let answer = topology.call("/aws-orders/7", native).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()?["subject"], Cloud::Gcp.spiffe_id("reporting"));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_has_a_token_on_azure_s_machine_and_the_edge_takes_it() -> Result<()> {
    let topology = Topology::start().await?;
    let machine = machine(&topology).await?;
    let authority = format!("http://{}", machine.address());
    let places = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority.as_str())];
    let scope = |audience: &str| json!({"scope": format!("{audience}/.default")});
    let said = python(&topology, "azure_managed_identity.py", &scope(Cloud::AzureV1.audience()), &places)?;
    let native = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    topology.remember(native);
    let answer = topology.call("/gcp-reports/q3", native).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()?["subject"], Cloud::AzureV1.spiffe_id(Cloud::AzureV1.workload()));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    // What Azure would not give, its client says.
    let said = python(&topology, "azure_managed_identity.py", &scope("api://somebody-else"), &places)?;
    assert!(said["error"].is_string(), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn google_s_rust_client_which_reads_answers_more_strictly_exchanges_too() -> Result<()> {
    let topology = Topology::start().await?;
    let file = topology.folder().join("token");
    fs::write(&file, format!("{}\n", topology.native(Cloud::Kubernetes).await?))?;
    let mut settings = external_account(&topology, json!({"file": file}));
    token_is_right(&rust_client(&topology, &settings)?, Cloud::Kubernetes)?;
    settings["audience"] = json!("nowhere");
    let said = rust_client(&topology, &settings)?;
    assert!(said["error"].is_string(), "{said}");
    Ok(())
}

fn rust_client(topology: &Topology, settings: &Value) -> Result<Value> {
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
