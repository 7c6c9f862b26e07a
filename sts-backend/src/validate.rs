//! `cloakroom validate`: the files of a deployment, checked by the parsers that will run them.

use std::path::{Path, PathBuf};

use crate::{config::Config, finding::Finding};

mod apps;
mod bootstrap;
mod cursor;
mod promise;
mod report;

use promise::Lives;

/// What was looked at and what was found.
#[derive(Debug, Default)]
pub struct Validation {
    /// One line for each file that could be read: what in it was checked.
    pub seen: Vec<String>,
    /// Every mistake.
    pub findings: Vec<Finding>,
}

/// Checks `config` with the files it names, and each of the Envoy bootstraps, alone and against `config`.
pub fn run(config: Option<&Path>, envoy: &[PathBuf]) -> Validation {
    let mut validation = Validation::default();
    let mut sts = None;
    if let Some(file) = config {
        match Config::load(file) {
            Ok(config) => {
                validation.seen.push(format!(
                    "{}: {} sources, {} targets, {} actors",
                    file.display(),
                    config.sources.len(),
                    config.targets.iter().count(),
                    config.actors.len()
                ));
                apps::check(file, &config, &mut validation);
                sts = Some(config);
            }
            Err(findings) => validation.findings.extend(findings),
        }
    }
    for file in envoy {
        let lives = sts.as_ref().map(|sts| Lives { targets: &sts.targets, default: sts.default_life });
        bootstrap::check_file(file, lives, &mut validation);
    }
    validation
}
