//! For whom a token is.

use serde_json::Value;
use token::reason::Reason;

use super::claims;
use crate::refusal::Refusal;

/// Exactly one audience, and it is ours: a token with a second one can be used there by whoever we show it to, and here
/// by whoever it is shown to there.
pub fn check(audience: Option<&Value>, wanted: &str) -> Result<(), Refusal> {
    let only = match audience {
        Some(Value::Array(list)) if list.len() == 1 => list.first(),
        other => other,
    };
    if only.and_then(Value::as_str) == Some(wanted) {
        return Ok(());
    }
    Err(Refusal::new(Reason::SubjectAudienceMismatch, "the token is not for this service alone")
        .claim("aud")
        .got(claims::describe(audience))
        .wanted(wanted)
        .help("ask the platform for a token with exactly this audience"))
}
