//! What is under the seal: what was issued, or a refusal, as text.

use token::secret::Secret;

use super::{Found, Host, Published, Shared, identity::KeyDigest, slots::Head};
use crate::{
    issued::{Credential, Issued},
    key::Key,
    refusal::Refusal,
    time::Now,
};

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
        let asked_for = key.facts().requested_token_type;
        let read = |text: Secret| Issued::from_text(&text, asked_for);
        if let Some((Head { asked, until, .. }, issued)) = self.tokens.find(host, key, digest, newer_than, now, read) {
            return Found::Issued { issued, asked, until: until.after(0) };
        }
        match self.refusals.find(host, key, digest, None, now, |text| Refusal::from_text(text.expose())) {
            Some((head, refusal)) => Found::Refused { refusal, until: head.until.after(0) },
            None => Found::Nothing,
        }
    }

    /// Whether what is stored for `key` is the credential `sent`.
    pub(super) fn holds(
        &self,
        host: &mut dyn Host,
        key: &Key,
        digest: &KeyDigest,
        sent: &Credential,
        now: Now,
    ) -> bool {
        let (sent, asked_for) = (sent.digest(), key.facts().requested_token_type);
        let is_sent = |text: Secret| {
            let stored = Issued::from_text(&text, asked_for)?.credential.digest();
            (stored.is_some() && stored == sent).then_some(())
        };
        self.tokens.find(host, key, digest, None, now, is_sent).is_some()
    }
}

impl Published<'_> {
    /// The text to be sealed.
    pub(super) fn text(&self) -> Option<Secret> {
        match self {
            Self::Issued { issued, .. } => issued.to_text(),
            Self::Refused { refusal, .. } => refusal.to_text().map(Secret::new),
        }
    }
}
