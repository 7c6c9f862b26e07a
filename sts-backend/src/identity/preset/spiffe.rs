//! JWT-SVIDs of one SPIFFE trust domain, judged by its trust bundle.
//!
//! The workload comes with its name. That it lies in the bundle's trust domain is all that makes the bundle's keys count
//! for it (JWT-SVID, section 3.1); `iss` means nothing here.

use serde_json::Value;
use token::{
    jws::Algorithm,
    spiffe::{SpiffeId, check_trust_domain},
};

use super::Identified;
use crate::{identity::claims::Claims, refusal::Refusal};

/// The algorithms of JWT-SVIDs (JWT-SVID, section 2.1) but ES512, whose curve no key of ours can have.
pub const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

/// What stands for the issuer: the trust domain's own ID.
pub fn issuer(trust_domain: &str) -> String {
    format!("spiffe://{trust_domain}")
}

/// Refuses what is no trust domain.
pub fn check(trust_domain: &str) -> Result<(), String> {
    check_trust_domain(trust_domain).map_err(|error| {
        format!("`trust_domain` is `{trust_domain}`: {error}; write it without `spiffe://` and without path")
    })
}

/// The workload the SVID names, in the bundle's trust domain and no other.
pub fn identify(trust_domain: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
    let subject = claims.value("sub");
    let id = subject.and_then(Value::as_str).and_then(|text| SpiffeId::parse(text).ok());
    let id = id.filter(|id| id.trust_domain() == trust_domain).ok_or_else(|| {
        claims.mismatch("sub", subject, &format!("a SPIFFE ID of a workload in {}", issuer(trust_domain)))
    })?;
    Ok(Identified {
        segments: Vec::new(),
        subject: id.as_str().to_owned(),
        attributes: vec![("trust_domain", trust_domain.to_owned())],
    })
}
