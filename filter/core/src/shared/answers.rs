//! What is under the seal: an issued token with its constraints, or a refusal, as text.

use token::{
    constraint::{Constraint, MAX_CONSTRAINTS},
    secret::Secret,
};

use super::{Found, Host, Published, Shared, identity::KeyDigest, slots::Head};
use crate::{cache::Issued, key::Key, refusal::Refusal, time::Now};

impl Shared {
    /// As [`Shared::find`]; of tokens only one that was asked for after `newer_than`.
    pub(super) fn find_newer(
        &self,
        host: &mut dyn Host,
        key: &Key,
        digest: &KeyDigest,
        newer_than: Option<Now>,
        now: Now,
    ) -> Found {
        if let Some((Head { asked, until, .. }, issued)) =
            self.tokens.find(host, key, digest, newer_than, now, |text| read_issued(&text))
        {
            return Found::Issued { issued, asked, until: until.after(0) };
        }
        match self.refusals.find(host, key, digest, None, now, |text| Refusal::from_text(text.expose())) {
            Some((head, refusal)) => Found::Refused { refusal, until: head.until.after(0) },
            None => Found::Nothing,
        }
    }
}

impl Published<'_> {
    /// The text to be sealed.
    pub(super) fn text(&self) -> Option<Secret> {
        match self {
            Self::Issued { issued, .. } => {
                let constraints = serde_json::to_string(&issued.constraints).ok()?;
                let header_value = issued.header_value.expose();
                let mut text =
                    String::with_capacity(header_value.len().saturating_add(constraints.len()).saturating_add(1));
                text.extend([header_value, "\n", &constraints]);
                Some(Secret::new(text))
            }
            Self::Refused { refusal, .. } => refusal.to_text().map(Secret::new),
        }
    }
}

/// A header value in one line, then its constraints as JSON.
fn read_issued(text: &Secret) -> Option<Issued> {
    let (header_value, constraints) = text.expose().split_once('\n')?;
    let constraints: Vec<Constraint> = serde_json::from_str(constraints).ok()?;
    // Nothing that could end a header, whoever sealed it.
    let visible = !header_value.is_empty() && header_value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (visible && constraints.len() <= MAX_CONSTRAINTS)
        .then(|| Issued { header_value: Secret::new(header_value), constraints })
}
