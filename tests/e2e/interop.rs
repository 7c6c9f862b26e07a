//! Clients that others wrote exchange their platform's token at our STS, unmodified.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
};

use harness::{Result, clouds::cloud::Cloud, topology::Topology, workspace};
use serde_json::{Value, json};

/// Pinned: an upgrade is a decision.
const PACKAGES: [&str; 5] =
    ["google-auth==2.62.2", "requests==2.32.5", "Authlib==1.9.9", "jsonschema==4.26.0", "azure-identity==1.27.0"];

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

fn token_is_right(said: &Value, cloud: Cloud) -> Result<()> {
    let token = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    let payload = token::base64url::decode(token.split('.').nth(1).ok_or("not a JWT")?)?;
    let claims: Value = serde_json::from_slice(&payload)?;
    assert_eq!(claims["sub"], cloud.spiffe_id(cloud.workload()));
    assert_eq!(claims["aud"], "https://reports.gcp.cloakroom.test");
    Ok(())
}

fn python(topology: &Topology, script: &str, settings: &Value) -> Result<Value> {
    let output = Command::new(environment()?)
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

/// The Python of a virtual environment below `target/` with the pinned packages, made once.
pub fn environment() -> Result<PathBuf> {
    let tools = workspace::target()?.join("tools");
    fs::create_dir_all(&tools)?;
    let lock = File::create(tools.join("python.lock"))?;
    lock.lock()?;
    let folder = tools.join("python-clients");
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    succeed(
        Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES),
    )?;
    fs::write(done, wanted)?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<()> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
