//! A running Envoy.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    Result,
    client::{Answer, get_over_socket},
    process::Process,
    wait,
};

/// One Envoy, ended when dropped.
#[derive(Debug)]
pub struct Edge {
    process: Process,
    admin: PathBuf,
    address: SocketAddr,
}

/// How an Envoy is started.
#[derive(Clone, Debug)]
pub struct Start<'s> {
    pub name: &'s str,
    pub envoy: &'s Path,
    pub bootstrap: &'s Path,
    /// The admin socket that the bootstrap names.
    pub admin: PathBuf,
    pub log: PathBuf,
    /// Worker threads.
    pub concurrency: u32,
    /// The level shipped is `warning`.
    pub log_level: &'s str,
    /// Levels of single components, such as `wasm:trace`.
    pub component_log_level: Option<&'s str>,
}

impl Edge {
    /// Starts Envoy and waits until its listener is open. Connections of a listener that is replaced end within a second.
    pub async fn start(start: Start<'_>) -> Result<Self> {
        Self::start_draining(start, Duration::from_secs(1)).await
    }

    /// The same, but connections of a listener that is replaced have so long to end, in whole seconds.
    pub async fn start_draining(start: Start<'_>, drain: Duration) -> Result<Self> {
        let mut command = Command::new(start.envoy);
        command.arg("-c").arg(start.bootstrap).args(["--log-level", start.log_level]);
        command.args(["--concurrency", &start.concurrency.to_string()]);
        command.args(["--disable-hot-restart", "--drain-time-s", &drain.as_secs().to_string()]);
        if let Some(levels) = start.component_log_level {
            command.args(["--component-log-level", levels]);
        }
        let process = Process::start(start.name, command, &start.log)?;
        let what = format!("{} is ready", start.name);
        let ready = wait::until(&what, Duration::from_secs(30), || async {
            if let Err(ended) = process.expect_running() {
                return Some(Err(ended));
            }
            let ready = get_over_socket(&start.admin, "/ready").await.is_ok_and(|answer| answer.status.is_success());
            if ready { listeners(&start.admin).await.first().copied().map(Ok) } else { None }
        })
        .await;
        match ready.and_then(|address| address) {
            Ok(address) => Ok(Self { process, admin: start.admin, address }),
            Err(error) => Err(format!("{error}\n{}", crate::process::tail(&process.log(), 20)).into()),
        }
    }

    /// Where its first listener is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where all its listeners are.
    pub async fn addresses(&self) -> Result<Vec<SocketAddr>> {
        Ok(listeners(&self.admin).await)
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Asks the admin interface.
    pub async fn admin(&self, path: &str) -> Result<Answer> {
        get_over_socket(&self.admin, path).await
    }

    /// The Prometheus text of all statistics whose name holds `filter`.
    pub async fn prometheus(&self, filter: &str) -> Result<String> {
        Ok(self.admin(&format!("/stats/prometheus?filter={filter}")).await?.text())
    }

    /// The sum of all samples of a metric whose labels hold every text of `labels`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Result<f64> {
        Ok(sum(&self.prometheus(name).await?, name, labels))
    }
}

/// The sum of the samples called `name` in a Prometheus text, of those that hold every text of `labels`.
pub fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    text.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// The addresses of all listeners, once every one of them has its port.
async fn listeners(admin: &Path) -> Vec<SocketAddr> {
    let Ok(answer) = get_over_socket(admin, "/listeners?format=json").await else { return Vec::new() };
    let Ok(json) = answer.json() else { return Vec::new() };
    let statuses = json["listener_statuses"].as_array().cloned().unwrap_or_default();
    statuses.iter().map(address).collect::<Option<_>>().unwrap_or_default()
}

fn address(status: &Value) -> Option<SocketAddr> {
    let address = status.pointer("/local_address/socket_address")?;
    let port = u16::try_from(address["port_value"].as_u64()?).ok().filter(|port| *port != 0)?;
    Some(SocketAddr::new(address["address"].as_str()?.parse().ok()?, port))
}
