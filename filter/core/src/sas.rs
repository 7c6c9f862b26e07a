//! Shared access signatures of Azure Storage: query parameters that say what may be done until when, with a signature over
//! them ("Create a user delegation SAS"). Who has them can use them, so they are kept like any credential.

use token::secret::Secret;

use crate::credential::query;

/// The parameters of all kinds of signatures ("Create a user delegation SAS", "Create a service SAS", "Create an account SAS"),
/// in lower case.
const PARAMETERS: &[&str] = &[
    "epk", "erk", "rscc", "rscd", "rsce", "rscl", "rsct", "saoid", "scid", "sdd", "sduoid", "se", "ses", "si", "sig",
    "sip", "ske", "skdutid", "skoid", "sks", "skt", "sktid", "skv", "sp", "spk", "spr", "sr", "srh", "srk", "srq",
    "srt", "ss", "st", "suoid", "sv", "tn",
];

/// Those without which none is good for one resource: version, end, permissions, kind of resource, signature.
const REQUIRED: [&str; 5] = ["sv", "se", "sp", "sr", "sig"];

/// Longer ones are not written: with all parameters there are, one has half of this.
const LONGEST: usize = 2 * 1024;

/// Whether a parameter of this name belongs to such a signature.
pub fn is_parameter(name: &str) -> bool {
    named(name).is_some()
}

/// The first such parameter in the query of `path`, by its proper name.
pub fn sent_in(path: &str) -> Option<&'static str> {
    query::names(path).find_map(|name| named(&name))
}

/// Whether `text` is the query of one signature that can be put behind another query as it is.
///
/// # Errors
/// What is wrong with it, in words that hold nothing of it.
pub fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > LONGEST {
        return Err("the shared access signature is longer than 2 KiB");
    }
    let mut seen = Vec::new();
    for pair in text.split('&') {
        let (name, value) =
            pair.split_once('=').ok_or("the shared access signature has a parameter without a value")?;
        if !PARAMETERS.contains(&name) {
            return Err("the shared access signature has a parameter that is none of one");
        }
        if seen.contains(&name) {
            return Err("the shared access signature has a parameter twice");
        }
        if value.is_empty() || !is_encoded(value) {
            return Err("the shared access signature has a value that no query may carry");
        }
        seen.push(name);
    }
    if REQUIRED.iter().all(|name| seen.contains(name)) {
        Ok(())
    } else {
        Err("the shared access signature lacks one of sv, se, sp, sr and sig")
    }
}

/// `path` with the signature behind what its query has.
pub fn merged(path: &str, sas: &Secret) -> Secret {
    let separator = match path.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let length = path.len().saturating_add(separator.len()).saturating_add(sas.expose().len());
    let mut merged = String::with_capacity(length);
    merged.extend([path, separator, sas.expose()]);
    Secret::new(merged)
}

fn named(name: &str) -> Option<&'static str> {
    PARAMETERS.iter().find(|parameter| parameter.eq_ignore_ascii_case(name)).copied()
}

/// Whether every byte is one that a query value may have as it is, or the escape of one. A plus would be read as a space.
fn is_encoded(value: &str) -> bool {
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let whole = match byte {
            b'%' => bytes
                .next()
                .zip(bytes.next())
                .is_some_and(|(high, low)| high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
            byte => byte.is_ascii_alphanumeric() || b"-._~:/,".contains(&byte),
        };
        if !whole {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAS: &str = "sv=2025-05-05&se=2026-11-22T00%3A30%3A00Z&sr=c&sp=rl&spr=https,http&sig=a/B%2Bc%3D";

    #[test]
    fn what_azure_s_libraries_make_is_one() {
        check(SAS).unwrap();
        let whole = "st=2026-11-22T00%3A00%3A00Z&skoid=11111111-1111-1111-1111-111111111111&sktid=2&skt=2026-11-22T00:00:00Z\
                     &ske=2026-11-22T01:00:00Z&sks=b&skv=2020-12-06&saoid=3&suoid=4&scid=5&sip=10.0.0.1";
        check(&format!("{SAS}&{whole}")).unwrap();
    }

    #[test]
    fn what_is_none_or_could_be_more_is_refused() {
        for text in ["", "sv", "a", "sig=x", "https://a.test/?sv=1"] {
            check(text).unwrap_err();
        }
        for name in REQUIRED {
            let left: Vec<_> = SAS.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
            assert!(check(&left.join("&")).unwrap_err().contains("lacks"), "{name}");
        }
        for more in [
            "&comp=list",
            "&sig=x",
            "&",
            "&x",
            "&sip=",
            "&SIP=1",
            "&sip=a b",
            "&sip=a\r\nx: y",
            "&sip=a#b",
            "&sip=a+b",
            "&sip=%",
            "&sip=%2",
            "&sip=%zz",
            "&sip=a?b",
            "&sip=a;b",
            "&sip=é",
            "&sip=a=b",
            "&sip=\"",
        ] {
            check(&format!("{SAS}{more}")).unwrap_err();
        }
        check(&format!("{SAS}&si={}", "a".repeat(LONGEST))).unwrap_err();
    }

    #[test]
    fn it_stands_behind_what_the_query_has() {
        for (path, wanted) in [
            ("/c/b", "/c/b?sig=x"),
            ("/c?restype=container&comp=list", "/c?restype=container&comp=list&sig=x"),
            ("/c?", "/c?sig=x"),
            ("/c?a&", "/c?a&sig=x"),
            ("/c?a?b", "/c?a?b&sig=x"),
        ] {
            assert_eq!(merged(path, &Secret::new("sig=x")).expose(), wanted);
        }
    }

    #[test]
    fn a_client_s_own_is_seen_however_it_is_spelled() {
        for (path, wanted) in [
            ("/c?sig=x", Some("sig")),
            ("/c?SV=1", Some("sv")),
            ("/c?comp=list&s%69g=x", Some("sig")),
            ("/c?a=1;se=2", Some("se")),
            ("/c?st", Some("st")),
            ("/sig=x?comp=list&prefix=sig", None),
            ("/c?snapshot=1&timeout=2&restype=container", None),
            ("/c", None),
        ] {
            assert_eq!(sent_in(path), wanted, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_leaves_the_rest_of_a_path_as_it_is(more in "[a-z&=%2?#;+ /é]{0,20}", path in "/[a-z?&=]{0,12}") {
            let text = format!("{SAS}&si={more}");
            if check(&text).is_ok() {
                let merged = merged(&path, &Secret::new(text.as_str()));
                prop_assert!(merged.expose().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!merged.expose().contains('#') && !text.contains(['?', ';', '+']));
                let rest = merged.expose().strip_suffix(&text).unwrap().trim_end_matches(['?', '&']);
                prop_assert_eq!(rest, path.trim_end_matches(['?', '&']));
            }
        }
    }
}
