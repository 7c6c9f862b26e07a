//! A good answer of a token endpoint (RFC 6749, section 5.1; RFC 8693, section 2.2.1), held to what its use will need.

use std::fmt;

use http::{StatusCode, header};
use serde::{Deserialize, Deserializer, de};
use token::{claims::Scope, message::MAX_ISSUED_TOKEN_LENGTH, secret::Secret, token_type::TokenType};

use super::error;
use crate::{
    federation::{
        credential::{Credential, CredentialKind},
        order::Order,
        trouble::Trouble,
    },
    identity::is_json,
    outgoing::fetch::Answered,
};

/// How long a token is believed to live whose server does not say, in seconds. It may live longer; nothing is lost by asking.
const UNSAID_LIFE: u64 = 60;

/// The longest life that is believed, in seconds: of one that lives longer, so much is used.
const MAX_LIFE: u64 = 24 * 3600;

/// The longest life that a server may promise, in seconds. What lives for years is no credential for minutes, or its server
/// counts in milliseconds: whoever got hold of one would keep it.
const LONGEST_PROMISE: u64 = 366 * 24 * 3600;

/// What a server issued.
pub struct TokenAnswer {
    pub token: Secret,
    pub token_type: String,
    /// Seconds.
    pub life: u64,
    pub issued_token_type: Option<String>,
    pub scope: Option<Scope>,
}

#[derive(Deserialize)]
struct RawAnswer {
    access_token: Secret,
    token_type: String,
    #[serde(default, deserialize_with = "seconds")]
    expires_in: Option<u64>,
    #[serde(default)]
    issued_token_type: Option<String>,
    #[serde(default)]
    scope: Option<String>,
}

impl TokenAnswer {
    /// Reads an answer that came at `now`; one that is an error becomes the trouble that it means.
    pub fn read(answered: &Answered, now: u64) -> Result<Self, Trouble> {
        if answered.status != StatusCode::OK {
            return Err(error::trouble(answered, now));
        }
        Self::read_good(answered)
    }

    /// Reads an answer with status 200.
    pub fn read_good(answered: &Answered) -> Result<Self, Trouble> {
        let media_type = answered.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(is_json) || !answered.body.trim_ascii_start().starts_with(b"{") {
            return Err(invalid("an answer that is not a JSON object"));
        }
        // The reader's own words may quote what was read.
        let raw: RawAnswer = serde_json::from_slice(&answered.body).map_err(|_| {
            invalid("an answer in which a member of a token response is missing, doubled or of another type")
        })?;
        let token = raw.access_token.expose();
        if token.is_empty()
            || token.len() > MAX_ISSUED_TOKEN_LENGTH
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(invalid(
                "an `access_token` that is empty, too long or holds characters that no header may carry",
            ));
        }
        if raw.expires_in.is_some_and(|life| !(1..=LONGEST_PROMISE).contains(&life)) {
            return Err(invalid("an `expires_in` of 0, or of more than a year"));
        }
        let scope = raw.scope.as_deref().map(Scope::parse).transpose();
        Ok(Self {
            token_type: raw.token_type,
            life: raw.expires_in.unwrap_or(UNSAID_LIFE).min(MAX_LIFE),
            issued_token_type: raw.issued_token_type,
            scope: scope.map_err(|_| invalid("a `scope` that is none"))?,
            token: raw.access_token,
        })
    }

    /// Whether it is what a token exchange for an access token gives. Servers whose access tokens are JWTs may say so.
    pub fn exchanged_for_access(self) -> Result<Self, Trouble> {
        match self.issued_token_type.as_deref().and_then(TokenType::from_urn) {
            Some(TokenType::AccessToken | TokenType::Jwt) => Ok(self),
            _ => Err(invalid("an `issued_token_type` that is no access token")),
        }
    }

    /// Whether it opens no more than was asked for. Less is fine, and so is silence: then it is what was asked for
    /// (RFC 6749, section 5.1). Where no scope was asked for, the server chooses.
    pub fn within(self, order: &Order) -> Result<Self, Trouble> {
        let asked = &order.permissions;
        match &self.scope {
            Some(scope) if !asked.is_empty() && !scope.is_within(asked) => {
                Err(invalid("a `scope` that is wider than what was asked for"))
            }
            _ => Ok(self),
        }
    }

    /// The credential that it is, for the assertion `jti`.
    pub fn credential(self, jti: String, now: u64) -> Result<Credential, Trouble> {
        // Names of schemes are compared without case (RFC 9110, section 11.1).
        let token_type = ["Bearer", "DPoP"].into_iter().find(|known| known.eq_ignore_ascii_case(&self.token_type));
        let token_type = token_type.ok_or_else(|| invalid("a `token_type` that is neither Bearer nor DPoP"))?;
        Ok(Credential {
            kind: CredentialKind::Token { token: self.token, token_type: token_type.to_owned() },
            expires_at: now.saturating_add(self.life),
            jti,
            provider_reference: None,
        })
    }
}

pub fn invalid(code: &str) -> Trouble {
    Trouble::Invalid { code: code.to_owned() }
}

/// Reads a number of seconds, also one that is written as text: some servers do.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    struct Seconds;

    impl de::Visitor<'_> for Seconds {
        type Value = Option<u64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of seconds")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| plain).map(Some).ok_or_else(|| E::custom("no number"))
        }
    }

    deserializer.deserialize_any(Seconds)
}

#[cfg(test)]
mod tests;
