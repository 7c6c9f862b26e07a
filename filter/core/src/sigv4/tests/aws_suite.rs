//! AWS's own test suite, as the crate `aws-sigv4` 1.6.4 carries it (`aws-signing-test-suite/v4`; Copyright Amazon.com, Inc. or
//! its affiliates, Apache-2.0), each case one line of `aws_suite.json`. Of each case the form is taken that has the
//! signature in a header: we make no other.
//!
//! All 40 cases run. The suite has a switch for normalising a path and encodes every path once more than it stands in the
//! canonical request of `get-space-*`, which AWS's own crate leaves out for that; here the rule of a path goes with the
//! service. So the cases that say "unnormalized", and `get-space-normalized`, whose path has nothing to normalise, are signed
//! by S3's rule, and the others by that of all other services. `double-encode-path` has a canonical request and nothing else.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    timestamp: String,
    #[serde(default)]
    region: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    access_key_id: String,
    #[serde(default)]
    secret_access_key: String,
    token: Option<String>,
    normalize: bool,
    sign_body: bool,
    #[serde(default)]
    omit_session_token: bool,
    canonical_request: String,
    string_to_sign: Option<String>,
    signature: Option<String>,
}

impl Case {
    /// The headers as a server sees them: a line that goes on in the next has a space there (RFC 9112, section 5.2).
    fn headers(&self, payload: &str) -> HeaderList {
        let unfolded: Vec<_> = self.headers.iter().map(|(name, value)| (name, value.replace('\n', " "))).collect();
        let sent = unfolded.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let sent = sent.filter(|(name, _)| !name.eq_ignore_ascii_case("x-amz-date"));
        let token = self.token.as_deref().filter(|_| !self.omit_session_token);
        sorted(
            sent.chain([("x-amz-date", self.timestamp.as_str())])
                .chain(token.map(|token| ("x-amz-security-token", token)))
                .chain(self.sign_body.then_some(("x-amz-content-sha256", payload))),
        )
    }

    fn path_rule(&self) -> PathRule {
        if self.normalize && self.name != "get-space-normalized" { PathRule::Segments } else { PathRule::Key }
    }
}

#[test]
fn every_case_is_signed_as_aws_says() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("aws_suite.json")).unwrap();
    assert_eq!(cases.len(), 40);
    let (mut signatures, mut strings) = (0, 0);
    for case in cases {
        let payload = hex(&sha256(&case.body));
        let headers = case.headers(&payload);
        let (path, query) = case.target.split_once('?').unwrap_or((&case.target, ""));
        let (method, path_rule) = (case.method.as_str(), case.path_rule());
        let request = Signable { method, path, query, path_rule, headers: &lent(&headers), payload: &payload };
        let scope = Scope { date: date(&case.timestamp), region: &case.region, service: &case.service };
        let secret = if case.secret_access_key.is_empty() { "none" } else { &case.secret_access_key };
        let signed = sign(&request, secret, scope);
        assert_eq!(signed.canonical, case.canonical_request, "{}", case.name);
        if let Some(wanted) = &case.string_to_sign {
            strings += 1;
            assert_eq!(signed.string_to_sign, *wanted, "{}", case.name);
        }
        if let Some(wanted) = &case.signature {
            signatures += 1;
            assert_eq!(case.access_key_id, "AKIDEXAMPLE");
            assert_eq!(signed.signature, *wanted, "{}", case.name);
        }
    }
    assert_eq!((strings, signatures), (39, 39));
}
