//! The forms of texts that stand in the settings of more than one kind of provider.

use http::Uri;

use crate::{config::checker::Checker, outgoing::address::uri_problem};

/// The longest audience: of Entra's federated credentials, the most patient of all.
const MAX_AUDIENCE: usize = 600;

/// An address at `at` that is called over TLS.
pub(super) fn endpoint(checker: &mut Checker<'_>, at: &str, text: &str, private: bool) -> Option<Uri> {
    let uri: Option<Uri> = text.parse().ok();
    let plain = |uri: &Uri| {
        let host = uri.host().is_some_and(|host| !host.is_empty());
        uri.scheme_str() == Some("https") && host && uri.query().is_none() && !text.contains(['#', '@'])
    };
    let Some(uri) = uri.filter(plain) else {
        let expected = "an absolute https URL without user, query and fragment";
        checker.wrong(at, format!("`{text}`"), expected, "assertions are shown there: they travel over TLS only");
        return None;
    };
    if let Some(problem) = uri_problem(&uri, private) {
        let remedy = "or correct it: an address that a workload could have chosen must not lead inside";
        checker.wrong(at, format!("`{text}` {problem}"), "an address of the public internet", remedy);
        return None;
    }
    Some(uri)
}

/// The same where there need not be one.
#[allow(clippy::option_option, reason = "no address and one that cannot be used are two things")]
pub(super) fn endpoint_if_any(
    checker: &mut Checker<'_>,
    at: &str,
    text: Option<&str>,
    private: bool,
) -> Option<Option<Uri>> {
    match text {
        None => Some(None),
        Some(text) => endpoint(checker, at, text, private).map(Some),
    }
}

/// A text at `at` that is sent as it is: printable, in one piece, and not too long.
pub(super) fn piece(checker: &mut Checker<'_>, at: &str, text: String, expected: &str) -> Option<String> {
    if !text.is_empty() && text.len() <= MAX_AUDIENCE && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text);
    }
    let found = if text.is_empty() { "nothing" } else { "blanks, unprintable characters, or more than 600 bytes" };
    checker.wrong(at, found, expected, "correct it");
    None
}
