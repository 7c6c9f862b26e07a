//! What everything here stands on.

use std::path::{Path, PathBuf};

use harness::{Result, artefact, envoy, pki::Pki};
use tempfile::TempDir;

use crate::peer::Peers;

pub struct Ground {
    /// The binary.
    pub envoy: PathBuf,
    /// `filter.wasm`.
    pub filter: PathBuf,
    pub peers: Peers,
    pub pki: Pki,
    folder: TempDir,
}

impl Ground {
    /// Builds the filter, finds Envoy, starts the peers.
    pub async fn prepare() -> Result<Self> {
        let filter = artefact::filter(artefact::Progress::Shown)?;
        let envoy = envoy::find(artefact::Progress::Shown)?;
        let folder = tempfile::tempdir()?;
        let pki = Pki::create(&folder.path().join("pki"))?;
        Ok(Self { envoy, filter, peers: Peers::start().await?, pki, folder })
    }

    /// For bootstraps, sockets and logs; gone at the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
