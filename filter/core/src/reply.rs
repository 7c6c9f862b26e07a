//! What an STS's answer becomes: a credential that may be written, or a refusal.

use std::rc::Rc;

use token::{
    message::{ErrorResponse, ExchangeResponse},
    reason::Reason,
    secret::Secret,
    token_type::TokenType,
};

use crate::{
    cache::Issued,
    config::{ExchangeRoute, Injection},
    refusal::Refusal,
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

/// A credential, and how many seconds it lives from the moment of the answer.
#[derive(Debug)]
pub struct Accepted {
    pub issued: Rc<Issued>,
    pub expires_in: u64,
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
    let header_value = injected(&response, route).map_err(invalid)?;
    if response.access_token == *subject {
        return Err(invalid("the answer holds the native token"));
    }
    let issued = Issued { header_value, constraints: response.authorization_details };
    Ok(Accepted { issued: Rc::new(issued), expires_in: response.expires_in })
}

/// How an answer counts, by what was made of it.
pub fn call_result<T>(judged: &Result<T, Refusal>) -> CallResult {
    match judged.as_ref().map_err(Refusal::reason) {
        Ok(_) => CallResult::Ok,
        Err(Some(Reason::StsUnavailable | Reason::StsReplyInvalid)) => CallResult::Unavailable,
        Err(_) => CallResult::Refused,
    }
}

/// The header value, if what was issued is what the route can inject (RFC 8693, section 2.2.1).
fn injected(response: &ExchangeResponse, route: &ExchangeRoute) -> Result<Secret, &'static str> {
    let Injection::Header { scheme, .. } = route.inject() else { return Err("not a header") };
    let issued = TokenType::from_urn(&response.issued_token_type);
    if !matches!(issued, Some(TokenType::AccessToken | TokenType::Jwt))
        && issued != Some(route.facts().requested_token_type)
    {
        return Err("`issued_token_type` is not one this route can inject");
    }
    // `N_A`: the token is no access token and is used as the agreement says, which here is the route's setting.
    if !response.token_type.eq_ignore_ascii_case("Bearer") && !response.token_type.eq_ignore_ascii_case("N_A") {
        return Err("`token_type` is not one this route can inject");
    }
    let token = response.access_token.expose();
    Ok(match scheme {
        Some(scheme) => Secret::new(format!("{scheme} {token}")),
        None => response.access_token.clone(),
    })
}

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
