//! Clients that others wrote exchange their platform's token at our STS, unmodified.

use std::{fs, process::Command};

use harness::{
    Result, aws,
    clouds::cloud::Cloud,
    python::environment,
    server::{Server, bind},
    topology::Topology,
    workspace,
};
use serde_json::{Value, json};

use crate::aws::allowing_unsigned;

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_a_token_from_a_file() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Kubernetes).await?;
    // Token files end in a newline, and the client sends it along.
    let file = topology.folder().join("token");
    fs::write(&file, format!("{native}\n"))?;
    let credentials = json!({
        "type": "external_account",
        "audience": "gcp-reports",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url()),
        "credential_source": {"file": file}
    });
    let said = python(&topology, "google_auth.py", &credentials)?;
    token_is_right(&said, Cloud::Kubernetes)?;
    // Less than 225 s left would make this client ask again on every call.
    assert_eq!(said["valid"], true, "{said}");
    assert_eq!(topology.sts.exchanges().await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib_exchanges_a_token() -> Result<()> {
    let topology = Topology::start().await?;
    let settings = json!({
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url()),
        "subject_token": topology.native(Cloud::Aws).await?,
        "resource": "https://reports.gcp.cloakroom.test",
        "scope": "reports.read"
    });
    let said = python(&topology, "authlib_session.py", &settings)?;
    token_is_right(&said, Cloud::Aws)?;
    assert_eq!(said["scope"], "reports.read");
    // And what a refusal looks like to it.
    let mut refused = settings.clone();
    refused["resource"] = json!("https://nowhere.example");
    let said = python(&topology, "authlib_session.py", &refused)?;
    assert_eq!(said["error"], "invalid_target", "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_a_request_that_it_signed_on_an_instance_of_aws() -> Result<()> {
    // Its one `audience` is both the header that names us and the destination: a name below our own.
    let audience = "https://sts.cloakroom.test/gcp-reports";
    let plan = allowing_unsigned().sts(move |config| {
        for target in config["targets"].as_array_mut().into_iter().flatten() {
            if target["name"] == "gcp-reports" {
                target["audience"] = json!(audience);
            }
        }
    });
    let topology = plan.start().await?;
    let metadata = topology.cloud_url("/latest");
    let credentials = json!({
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url()),
        "credential_source": {
            "environment_id": "aws1",
            "region_url": format!("{metadata}/meta-data/placement/availability-zone"),
            "url": format!("{metadata}/meta-data/iam/security-credentials"),
            "imdsv2_session_token_url": format!("{metadata}/api/token"),
            "regional_cred_verification_url":
                "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
        }
    });
    let said = python(&topology, "google_auth_aws.py", &credentials)?;
    token_is_right(&said, Cloud::Aws)?;
    assert_eq!(said["valid"], true, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn botocore_signs_a_request_in_vault_s_form() -> Result<()> {
    let topology = Topology::start().await?;
    // The SDK takes the metadata service of an instance over plain http only.
    let metadata = Server::plain(bind("127.0.0.1:0".parse()?).await?, aws::router(), |stream| stream)?;
    let settings = json!({
        "metadata": format!("http://{}/", metadata.address()),
        "region": aws::REGION,
        "audience": "https://sts.cloakroom.test",
        "resource": "https://reports.gcp.cloakroom.test",
        "token_url": format!("{}/oauth2/token", topology.sts.no_client_certificate_url())
    });
    let said = python(&topology, "botocore_vault.py", &settings)?;
    assert_eq!(said["method"], "iam-role", "{said}");
    token_is_right(&said, Cloud::Aws)
}

pub fn token_is_right(said: &Value, cloud: Cloud) -> Result<()> {
    let token = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    let payload = token::base64url::decode(token.split('.').nth(1).ok_or("not a JWT")?)?;
    let claims: Value = serde_json::from_slice(&payload)?;
    assert_eq!(claims["sub"], cloud.spiffe_id(cloud.workload()));
    assert_eq!(claims["aud"], "https://reports.gcp.cloakroom.test");
    Ok(())
}

fn python(topology: &Topology, script: &str, settings: &Value) -> Result<Value> {
    let mut command = Command::new(environment()?);
    // Nor are the credentials of whoever runs this those of the instance.
    let foreign = std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("AWS_"));
    foreign.for_each(|name| _ = command.env_remove(name));
    let output = command
        .arg(workspace::root().join("tests/e2e/interop").join(script))
        .arg(settings.to_string())
        .env("REQUESTS_CA_BUNDLE", topology.pki.ca())
        // The proxies of whoever runs this are not on the way to loopback.
        .env("NO_PROXY", "127.0.0.1")
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said)
        .map_err(|_| format!("{script}: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
}
