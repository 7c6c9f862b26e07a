//! What an STS's answer becomes: a credential that may be written, or a refusal.

use token::{
    aws_keys::AwsKeys,
    constraint::Constraint,
    message::{ErrorResponse, ExchangeResponse},
    reason::Reason,
    secret::Secret,
    token_type::TokenType,
};

use crate::{
    config::{ExchangeRoute, Injection},
    issued::Credential,
    refusal::Refusal,
    sas,
    sigv4::SigningKeys,
};

/// An answer as the host got it.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// `None`: no answer came at all.
    pub status: Option<u16>,
    /// The STS's name for its decision.
    pub decision_id: Option<&'a str>,
    pub body: &'a [u8],
}

/// A credential that the route can use, and for how long.
#[derive(Debug)]
pub struct Accepted {
    pub credential: Credential,
    pub constraints: Vec<Constraint>,
    /// Seconds, from the moment of the answer.
    pub expires_in: u64,
    /// Seconds that the credential itself lives, where it is lent for less.
    pub credential_expires_in: Option<u64>,
}

/// What kind of answer it was, for the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallResult {
    Ok,
    Refused,
    /// No answer, or none that can be used.
    Unavailable,
}

impl CallResult {
    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Longer answers are not read: the longest token and its constraints take half of this.
pub const MAX_BODY_LENGTH: usize = 64 * 1024;

/// Judges an answer to an exchange of `subject` on `route`.
///
/// # Errors
/// The refusal that every request waiting for it gets.
pub fn judge(answer: Answer<'_>, route: &ExchangeRoute, subject: &Secret) -> Result<Accepted, Refusal> {
    let invalid = |detail: &str| with_id(Refusal::new(Reason::StsReplyInvalid).detail(detail), answer);
    let Some(status) = answer.status else {
        return Err(Refusal::new(Reason::StsUnavailable).detail("the token service did not answer"));
    };
    if answer.body.len() > MAX_BODY_LENGTH {
        return Err(invalid("the answer is longer than 64 KiB"));
    }
    if status != 200 {
        return Err(refused(status, answer));
    }
    let response = ExchangeResponse::from_json(answer.body).map_err(|error| invalid(&error.to_string()))?;
    let credential = credential(&response, route).map_err(invalid)?;
    let repeats_subject = match &credential {
        Credential::Header(_) | Credential::AzureSas(_) => response.access_token == *subject,
        Credential::AwsKeys(keys) => keys.session_token() == subject || keys.keys().secret_access_key == *subject,
    };
    if repeats_subject {
        return Err(invalid("the answer holds the native token"));
    }
    Ok(Accepted {
        credential,
        constraints: response.authorization_details,
        expires_in: response.expires_in,
        credential_expires_in: response.credential_expires_in,
    })
}

/// How an answer counts, by what was made of it.
pub fn call_result<T>(judged: &Result<T, Refusal>) -> CallResult {
    match judged.as_ref().map_err(Refusal::reason) {
        Ok(_) => CallResult::Ok,
        Err(Some(Reason::StsUnavailable | Reason::StsReplyInvalid)) => CallResult::Unavailable,
        Err(_) => CallResult::Refused,
    }
}

/// The credential, if what was issued is what the route can use (RFC 8693, section 2.2.1).
fn credential(response: &ExchangeResponse, route: &ExchangeRoute) -> Result<Credential, &'static str> {
    let issued = TokenType::from_urn(&response.issued_token_type);
    let asked = route.facts().requested_token_type;
    let header_token = |kind| matches!(kind, Some(TokenType::AccessToken | TokenType::Jwt));
    let fits = issued == Some(asked) || TokenType::HEADER_TOKENS.contains(&asked) && header_token(issued);
    if !fits {
        return Err("`issued_token_type` is not one this route can inject");
    }
    let is_of = |types: &[&str]| types.iter().any(|kind| response.token_type.eq_ignore_ascii_case(kind));
    let token_types: &[&str] = match route.inject() {
        // A token that is bound to a key is of no use without a proof, and a proof of none with another token.
        Injection::Header { scheme: Some(scheme), .. } if scheme.eq_ignore_ascii_case(DPOP) => &[DPOP],
        // `N_A`: the token is no access token and is used as the agreement says, which here is the route's setting.
        Injection::Header { .. } => &["Bearer", "N_A"],
        Injection::AzureSas | Injection::SigV4(_) => &["N_A"],
    };
    if !is_of(token_types) {
        return Err("`token_type` is not one this route can inject");
    }
    let token = response.access_token.expose();
    Ok(match route.inject() {
        Injection::Header { scheme: Some(scheme), .. } => Credential::Header(Secret::new(format!("{scheme} {token}"))),
        Injection::Header { scheme: None, .. } => Credential::Header(response.access_token.clone()),
        Injection::AzureSas => {
            sas::check(token)?;
            Credential::AzureSas(response.access_token.clone())
        }
        Injection::SigV4(_) => {
            let keys = AwsKeys::from_token(token).ok_or("`access_token` holds no AWS keys")?;
            Credential::AwsKeys(SigningKeys::new(keys))
        }
    })
}

/// The type of tokens that are bound to a key, and their scheme (RFC 9449, section 5).
const DPOP: &str = "DPoP";

fn refused(status: u16, answer: Answer<'_>) -> Refusal {
    let Ok(error) = serde_json::from_slice::<ErrorResponse>(answer.body) else {
        // What stands between us and the STS answers in its own words.
        return match status {
            500..=599 => Refusal::new(Reason::StsUnavailable).detail(&format!("the token service answered {status}")),
            _ => with_id(
                Refusal::new(Reason::StsReplyInvalid)
                    .detail(&format!("the token service answered {status} without an error it could be read by")),
                answer,
            ),
        };
    };
    let refusal = match (error.known_reason(), error.reason.as_deref()) {
        (Some(reason), _) => Refusal::new(reason),
        (None, Some(code)) => Refusal::newer(code, status),
        (None, None) => Refusal::new(Reason::StsReplyInvalid).detail("the token service gave no reason"),
    };
    let refusal = match [error.help.as_deref(), Some(error.error_description.as_str())]
        .into_iter()
        .flatten()
        .find(|s| !s.is_empty())
    {
        Some(detail) if refusal.is_final() => refusal.detail(detail),
        _ => refusal,
    };
    let with = |refusal: Refusal, text: &Option<String>, put: fn(Refusal, &str) -> Refusal| match text {
        Some(text) => put(refusal, text),
        None => refusal,
    };
    let refusal = with(refusal, &error.claim, Refusal::claim);
    let refusal = with(refusal, &error.got, Refusal::got);
    let refusal = with(refusal, &error.wanted, Refusal::wanted);
    let refusal = with_id(refusal, answer);
    with(refusal, &error.decision_id, Refusal::decision_id)
}

fn with_id(refusal: Refusal, answer: Answer<'_>) -> Refusal {
    match answer.decision_id {
        Some(id) => refusal.decision_id(id),
        None => refusal,
    }
}

#[cfg(test)]
mod tests;
