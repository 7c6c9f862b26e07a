//! `cargo demo`: its table, its files, and that nothing of it stays.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use harness::{
    Result,
    client::Client,
    process::{Process, Signal},
    wait, workspace,
};
use serde_json::Value;

/// There is one `endpoints.json`, so there is one demo at a time.
pub(super) static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn once_prints_every_line_and_ends_with_success() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let output = tokio::task::spawn_blocking(|| demo(&["--once"])).await??;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("STS call").count(), 9, "{said}");
    assert_eq!(said.matches("cache hit").count(), 9, "{said}");
    assert!(!said.contains("WRONG"), "{said}");
    for text in
        ["gcp-reports", "aws-orders", "azure-ledger", "system:serviceaccount:payments:api", "k8s/prod/payments/api"]
    {
        assert!(said.contains(text), "{text} is not in the table:\n{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_find_everything_and_ctrl_c_leaves_nothing() -> Result<()> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.env("TMPDIR", folder.path());
    let process = Process::start("the demo", command, &folder.path().join("said"))?;
    wait::until("the demo says what to try", Duration::from_secs(120), || async {
        process.log().contains("Ctrl-C ends everything").then_some(())
    })
    .await?;
    let path = workspace::root().join("target/demo/endpoints.json");
    let endpoints: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let text = |pointer: &str| endpoints.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let client = Client::trusting(Some(Path::new(&text("/ca_file"))))?;
    for cloud in ["aws", "azure", "kubernetes"] {
        let native = client.get(&text(&format!("/native_token/{cloud}")), &[]).await?.text();
        let bearer = format!("Bearer {}", native.trim());
        let answer = client.get(&text("/edge/gcp-reports"), &[("authorization", &bearer)]).await?;
        assert_eq!(answer.status, 200, "{cloud}: {}", answer.text());
        assert_eq!(answer.json()?["audience"], text("/resource/gcp-reports"), "{cloud}");
        let keys = client.get(&text(&format!("/issuers/{cloud}/jwks_uri")), &[]).await?.json()?;
        assert!(keys["keys"].as_array().is_some_and(|keys| !keys.is_empty()));
    }
    let record = client.get(&text("/upstream_record"), &[]).await?.json()?;
    assert!(record.as_array().is_some_and(|requests| requests.len() > 18));
    assert!(Path::new(&text("/client_cert")).exists() && Path::new(&text("/client_key")).exists());
    assert!(client.get(&format!("{}/jwks.json", text("/sts_no_client_cert")), &[]).await?.status.is_success());
    assert!(text("/sts").starts_with("https://"));
    the_lines_to_try_work(&process.log())?;

    let pids: Vec<u64> = ["sts", "edge", "destination_edge", "upstream", "clouds"]
        .iter()
        .map(|name| endpoints["pids"][name].as_u64().ok_or_else(|| format!("no pid of {name}").into()))
        .collect::<Result<_>>()?;
    process.signal(Signal::Interrupt);
    wait::until("the demo ends", Duration::from_secs(20), || async { process.ended() }).await?;
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is still there");
    }
    let left: Vec<PathBuf> = fs::read_dir(folder.path())?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    assert_eq!(left, [folder.path().join("said")], "files were left behind");
    assert!(!path.exists() && !path.with_file_name("env.sh").exists(), "a file names what is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_with_what_to_do() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    for flag in ["--edge-port", "--sts-port", "--sts-no-client-cert-port"] {
        let output = demo(&[flag, &port, "--once"])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(said.contains(&format!("port {port} is taken")) && said.contains(flag), "{said}");
    }
    Ok(())
}

/// Runs the `curl` lines that the demo prints, in one shell, as a reader would.
fn the_lines_to_try_work(said: &str) -> Result<()> {
    let start = said.find(". target/demo/env.sh").ok_or("no lines to try")?;
    let end = said.find("Ctrl-C ends").ok_or("no end of the lines to try")?;
    let lines = &said[start..end];
    let output =
        Command::new("bash").args(["-euo", "pipefail", "-c", lines]).current_dir(workspace::root()).output()?;
    let answers = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{answers}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{all}");
    for text in [
        "method_refused",
        "subject_audience_mismatch",
        "subject_token_expired",
        r#""subject":"spiffe://cloakroom.test/aws/123456789012/role/app-role""#,
        "\"access_token\"",
        "cloakroom_exchanges_total",
        "cloakroom_requests{route=\"gcp-reports\"",
    ] {
        assert!(all.contains(text), "{text} is not in the answers:\n{all}");
    }
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{all}");
    Ok(())
}

fn demo(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_demo")).args(arguments).output()?)
}
