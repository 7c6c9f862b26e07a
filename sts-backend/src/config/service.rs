//! The parts of the configuration that stand for themselves: issuer, trust domain, lives, log, limits.

use std::{ops::RangeInclusive, time::Duration};

use token::spiffe::check_trust_domain;
use tracing::Level;

use super::{
    Limits, LogSettings,
    checker::Checker,
    raw::{RawLimits, RawLog},
};
use crate::logging::MOST_OF_LIBRARIES;

/// The version of the configuration's own form.
const VERSION: u32 = 1;

/// The longest life that may be configured as a default, in seconds.
const MAX_DEFAULT_LIFE: u64 = 3_600;

const BASE_URL: &str = "an https URL without user, query, fragment and trailing slash (RFC 8414, section 2)";

pub(super) fn version(checker: &mut Checker<'_>, version: u32) {
    if version != VERSION {
        let remedy = "this release reads version 1 only";
        checker.wrong("version", version.to_string(), VERSION.to_string(), remedy);
    }
}

pub(super) fn issuer(checker: &mut Checker<'_>, issuer: Option<String>) -> Option<String> {
    let Some(issuer) = issuer else {
        checker.wrong("issuer", "nothing", BASE_URL, "it becomes `iss` of every token, so choose a name that lasts");
        return None;
    };
    base_url(checker, "issuer", issuer)
}

/// A base URL at `at`.
pub(super) fn base_url(checker: &mut Checker<'_>, at: &str, url: String) -> Option<String> {
    if is_base_url(&url) {
        return Some(url);
    }
    checker.wrong(at, format!("`{url}`"), BASE_URL, "clients compare it byte by byte: write it as they know it");
    None
}

fn is_base_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let parsed = text.parse::<http::Uri>();
    let host = parsed.as_ref().ok().and_then(http::Uri::host).unwrap_or_default();
    !host.is_empty()
        && !rest.contains(['@', '?', '#', '%'])
        && !rest.ends_with('/')
        && !rest.contains("//")
        && host.bytes().all(|byte| !byte.is_ascii_uppercase())
}

pub(super) fn trust_domain(checker: &mut Checker<'_>, name: Option<String>) -> Option<String> {
    let expected = "the name of a SPIFFE trust domain: a-z, 0-9, `.`, `-`, `_`";
    match name {
        Some(name) if check_trust_domain(&name).is_ok() => Some(name),
        other => {
            let found = other.map_or_else(|| "nothing".to_owned(), |name| format!("`{name}`"));
            checker.wrong("trust_domain", found, expected, "write it without `spiffe://` and without path");
            None
        }
    }
}

/// A default life at `at`, in seconds.
pub(super) fn life(checker: &mut Checker<'_>, at: &str, configured: Option<u64>, default: u64) -> u64 {
    let life = configured.unwrap_or(default);
    if !(1..=MAX_DEFAULT_LIFE).contains(&life) {
        let expected = format!("1 to {MAX_DEFAULT_LIFE}");
        checker.wrong(at, life.to_string(), expected, "a destination's own ceiling is its `max_life_seconds`");
    }
    life
}

pub(super) fn log(checker: &mut Checker<'_>, raw: RawLog) -> LogSettings {
    let own = raw.level.unwrap_or_else(|| "info".to_owned());
    let own = level(checker, "log.level", &own).unwrap_or(Level::INFO);
    let libraries = raw
        .libraries
        .into_iter()
        .filter_map(|(name, text)| {
            let at = format!("log.libraries.{name}");
            let level = level(checker, &at, &text)?;
            if level > MOST_OF_LIBRARIES {
                let expected = "`error`, `warn` or `info`";
                checker.wrong(at, format!("`{text}`"), expected, "finer levels of libraries print headers and bodies");
                return None;
            }
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                checker.wrong(at, format!("`{name}`"), "the name of a crate", "write it with underscores");
                return None;
            }
            Some((name, level))
        })
        .collect();
    LogSettings { level: own, libraries }
}

fn level(checker: &mut Checker<'_>, at: &str, text: &str) -> Option<Level> {
    let level = match text {
        "error" => Level::ERROR,
        "warn" => Level::WARN,
        "info" => Level::INFO,
        "debug" => Level::DEBUG,
        "trace" => Level::TRACE,
        _ => {
            checker.wrong(at, format!("`{text}`"), "`error`, `warn`, `info`, `debug` or `trace`", "choose one");
            return None;
        }
    };
    Some(level)
}

pub(super) fn limits(checker: &mut Checker<'_>, raw: RawLimits) -> Limits {
    let mut bounded = |name: &str, configured: Option<u64>, default: u64, range: RangeInclusive<u64>| {
        let value = configured.unwrap_or(default);
        if !range.contains(&value) {
            let expected = format!("{} to {}", range.start(), range.end());
            checker.wrong(format!("limits.{name}"), value.to_string(), expected, format!("{default} is the default"));
        }
        value
    };
    let connections = bounded("connections", raw.connections, 4_096, 1..=1 << 20);
    let exchanges = bounded("exchanges_in_flight", raw.exchanges_in_flight, 1_024, 1..=1 << 20);
    let reissues = bounded("reissue_cache_entries", raw.reissue_cache_entries, 20_000, 0..=1 << 20);
    let credentials = bounded("credential_cache_entries", raw.credential_cache_entries, 10_000, 1..=1 << 20);
    let drain = bounded("drain_seconds", raw.drain_seconds, 10, 1..=3_600);
    Limits {
        connections: usize::try_from(connections).unwrap_or(usize::MAX),
        exchanges_in_flight: usize::try_from(exchanges).unwrap_or(usize::MAX),
        reissue_cache_entries: usize::try_from(reissues).unwrap_or(usize::MAX),
        credential_cache_entries: usize::try_from(credentials).unwrap_or(usize::MAX),
        drain: Duration::from_secs(drain),
    }
}
