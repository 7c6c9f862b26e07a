//! Assertions of ours, as a provider verifies them. `jwt-simple` does the arithmetic: code that the STS does not share.

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike, ECDSAP384PublicKeyLike, ES256PublicKey, ES384PublicKey, RS256PublicKey,
    RS384PublicKey, RS512PublicKey, RSAPublicKeyLike, VerificationOptions,
};
use serde_json::{Map, Value};

use super::{
    issuer::{Issuer, KeyFault},
    switches::Switches,
};

/// An assertion as it was shown. Nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct Shown {
    jwt: String,
    header: Map<String, Value>,
    claims: Claims,
}

/// What an assertion says.
#[derive(Clone, Debug)]
pub struct Claims(Map<String, Value>);

/// Why an assertion is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no JWT.
    Malformed,
    /// `typ` says that it is something else.
    Type(String),
    /// Signed by an algorithm that the provider does not take.
    Algorithm(String),
    /// Its header names no key.
    NoKeyId,
    Key(KeyFault),
    Signature,
}

/// What is wrong with an assertion's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// A claim is not there, or is no number.
    Missing(&'static str),
    /// `exp`.
    Ended,
    /// `nbf` or `iat`.
    Early,
}

impl Shown {
    /// Reads it.
    pub fn parse(jwt: &str) -> Result<Self, Fault> {
        let parts: Vec<_> = jwt.split('.').collect();
        let [header, claims, _] = parts.as_slice() else { return Err(Fault::Malformed) };
        let read = |part: &str| {
            let bytes = token::base64url::decode(part).map_err(|_| Fault::Malformed)?;
            serde_json::from_slice::<Map<String, Value>>(&bytes).map_err(|_| Fault::Malformed)
        };
        Ok(Self { jwt: jwt.to_owned(), header: read(header)?, claims: Claims(read(claims)?) })
    }

    /// What it says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// `alg`.
    pub fn algorithm(&self) -> &str {
        self.header.get("alg").and_then(Value::as_str).unwrap_or_default()
    }

    /// `kid`.
    pub fn key_id(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// What it says, if the key that is the JWK `jwk` signed it.
    pub fn verify(self, jwk: &str) -> Result<Claims, Fault> {
        verify(&self.jwt, self.algorithm(), jwk).ok_or(Fault::Signature)?;
        Ok(self.claims)
    }

    /// What it says, if a published key of `issuer` signed it by one of `algorithms`, as a token of one of `types`. One
    /// without `typ` is taken for a `JWT`.
    pub async fn prove(
        self,
        issuer: &Issuer,
        switches: &Switches,
        algorithms: &[&str],
        types: &[&str],
    ) -> Result<Claims, Fault> {
        let kind = self.header.get("typ").map_or(Some("JWT"), Value::as_str).unwrap_or_default();
        if !types.iter().any(|other| other.eq_ignore_ascii_case(kind)) {
            return Err(Fault::Type(kind.to_owned()));
        }
        let algorithm = self.algorithm();
        if !algorithms.contains(&algorithm) {
            return Err(Fault::Algorithm(algorithm.to_owned()));
        }
        let kid = self.key_id().ok_or(Fault::NoKeyId)?;
        let key = issuer.key(kid, switches).await.map_err(Fault::Key)?;
        self.verify(&key.to_string())
    }
}

impl Claims {
    /// A claim that is text, and not the empty one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Any claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// `aud`, if it is one text and no list: what every provider takes.
    pub fn sole_audience(&self) -> Option<&str> {
        self.text("aud")
    }

    /// `exp`.
    pub fn ends(&self) -> i64 {
        self.0.get("exp").and_then(Value::as_i64).unwrap_or_default()
    }

    /// Whether it is in force at `now`, `grace` seconds after its end too. `exp` and `iat` must be there, and `nbf` where
    /// `wants_not_before` says so.
    pub fn in_force(&self, now: i64, grace: i64, wants_not_before: bool) -> Result<(), Stale> {
        let number = |name: &'static str| self.0.get(name).and_then(Value::as_i64).ok_or(Stale::Missing(name));
        let (ends, issued) = (number("exp")?, number("iat")?);
        let starts = if wants_not_before || self.0.contains_key("nbf") { number("nbf")? } else { issued };
        if now >= ends.saturating_add(grace) {
            return Err(Stale::Ended);
        }
        // The clocks of two machines are never quite the same.
        if issued.max(starts) > now.saturating_add(SKEW) { Err(Stale::Early) } else { Ok(()) }
    }

    /// All of it, for the record.
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

fn verify(jwt: &str, algorithm: &str, jwk: &str) -> Option<()> {
    // Each provider has its own rules about times, and applies them itself.
    let forever = Duration::from_days(10_000);
    let options = || {
        Some(VerificationOptions {
            accept_future: true,
            time_tolerance: Some(forever),
            ..VerificationOptions::default()
        })
    };
    match algorithm {
        "RS256" => RS256PublicKey::from_jwk(jwk).ok()?.verify_token::<Value>(jwt, options()).ok().map(drop),
        "RS384" => RS384PublicKey::from_jwk(jwk).ok()?.verify_token::<Value>(jwt, options()).ok().map(drop),
        "RS512" => RS512PublicKey::from_jwk(jwk).ok()?.verify_token::<Value>(jwt, options()).ok().map(drop),
        "ES256" => ES256PublicKey::from_jwk(jwk).ok()?.verify_token::<Value>(jwt, options()).ok().map(drop),
        "ES384" => ES384PublicKey::from_jwk(jwk).ok()?.verify_token::<Value>(jwt, options()).ok().map(drop),
        _ => None,
    }
}

const SKEW: i64 = 60;

#[cfg(test)]
mod tests;
