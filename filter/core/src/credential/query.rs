//! Credentials in the query: bearer tokens (RFC 6750, section 2.3), pre-signed URLs and keys.

use std::borrow::Cow;

/// Parameters known to carry credentials, in lower case.
const CARRIERS: &[&str] = &[
    "access_token",
    "api-key",
    "api_key",
    "apikey",
    "assertion",
    "auth_token",
    "awsaccesskeyid",
    "client_assertion",
    "client_secret",
    "googleaccessid",
    "id_token",
    "refresh_token",
    // Azure SAS: without its signature the rest is a description.
    "sig",
    // AWS and Google version 2 pre-signed URLs.
    "signature",
    "subject_token",
    "subscription-key",
    // AWS and Google version 4 pre-signed URLs.
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-goog-algorithm",
    "x-goog-credential",
    "x-goog-date",
    "x-goog-expires",
    "x-goog-signature",
    "x-goog-signedheaders",
];

/// What a signature in the query consists of (AWS Signature Version 4, "Query parameters"; Version 2, "Query string request
/// authentication alternative"), in lower case.
const AWS_SIGNATURE: &[&str] = &[
    "awsaccesskeyid",
    "signature",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-signedheaders",
];

/// How Google's API keys begin, sent as `key=`; other parameters of that name are left alone.
const GOOGLE_API_KEY_PREFIX: &str = "AIza";

/// The path without the credentials of its query; `None` if there are none.
pub fn without_credentials(path: &str) -> Option<String> {
    let (before, query) = path.split_once('?')?;
    // `;` separates parameters too for some servers, so a credential must not hide behind one.
    if !query.split(['&', ';']).any(is_credential) {
        return None;
    }
    let mut kept = String::with_capacity(path.len());
    kept.push_str(before);
    let mut separator = '?';
    for pair in query.split('&') {
        let mut wrote = false;
        for part in pair.split(';').filter(|part| !is_credential(part)) {
            kept.push(if wrote { ';' } else { separator });
            kept.push_str(part);
            wrote = true;
        }
        if wrote {
            separator = '&';
        }
    }
    Some(kept)
}

/// The names of the parameters in the query of `path`, as a server would read them; those that two servers could read as two
/// things are left out, and never go on ([`without_credentials`]).
pub fn names(path: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split(['&', ';']).filter(|pair| !pair.is_empty());
    pairs.filter_map(|pair| {
        let (name, _) = pair.split_once('=').unwrap_or((pair, ""));
        if name.contains(['%', '+']) { decoded(name).map(Cow::Owned) } else { Some(Cow::Borrowed(name)) }
    })
}

/// The first parameter in the query of `path` that belongs to a signature of AWS's over the request, by its proper name.
pub fn aws_signature(path: &str) -> Option<&'static str> {
    let known = |name: &str| AWS_SIGNATURE.iter().find(|parameter| parameter.eq_ignore_ascii_case(name)).copied();
    names(path).find_map(|name| known(&name))
}

/// Whether a parameter of this name may be removed, be it for its value.
pub fn may_be_removed(name: &str) -> bool {
    let google_api_key = name.eq_ignore_ascii_case("key");
    google_api_key || CARRIERS.iter().any(|carrier| carrier.eq_ignore_ascii_case(name))
}

fn is_credential(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let known = |name: &str| {
        CARRIERS.iter().any(|carrier| carrier.eq_ignore_ascii_case(name))
            || name.eq_ignore_ascii_case("key") && value.starts_with(GOOGLE_API_KEY_PREFIX)
    };
    if name.contains(['%', '+']) { decoded(name).is_none_or(|name| known(&name)) } else { known(name) }
}

/// The name as a server would read it; `None` if two servers could read two things.
fn decoded(name: &str) -> Option<String> {
    let mut text = String::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let hex = [bytes.next()?, bytes.next()?];
                let hex = str::from_utf8(&hex).ok().filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                text.push(char::from(u8::from_str_radix(hex, 16).ok()?));
            }
            b'+' => text.push(' '),
            _ => text.push(char::from(byte)),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_removed_is_known_by_its_name() {
        assert!(may_be_removed("Access_Token") && may_be_removed("sig") && may_be_removed("key"));
        assert!(!may_be_removed("page"));
    }

    #[test]
    fn credentials_go_and_the_rest_stays_as_it_was() {
        for (path, wanted) in [
            ("/a?access_token=t", "/a"),
            ("/a?access_token=t&x=1", "/a?x=1"),
            ("/a?x=1&access_token=t&y=%20", "/a?x=1&y=%20"),
            ("/a?x=1;access_token=t&y=2", "/a?x=1&y=2"),
            ("/a?x=1;z=2;sig=t", "/a?x=1;z=2"),
            ("/a?ACCESS_TOKEN=t", "/a"),
            ("/a?access%5Ftoken=t", "/a"),
            ("/a?%61ccess_token=t", "/a"),
            ("/a?X-Amz-Signature=s&X-Amz-Credential=c&list-type=2", "/a?list-type=2"),
            ("/a?sv=2024&sig=s", "/a?sv=2024"),
            ("/a?key=AIzaSyA&q=1", "/a?q=1"),
            ("/a?b?access_token=t&access_token=t", "/a?b?access_token=t"),
            ("/a?%zz=1", "/a"),
        ] {
            assert_eq!(without_credentials(path).as_deref(), Some(wanted), "{path}");
        }
    }

    #[test]
    fn a_signature_in_the_query_is_seen_however_it_is_spelled() {
        for (path, wanted) in [
            ("/k?X-Amz-Signature=s", Some("x-amz-signature")),
            ("/k?list-type=2&x%2Damz%2Dcredential=s", Some("x-amz-credential")),
            ("/k?AWSAccessKeyId=a&Signature=s&Expires=1", Some("awsaccesskeyid")),
            ("/k?a=1;Signature=s", Some("signature")),
            ("/k?x-amz-meta-a=1&signatures=1&response-expires=1", None),
            ("/x-amz-signature?prefix=x-amz-signature", None),
            ("/k?%zz=1&&", None),
            ("/k", None),
        ] {
            assert_eq!(aws_signature(path), wanted, "{path}");
        }
        assert!(AWS_SIGNATURE.iter().all(|name| CARRIERS.contains(name)), "none of them goes on in any mode");
    }

    #[test]
    fn a_path_without_credentials_is_not_touched() {
        for path in ["/a", "/access_token=t", "/a?", "/a?x=access_token", "/a?key=name", "/a?a%20b=1", "*"] {
            assert_eq!(without_credentials(path), None, "{path}");
        }
    }
}
