//! Collects what is wrong with one bootstrap.

use std::path::Path;

use super::cursor::At;
use crate::{document::Lines, finding::Finding};

/// Collects findings of one file.
pub(super) struct Report<'f> {
    file: &'f Path,
    lines: &'f Lines,
    pub findings: Vec<Finding>,
    /// What there is to say of it that is no mistake.
    pub told: Vec<String>,
}

impl<'f> Report<'f> {
    pub fn new(file: &'f Path, lines: &'f Lines) -> Self {
        Self { file, lines, findings: Vec::new(), told: Vec::new() }
    }

    /// Notes a mistake at `at`; `found` is what stands there.
    pub fn wrong(
        &mut self,
        at: &At<'_>,
        found: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let finding = Finding {
            file: self.file.to_owned(),
            line: self.lines.line(&at.path),
            path: at.path.clone(),
            found: found.into(),
            expected: expected.into(),
            remedy: remedy.into(),
        };
        // Routes that share a cluster or a virtual host would tell its mistakes once each.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Notes something that is no mistake.
    pub fn tell(&mut self, line: String) {
        self.told.push(line);
    }

    /// Notes that something stands at `at` that must not.
    pub fn forbid(&mut self, at: &At<'_>, why: &str) {
        if at.is_filled() {
            self.wrong(at, at.shown(), "nothing here on a route that exchanges tokens", why);
        }
    }
}
