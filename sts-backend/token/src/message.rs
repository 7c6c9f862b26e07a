//! The messages of a token exchange (RFC 8693, section 2), as the filter writes and the STS reads them, and back.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    constraint::{Constraint, MAX_CONSTRAINTS},
    reason::Reason,
    secret::Secret,
    token_type::GRANT_TYPE_TOKEN_EXCHANGE,
};

/// The protocol the filter speaks, sent in [`PROTOCOL_HEADER`]. The STS understands this one and the one before.
pub const PROTOCOL_VERSION: u32 = 1;

/// The header that carries [`PROTOCOL_VERSION`].
pub const PROTOCOL_HEADER: &str = "x-cloakroom-protocol";

/// The header by which both the STS and the filter name a decision in their answers.
pub const DECISION_ID_HEADER: &str = "x-cloakroom-decision-id";

/// The most parameters a form may have.
const MAX_PARAMETERS: usize = 32;

/// The longest issued token that is let near a header, in bytes.
pub const MAX_ISSUED_TOKEN_LENGTH: usize = 16 * 1024;

/// The longest life that is believed, in seconds.
const MAX_EXPIRES_IN: u64 = 24 * 3600;

/// A token exchange request (RFC 8693, section 2.1). Values are as sent: nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRequest {
    pub subject_token: Secret,
    pub subject_token_type: String,
    pub actor_token: Option<Secret>,
    pub actor_token_type: Option<String>,
    pub resource: Vec<String>,
    pub audience: Vec<String>,
    pub scope: Option<String>,
    pub requested_token_type: Option<String>,
    /// JSON: where the request came from, for the policy ([`RequestContext`]).
    pub request_context: Option<String>,
}

/// What a filter says of the place a request came from. All of it is in the filter's cache key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct RequestContext {
    /// The SPIFFE ID the proxy believes its certificate to have; the STS refuses a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The filter's name for the listener.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The route Envoy chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// Why a form is not a token exchange request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    #[error("`grant_type` is missing")]
    NoGrantType,
    #[error("`grant_type` is not `{GRANT_TYPE_TOKEN_EXCHANGE}`")]
    GrantType,
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` stands more than once")]
    Repeated(&'static str),
    #[error("`{0}` must not be sent without `{1}`")]
    Without(&'static str, &'static str),
    #[error("more than {MAX_PARAMETERS} parameters")]
    TooMany,
}

impl ExchangeRequest {
    /// The request as an `application/x-www-form-urlencoded` body.
    pub fn to_form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::with_capacity(1024));
        form.append_pair("grant_type", GRANT_TYPE_TOKEN_EXCHANGE)
            .append_pair("subject_token", self.subject_token.expose())
            .append_pair("subject_token_type", &self.subject_token_type);
        self.resource.iter().for_each(|value| _ = form.append_pair("resource", value));
        self.audience.iter().for_each(|value| _ = form.append_pair("audience", value));
        let optional = [
            ("actor_token", self.actor_token.as_ref().map(Secret::expose)),
            ("actor_token_type", self.actor_token_type.as_deref()),
            ("scope", self.scope.as_deref()),
            ("requested_token_type", self.requested_token_type.as_deref()),
            ("request_context", self.request_context.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        form.finish()
    }

    /// Reads a form body. Empty values count as not sent, unknown parameters are ignored, white space around tokens is
    /// dropped (files end in newlines), and a repeated single-valued parameter is an error (RFC 6749, section 3.2).
    pub fn from_form(body: &[u8]) -> Result<Self, FormError> {
        let mut fields = Fields::default();
        for (index, (name, value)) in form_urlencoded::parse(body).enumerate() {
            if index >= MAX_PARAMETERS {
                return Err(FormError::TooMany);
            }
            if !value.is_empty() {
                fields.take(&name, value.into_owned())?;
            }
        }
        fields.into_request()
    }
}

#[derive(Default)]
struct Fields {
    grant_type: Option<String>,
    subject_token: Option<String>,
    subject_token_type: Option<String>,
    actor_token: Option<String>,
    actor_token_type: Option<String>,
    resource: Vec<String>,
    audience: Vec<String>,
    scope: Option<String>,
    requested_token_type: Option<String>,
    request_context: Option<String>,
}

impl Fields {
    fn take(&mut self, name: &str, value: String) -> Result<(), FormError> {
        let (slot, name) = match name {
            "resource" => {
                self.resource.push(value);
                return Ok(());
            }
            "audience" => {
                self.audience.push(value);
                return Ok(());
            }
            "grant_type" => (&mut self.grant_type, "grant_type"),
            "subject_token" => (&mut self.subject_token, "subject_token"),
            "subject_token_type" => (&mut self.subject_token_type, "subject_token_type"),
            "actor_token" => (&mut self.actor_token, "actor_token"),
            "actor_token_type" => (&mut self.actor_token_type, "actor_token_type"),
            "scope" => (&mut self.scope, "scope"),
            "requested_token_type" => (&mut self.requested_token_type, "requested_token_type"),
            "request_context" => (&mut self.request_context, "request_context"),
            _ => return Ok(()),
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(FormError::Repeated(name)),
        }
    }

    fn into_request(self) -> Result<ExchangeRequest, FormError> {
        if self.grant_type.ok_or(FormError::NoGrantType)? != GRANT_TYPE_TOKEN_EXCHANGE {
            return Err(FormError::GrantType);
        }
        if self.actor_token.is_some() && self.actor_token_type.is_none() {
            return Err(FormError::Without("actor_token", "actor_token_type"));
        }
        if self.actor_token_type.is_some() && self.actor_token.is_none() {
            return Err(FormError::Without("actor_token_type", "actor_token"));
        }
        let trimmed = |text: String| Secret::new(text.trim_ascii());
        Ok(ExchangeRequest {
            subject_token: self
                .subject_token
                .map(trimmed)
                .filter(|token| !token.expose().is_empty())
                .ok_or(FormError::Missing("subject_token"))?,
            subject_token_type: self.subject_token_type.ok_or(FormError::Missing("subject_token_type"))?,
            actor_token: self.actor_token.map(trimmed),
            actor_token_type: self.actor_token_type,
            resource: self.resource,
            audience: self.audience,
            scope: self.scope,
            requested_token_type: self.requested_token_type,
            request_context: self.request_context,
        })
    }
}

/// A successful exchange (RFC 8693, section 2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeResponse {
    pub access_token: Secret,
    /// What was issued; it tells the filter what kind of credential this is.
    pub issued_token_type: String,
    pub token_type: String,
    /// Seconds to live, from the moment of the answer.
    pub expires_in: u64,
    pub scope: Option<String>,
    pub authorization_details: Vec<Constraint>,
    /// Seconds that the credential itself lives at its provider, where this answer lends it for less: then the same
    /// credential may be lent again, and lives on with each answer up to this end. Of our own making.
    pub credential_expires_in: Option<u64>,
}

/// Why an STS's answer must not become a credential.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResponseError {
    #[error("the answer is not a token response: {0}")]
    Malformed(String),
    #[error("`access_token` is empty, too long or holds characters that no header may carry")]
    Token,
    #[error("`expires_in` is {0}; 1 to {MAX_EXPIRES_IN} is accepted")]
    Life(u64),
    #[error("`credential_expires_in` is {0}, less than `expires_in`")]
    CredentialLife(u64),
    #[error("`authorization_details` has more than {MAX_CONSTRAINTS} elements")]
    Constraints,
}

#[derive(Deserialize, Serialize)]
struct RawResponse<'r> {
    access_token: std::borrow::Cow<'r, str>,
    issued_token_type: String,
    token_type: String,
    expires_in: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authorization_details: Vec<Constraint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential_expires_in: Option<u64>,
}

impl ExchangeResponse {
    /// Reads and checks an answer: every part of it has the form, length and character set that its use will need.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        let raw: RawResponse<'_> =
            serde_json::from_slice(body).map_err(|error| ResponseError::Malformed(describe(&error)))?;
        let token = raw.access_token.as_ref();
        if token.is_empty() || token.len() > MAX_ISSUED_TOKEN_LENGTH || !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ResponseError::Token);
        }
        if !(1..=MAX_EXPIRES_IN).contains(&raw.expires_in) {
            return Err(ResponseError::Life(raw.expires_in));
        }
        if let Some(life) = raw.credential_expires_in.filter(|life| *life < raw.expires_in) {
            return Err(ResponseError::CredentialLife(life));
        }
        if raw.authorization_details.len() > MAX_CONSTRAINTS {
            return Err(ResponseError::Constraints);
        }
        Ok(Self {
            access_token: Secret::new(token),
            issued_token_type: raw.issued_token_type,
            token_type: raw.token_type,
            expires_in: raw.expires_in,
            scope: raw.scope,
            authorization_details: raw.authorization_details,
            credential_expires_in: raw.credential_expires_in,
        })
    }

    /// The answer's JSON body.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&RawResponse {
            access_token: self.access_token.expose().into(),
            issued_token_type: self.issued_token_type.clone(),
            token_type: self.token_type.clone(),
            expires_in: self.expires_in,
            scope: self.scope.clone(),
            authorization_details: self.authorization_details.clone(),
            credential_expires_in: self.credential_expires_in,
        })
    }
}

/// Where and why JSON does not fit, without quoting a byte of it: the body holds a token.
fn describe(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "a member is missing or has the wrong type",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Io => "it could not be read",
    };
    format!("{kind} (line {}, column {})", error.line(), error.column())
}

/// A refused exchange (RFC 6749, section 5.2), with what our filter and the operator need besides.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ErrorResponse {
    /// The OAuth code. The filter never decides by it.
    pub error: String,
    #[serde(default)]
    pub error_description: String,
    /// The stable code the filter decides by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The claim or parameter that was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// What it should have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The decision's name in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl ErrorResponse {
    /// The reason, where it is one this side knows.
    pub fn known_reason(&self) -> Option<Reason> {
        self.reason.as_deref().and_then(Reason::from_code)
    }
}

#[cfg(test)]
mod tests;
