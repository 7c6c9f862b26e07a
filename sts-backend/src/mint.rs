//! The token: an access token as a JWT (RFC 9068), signed with ES256, for seconds.

use serde::Serialize;
use token::{
    base64url,
    claims::{ACCESS_TOKEN_TYP, AccessTokenClaims, Actor},
    jws::{Algorithm, CompactJws},
    message::ExchangeResponse,
    reason::Reason,
    secret::Secret,
    token_type::TokenType,
};

use crate::{
    crypto::{self, AwsLc},
    keys::SigningKeys,
    policy::Grant,
    refusal::Refusal,
};

/// How far back `nbf` lies, in seconds, for verifiers whose clocks are behind ours.
const BACKDATE: u64 = 10;

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

/// A token that has been made and checked, and must be recorded before it is shown to anybody.
pub struct Issued {
    response: ExchangeResponse,
    claims: AccessTokenClaims,
    policy: String,
    policy_reason: Option<String>,
}

#[derive(Serialize)]
struct Header<'h> {
    alg: &'static str,
    kid: &'h str,
    typ: &'static str,
}

impl Issued {
    /// Makes the token that `grant` allows.
    pub fn mint(
        grant: &Grant<'_>,
        kind: TokenType,
        terms: &Terms,
        keys: &SigningKeys,
        now: u64,
    ) -> Result<Self, Refusal> {
        let life = life(grant, terms, now)?;
        let claims = claims(grant, terms, life, now)?;
        let token = sign(&claims, keys)?;
        check(&token, &claims, keys)?;
        let scope = (!claims.scope.is_empty()).then(|| claims.scope.to_string());
        let response = ExchangeResponse {
            access_token: token,
            issued_token_type: kind.urn().to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in: life,
            scope,
            authorization_details: claims.authorization_details.clone(),
        };
        let policy_reason = grant.policy_reason().map(str::to_owned);
        Ok(Self { response, claims, policy: grant.policy().to_owned(), policy_reason })
    }

    /// What stands in it.
    pub fn claims(&self) -> &AccessTokenClaims {
        &self.claims
    }

    /// The digest of the token.
    pub fn fingerprint(&self) -> String {
        self.response.access_token.fingerprint()
    }

    /// The permit it was granted by.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// What that permit says of itself.
    pub fn policy_reason(&self) -> Option<&str> {
        self.policy_reason.as_deref()
    }

    /// The answer. Only the record may ask for it.
    pub(crate) fn into_response(self) -> ExchangeResponse {
        self.response
    }
}

/// The shortest of what the permit, the destination and the subject's own token allow.
fn life(grant: &Grant<'_>, terms: &Terms, now: u64) -> Result<u64, Refusal> {
    let default = if grant.actor().proxy().is_some() { terms.default_life } else { terms.direct_default_life };
    let left = grant.subject().expires_at().saturating_sub(now);
    let life = grant.ttl().unwrap_or(default).min(grant.target().max_life).min(left);
    if life == 0 {
        return Err(Refusal::new(Reason::SubjectTokenExpired, "the token expired while it was being exchanged")
            .claim("exp")
            .got(grant.subject().expires_at())
            .wanted(format!("later than {now}")));
    }
    Ok(life)
}

fn claims(grant: &Grant<'_>, terms: &Terms, life: u64, now: u64) -> Result<AccessTokenClaims, Refusal> {
    let subject = grant.subject().name().as_str();
    let proxy = grant.actor().proxy().map(token::spiffe::SpiffeId::as_str);
    Ok(AccessTokenClaims {
        iss: terms.issuer.clone(),
        sub: subject.to_owned(),
        aud: grant.target().resource.clone(),
        exp: now.saturating_add(life),
        iat: now,
        nbf: now.saturating_sub(BACKDATE),
        jti: crypto::random_id().map_err(failed)?,
        client_id: proxy.unwrap_or(subject).to_owned(),
        scope: grant.scope().clone(),
        // `act` of a subject token counts only where its issuer is trusted for delegation, and none is yet.
        act: proxy.map(Actor::new),
        may_act: None,
        cnf: None,
        authorization_details: grant.constraints().to_vec(),
    })
}

fn sign(claims: &AccessTokenClaims, keys: &SigningKeys) -> Result<Secret, Refusal> {
    let header = Header { alg: Algorithm::Es256.name(), kid: keys.kid(), typ: ACCESS_TOKEN_TYP };
    let header = serde_json::to_vec(&header).map_err(failed)?;
    let payload = serde_json::to_vec(claims).map_err(failed)?;
    let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = keys.sign(input.as_bytes()).map_err(failed)?;
    Ok(Secret::new(format!("{input}.{}", base64url::encode(signature))))
}

/// Reads the token as a destination would. A fault of the signer, of memory or of ours must not leave the house.
fn check(token: &Secret, claims: &AccessTokenClaims, keys: &SigningKeys) -> Result<(), Refusal> {
    let read = CompactJws::parse(token.expose(), &[Algorithm::Es256])
        .and_then(|jws| jws.verify(keys.public_key(), &AwsLc))
        .map_err(failed)?;
    let found: AccessTokenClaims = serde_json::from_value(read.claims().clone().into()).map_err(failed)?;
    let header = read.header();
    let ours = header.typ.as_deref() == Some(ACCESS_TOKEN_TYP) && header.kid.as_deref() == Some(keys.kid());
    if found == *claims && ours { Ok(()) } else { Err(failed("what was signed is not what was meant")) }
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "a token could not be made");
    Refusal::new(Reason::Overloaded, "the token could not be made; try again").claim("access_token")
}
