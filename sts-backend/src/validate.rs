//! `cloakroom validate`: the files of a deployment, checked by the parsers that will run them.

use std::path::{Path, PathBuf};

use crate::{config::Config, finding::Finding};

mod bootstrap;
mod cursor;
mod report;

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub struct Validation {
    /// One line for each file that could be read: what in it was checked.
    pub seen: Vec<String>,
    /// Every mistake.
    pub findings: Vec<Finding>,
}

/// Checks `config` with the files it names, and each of the Envoy bootstraps.
pub fn run(config: Option<&Path>, envoy: &[PathBuf]) -> Validation {
    let mut validation = Validation::default();
    if let Some(file) = config {
        match Config::load(file) {
            Ok(config) => validation.seen.push(format!(
                "{}: {} sources, {} targets, {} actors",
                file.display(),
                config.sources.len(),
                config.targets.iter().count(),
                config.actors.len()
            )),
            Err(findings) => validation.findings.extend(findings),
        }
    }
    for file in envoy {
        bootstrap::check_file(file, &mut validation);
    }
    validation
}
