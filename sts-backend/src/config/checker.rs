//! Collects what is wrong with one configuration, and the files it was made of.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{document::Lines, finding::Finding};

/// Collects findings.
pub(super) struct Checker<'f> {
    file: &'f Path,
    lines: &'f Lines,
    findings: Vec<Finding>,
    files: BTreeSet<PathBuf>,
}

impl<'f> Checker<'f> {
    pub fn new(file: &'f Path, lines: &'f Lines) -> Self {
        Self { file, lines, findings: Vec::new(), files: BTreeSet::new() }
    }

    /// Notes a mistake at `path` of the configuration.
    pub fn wrong(
        &mut self,
        path: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let path = path.into();
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line: self.lines.line(&path),
            path,
            found: found.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        });
    }

    /// How many mistakes were noted.
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// Notes a mistake in another file.
    pub fn wrong_elsewhere(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// `path` as the configuration means it: relative to the configuration's own folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Reads the file that the member at `at` names.
    pub fn read(&mut self, at: &str, path: &Path) -> Option<Vec<u8>> {
        let resolved = self.resolve(path);
        self.files.insert(resolved.clone());
        match std::fs::read(&resolved) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let found = format!("{} cannot be read: {error}", resolved.display());
                self.wrong(at, found, "a readable file", "paths are relative to the configuration file's folder");
                None
            }
        }
    }

    /// The files that were read, or should have been.
    pub fn files_read(&self) -> BTreeSet<PathBuf> {
        self.files.clone()
    }

    /// `value`, if nothing was wrong.
    pub fn conclude<T>(self, value: Option<T>) -> Result<T, Vec<Finding>> {
        match value {
            Some(value) if self.findings.is_empty() => Ok(value),
            _ => Err(self.findings),
        }
    }
}
