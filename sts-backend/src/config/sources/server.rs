//! Servers that are asked about tokens: a cluster's TokenReview, an issuer's introspection.

use std::time::Duration;

use http::Uri;

use super::https;
use crate::{
    config::{
        checker::Checker,
        files,
        raw::{RawClient, RawIntrospection, RawTokenReview},
    },
    identity::{
        Preset,
        inquiry::{self, ServerSettings, credential::Credential},
        introspection::IntrospectionSettings,
        token_review,
    },
};

/// The longest a remembered answer may count, in seconds: what is deleted or revoked works for so long.
const MAX_REMEMBER: u64 = 30;

/// Bounds of the wait for one answer, in milliseconds.
const TIMEOUTS: std::ops::RangeInclusive<u64> = 50..=5000;

/// Bounds of `max_life_seconds`: what verified tokens of every kind may live.
const LIVES: std::ops::RangeInclusive<u64> = 60..=86_400;

pub(super) fn token_review(checker: &mut Checker<'_>, at: &str, raw: RawTokenReview) -> Option<ServerSettings> {
    let base = raw.url.trim_end_matches('/');
    let address = address(checker, &format!("{at}.url"), &raw.url, &format!("{base}{}", token_review::PATH));
    let file = files::credential(checker, &format!("{at}.token_file"), &raw.token_file);
    let ca = files::authorities(checker, at, raw.ca_file.as_deref());
    let (timeout, remember) = seconds(checker, at, raw.timeout_ms, raw.remember_seconds);
    Some(ServerSettings {
        address: address?,
        credential: Credential::Bearer { file: file? },
        ca: ca?,
        allow_private_addresses: raw.allow_private_addresses,
        timeout: timeout?,
        remember: remember?,
    })
}

pub(super) fn introspection(checker: &mut Checker<'_>, at: &str, raw: RawIntrospection) -> Option<Preset> {
    let issuer = https(checker, format!("{at}.issuer"), raw.issuer);
    let address = address(checker, &format!("{at}.endpoint"), &raw.endpoint, &raw.endpoint);
    let credential = client(checker, &format!("{at}.client"), raw.client);
    let ca = files::authorities(checker, at, raw.ca_file.as_deref());
    let (timeout, remember) = seconds(checker, at, raw.timeout_ms, raw.remember_seconds);
    let hint = raw.token_type_hint;
    let hint_fits =
        hint.as_deref().is_none_or(|hint| !hint.is_empty() && hint.bytes().all(|byte| byte.is_ascii_graphic()));
    if !hint_fits {
        checker.wrong(
            format!("{at}.token_type_hint"),
            "blanks or nothing",
            "a name such as `access_token`",
            "correct it, or leave it out",
        );
    }
    let max_life = bounded(checker, &format!("{at}.max_life_seconds"), raw.max_life_seconds, LIVES);
    let server = ServerSettings {
        address: address?,
        credential: credential?,
        ca: ca?,
        allow_private_addresses: raw.allow_private_addresses,
        timeout: timeout?,
        remember: remember?,
    };
    let hint = hint.filter(|_| hint_fits);
    Some(Preset::Introspection(IntrospectionSettings { issuer: issuer?, server, hint, max_life: max_life? }))
}

/// The address `whole`, of which `written` stands in the file.
fn address(checker: &mut Checker<'_>, at: &str, written: &str, whole: &str) -> Option<Uri> {
    let uri: Option<Uri> = whole.parse().ok();
    let fits = |uri: &Uri| {
        let plain = !written.contains(['?', '#', '@']);
        plain && uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty())
    };
    let uri = uri.filter(fits);
    if uri.is_none() {
        let expected = "an absolute https URL without user, query and fragment";
        checker.wrong(at, format!("`{written}`"), expected, "tokens are shown there: they travel over TLS only");
    }
    uri
}

fn client(checker: &mut Checker<'_>, at: &str, raw: RawClient) -> Option<Credential> {
    match (raw.bearer_token_file, raw.client_id, raw.secret_file) {
        (Some(file), None, None) => {
            let file = files::credential(checker, &format!("{at}.bearer_token_file"), &file)?;
            Some(Credential::Bearer { file })
        }
        (None, Some(client_id), Some(secret_file)) if !client_id.is_empty() => {
            let secret_file = files::credential(checker, &format!("{at}.secret_file"), &secret_file)?;
            Some(Credential::Basic { client_id, secret_file })
        }
        _ => {
            let expected = "either `client_id` and `secret_file`, or `bearer_token_file`";
            checker.wrong(at, "neither, or both", expected, "a server answers those only who say who they are");
            None
        }
    }
}

fn seconds(
    checker: &mut Checker<'_>,
    at: &str,
    timeout_ms: Option<u64>,
    remember: Option<u64>,
) -> (Option<Duration>, Option<u64>) {
    let timeout = bounded(checker, &format!("{at}.timeout_ms"), timeout_ms, TIMEOUTS);
    let remember = bounded(checker, &format!("{at}.remember_seconds"), remember, 0..=MAX_REMEMBER);
    let timeout = timeout.map(|timeout| timeout.map_or(inquiry::DEFAULT_TIMEOUT, Duration::from_millis));
    (timeout, remember.map(|remember| remember.unwrap_or(inquiry::DEFAULT_REMEMBER)))
}

#[allow(clippy::option_option, reason = "no number and a wrong one are two things")]
fn bounded(
    checker: &mut Checker<'_>,
    at: &str,
    number: Option<u64>,
    bounds: std::ops::RangeInclusive<u64>,
) -> Option<Option<u64>> {
    match number {
        Some(number) if !bounds.contains(&number) => {
            let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
            checker.wrong(at, number.to_string(), expected, "correct it, or leave it out");
            None
        }
        number => Some(number),
    }
}
