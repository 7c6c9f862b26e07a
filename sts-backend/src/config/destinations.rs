//! `targets` and `policy`: what tokens are issued for, and who decides.

use std::path::PathBuf;

use super::{
    checker::Checker,
    raw::{RawPolicy, RawTarget},
};
use crate::{
    finding::Finding,
    policy::Policy,
    target::{Target, Targets},
};

/// The version of the policies' schema this service understands.
const SCHEMA_VERSION: u32 = 1;

/// The destinations. Each is tried with the good ones before it, so that every bad one is named.
pub(super) fn targets(checker: &mut Checker<'_>, raw: Vec<RawTarget>) -> Targets {
    if raw.is_empty() {
        checker.wrong("targets", "no target", "one at least", "name the destinations that tokens are issued for");
    }
    let mut good: Vec<Target> = Vec::new();
    for (index, target) in raw.into_iter().enumerate() {
        good.push(target.into());
        if let Err(error) = Targets::new(good.clone()) {
            let expected = "a name and a `resource` of its own, https and without fragment";
            checker.wrong(format!("targets[{index}]"), error.to_string(), expected, "correct or remove it");
            good.pop();
        }
    }
    Targets::new(good).unwrap_or_default()
}

/// The policies, with what is wrong in their own files.
pub(super) fn policy(checker: &mut Checker<'_>, raw: RawPolicy) -> Option<Policy> {
    if raw.schema_version != SCHEMA_VERSION {
        let found = raw.schema_version.to_string();
        let remedy = "write the policies for this schema version";
        checker.wrong("policy.schema_version", found, SCHEMA_VERSION.to_string(), remedy);
    }
    if raw.files.is_empty() {
        checker.wrong("policy.files", "no file", "one at least", "without a policy every exchange is refused");
    }
    let texts: Vec<Option<(PathBuf, String)>> = raw
        .files
        .iter()
        .enumerate()
        .map(|(index, file)| text(checker, &format!("policy.files[{index}]"), file.clone()))
        .collect();
    let texts: Vec<_> = texts.into_iter().collect::<Option<_>>()?;
    match Policy::load(&texts) {
        Ok(policy) => Some(policy),
        Err(findings) => {
            for finding in findings {
                checker.wrong_elsewhere(Finding {
                    path: finding.policy.as_ref().map_or_else(String::new, |id| format!("policy `{id}`")),
                    file: finding.file,
                    line: None,
                    found: finding.message,
                    expected: String::new(),
                    remedy: String::new(),
                });
            }
            None
        }
    }
}

fn text(checker: &mut Checker<'_>, at: &str, file: PathBuf) -> Option<(PathBuf, String)> {
    let bytes = checker.read(at, &file)?;
    let Ok(text) = String::from_utf8(bytes) else {
        let found = format!("{} is not UTF-8", file.display());
        checker.wrong(at, found, "Cedar policies as UTF-8 text", "convert the file");
        return None;
    };
    Some((checker.resolve(&file), text))
}
