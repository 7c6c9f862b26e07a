//! `target` of a target: what its provider is to open there.

use token::claims::Scope;

use super::raw::RawOpening;
use crate::{
    config::checker::Checker,
    federation::{aws, azure, gcp, oauth, providers::ProviderSettings, way::Kind, way::Way},
};

const AWS: &str = "`bucket` with or without `prefix`, or `table`, or `queue`";
const GCP: &str = "`bucket` with or without `prefix`, or `scopes`, or `id_token_audience`";
const AZURE: &str = "`account` and `container`, or `scope`";
const OAUTH: &str = "`resource`, `audience`, both or none";

/// The way by which `provider` opens the target at `at`. Its own rules have the last word.
pub(in crate::config) fn way(
    checker: &mut Checker<'_>,
    at: &str,
    provider: &ProviderSettings,
    raw: RawOpening,
    permissions: &Scope,
) -> Option<Way> {
    let members = raw.members();
    let (way, expected) = match &provider.kind {
        Kind::Aws(settings) => (aws(raw, &members).map(|opening| Way::Aws(settings.clone(), opening)), AWS),
        Kind::Gcp(settings) => (gcp(raw, &members).map(|opening| Way::Gcp(settings.clone(), opening)), GCP),
        Kind::Azure(settings) => (azure(raw, &members).map(|opening| Way::Azure(settings.clone(), opening)), AZURE),
        Kind::Oauth(settings) => (oauth(raw, &members).map(|opening| Way::Oauth(settings.clone(), opening)), OAUTH),
        #[cfg(test)]
        Kind::Fake(settings) => (Some(Way::Fake(settings.clone())), ""),
    };
    let Some(way) = way else {
        let found = if members.is_empty() { "nothing".to_owned() } else { members.join(", ") };
        let remedy = format!("say what provider `{}` is to open", provider.name);
        checker.wrong(format!("{at}.target"), found, expected, remedy);
        return None;
    };
    match way.check(permissions) {
        Ok(()) => Some(way),
        Err(problem) => {
            let expected = format!("what provider `{}` can open", provider.name);
            checker.wrong(at, problem, expected, "see docs/federation.md");
            None
        }
    }
}

fn aws(raw: RawOpening, members: &[&str]) -> Option<aws::Opening> {
    match members {
        ["bucket"] | ["bucket", "prefix"] => Some(aws::Opening::Bucket { bucket: raw.bucket?, prefix: raw.prefix }),
        ["table"] => Some(aws::Opening::Table { arn: raw.table? }),
        ["queue"] => Some(aws::Opening::Queue { arn: raw.queue? }),
        _ => None,
    }
}

fn gcp(raw: RawOpening, members: &[&str]) -> Option<gcp::Opening> {
    match members {
        ["bucket"] | ["bucket", "prefix"] => Some(gcp::Opening::Bucket { bucket: raw.bucket?, prefix: raw.prefix }),
        ["scopes"] => {
            Some(gcp::Opening::Scopes(raw.scopes?)).filter(|opening| *opening != gcp::Opening::Scopes(vec![]))
        }
        ["id_token_audience"] => Some(gcp::Opening::IdToken { audience: raw.id_token_audience? }),
        _ => None,
    }
}

fn azure(raw: RawOpening, members: &[&str]) -> Option<azure::Opening> {
    match members {
        ["account", "container"] => {
            Some(azure::Opening::Container { account: raw.account?, container: raw.container? })
        }
        ["scope"] => Some(azure::Opening::Scope(raw.scope?)),
        _ => None,
    }
}

fn oauth(raw: RawOpening, members: &[&str]) -> Option<oauth::Opening> {
    let known = members.iter().all(|member| matches!(*member, "resource" | "audience"));
    known.then_some(oauth::Opening { resource: raw.resource, audience: raw.audience })
}
