//! The token: an access token as a JWT (RFC 9068), signed with ES256, for seconds.

use std::sync::Arc;

use token::{
    claims::{ACCESS_TOKEN_TYP, AccessTokenClaims},
    message::ExchangeResponse,
    reason::Reason,
    secret::Secret,
};

use crate::{crypto, jwt, keys::SigningKeys, refusal::Refusal};

mod draft;

pub use draft::{Draft, Form, Terms};

/// How far back `nbf` lies, in seconds, for verifiers whose clocks are behind ours.
const BACKDATE: u64 = 10;

/// A token that has been made and checked. Made by [`Issued::mint`] alone.
#[derive(Debug)]
pub struct Minted {
    form: Form,
    token: Secret,
    fingerprint: String,
    jti: String,
    exp: u64,
}

/// A token for one request, which must be recorded before it is shown to anybody.
#[derive(Debug)]
pub struct Issued {
    minted: Arc<Minted>,
    life: u64,
    origin: Origin,
}

/// Where the token of an answer comes from.
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

impl Minted {
    /// What it was made to.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// When it dies, in seconds since the epoch.
    pub fn exp(&self) -> u64 {
        self.exp
    }

    /// Whether it can take the place of what would be made of `draft`: it says the same, does not outlive it, and has at
    /// least half as long to live. Half: who gets it must be able to use it for a while, and a proxy that asks ahead of the
    /// end, for a newer one, must get a newer one.
    pub fn stands_for(&self, draft: &Draft) -> bool {
        let left = self.exp.saturating_sub(draft.now);
        self.form == draft.form && left <= draft.life && left.saturating_mul(2) >= draft.life
    }
}

impl Issued {
    /// Makes the token of `draft`.
    pub fn mint(draft: Draft, origin: Origin, keys: &SigningKeys) -> Result<Self, Refusal> {
        let Draft { form, life, now } = draft;
        let claims = AccessTokenClaims {
            exp: now.saturating_add(life),
            iat: now,
            nbf: now.saturating_sub(BACKDATE),
            jti: crypto::random_id().map_err(failed)?,
            ..form.claims.clone()
        };
        // The key that the form was made for: a token of another form would be kept under the wrong name.
        let key =
            Some(keys.es256()).filter(|key| key.kid() == form.kid).ok_or_else(|| failed("the key was replaced"))?;
        let token = jwt::sign(ACCESS_TOKEN_TYP, &claims, key).map_err(failed)?;
        let minted = Minted { form, fingerprint: token.fingerprint(), token, jti: claims.jti, exp: claims.exp };
        Ok(Self { minted: Arc::new(minted), life, origin })
    }

    /// `minted` in place of what would be made of `draft`, if it can stand for it.
    pub fn again(minted: Arc<Minted>, draft: &Draft) -> Option<Self> {
        let life = minted.exp.saturating_sub(draft.now);
        minted.stands_for(draft).then_some(Self { minted, life, origin: Origin::Kept })
    }

    /// The token. What it is made to stands in its form.
    pub fn minted(&self) -> &Arc<Minted> {
        &self.minted
    }

    /// What it was made to.
    pub fn form(&self) -> &Form {
        &self.minted.form
    }

    /// Its own name.
    pub fn jti(&self) -> &str {
        &self.minted.jti
    }

    /// When it dies, in seconds since the epoch.
    pub fn exp(&self) -> u64 {
        self.minted.exp
    }

    /// The digest of the token.
    pub fn fingerprint(&self) -> &str {
        &self.minted.fingerprint
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The answer. Only the record may ask for it.
    pub(crate) fn response(&self) -> ExchangeResponse {
        let claims = &self.minted.form.claims;
        ExchangeResponse {
            access_token: self.minted.token.clone(),
            issued_token_type: self.minted.form.kind.urn().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: self.life,
            scope: (!claims.scope.is_empty()).then(|| claims.scope.to_string()),
            authorization_details: claims.authorization_details.clone(),
            credential_expires_in: None,
        }
    }
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a token could not be made");
    Refusal::new(Reason::Overloaded, "the token could not be made; try again").claim("access_token")
}
