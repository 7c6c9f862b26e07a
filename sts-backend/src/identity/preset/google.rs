//! Google ID tokens of service accounts, from the metadata server of Compute Engine, Cloud Run and the like.
//!
//! The same issuer and keys sign people in. What sets a service account's token apart is `azp == sub` and its e-mail address;
//! what sets it apart from one made for somebody else is the audience alone.

use serde_json::Value;

use super::Identified;
use crate::{
    identity::{claims::Claims, name},
    refusal::Refusal,
};

/// Both spellings of the issuer are in use.
pub const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

/// The key set.
pub const KEY_SET: &str = "https://www.googleapis.com/oauth2/v3/certs";

const EMAIL_SUFFIX: &str = ".iam.gserviceaccount.com";

/// Refuses a project that no e-mail address can name.
pub fn check_projects(projects: &[String]) -> Result<(), String> {
    match projects.iter().find(|project| !is_project(project)) {
        Some(project) => Err(format!(
            "`projects` holds `{project}`; a project ID has lower-case letters, digits, `-` and, with a domain, `.`"
        )),
        None => Ok(()),
    }
}

/// The service account the token speaks of.
pub fn identify(projects: &[String], claims: Claims<'_>) -> Result<Identified, Refusal> {
    let subject = claims.text("sub")?;
    if !subject.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(claims.mismatch("sub", claims.value("sub"), "the number of a service account"));
    }
    claims.expect("azp", subject)?;
    if claims.value("email_verified") != Some(&Value::Bool(true)) {
        return Err(claims.mismatch("email_verified", claims.value("email_verified"), "true"));
    }
    let email = claims.text("email")?;
    let (account, project) = service_account(email).ok_or_else(|| {
        claims
            .mismatch("email", claims.value("email"), "NAME@PROJECT.iam.gserviceaccount.com")
            .help("run the workload as a service account of its own, not as a default account or a person")
    })?;
    if !projects.is_empty() && !projects.iter().any(|allowed| allowed == project) {
        return Err(claims.mismatch("email", claims.value("email"), &format!("a project of {}", projects.join(", "))));
    }
    Ok(Identified {
        segments: vec!["gcp".into(), project.into(), "sa".into(), account.into()],
        subject: subject.to_owned(),
        attributes: vec![("project", project.to_owned()), ("service_account", account.to_owned())],
    })
}

/// Name and project of the service account with this e-mail address.
pub fn service_account(email: &str) -> Option<(&str, &str)> {
    let (account, domain) = email.split_once('@')?;
    let project = domain.strip_suffix(EMAIL_SUFFIX)?;
    (name::is_plain(account) && is_project(project)).then_some((account, project))
}

fn is_project(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed) && !matches!(text, "." | "..")
}
