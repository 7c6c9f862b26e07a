//! One mistake in a file, said in full: where, what is there, what was expected, what to do.

use std::{fmt, path::PathBuf};

/// A mistake in a file that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, as it was named to us.
    pub file: PathBuf,
    /// The line, counted from 1, where it is known.
    pub line: Option<u64>,
    /// The place inside the file, as `sources[1].audience`; empty where the file as a whole is meant.
    pub path: String,
    /// What is there.
    pub found: String,
    /// What should be there; empty where `found` says it already.
    pub expected: String,
    /// What to do about it; empty where `found` says it already.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.found)?;
        if !self.expected.is_empty() {
            write!(f, "; expected {}", self.expected)?;
        }
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The findings of a run, one a line.
pub fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("\n")
}
