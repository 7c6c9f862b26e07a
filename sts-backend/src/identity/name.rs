//! The one vendor-neutral name of a workload: a SPIFFE ID in our trust domain, made from verified claims.
//!
//! | platform | name |
//! |---|---|
//! | AWS | `spiffe://TD/aws/ACCOUNT/role/NAME` |
//! | Google Cloud | `spiffe://TD/gcp/PROJECT/sa/NAME` |
//! | Azure | `spiffe://TD/azure/TENANT/OBJECT` |
//! | Kubernetes | `spiffe://TD/k8s/CLUSTER/NAMESPACE/SERVICE_ACCOUNT` |
//! | GitHub | `spiffe://TD/github/OWNER_ID/REPOSITORY_ID/environment/ENVIRONMENT`, or `.../ref/REF` without one |
//! | another GitHub than github.com | `spiffe://TD/github/HOST/OWNER_ID/...` |
//! | other issuers | `spiffe://TD/oidc/SOURCE/SUB`, or what the source's rule puts in the place of `SUB` |
//! | SPIFFE | the ID the workload comes with, whatever its trust domain; in ours none that begins like those above |
//!
//! INVARIANT: two workloads never share a name. What is not written plainly is encoded so that it can be read back, and
//! where a plain and an encoded form could meet, they stand under different segments.

use std::fmt::Write;

use token::{reason::Reason, spiffe::SpiffeId};

use crate::refusal::Refusal;

/// The first path segments that names are derived under. A certificate that carries such a name was not issued by us.
pub const DERIVED: [&str; 6] = ["aws", "azure", "gcp", "github", "k8s", "oidc"];

/// Whether `id` lies where only this service makes names.
pub fn is_derived(id: &SpiffeId) -> bool {
    id.path().split('/').nth(1).is_some_and(|segment| DERIVED.contains(&segment))
}

/// The name made of `segments`. A segment that SPIFFE does not allow refuses the token: it cannot be named.
pub fn derive(trust_domain: &str, segments: &[String]) -> Result<SpiffeId, Refusal> {
    SpiffeId::from_segments(trust_domain, segments.iter().map(String::as_str)).map_err(|error| {
        Refusal::new(Reason::SubjectClaimMismatch, "no SPIFFE ID can be made of the token's claims")
            .claim("sub")
            .got(segments.join("/"))
            .wanted(error)
    })
}

/// The name a workload comes with. In our trust domain it must not be one that we make: its bearer would be somebody else.
pub fn keep(trust_domain: &str, name: &str) -> Result<SpiffeId, Refusal> {
    let refuse = |wanted: String| {
        Refusal::new(Reason::SubjectClaimMismatch, "the workload cannot have the name it comes with")
            .claim("sub")
            .got(name)
            .wanted(wanted)
    };
    let id = SpiffeId::parse(name).map_err(|error| refuse(format!("a SPIFFE ID: {error}")))?;
    if id.trust_domain() == trust_domain && is_derived(&id) {
        let reserved = DERIVED.join(", ");
        return Err(refuse(format!("a path that does not begin with one of {reserved}")).help(
            "names under these are made from the tokens of other platforms; register the workload under another",
        ));
    }
    Ok(id)
}

/// `text` with every byte outside `[A-Za-z0-9.-]` as `_xx` in hexadecimal, so that it fits in one segment and no two
/// texts become the same.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            _ = write!(encoded, "_{byte:02x}");
        }
    }
    encoded
}

/// Whether `text` can stand in a segment as it is.
pub fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoded: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = encoded.bytes();
        while let Some(byte) = rest.next() {
            let hex = |digit: Option<u8>| char::from(digit.unwrap()).to_digit(16).unwrap() as u8;
            bytes.push(if byte == b'_' { hex(rest.next()) * 16 + hex(rest.next()) } else { byte });
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn derived_prefixes_are_recognised_as_whole_segments() {
        for (id, derived) in [
            ("spiffe://td/aws/1/role/x", true),
            ("spiffe://td/k8s", true),
            ("spiffe://td/awsome/1", false),
            ("spiffe://td/edge/aws", false),
        ] {
            assert_eq!(is_derived(&SpiffeId::parse(id).unwrap()), derived, "{id}");
        }
    }

    #[test]
    fn a_name_is_kept_unless_it_is_one_that_we_make() {
        for kept in ["spiffe://td/ns/a/sa/b", "spiffe://other/aws/1/role/x", "spiffe://td/awsome"] {
            assert_eq!(keep("td", kept).unwrap().as_str(), kept);
        }
        for reserved in DERIVED {
            let refusal = keep("td", &format!("spiffe://td/{reserved}/x")).unwrap_err();
            assert_eq!((refusal.reason(), refusal.claim_name()), (Reason::SubjectClaimMismatch, Some("sub")));
        }
        assert!(keep("td", "spiffe://td").is_err());
    }

    #[test]
    fn a_subject_is_encoded_byte_by_byte() {
        assert_eq!(encode("repo:o/r@1_é"), "repo_3ao_2fr_401_5f_c3_a9");
    }

    proptest! {
        #[test]
        fn encoding_can_be_read_back_and_opens_no_segment(text in "\\PC{1,60}") {
            let encoded = encode(&text);
            prop_assert_eq!(decode(&encoded), text);
            if encoded != "." && encoded != ".." {
                prop_assert!(SpiffeId::from_segments("td", ["oidc", "s", &encoded]).is_ok());
            }
        }
    }
}
