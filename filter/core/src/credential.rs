//! What carries credentials in a request. All of it is removed from a request on an `exchange` route before anything can
//! fail or pause; what the destination gets is what the exchange gave, and nothing else.

pub mod query;

/// The prefix of our own headers; whatever a client sends under it is removed.
const OWN_PREFIX: &str = "x-cloakroom-";

/// Headers a client sends to say something to Envoy (retries, timeouts, other hosts).
const ENVOY_PREFIX: &str = "x-envoy-";

/// What Envoy itself writes under its prefix before any filter runs.
const WRITTEN_BY_ENVOY: &[&str] = &["x-envoy-expected-rq-timeout-ms", "x-envoy-external-address", "x-envoy-internal"];

/// Headers and trailers known to carry credentials, in lower case with `-`.
const CARRIERS: &[&str] = &[
    "api-key",
    "apikey",
    "authentication",
    "authorization",
    "cookie",
    "cookie2",
    "dpop",
    "ocp-apim-subscription-key",
    "private-token",
    "proxy-authorization",
    "txn-token",
    "x-access-token",
    "x-amz-security-token",
    "x-amz-s3session-token",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "x-api-key",
    "x-api-token",
    "x-apikey",
    "x-auth-key",
    "x-auth-request-access-token",
    "x-auth-request-id-token",
    "x-auth-token",
    "x-authorization",
    "x-aws-ec2-metadata-token",
    "x-forwarded-access-token",
    "x-forwarded-authorization",
    "x-forwarded-id-token",
    "x-functions-key",
    "x-gitlab-token",
    "x-goog-api-key",
    "x-goog-authenticated-user-jwt",
    "x-goog-iap-jwt-assertion",
    "x-goog-iam-authorization-token",
    "x-id-token",
    "x-identity-header",
    "x-ms-client-principal",
    "x-ms-copy-source-authorization",
    "x-ms-encryption-key",
    "x-ms-token-aad-access-token",
    "x-ms-token-aad-id-token",
    "x-ms-token-aad-refresh-token",
    "x-original-authorization",
    "x-serverless-authorization",
    "x-vault-token",
];

/// Whether a client may not send a header of this name on an `exchange` route. `name` is in lower case, as Envoy has it.
pub fn is_removed(name: &str) -> bool {
    is_own(name)
        || starts_with(name, ENVOY_PREFIX) && !WRITTEN_BY_ENVOY.contains(&name)
        || may_be_carrier(name) && CARRIERS.iter().any(|carrier| equal(name, carrier))
}

/// Whether any carrier is as long as `name`, and any begins as it does. Most headers end here.
fn may_be_carrier(name: &str) -> bool {
    let first = name.bytes().next().map(|first| first & 0x1f).unwrap_or_default();
    let begins = 1u32.checked_shl(u32::from(first)).is_some_and(|bit| CARRIER_LETTERS & bit != 0);
    let bit = u32::try_from(name.len()).ok().and_then(|length| 1u64.checked_shl(length));
    begins && bit.is_some_and(|bit| CARRIER_LENGTHS & bit != 0)
}

/// A bit for every letter with which a carrier begins, by its place in the alphabet.
const CARRIER_LETTERS: u32 = {
    let (mut letters, mut rest) = (0, CARRIERS);
    while let [carrier, others @ ..] = rest {
        if let [first, ..] = carrier.as_bytes() {
            letters |= 1 << (*first & 0x1f);
        }
        rest = others;
    }
    letters
};

/// A bit for every length that a carrier has.
const CARRIER_LENGTHS: u64 = {
    let (mut lengths, mut rest) = (0, CARRIERS);
    while let [carrier, others @ ..] = rest {
        assert!(carrier.len() < 64, "a carrier's length must have a bit");
        lengths |= 1 << carrier.len();
        rest = others;
    }
    lengths
};

/// Whether the header is in our own namespace.
pub fn is_own(name: &str) -> bool {
    starts_with(name, OWN_PREFIX)
}

/// Whether `name` is `carrier`, both in lower case. Servers behind CGI-like gateways cannot tell `_` from `-`, so neither do we.
pub(crate) fn equal(name: &str, carrier: &str) -> bool {
    name.len() == carrier.len() && starts_with(name, carrier)
}

fn starts_with(name: &str, prefix: &str) -> bool {
    // No prefix begins with what cannot be told from another letter, so that the first one decides for most names.
    name.as_bytes().first() == prefix.as_bytes().first()
        && name.len() >= prefix.len()
        && prefix.bytes().zip(name.bytes()).all(|(a, b)| a == b || a == b'-' && b == b'_')
}

/// Whether `value` holds the bytes of `token`.
pub fn holds(value: &[u8], token: &str) -> bool {
    // Nearly every header is shorter than a token: most requests never search. Those that do search in linear time, since
    // a client may choose both texts.
    !token.is_empty() && value.len() >= token.len() && memchr::memmem::find(value, token.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriers_and_namespaces_are_removed() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-amz-security-token",
            "x_amz_security_token",
            "x-cloakroom-subject",
            "x_cloakroom_subject",
            "x-envoy-max-retries",
            "x-envoy-retry-on",
            "x_envoy_upstream_rq_timeout_ms",
            "x-forwarded-access-token",
            "dpop",
        ] {
            assert!(is_removed(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_credential_stays() {
        for name in [
            "x-envoy-internal",
            "x-envoy-external-address",
            "x-envoy-expected-rq-timeout-ms",
            "accept",
            "x-amz-date",
            "x-cloakroom",
            "x-request-id",
            "traceparent",
            "author",
            "",
        ] {
            assert!(!is_removed(name), "{name}");
        }
    }

    #[test]
    fn every_carrier_is_in_lower_case_and_stands_once() {
        for (index, carrier) in CARRIERS.iter().enumerate() {
            assert_eq!(*carrier, carrier.to_ascii_lowercase().replace('_', "-"));
            assert!(!CARRIERS[index + 1..].contains(carrier), "{carrier}");
        }
    }

    #[test]
    fn a_token_is_found_anywhere_in_a_value() {
        assert!(holds(b"x=abc; y", "abc"));
        assert!(holds(b"abc", "abc"));
        assert!(!holds(b"ab", "abc"));
        assert!(!holds(b"ab c", "abc"));
        assert!(!holds(b"abc", ""));
    }
}
