//! Entra access tokens of managed identities and applications, versions 1.0 and 2.0.
//!
//! The anchor is tenant and object: both are immutable. Tokens that a person stands behind (`scp`) are refused. Entra's keys
//! name no algorithm; RS256 is pinned by their type.

use serde_json::Value;

use super::Identified;
use crate::{identity::claims::Claims, refusal::Refusal};

/// The issuer of version 1.0 tokens. The slash at its end belongs to it.
pub fn issuer_v1(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// The issuer of version 2.0 tokens.
pub fn issuer_v2(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

/// The keys of version 1.0 tokens.
pub fn key_set_v1(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/discovery/keys")
}

/// The keys of version 2.0 tokens.
pub fn key_set_v2(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys")
}

/// Refuses what is no tenant id.
pub fn check_tenant(tenant: &str) -> Result<(), String> {
    if is_guid(tenant) {
        return Ok(());
    }
    Err(format!(
        "`tenant` is `{tenant}`; give the tenant's id as a lower-case GUID: names such as `common` admit anyone"
    ))
}

/// The service principal the token speaks of.
pub fn identify(tenant: &str, version: &str, claims: Claims<'_>) -> Result<Identified, Refusal> {
    claims.expect("tid", tenant)?;
    claims.expect("ver", version)?;
    let object = claims.text("oid")?;
    if !is_guid(object) {
        return Err(claims.mismatch("oid", claims.value("oid"), "a lower-case GUID"));
    }
    app_only(object, claims)?;
    Ok(Identified {
        segments: vec!["azure".into(), tenant.into(), object.into()],
        subject: object.to_owned(),
        attributes: vec![("tenant", tenant.to_owned())],
    })
}

/// Refuses tokens in which an application acts for a person. `idtyp` says it outright but is optional; without it the
/// subject of an application's own token is the application's object.
fn app_only(object: &str, claims: Claims<'_>) -> Result<(), Refusal> {
    if let Some(scp) = claims.value("scp") {
        return Err(claims.mismatch("scp", Some(scp), "no `scp`: an application's own token"));
    }
    match claims.value("idtyp") {
        Some(Value::String(kind)) if kind == "app" => Ok(()),
        Some(other) => Err(claims.mismatch("idtyp", Some(other), "app")),
        None => claims.expect("sub", object),
    }
}

/// Whether `text` is a GUID as Azure writes them, in lower case.
pub fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        })
}
