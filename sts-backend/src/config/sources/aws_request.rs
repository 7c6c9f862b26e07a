//! `aws_signed_request`: the accounts that are believed, and the regions whose endpoints their requests are signed for.

use std::collections::BTreeSet;

use super::super::{
    checker::Checker,
    files,
    raw::{RawAwsSignedRequest, RawEndpoint},
};
use crate::identity::{AwsRequestSettings, EndpointSettings};

pub(super) fn check(checker: &mut Checker<'_>, at: &str, raw: RawAwsSignedRequest) -> Option<AwsRequestSettings> {
    let accounts = set(checker, &format!("{at}.accounts"), raw.accounts);
    let regions = set(checker, &format!("{at}.regions"), raw.regions);
    let role_ids = set(checker, &format!("{at}.role_ids"), raw.role_ids);
    let endpoint = match raw.endpoint {
        None => None,
        Some(raw) => Some(endpoint(checker, &format!("{at}.endpoint"), raw)?),
    };
    let settings = AwsRequestSettings {
        accounts: accounts?,
        regions: regions?,
        role_ids: role_ids?,
        allow_users: raw.allow_users,
        allow_unsigned_audience: raw.allow_unsigned_audience,
        endpoint,
    };
    match settings.check() {
        Ok(()) => Some(settings),
        Err(problem) => {
            let expected = "accounts of 12 digits in quotes, regions of one partition, role ids as `AROA...`";
            checker.wrong(at, problem, expected, "correct it: only callers of these accounts are believed");
            None
        }
    }
}

fn set(checker: &mut Checker<'_>, at: &str, values: Vec<String>) -> Option<BTreeSet<String>> {
    let mut seen = BTreeSet::new();
    for value in values {
        if seen.contains(&value) {
            checker.wrong(at, format!("`{value}` twice"), "each value once", "leave one of them out");
            return None;
        }
        seen.insert(value);
    }
    Some(seen)
}

fn endpoint(checker: &mut Checker<'_>, at: &str, raw: RawEndpoint) -> Option<EndpointSettings> {
    let uri = raw.uri.parse::<http::Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty()));
    if uri.is_none() {
        let expected = "an absolute https URL without path, such as an interface endpoint's";
        checker.wrong(format!("{at}.uri"), format!("`{}`", raw.uri), expected, "AWS is asked over TLS only");
    }
    let ca = files::authorities(checker, at, raw.ca_file.as_deref())?;
    Some(EndpointSettings { uri: uri?, ca, allow_private_addresses: raw.allow_private_addresses })
}
