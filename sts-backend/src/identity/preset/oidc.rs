//! Any other OpenID Connect issuer: its `sub` is the workload, unless a rule says which claims name it.

use std::collections::BTreeMap;

use super::Identified;
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// The longest `sub` (OpenID Connect Core, section 2).
const MAX_SUBJECT: usize = 255;

/// The most segments a rule may have.
const MAX_SEGMENTS: usize = 8;

/// What is read from an issuer's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcClaims {
    /// The segments of names, after `oidc/SOURCE`: `{claims.NAME}` is the claim of that name, anything else stands for itself.
    pub name: Vec<String>,
    /// The claims that together tell one workload from every other.
    pub subject_claims: Vec<String>,
    /// Claims that must be exactly these texts.
    pub require: BTreeMap<String, String>,
}

impl Default for OidcClaims {
    fn default() -> Self {
        Self { name: vec!["{claims.sub}".into()], subject_claims: vec!["sub".into()], require: BTreeMap::new() }
    }
}

impl OidcClaims {
    /// Refuses rules by which two workloads could have one name.
    pub fn check(&self) -> Result<(), String> {
        if self.name.is_empty() || self.name.len() > MAX_SEGMENTS {
            return Err(format!("`name` has {} segments; 1 to {MAX_SEGMENTS} are accepted", self.name.len()));
        }
        let plain = |text: &str| name::is_plain(text) && !matches!(text, "." | "..");
        if let Some(segment) = self.name.iter().find(|segment| claim(segment).is_none() && !plain(segment)) {
            return Err(format!(
                "`name` holds `{segment}`; a segment is one claim, as `{{claims.sub}}`, or a text of letters, digits, `.`, \
                 `-` and `_`"
            ));
        }
        if self.subject_claims.is_empty() {
            return Err("`subject_claims` is empty; leave it out if `sub` tells workloads apart".to_owned());
        }
        let named = |wanted: &String| self.name.iter().any(|segment| claim(segment) == Some(wanted.as_str()));
        match self.subject_claims.iter().find(|claim| !named(claim)) {
            Some(claim) => Err(format!(
                "`name` lacks `{{claims.{claim}}}`: workloads that differ there would share a name; add it, or say in \
                 `subject_claims` which claims tell workloads apart"
            )),
            None => Ok(()),
        }
    }
}

/// The subject the token speaks of.
pub fn identify(source: &str, rules: &OidcClaims, claims: Claims<'_>) -> Result<Identified, Refusal> {
    for (name, wanted) in &rules.require {
        claims.expect(name, wanted)?;
    }
    let subject = claims.text("sub")?;
    if subject.len() > MAX_SUBJECT {
        return Err(claims.mismatch("sub", claims.value("sub"), &format!("at most {MAX_SUBJECT} bytes")));
    }
    let mut segments = vec!["oidc".to_owned(), source.to_owned()];
    for segment in &rules.name {
        segments.push(match claim(segment) {
            Some(name) => name::encode(claims.text(name)?),
            None => segment.clone(),
        });
    }
    Ok(Identified { segments, subject: subject.to_owned(), attributes: Vec::new() })
}

/// The claim that a segment of a rule stands for, if it stands for one.
fn claim(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix("{claims.")?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['{', '}'])).then_some(name)
}
