//! Entra's error codes (Microsoft Entra, "authentication and authorization error codes"): what they mean to us.
//!
//! A federated credential that was created a moment ago is not known everywhere at once, for minutes at times, and a missing
//! one looks the same. So those codes are trouble that may pass; who counts the attempts ends it.

use serde::Deserialize;

use crate::{
    federation::{oauth::error, retry_after, trouble::Trouble},
    outgoing::fetch::Answered,
};

#[derive(Deserialize)]
struct RawError {
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
    #[serde(default)]
    error_description: String,
}

/// The trouble that an answer other than 200 means. Nothing of its body is passed on but the code: its description repeats
/// the assertion's claims, and names traces.
pub fn trouble(answered: &Answered, now: u64) -> Trouble {
    let raw: Option<RawError> = serde_json::from_slice(&answered.body).ok();
    let Some(number) = raw.as_ref().and_then(RawError::number) else { return error::trouble(answered, now) };
    let code = format!("AADSTS{number}");
    if let Some(trouble) = error::of_status(answered, Some(&code), now) {
        return trouble;
    }
    let retry_after = retry_after::read(&answered.headers, now);
    match (number, raw.map(|raw| raw.error).as_deref()) {
        (50_196 | 90_055, _) => Trouble::Throttled { code, retry_after },
        (90_006 | 90_012 | 90_024 | 90_033, _) | (_, Some("temporarily_unavailable" | "server_error")) => {
            match retry_after {
                None => Trouble::Unavailable { code },
                retry_after => Trouble::Throttled { code, retry_after },
            }
        }
        (70_021 | 700_211 | 700_213 | 700_016 | 7_000_229 | 7_000_272, _) => {
            Trouble::NotYet { code, help: help(number) }
        }
        _ => Trouble::Refused { code, help: help(number) },
    }
}

impl RawError {
    /// The first code: from the list, or from the description, which begins with it.
    fn number(&self) -> Option<u64> {
        let described = || {
            let rest = self.error_description.strip_prefix("AADSTS")?;
            let (digits, _) = rest.split_once(|character: char| !character.is_ascii_digit())?;
            digits.parse().ok()
        };
        self.error_codes.first().copied().or_else(described).filter(|number| (10_000..1_000_000_000).contains(number))
    }
}

fn help(number: u64) -> &'static str {
    match number {
        70_021 => {
            "give the app or identity a federated credential with our issuer, our `subject` and our `audience`, to the letter; \
             a new one takes minutes to be known"
        }
        700_211 => {
            "give the app or identity a federated credential whose issuer is ours, to the letter, without a slash at its end; \
             a new one takes minutes to be known"
        }
        700_212 => {
            "give the federated credential our `audience`, to the letter: `api://AzureADTokenExchange` unless configured"
        }
        700_213 => {
            "give the app or identity a federated credential whose subject is our `subject`, or the workload's own name if it \
             is in `own_credentials`, to the letter; a new one takes minutes to be known"
        }
        7_002_131 | 7_002_137 => "the expression of a flexible federated credential does not match our subject",
        7_002_138 => "the federated credential differs from our issuer, subject or audience in upper and lower case",
        7_002_381 => "a policy of the tenant does not admit our issuer",
        700_024 => "the clocks differ: set this service's clock by a time server",
        7_000_272 => {
            "Entra has not found our newest key at our JWKS address: it must be public, and is read anew after a while"
        }
        5_002_730 | 5_002_738 => {
            "Entra takes RS256 alone of a federated issuer: let our JWKS have an RSA key with a `kid`"
        }
        700_016 | 7_000_229 => {
            "look whether `client_id` is in `tenant`, and has a service principal there; a new one takes minutes to be known"
        }
        7_000_112 => "the app is disabled in the tenant",
        90_002 => "look whether `tenant` is right, and `authority` that of its cloud",
        500_011 => "look whether the scope's resource is in the tenant",
        70_011 | 1_002_012 => "give a scope that ends in `/.default`: without a person there is no other",
        53_003 => "a Conditional Access policy for workload identities refuses it",
        _ => "look the code up at https://login.microsoftonline.com/error",
    }
}

#[cfg(test)]
mod tests;
