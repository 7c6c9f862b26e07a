//! Any other OpenID Connect issuer: its `sub` is the workload.

use super::Identified;
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// The longest `sub` (OpenID Connect Core, section 2).
const MAX_SUBJECT: usize = 255;

/// The subject the token speaks of.
pub fn identify(source: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
    let subject = claims.text("sub")?;
    if subject.len() > MAX_SUBJECT {
        return Err(claims.mismatch("sub", claims.value("sub"), &format!("at most {MAX_SUBJECT} bytes")));
    }
    Ok(Identified {
        segments: vec!["oidc".into(), source.into(), name::encode(subject)],
        subject: subject.to_owned(),
        attributes: Vec::new(),
    })
}
