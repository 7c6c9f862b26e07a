//! The workload's name as AWS can take it: for a session's name and for its source identity, 2 to 64 characters of
//! `[A-Za-z0-9_+=,.@-]` (AWS STS, `AssumeRole`).
//!
//! INVARIANT: two workloads never share one. `/` becomes `+`, which no SPIFFE ID has; a foreign trust domain stands behind
//! `@`; a text that was cut, or is too short, ends in `=` and a digest of the whole name. None of the three marks occurs
//! otherwise.

use token::{digest, spiffe::SpiffeId};

/// The longest that AWS takes.
const LONGEST: usize = 64;

/// How much of a digest is enough: 96 bits.
const DIGEST: usize = 16;

/// `spiffe://TD/k8s/prod/shop/cart` as `k8s+prod+shop+cart`, where `TD` is our trust domain.
pub fn session_name(workload: &SpiffeId, trust_domain: &str) -> String {
    let mut text = workload.path().trim_start_matches('/').replace('/', "+");
    if workload.trust_domain() != trust_domain {
        text.push('@');
        text.push_str(workload.trust_domain());
    }
    if (2..=LONGEST).contains(&text.len()) {
        return text;
    }
    // A name has ASCII characters only. Its beginning is kept: it says which platform, account or cluster.
    text.truncate(LONGEST - DIGEST - 1);
    let mut digest = digest::fingerprint(workload.as_str());
    digest.truncate(DIGEST);
    format!("{text}={digest}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn name(id: &str) -> String {
        session_name(&SpiffeId::parse(id).unwrap(), "td.example")
    }

    fn fits(name: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        (2..=64).contains(&name.len()) && name.bytes().all(allowed)
    }

    #[test]
    fn who_it_was_can_be_read() {
        assert_eq!(name("spiffe://td.example/k8s/prod/shop/cart"), "k8s+prod+shop+cart");
        assert_eq!(name("spiffe://td.example/aws/123456789012/role/app_1"), "aws+123456789012+role+app_1");
        assert_eq!(name("spiffe://other.example/ns/a/sa/b"), "ns+a+sa+b@other.example");
    }

    #[test]
    fn what_does_not_fit_ends_in_a_digest() {
        let long = "spiffe://td.example/k8s/prod-europe-west/team-with-a-long-name/a-service-with-a-longer-name";
        let cut = name(long);
        assert_eq!(
            cut,
            format!("k8s+prod-europe-west+team-with-a-long-name+a-se={}", &digest::fingerprint(long)[..16])
        );
        assert_eq!(cut.len(), 64);
        assert_ne!(cut, name(&format!("{long}-2")));
        assert_eq!(name("spiffe://td.example/x").len(), 18);
        assert!(name("spiffe://td.example/x").starts_with("x="));
    }

    fn id() -> impl Strategy<Value = String> {
        let segment = prop_oneof!["[ab]{1,2}", "[a-zA-Z0-9_-]{1,40}"];
        let domain = prop_oneof![Just("td.example"), Just("a"), Just("b.example")];
        (domain, proptest::collection::vec(segment, 1..5))
            .prop_map(|(domain, segments)| format!("spiffe://{domain}/{}", segments.join("/")))
    }

    proptest! {
        #[test]
        fn every_name_fits_and_is_its_own(ids in proptest::collection::vec(id(), 1..40)) {
            let mut taken = HashMap::new();
            for id in ids {
                let name = name(&id);
                prop_assert!(fits(&name), "{name}");
                prop_assert_eq!(&name, &self::name(&id));
                let first = taken.entry(name).or_insert_with(|| id.clone());
                prop_assert_eq!(first, &id);
            }
        }
    }
}
