//! Credentials in the query: bearer tokens (RFC 6750, section 2.3), pre-signed URLs and keys.

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

/// The parameters of a shared access signature of Azure Storage ("Create a user delegation SAS", "Create a service SAS",
/// "Create an account SAS"), in lower case.
const SAS: &[&str] = &[
    "epk", "erk", "rscc", "rscd", "rsce", "rscl", "rsct", "saoid", "scid", "sdd", "sduoid", "se", "ses", "si", "sig",
    "sip", "ske", "skdutid", "skoid", "sks", "skt", "sktid", "skv", "sp", "spk", "spr", "sr", "srh", "srk", "srq",
    "srt", "ss", "st", "suoid", "sv", "tn",
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

/// Whether a parameter of this name may be removed, be it for its value.
pub fn may_be_removed(name: &str) -> bool {
    let google_api_key = name.eq_ignore_ascii_case("key");
    google_api_key || CARRIERS.iter().any(|carrier| carrier.eq_ignore_ascii_case(name))
}

/// Whether a parameter of this name is one of a shared access signature of Azure Storage.
pub fn is_sas(name: &str) -> bool {
    SAS.iter().any(|parameter| parameter.eq_ignore_ascii_case(name))
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
    fn a_path_without_credentials_is_not_touched() {
        for path in ["/a", "/access_token=t", "/a?", "/a?x=access_token", "/a?key=name", "/a?a%20b=1", "*"] {
            assert_eq!(without_credentials(path), None, "{path}");
        }
    }
}
