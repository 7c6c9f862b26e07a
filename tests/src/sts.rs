//! A running STS: the binary `cloakroom` on ports that stay its own over restarts.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    Result,
    client::Client,
    edge,
    pki::Pki,
    port::Port,
    process::{Process, Signal, tail},
    wait,
};

/// One STS, ended when dropped.
pub struct Sts {
    process: Mutex<Option<Arc<Process>>>,
    cloakroom: PathBuf,
    config: PathBuf,
    log: PathBuf,
    ports: Ports,
    client: Client,
}

/// The ports of its listeners.
#[derive(Debug)]
pub struct Ports {
    pub mtls: Port,
    pub no_client_certificate: Port,
    pub operations: Port,
}

impl Sts {
    /// Starts it with a configuration file whose listeners have `ports`, and waits until it is ready.
    pub async fn start(cloakroom: &Path, config: &Path, log: &Path, ports: Ports, pki: &Pki) -> Result<Self> {
        let sts = Self {
            process: Mutex::new(None),
            cloakroom: cloakroom.into(),
            config: config.into(),
            log: log.into(),
            ports,
            client: Client::new(pki)?,
        };
        sts.restart().await?;
        Ok(sts)
    }

    /// Starts it again on the same ports, with the same files.
    pub async fn restart(&self) -> Result<()> {
        self.stop();
        let mut command = Command::new(&self.cloakroom);
        command.arg("serve").arg("-c").arg(&self.config);
        let process = Arc::new(Process::start("the STS", command, &self.log)?);
        *self.lock() = Some(Arc::clone(&process));
        let ready = wait::until("the STS is ready", Duration::from_secs(30), || async {
            if let Err(ended) = process.expect_running() {
                return Some(Err(ended));
            }
            let ready = self.client.get(&self.operations("/readyz"), &[]).await;
            ready.is_ok_and(|answer| answer.status.is_success()).then_some(Ok(()))
        });
        match ready.await {
            Ok(answer) => answer,
            Err(error) => Err(format!("{error}\n{}", tail(&process.log(), 20)).into()),
        }
    }

    /// Ends it as a crash would.
    pub fn kill(&self) {
        if let Some(process) = self.lock().take() {
            process.kill();
        }
    }

    /// Asks it to end. Returns whether asking was enough.
    pub fn stop(&self) -> bool {
        let process = self.lock().take();
        process.is_none_or(|process| process.stop(Duration::from_secs(15)))
    }

    /// Freezes it: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::Pause);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::Continue);
    }

    /// Whether it has ended, by us or otherwise.
    pub fn ended(&self) -> bool {
        self.lock().as_ref().is_none_or(|process| process.ended().is_some())
    }

    /// Its process id, unless it was ended.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(|process| process.pid())
    }

    /// Everything it has printed, over all restarts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The base URL for callers with a certificate.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.mtls.number())
    }

    /// The base URL for callers without one.
    pub fn no_client_certificate_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.no_client_certificate.number())
    }

    /// A URL for operators, on plain HTTP.
    pub fn operations(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports.operations.number())
    }

    /// Its metrics, as Prometheus text.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.client.get(&self.operations("/metrics"), &[]).await?.text())
    }

    /// How many exchanges it has answered, whatever the outcome.
    pub async fn exchanges(&self) -> Result<u64> {
        let text = self.metrics().await?;
        if !text.contains(EXCHANGES) {
            return Ok(0);
        }
        Ok(edge::sum(&text, EXCHANGES, &[]) as u64)
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.lock().as_ref() {
            process.signal(signal);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Process>>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const EXCHANGES: &str = "cloakroom_exchanges_total";
