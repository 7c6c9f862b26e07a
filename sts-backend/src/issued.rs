//! What one request is answered with, which must be recorded before it is shown to anybody: a token of our own, or a
//! provider's credential on loan.

use std::sync::Arc;

use token::{claims::Scope, constraint::Constraint, message::ExchangeResponse};

use crate::{
    keys::SigningKeys,
    loan::Borrowed,
    mint::{Draft, Minted},
    refusal::Refusal,
};

/// The answer to one request, before it is recorded. Made of a [`Draft`] or of a [`Borrowed`] credential alone.
#[derive(Debug)]
pub struct Issued {
    credential: Credential,
    life: u64,
    origin: Origin,
}

#[derive(Debug)]
enum Credential {
    Own(Arc<Minted>),
    Borrowed(Box<Borrowed>),
}

/// Where the credential of an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Made for this request alone.
    Single,
    /// Made for this request, since none was kept that could be handed out again.
    Minted,
    /// Made for this request, since its sender wanted none that was kept.
    Renewed,
    /// Made for an earlier request, and handed out again.
    Kept,
}

impl Issued {
    /// A token made to `draft`.
    pub fn mint(draft: Draft, origin: Origin, keys: &SigningKeys) -> Result<Self, Refusal> {
        let life = draft.life();
        Ok(Self { credential: Credential::Own(Arc::new(Minted::make(draft, keys)?)), life, origin })
    }

    /// `minted` in place of what would be made of `draft`, if it can stand for it.
    pub fn again(minted: Arc<Minted>, draft: &Draft) -> Option<Self> {
        let life = minted.left(draft);
        let stands = minted.stands_for(draft);
        stands.then_some(Self { credential: Credential::Own(minted), life, origin: Origin::Kept })
    }

    /// A provider's credential on loan.
    pub fn lend(borrowed: Borrowed) -> Self {
        let origin = if borrowed.is_first() { Origin::Minted } else { Origin::Kept };
        Self { life: borrowed.life(), origin, credential: Credential::Borrowed(Box::new(borrowed)) }
    }

    /// The token of our own, if it is one.
    pub fn minted(&self) -> Option<&Arc<Minted>> {
        match &self.credential {
            Credential::Own(minted) => Some(minted),
            Credential::Borrowed(_) => None,
        }
    }

    /// The provider's credential, if it is one.
    pub fn borrowed(&self) -> Option<&Borrowed> {
        match &self.credential {
            Credential::Own(_) => None,
            Credential::Borrowed(borrowed) => Some(borrowed),
        }
    }

    /// The name by which it can be found again: the token's own, or that of the assertion it was given for.
    pub fn jti(&self) -> &str {
        match &self.credential {
            Credential::Own(minted) => minted.jti(),
            Credential::Borrowed(borrowed) => borrowed.kept().jti(),
        }
    }

    /// When the token dies, or the loan ends, in seconds since the epoch.
    pub fn exp(&self) -> u64 {
        match &self.credential {
            Credential::Own(minted) => minted.exp(),
            Credential::Borrowed(borrowed) => borrowed.ends_at(),
        }
    }

    /// The digest of what is sent.
    pub fn fingerprint(&self) -> &str {
        match &self.credential {
            Credential::Own(minted) => minted.fingerprint(),
            Credential::Borrowed(borrowed) => borrowed.kept().fingerprint(),
        }
    }

    /// What it is good for.
    pub fn scope(&self) -> &Scope {
        match &self.credential {
            Credential::Own(minted) => &minted.form().claims.scope,
            Credential::Borrowed(borrowed) => borrowed.scope(),
        }
    }

    /// What proxies check on every use.
    pub fn constraints(&self) -> &[Constraint] {
        match &self.credential {
            Credential::Own(minted) => &minted.form().claims.authorization_details,
            Credential::Borrowed(borrowed) => borrowed.constraints(),
        }
    }

    /// The `@id` and the `@reason` of the permit.
    pub fn policy(&self) -> (&str, Option<&str>) {
        match &self.credential {
            Credential::Own(minted) => (&minted.form().policy, minted.form().policy_reason.as_deref()),
            Credential::Borrowed(borrowed) => borrowed.policy(),
        }
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The answer. Only the record may ask for it.
    pub(crate) fn response(&self) -> ExchangeResponse {
        let (access_token, issued_token_type, token_type, credential_expires_in) = match &self.credential {
            Credential::Own(minted) => (minted.token(), minted.form().kind, "Bearer", None),
            Credential::Borrowed(borrowed) => {
                let kept = borrowed.kept();
                (kept.token(), borrowed.kind(), kept.token_type(), Some(borrowed.credential_life()))
            }
        };
        let scope = self.scope();
        ExchangeResponse {
            access_token: access_token.clone(),
            issued_token_type: issued_token_type.urn().to_owned(),
            token_type: token_type.to_owned(),
            expires_in: self.life,
            scope: (!scope.is_empty()).then(|| scope.to_string()),
            authorization_details: self.constraints().to_vec(),
            credential_expires_in,
        }
    }
}
