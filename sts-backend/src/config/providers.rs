//! `providers`: the platforms and servers whose credentials destinations take.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{checker::Checker, files, sources};
use crate::federation::{
    azure as azure_apps,
    limits::{self, Limits},
    providers::ProviderSettings,
    way::Kind,
};

mod aws;
mod azure;
mod form;
mod gcp;
mod oauth;
mod opening;
pub(super) mod raw;

pub(super) use opening::way;

use raw::{RawLimits, RawProvider};

const KINDS: &str = "one of `aws`, `gcp`, `azure` and `oauth`";

/// The providers. One with a mistake is none.
pub(super) fn check(
    checker: &mut Checker<'_>,
    raw: Vec<RawProvider>,
    trust_domain: Option<&str>,
) -> Vec<ProviderSettings> {
    let mut names = BTreeMap::new();
    let mut providers = Vec::new();
    for (index, provider) in raw.into_iter().enumerate() {
        let at = format!("providers[{index}]");
        let before = checker.count();
        name(checker, &mut names, format!("{at}.name"), &provider.name);
        let settings = settings(checker, &at, provider, trust_domain);
        providers.extend(settings.filter(|_| checker.count() == before));
    }
    providers
}

/// What only all of them together can say: whether Azure's apps have room for the federated credentials they need.
pub(super) fn check_together(checker: &mut Checker<'_>, providers: &[ProviderSettings], issuer: &str) {
    for app in azure_apps::plan(issuer, providers.iter().filter_map(|provider| provider.kind.azure())) {
        for problem in app.problems().into_iter().filter(|problem| !problem.is_warning()) {
            let expected = "apps and identities with room for what is needed of them";
            let remedy = "docs/federation-azure.md says what takes a place, and what to do without";
            checker.wrong("providers", problem.to_string(), expected, remedy);
        }
    }
}

fn name(checker: &mut Checker<'_>, seen: &mut BTreeMap<String, String>, at: String, name: &str) {
    if !sources::is_name(name) {
        checker.wrong(&at, format!("`{name}`"), sources::NAME, "targets name it, and so do records and metrics");
    }
    if let Some(other) = seen.insert(name.to_owned(), at.clone()) {
        let found = format!("`{name}`, which `{other}` has too");
        checker.wrong(at, found, "a name no other provider has", "rename one of them");
    }
}

fn settings(
    checker: &mut Checker<'_>,
    at: &str,
    raw: RawProvider,
    trust_domain: Option<&str>,
) -> Option<ProviderSettings> {
    let RawProvider { name, aws, gcp, azure, oauth, ca_file, allow_private_addresses: private, limits } = raw;
    let ca = files::authorities(checker, at, ca_file.as_deref());
    let (kind, usual) = match (aws, gcp, azure, oauth) {
        (Some(aws), None, None, None) => {
            (aws::settings(checker, &format!("{at}.aws"), aws, private).map(Kind::Aws), limits::AWS)
        }
        (None, Some(gcp), None, None) => {
            (gcp::settings(checker, &format!("{at}.gcp"), gcp, private).map(Kind::Gcp), limits::GCP)
        }
        (None, None, Some(azure), None) => {
            let subject = trust_domain.map(|domain| azure::subject(domain, &name));
            let at = format!("{at}.azure");
            (azure::settings(checker, &at, azure, private, subject).map(Kind::Azure), limits::AZURE)
        }
        (None, None, None, Some(oauth)) => {
            (oauth::settings(checker, &format!("{at}.oauth"), oauth, private).map(Kind::Oauth), limits::OAUTH)
        }
        (aws, gcp, azure, oauth) => {
            let there = [aws.is_some(), gcp.is_some(), azure.is_some(), oauth.is_some()];
            let found = if there.contains(&true) { "several kinds" } else { "no kind" };
            checker.wrong(at, found, KINDS, "give each provider one kind; several can lead to the same place");
            (None, limits::OAUTH)
        }
    };
    let limits = bounded(checker, &format!("{at}.limits"), &limits, usual);
    Some(ProviderSettings { name, kind: kind?, ca: ca?, allow_private_addresses: private, limits })
}

fn bounded(checker: &mut Checker<'_>, at: &str, raw: &RawLimits, usual: Limits) -> Limits {
    let mut number = |name: &str, configured: Option<u64>, default: u64, range: RangeInclusive<u64>| {
        let value = configured.unwrap_or(default);
        if !range.contains(&value) {
            let expected = format!("{} to {}", range.start(), range.end());
            checker.wrong(format!("{at}.{name}"), value.to_string(), expected, format!("{default} is the default"));
        }
        value.clamp(*range.start(), *range.end())
    };
    let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let usual_timeout = u64::try_from(usual.timeout.as_millis()).unwrap_or(u64::MAX);
    Limits {
        at_once: size(number("at_once", raw.at_once, usual.at_once as u64, 1..=256)),
        waiting: size(number("waiting", raw.waiting, usual.waiting as u64, 0..=4_096)),
        timeout: Duration::from_millis(number("timeout_ms", raw.timeout_ms, usual_timeout, 100..=10_000)),
        calls_per_second: small(number(
            "calls_per_second",
            raw.calls_per_second,
            usual.calls_per_second.into(),
            1..=10_000,
        )),
        burst: small(number("burst", raw.burst, usual.burst.into(), 1..=10_000)),
    }
}

#[cfg(test)]
mod tests;
