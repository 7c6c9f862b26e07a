//! Impersonating a service account (IAM Service Account Credentials API): its access tokens and ID tokens.

use http::{HeaderValue, Uri, header};
use hyper::body::Bytes;
use serde_json::{Value, json};
use token::secret::Secret;
use zeroize::Zeroizing;

use super::exchange::{self, Given, invalid};
use crate::{
    federation::{calls::Call, moment, trouble::Trouble, unverified},
    outgoing::fetch::Answered,
};

/// By how much an answer may be ahead of our clock, in seconds.
const SKEW: u64 = 300;

/// How long ID tokens live, in seconds.
const ID_TOKEN_LIFE: u64 = 3600;

/// The longest ID token that is believed, in bytes.
const LONGEST_ID_TOKEN: usize = 12 * 1024;

/// A service account, as it is impersonated with a federated token.
#[derive(Clone, Copy)]
pub struct ServiceAccount<'a> {
    /// Where IAM Credentials are asked, without path.
    pub endpoint: &'a Uri,
    pub email: &'a str,
}

impl ServiceAccount<'_> {
    /// The call for an access token of these scopes that lives so many seconds.
    pub fn access_token(&self, federated: &Secret, scopes: &[&str], seconds: u64) -> Result<Call, Trouble> {
        self.call("generateAccessToken", federated, &json!({ "scope": scopes, "lifetime": format!("{seconds}s") }))
    }

    /// The call for an ID token for `audience`. It says whose it is: what it is shown to may know service accounts by address.
    pub fn id_token(&self, federated: &Secret, audience: &str) -> Result<Call, Trouble> {
        self.call("generateIdToken", federated, &json!({ "audience": audience, "includeEmail": true }))
    }

    fn call(&self, method: &str, federated: &Secret, body: &Value) -> Result<Call, Trouble> {
        let uri = at(self.endpoint, &format!("/v1/projects/-/serviceAccounts/{}:{method}", self.email));
        let bearer = Zeroizing::new(format!("Bearer {}", federated.expose()));
        let (Some(uri), Ok(mut authorization)) = (uri, HeaderValue::from_str(&bearer)) else {
            return Err(invalid("a token that no request can be made with"));
        };
        authorization.set_sensitive(true);
        let json = HeaderValue::from_static("application/json");
        let headers =
            vec![(header::AUTHORIZATION, authorization), (header::CONTENT_TYPE, json.clone()), (header::ACCEPT, json)];
        Ok(Call { uri, headers, body: Bytes::from(body.to_string()) })
    }

    /// The ID token in what was answered. It must be of this account, for `audience`.
    pub fn given_id_token(&self, answered: &Answered, audience: &str, now: u64) -> Result<Given, Trouble> {
        let mut body = exchange::good(answered, now)?;
        let Some(Value::String(token)) = body.remove("token") else { return Err(invalid("an answer without a token")) };
        let token = Secret::new(token);
        let claims = claims(token.expose()).ok_or_else(|| invalid("an ID token that is none"))?;
        let is = |name: &str, wanted: &str| claims.get(name).and_then(Value::as_str) == Some(wanted);
        if !is("aud", audience) || !is("email", self.email) {
            return Err(invalid("an ID token of another account, or for another service"));
        }
        let expires_at = end(claims.get("exp").and_then(Value::as_u64), ID_TOKEN_LIFE, now)?;
        Ok(Given { token, expires_at })
    }
}

/// The access token in what was answered to a call for one that lives so many seconds.
pub fn given_access_token(answered: &Answered, seconds: u64, now: u64) -> Result<Given, Trouble> {
    let mut body = exchange::good(answered, now)?;
    let said = body.get("expireTime").and_then(Value::as_str).and_then(moment::parse);
    let expires_at = end(said, seconds, now)?;
    Ok(Given { token: exchange::access_token(&mut body, "accessToken")?, expires_at })
}

/// When something ends that is said to end at `said` and was asked for so many seconds.
fn end(said: Option<u64>, seconds: u64, now: u64) -> Result<u64, Trouble> {
    let asked = now.saturating_add(seconds);
    let said = said.filter(|said| now < *said && *said <= asked.saturating_add(SKEW));
    Ok(said.ok_or_else(|| invalid("a token that ends before it begins, or later than asked for"))?.min(asked))
}

/// What an ID token says. Its signature is not looked at: Google itself gave it, over TLS, and its receiver verifies it.
fn claims(token: &str) -> Option<serde_json::Map<String, Value>> {
    if token.len() > LONGEST_ID_TOKEN {
        return None;
    }
    unverified::claims(token)
}

/// `path` at an endpoint that has none.
pub fn at(endpoint: &Uri, path: &str) -> Option<Uri> {
    let mut parts = endpoint.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests;
