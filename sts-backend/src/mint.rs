//! The token: an access token as a JWT (RFC 9068), signed with ES256, for seconds.

use token::{
    claims::{ACCESS_TOKEN_TYP, AccessTokenClaims},
    reason::Reason,
    secret::Secret,
};

use crate::{crypto, jwt, keys::SigningKeys, refusal::Refusal};

mod draft;

pub use draft::{Draft, Form, Terms};

/// How far back `nbf` lies, in seconds, for verifiers whose clocks are behind ours.
const BACKDATE: u64 = 10;

/// A token that has been made and checked. Made by [`Minted::make`] alone.
#[derive(Debug)]
pub struct Minted {
    form: Form,
    token: Secret,
    fingerprint: String,
    jti: String,
    exp: u64,
}

impl Minted {
    /// The token of `draft`.
    pub fn make(draft: Draft, keys: &SigningKeys) -> Result<Self, Refusal> {
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
        Ok(Self { form, fingerprint: token.fingerprint(), token, jti: claims.jti, exp: claims.exp })
    }

    /// What it was made to.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// When it dies, in seconds since the epoch.
    pub fn exp(&self) -> u64 {
        self.exp
    }

    /// The token itself.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Its own name.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// The digest of the token.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// How many seconds it has left where `draft` would begin.
    pub fn left(&self, draft: &Draft) -> u64 {
        self.exp.saturating_sub(draft.now)
    }

    /// Whether it can take the place of what would be made of `draft`: it says the same, does not outlive it, and has at
    /// least half as long to live. Half: who gets it must be able to use it for a while, and a proxy that asks ahead of the
    /// end, for a newer one, must get a newer one.
    pub fn stands_for(&self, draft: &Draft) -> bool {
        let left = self.left(draft);
        self.form == draft.form && left <= draft.life && left.saturating_mul(2) >= draft.life
    }
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a token could not be made");
    Refusal::new(Reason::Overloaded, "the token could not be made; try again").claim("access_token")
}
