//! JWTs that Google service accounts sign for themselves, with a key of their own or through `signJwt`.
//!
//! The issuer is the account's e-mail address and its keys lie at an address made of it. Only addresses that stand in the
//! configuration and have their form are ever put into one: a token cannot make us fetch anything.

use super::{Identified, google};
use crate::{identity::claims::Claims, refusal::Refusal};

/// How long such a token may live unless configured otherwise, in seconds.
pub const MAX_LIFE: u64 = 3600;

/// The longest that may be configured, in seconds: `signJwt` signs nothing that lives longer.
const MOST_LIFE: u64 = 12 * 3600;

/// Where the keys of service accounts lie, each under the account's address.
pub const KEY_SETS: &str = "https://www.googleapis.com/service_accounts/v1/metadata/jwk";

/// The keys of `account`, below `base`.
pub fn key_set(base: &str, account: &str) -> String {
    format!("{}/{account}", base.trim_end_matches('/'))
}

/// Refuses what is no list of service accounts.
pub fn check(accounts: &[String], max_life: u64) -> Result<(), String> {
    if accounts.is_empty() {
        return Err("`accounts` is empty; name the e-mail addresses of the service accounts".to_owned());
    }
    if let Some(account) = accounts.iter().find(|account| google::service_account(account).is_none()) {
        return Err(format!("`accounts` holds `{account}`; expected NAME@PROJECT.iam.gserviceaccount.com"));
    }
    if !(1..=MOST_LIFE).contains(&max_life) {
        return Err(format!("`max_life_seconds` is {max_life}; 1 to {MOST_LIFE} are accepted"));
    }
    Ok(())
}

/// The service account the token speaks of: the one that signed it.
pub fn identify(accounts: &[String], claims: Claims<'_>) -> Result<Identified, Refusal> {
    let email = claims.text("iss")?;
    claims.expect("sub", email)?;
    let known = google::service_account(email).filter(|_| accounts.iter().any(|account| account == email));
    let (account, project) =
        known.ok_or_else(|| claims.mismatch("iss", claims.value("iss"), &format!("one of {}", accounts.join(", "))))?;
    Ok(Identified {
        segments: vec!["gcp".into(), project.into(), "sa".into(), account.into()],
        subject: email.to_owned(),
        attributes: vec![("project", project.to_owned()), ("service_account", account.to_owned())],
    })
}
