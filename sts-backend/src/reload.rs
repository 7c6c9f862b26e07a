//! Takes over changed files while the service runs, or says why not and goes on as before.
//!
//! Files are compared by content, once a second: that sees edits, renames and the symbolic links of a mounted ConfigMap
//! alike, and needs nothing of the file system.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use thiserror::Error;
use token::digest::{FieldDigest, fingerprint};
use tokio::signal::unix::Signal;

use crate::{
    app::App,
    audit::Audit,
    config::Config,
    finding::{self, Finding},
    listener::Tls,
    logging::LogControl,
    serve::{AssemblyError, put_together},
};

/// How often files are compared.
const INTERVAL: Duration = Duration::from_secs(1);

/// A file that changed is read once it has stayed the same for this long: somebody may still be writing.
const SETTLING: Duration = Duration::from_millis(100);

/// What only a restart can change.
struct Fixed {
    issuer: String,
    trust_domain: String,
    mtls: SocketAddr,
    direct: Option<SocketAddr>,
    operations: Option<SocketAddr>,
    store: PathBuf,
    encryption_key: String,
    connections: usize,
    drain: Duration,
}

/// Why a changed configuration was not taken over.
#[derive(Debug, Error)]
pub enum ReloadError {
    #[error("{}", finding::lines(.0))]
    Config(Vec<Finding>),
    #[error("{0}: a change of this takes effect by a restart only")]
    Fixed(String),
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
}

impl Fixed {
    /// What `config` says of it.
    fn of(config: &Config) -> Self {
        let listeners = &config.listeners;
        Self {
            issuer: config.issuer.clone(),
            trust_domain: config.trust_domain.clone(),
            mtls: listeners.mtls.address,
            direct: listeners.direct.as_ref().map(|direct| direct.listener.address),
            operations: listeners.operations,
            store: config.store.clone(),
            encryption_key: fingerprint(config.encryption_key.as_slice()),
            connections: config.limits.connections,
            drain: config.limits.drain,
        }
    }

    /// The members in which `other` differs.
    fn changed(&self, other: &Self) -> Vec<&'static str> {
        [
            ("issuer", self.issuer != other.issuer),
            ("trust_domain", self.trust_domain != other.trust_domain),
            ("listeners.mtls.address", self.mtls != other.mtls),
            ("listeners.no_client_certificate", self.direct != other.direct),
            ("listeners.operations", self.operations != other.operations),
            ("store", self.store != other.store),
            ("keys.encryption_key_file", self.encryption_key != other.encryption_key),
            ("limits.connections", self.connections != other.connections),
            ("limits.drain_seconds", self.drain != other.drain),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

/// The service's moving parts that a reload replaces.
pub struct Parts {
    pub app: Arc<App>,
    pub audit: Audit,
    pub mtls: Arc<Tls>,
    pub direct: Option<Arc<Tls>>,
    pub log: LogControl,
}

/// What a configuration leaves behind for the next one to be compared with.
pub struct Watched {
    files: BTreeSet<PathBuf>,
    seen: [u8; 32],
    fixed: Fixed,
    client_ca: String,
}

impl Watched {
    /// `config`, which was read from `files`.
    pub fn of(config: &Config, files: BTreeSet<PathBuf>) -> Self {
        let client_ca = config.listeners.client_ca.clone();
        Self { seen: digest(&files), files, fixed: Fixed::of(config), client_ca }
    }
}

/// Takes over changed files.
pub struct Reloader {
    file: PathBuf,
    watched: Watched,
    parts: Parts,
}

impl Reloader {
    /// Watches `file` and the files it names.
    pub fn new(file: &Path, watched: Watched, parts: Parts) -> Self {
        Self { file: file.to_owned(), watched, parts }
    }

    /// Watches until the service ends; a hang-up signal reads the files at once, changed or not.
    pub async fn run(mut self, mut hangup: Signal) {
        let mut tick = tokio::time::interval(INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(()) = hangup.recv() => self.reload(),
                _ = tick.tick() => self.reload_if_changed().await,
            }
        }
    }

    async fn reload_if_changed(&mut self) {
        let mut now = digest(&self.watched.files);
        if now == self.watched.seen {
            return;
        }
        loop {
            tokio::time::sleep(SETTLING).await;
            let then = std::mem::replace(&mut now, digest(&self.watched.files));
            if then == now {
                break;
            }
        }
        self.reload();
    }

    /// Reads the files and takes them over, or keeps what is in force and says why.
    fn reload(&mut self) {
        let outcome = self.attempt();
        let app = &self.parts.app;
        match outcome {
            Ok(()) => {
                let in_force = app.in_force();
                app.metrics.reloaded();
                tracing::info!(
                    configuration = in_force.configuration_version,
                    policy = in_force.policy_version,
                    "the changed configuration is in force"
                );
            }
            Err(error) => {
                app.metrics.reload_failed();
                tracing::error!(%error, "the changed configuration was refused; the one before stays in force");
            }
        }
    }

    fn attempt(&mut self) -> Result<(), ReloadError> {
        let reading = Config::read(&self.file);
        // Also the files of a refused reading are watched, since one of them may be what has to be corrected.
        self.watched.files = reading.files;
        self.watched.seen = digest(&self.watched.files);
        let config = reading.outcome.map_err(ReloadError::Config)?;
        let changed = self.watched.fixed.changed(&Fixed::of(&config));
        if !changed.is_empty() {
            return Err(ReloadError::Fixed(changed.join(", ")));
        }
        self.take_over(config)
    }

    /// Everything that can fail comes before anything is replaced.
    fn take_over(&mut self, config: Config) -> Result<(), ReloadError> {
        let parts = &self.parts;
        let client_ca = config.listeners.client_ca.clone();
        let mtls = Arc::clone(&config.listeners.mtls.tls);
        let direct = config.listeners.direct.as_ref().map(|direct| Arc::clone(&direct.listener.tls));
        let log = config.log.clone();
        let before = parts.app.in_force();
        let in_force = put_together(config, &parts.app.keys, &parts.audit, Some(&before))?;
        parts.app.replace(in_force);
        parts.mtls.replace(mtls, client_ca != self.watched.client_ca);
        if let (Some(tls), Some(config)) = (&parts.direct, direct) {
            tls.replace(config, false);
        }
        parts.log.replace(&log);
        self.watched.client_ca = client_ca;
        Ok(())
    }
}

/// A digest of what the files hold now; one that cannot be read counts as absent.
fn digest(files: &BTreeSet<PathBuf>) -> [u8; 32] {
    files
        .iter()
        .fold(FieldDigest::new("watched files"), |digest, file| {
            digest.field(file.as_os_str().as_encoded_bytes()).optional(std::fs::read(file).ok())
        })
        .finish()
}

#[cfg(test)]
mod tests;
