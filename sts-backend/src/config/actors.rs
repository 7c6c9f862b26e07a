//! `actors`: the proxies that may ask, and whom each may vouch for.

use std::{collections::BTreeSet, path::Path};

use token::spiffe::{SpiffeId, check_trust_domain};

use super::{
    Listeners,
    checker::Checker,
    files,
    raw::{RawActor, RawVouch},
};
use crate::identity::{
    assertion::{Assertions, Voucher, pattern::SubjectPattern},
    name,
};

pub(super) fn check(
    checker: &mut Checker<'_>,
    raw: Vec<RawActor>,
    trust_domain: Option<&str>,
    listeners: Option<&Listeners>,
) -> (BTreeSet<SpiffeId>, Assertions) {
    if raw.is_empty() && listeners.is_some_and(|listeners| listeners.direct.is_none()) {
        let remedy = "register the SPIFFE IDs of the proxies, or nobody can ask";
        checker.wrong("actors", "no actor", "one at least", remedy);
    }
    let (mut actors, mut assertions) = (BTreeSet::new(), Assertions::default());
    for (index, actor) in raw.into_iter().enumerate() {
        let at = format!("actors[{index}]");
        let Some(id) = proxy(checker, format!("{at}.spiffe_id"), &actor.spiffe_id, trust_domain) else { continue };
        let mut domains = BTreeSet::new();
        for (index, vouch) in actor.vouches_for.into_iter().enumerate() {
            let at = format!("{at}.vouches_for[{index}]");
            if !domains.insert(vouch.trust_domain.clone()) {
                let remedy = "put its subjects into one entry";
                checker.wrong(&at, format!("`{}` again", vouch.trust_domain), "each trust domain once", remedy);
            }
            if let Some(voucher) = voucher(checker, &at, &vouch) {
                assertions.allow(id.clone(), voucher);
            }
        }
        if !actors.insert(id) {
            let at = format!("{at}.spiffe_id");
            checker.wrong(at, format!("`{}`", actor.spiffe_id), "each actor once", "remove the repetition");
        }
    }
    (actors, assertions)
}

fn proxy(checker: &mut Checker<'_>, at: String, text: &str, trust_domain: Option<&str>) -> Option<SpiffeId> {
    match SpiffeId::parse(text) {
        Err(error) => {
            let expected = "a SPIFFE ID, as `spiffe://example.org/edge/egress`";
            checker.wrong(at, format!("`{text}`: {error}"), expected, "correct it");
        }
        Ok(id) if trust_domain.is_some_and(|domain| domain != id.trust_domain()) => {
            let expected = format!("an ID of trust domain `{}`", trust_domain.unwrap_or_default());
            checker.wrong(at, format!("`{id}`"), expected, "proxies are named in the trust domain of this service");
        }
        Ok(id) if name::is_derived(&id) => {
            let expected = format!("a path that does not begin with {}", name::DERIVED.join(", "));
            checker.wrong(at, format!("`{id}`"), expected, "there this service names workloads itself");
        }
        Ok(id) => return Some(id),
    }
    None
}

fn voucher(checker: &mut Checker<'_>, at: &str, raw: &RawVouch) -> Option<Voucher> {
    let domain = &raw.trust_domain;
    if check_trust_domain(domain).is_err() {
        let expected = "a SPIFFE trust domain, without `spiffe://` and without path";
        checker.wrong(format!("{at}.trust_domain"), format!("`{domain}`"), expected, "correct it");
        return None;
    }
    let subjects = subjects(checker, &format!("{at}.subjects"), &raw.subjects, domain);
    let bundle_at = format!("{at}.bundle_file");
    let authorities = files::certificates(checker, &bundle_at, &raw.bundle_file);
    Voucher::new(domain, authorities?, subjects?)
        .map_err(|error| unusable(checker, bundle_at, &raw.bundle_file, &error.to_string()))
        .ok()
}

fn unusable(checker: &mut Checker<'_>, at: String, file: &Path, error: &str) {
    let expected = "the trust domain's authorities as PEM";
    checker.wrong(at, format!("{}: {error}", file.display()), expected, "name a file of its signing certificates");
}

fn subjects(checker: &mut Checker<'_>, at: &str, raw: &[String], domain: &str) -> Option<Vec<SubjectPattern>> {
    let expected = format!("workloads, as `spiffe://{domain}/ns/payments/sa/api` or `spiffe://{domain}/ns/payments/*`");
    if raw.is_empty() {
        checker.wrong(at, "no workload", expected, "name those that the proxy may vouch for");
        return None;
    }
    let mut subjects = Vec::new();
    for (index, text) in raw.iter().enumerate() {
        let parsed = SubjectPattern::parse(text).and_then(|pattern| {
            if pattern.trust_domain() == domain { Ok(pattern) } else { Err("it is of another trust domain".to_owned()) }
        });
        match parsed {
            Ok(pattern) => subjects.push(pattern),
            Err(error) => {
                checker.wrong(format!("{at}[{index}]"), format!("`{text}`: {error}"), expected.clone(), "correct it");
            }
        }
    }
    (subjects.len() == raw.len()).then_some(subjects)
}
