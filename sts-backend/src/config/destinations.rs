//! `targets` and `policy`: what tokens are issued for, and who decides.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use token::claims::Scope;

use super::{
    checker::Checker,
    providers,
    raw::{RawPolicy, RawTarget},
};
use crate::{
    federation::providers::ProviderSettings,
    finding::Finding,
    loan::Lender,
    policy::Policy,
    target::{Target, Targets},
};

/// The version of the policies' schema this service understands.
const SCHEMA_VERSION: u32 = 1;

/// The life of a token for a destination that names no ceiling, in seconds.
const DEFAULT_MAX_LIFE: u64 = 300;

/// The destinations. Each is tried with the good ones before it, so that every bad one is named. `named` are all providers,
/// `providers` those without a mistake.
pub(super) fn targets(
    checker: &mut Checker<'_>,
    raw: Vec<RawTarget>,
    providers: &[ProviderSettings],
    named: &BTreeSet<String>,
) -> Targets {
    if raw.is_empty() {
        checker.wrong("targets", "no target", "one at least", "name the destinations that tokens are issued for");
    }
    let mut good: Vec<Target> = Vec::new();
    for (index, target) in raw.into_iter().enumerate() {
        let at = format!("targets[{index}]");
        good.push(self::target(checker, &at, target, providers, named));
        if let Err(error) = Targets::new(good.clone()) {
            let expected = "a name and a `resource` of its own, https and without fragment";
            checker.wrong(at, error.to_string(), expected, "correct or remove it");
            good.pop();
        }
    }
    Targets::new(good).unwrap_or_default()
}

fn target(
    checker: &mut Checker<'_>,
    at: &str,
    raw: RawTarget,
    providers: &[ProviderSettings],
    named: &BTreeSet<String>,
) -> Target {
    let permissions = raw.permissions.map(|list| permissions(checker, &format!("{at}.permissions"), &list));
    let lender = match raw.provider {
        Some(name) if !named.contains(&name) => {
            let names = named.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let expected = if names.is_empty() { "a provider, of which there is none".to_owned() } else { names };
            checker.wrong(format!("{at}.provider"), format!("`{name}`"), expected, "add it under `providers`");
            None
        }
        Some(name) => providers.iter().find(|provider| provider.name == name).and_then(|provider| {
            let all = permissions.clone().unwrap_or_default();
            let way = providers::way(checker, at, provider, raw.target.unwrap_or_default(), &all)?;
            Some(Lender { provider: name, way: Arc::new(way) })
        }),
        None => {
            if raw.target.is_some() {
                let remedy = "name the provider that is to open it, or leave it out: then tokens of our own are issued";
                checker.wrong(format!("{at}.target"), "something to open, and nobody to open it", "`provider`", remedy);
            }
            None
        }
    };
    Target {
        name: raw.name,
        resource: raw.resource,
        audience: raw.audience,
        max_life: raw.max_life_seconds.unwrap_or(DEFAULT_MAX_LIFE),
        permissions,
        lender,
    }
}

fn permissions(checker: &mut Checker<'_>, at: &str, list: &[String]) -> Scope {
    let expected = "words without blanks, each once, as [read, list]";
    let mut seen = BTreeSet::new();
    for (index, word) in list.iter().enumerate() {
        let one = Scope::parse(word).is_ok_and(|scope| scope.iter().eq([word.as_str()]));
        if !one || !seen.insert(word) {
            let found = if one { format!("`{word}` again") } else { format!("`{word}`") };
            checker.wrong(format!("{at}[{index}]"), found, expected, "correct it");
        }
    }
    Scope::parse(&list.join(" ")).unwrap_or_else(|error| {
        checker.wrong(at, error.to_string(), expected, "shorten it");
        Scope::default()
    })
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
