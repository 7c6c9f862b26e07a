//! A bad answer of a token endpoint (RFC 6749, section 5.2), and whom it blames.

use http::StatusCode;
use serde::Deserialize;

use crate::{
    federation::{retry_after, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// The longest code that is passed on, in bytes.
const MAX_CODE_LENGTH: usize = 64;

#[derive(Deserialize)]
struct RawError {
    error: String,
}

/// The trouble that an answer other than 200 means. Nothing of its body is passed on but the code.
pub fn trouble(answered: &Answered, now: u64) -> Trouble {
    let code = code(&answered.body);
    if let Some(trouble) = of_status(answered, code.as_deref(), now) {
        return trouble;
    }
    match code {
        Some(code) => of_code(code, answered, now),
        None => Trouble::Refused {
            code: format!("{} without an OAuth error code", answered.status.as_u16()),
            help: "look whether this is the server's token endpoint, and what stands before it",
        },
    }
}

/// The trouble that the status alone tells: the server, or something before it, does not work, or this is no such server.
pub fn of_status(answered: &Answered, code: Option<&str>, now: u64) -> Option<Trouble> {
    let status = answered.status;
    let code = || code.map_or_else(|| status.as_u16().to_string(), str::to_owned);
    let retry_after = retry_after::read(&answered.headers, now);
    if status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && retry_after.is_some()) {
        return Some(Trouble::Throttled { code: code(), retry_after });
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        return Some(Trouble::Unavailable { code: code() });
    }
    let invalid = || Trouble::Invalid { code: format!("status {} (redirects are not followed)", status.as_u16()) };
    (!status.is_client_error()).then(invalid)
}

/// The code in an error's body. It is passed on, so it must look like one, which no assertion does: JWTs begin with `eyJ`.
fn code(body: &[u8]) -> Option<String> {
    let code = serde_json::from_slice::<RawError>(body).ok()?.error;
    is_code(&code).then_some(code)
}

/// Whether `code` has the form that all registered ones have: lower case, digits and underscores.
pub fn is_code(code: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=MAX_CODE_LENGTH).contains(&code.len()) && code.bytes().all(allowed)
}

/// The trouble that `code` means where the status does not tell.
pub fn of_code(code: String, answered: &Answered, now: u64) -> Trouble {
    let help = match code.as_str() {
        "temporarily_unavailable" | "server_error" => {
            return match retry_after::read(&answered.headers, now) {
                None => Trouble::Unavailable { code },
                retry_after => Trouble::Throttled { code, retry_after },
            };
        }
        "slow_down" => {
            let retry_after = retry_after::read(&answered.headers, now);
            return Trouble::Throttled { code, retry_after };
        }
        "invalid_client" => {
            "have the server know our `client_id`, take signed assertions (`private_key_jwt`) from it, and trust the keys at \
             our JWKS address; `audience` must be the server's issuer identifier"
        }
        "invalid_grant" | "invalid_request" => {
            "have the server trust our issuer and its keys for this grant, and know the workload's name; `audience` must be \
             the server's issuer identifier"
        }
        "invalid_target" => {
            "give a `resource` or `audience` that the server knows, and have it allow this client to ask for it"
        }
        "invalid_scope" => "give permissions that are scopes of the server, and have it allow them to this client",
        "unauthorized_client" => "have the server allow this grant to our `client_id`",
        "unsupported_grant_type" => "choose a `grant` that the server takes",
        "access_denied" => "have the server's own policy allow it",
        "use_dpop_nonce" | "invalid_dpop_proof" => {
            "have the server issue bearer tokens to this client: no proof of possession is sent to it"
        }
        _ => "look the code up in the server's own documentation",
    };
    Trouble::Refused { code, help }
}

#[cfg(test)]
mod tests;
