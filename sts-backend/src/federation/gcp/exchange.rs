//! Google's STS: an assertion for a federated token, and a token for one with a boundary (RFC 8693).

use http::{StatusCode, Uri};
use serde_json::{Map, Value};
use token::{json, secret::Secret};

use super::refusals;
use crate::{
    federation::{calls::Call, form, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// The longest access token that Google gives, in bytes (Security Token Service API, `access_token`).
const LONGEST_TOKEN: usize = 12 * 1024;

/// The longest life that Google gives any token, in seconds.
const LONGEST_LIFE: u64 = 12 * 3600;

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A token as it was given.
#[derive(Debug, PartialEq, Eq)]
pub struct Given {
    pub token: Secret,
    /// In seconds since the epoch.
    pub expires_at: u64,
}

/// The call for a federated token. It has no `Authorization`: a client is not known there.
pub fn federate(endpoint: Uri, provider: &str, scope: &str, jwt: &Secret) -> Call {
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("audience", provider),
        ("scope", scope),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token", jwt.expose()),
        ("subject_token_type", JWT),
    ];
    form::call(endpoint, &fields, "application/json")
}

/// The call for a token that opens less than `token`. Who asks and for what is in the token.
pub fn narrow(endpoint: Uri, token: &Secret, boundary: &str) -> Call {
    let fields = [
        ("grant_type", TOKEN_EXCHANGE),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token", token.expose()),
        ("subject_token_type", ACCESS_TOKEN),
        ("options", boundary),
    ];
    form::call(endpoint, &fields, "application/json")
}

/// The token in an answer that came at `now` to a call for one of `scope`. One made of another token ends with it at the latest,
/// whose end is `source_ends`; then the answer need not say when.
pub fn given(answered: &Answered, scope: &str, source_ends: Option<u64>, now: u64) -> Result<Given, Trouble> {
    let mut body = good(answered, now)?;
    let is = |name: &str, wanted: &str| {
        body.get(name).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    };
    if !is("issued_token_type", ACCESS_TOKEN) || !is("token_type", "Bearer") {
        return Err(invalid("a token of another type"));
    }
    // Google does not say, which means that it is what was asked for (RFC 6749, section 5.1).
    let asked = |word: &str| scope.split(' ').any(|asked| asked == word);
    if body.get("scope").is_some_and(|said| !said.as_str().is_some_and(|said| said.split(' ').all(asked))) {
        return Err(invalid("a token of another scope"));
    }
    let said = match body.get("expires_in") {
        None => None,
        Some(life) => {
            let life = life.as_u64().filter(|life| (1..=LONGEST_LIFE).contains(life));
            Some(now.saturating_add(life.ok_or_else(|| invalid("a life that is none"))?))
        }
    };
    let token = access_token(&mut body, "access_token")?;
    let expires_at = match (said, source_ends) {
        (Some(said), Some(source)) => said.min(source),
        (Some(end), None) | (None, Some(end)) => end,
        (None, None) => return Err(invalid("a token without an end")),
    };
    Ok(Given { token, expires_at })
}

/// The object in a good answer.
pub fn good(answered: &Answered, now: u64) -> Result<Map<String, Value>, Trouble> {
    if answered.status != StatusCode::OK {
        return Err(refusals::trouble(answered, now));
    }
    json::parse_object(&answered.body).map_err(|_| invalid("an answer that is no JSON object"))
}

/// The access token in member `name`: what can stand after `Bearer` (RFC 6750, section 2.1).
pub fn access_token(body: &mut Map<String, Value>, name: &str) -> Result<Secret, Trouble> {
    let Some(Value::String(token)) = body.remove(name) else { return Err(invalid("an answer without a token")) };
    let token = Secret::new(token);
    let text = token.expose().trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if text.is_empty() || token.expose().len() > LONGEST_TOKEN || !text.bytes().all(allowed) {
        return Err(invalid("a token that is none"));
    }
    Ok(token)
}

/// The trouble of an answer that is not what was agreed.
pub fn invalid(code: &str) -> Trouble {
    Trouble::Invalid { code: code.to_owned() }
}

#[cfg(test)]
mod tests;
