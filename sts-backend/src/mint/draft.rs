//! The token that a grant allows, before it has times, a name and a signature.

use std::hash::{Hash, Hasher};

use token::{
    claims::{AccessTokenClaims, Actor, Scope},
    constraint::Constraint,
    reason::Reason,
    token_type::TokenType,
};

use crate::{keys::SigningKeys, permissions, policy::Grant, refusal::Refusal, request::Asked};

/// What one configuration says of every token.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `iss`.
    pub issuer: String,
    /// How long a token lives where policy does not say, in seconds.
    pub default_life: u64,
    /// The same for callers without a client certificate.
    pub direct_default_life: u64,
}

/// What a grant allows at one moment. Made by [`Draft::of`] alone.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) form: Form,
    pub(super) life: u64,
    pub(super) now: u64,
}

/// Everything a token depends on but the moment: tokens of equal forms differ in `exp`, `iat`, `nbf` and `jti` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The claims, with `exp`, `iat` and `nbf` 0 and `jti` empty. Whatever claim there comes to be is compared with the rest.
    pub claims: AccessTokenClaims,
    /// The type asked for.
    pub kind: TokenType,
    /// The key that signs.
    pub kid: String,
    /// The longest life that permit, configuration and destination allow, in seconds.
    pub longest_life: u64,
    /// The permit's `@id`.
    pub policy: String,
    /// The permit's `@reason`.
    pub policy_reason: Option<String>,
    /// The digest of the policies that decided.
    pub policy_version: String,
}

impl Terms {
    /// For how many seconds permit, configuration and destination let something live that `grant` allows; and for how many of
    /// them the subject's own token allows it at `now`.
    pub fn lives(&self, grant: &Grant<'_>, now: u64) -> Result<(u64, u64), Refusal> {
        let default = if grant.actor().proxy().is_some() { self.default_life } else { self.direct_default_life };
        let longest = grant.ttl().unwrap_or(default).min(grant.target().max_life);
        match longest.min(grant.subject().expires_at().saturating_sub(now)) {
            0 => Err(Refusal::new(Reason::SubjectTokenExpired, "the token expired while it was being exchanged")
                .claim("exp")
                .got(grant.subject().expires_at())
                .wanted(format!("later than {now}"))),
            life => Ok((longest, life)),
        }
    }
}

impl Draft {
    /// What `grant` allows at `now`.
    pub fn of(grant: &Grant<'_>, asked: &Asked, terms: &Terms, keys: &SigningKeys, now: u64) -> Result<Self, Refusal> {
        let kind = asked.kind_among(&[TokenType::AccessToken, TokenType::Jwt])?;
        let (longest_life, life) = terms.lives(grant, now)?;
        let form = Form {
            claims: claims(grant, permissions::own(grant)?, terms),
            kind,
            kid: keys.es256().kid().to_owned(),
            longest_life,
            policy: grant.policy().to_owned(),
            policy_reason: grant.policy_reason().map(str::to_owned),
            policy_version: grant.policy_version().to_owned(),
        };
        Ok(Self { form, life, now })
    }

    /// What a grant of `form` would allow.
    #[cfg(test)]
    pub(crate) fn for_tests(form: Form, life: u64, now: u64) -> Self {
        Self { form, life, now }
    }

    /// How many seconds the token would live.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// All of it but the moment.
    pub fn form(&self) -> &Form {
        &self.form
    }
}

impl Form {
    /// Whether one token of this form may be handed out more than once. It must not be bound to a key or made for a number
    /// of uses: a constraint that says anything besides methods and paths rules it out. And a proxy must have asked. SDKs
    /// that ask for themselves take a token with less than 225 s left for expired, and would come back at once.
    pub fn is_reissuable(&self) -> bool {
        let plain = |constraint: &Constraint| {
            *constraint == Constraint::new(constraint.methods.clone(), constraint.paths.clone())
        };
        self.claims.act.is_some() && self.claims.cnf.is_none() && self.claims.authorization_details.iter().all(plain)
    }
}

/// Enough to spread the keys of a map; equality looks at everything.
impl Hash for Form {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.claims.sub.hash(state);
        self.claims.aud.hash(state);
        self.claims.client_id.hash(state);
        self.claims.scope.hash(state);
        self.policy.hash(state);
    }
}

fn claims(grant: &Grant<'_>, scope: Scope, terms: &Terms) -> AccessTokenClaims {
    let subject = grant.subject().name().as_str();
    let proxy = grant.actor().proxy().map(token::spiffe::SpiffeId::as_str);
    AccessTokenClaims {
        iss: terms.issuer.clone(),
        sub: subject.to_owned(),
        aud: grant.target().resource.clone(),
        exp: 0,
        iat: 0,
        nbf: 0,
        jti: String::new(),
        client_id: proxy.unwrap_or(subject).to_owned(),
        scope,
        // `act` of a subject token counts only where its issuer is trusted for delegation, and none is yet.
        act: proxy.map(Actor::new),
        may_act: None,
        asserted_by: grant.subject().asserted_by().map(ToString::to_string),
        cnf: None,
        authorization_details: grant.constraints().to_vec(),
    }
}
