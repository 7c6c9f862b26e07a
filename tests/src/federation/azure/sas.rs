//! Shared access signatures that are made with a user delegation key, computed anew (Azure Storage, "Create a user delegation
//! SAS").

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::delegation::{DelegationKey, epoch};
use crate::asked::Form;

/// A signature that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sas {
    /// `skoid`: in whose name it opens anything.
    pub object_id: String,
    /// `sp`.
    pub permissions: String,
    /// `scid`, for the account's own record.
    pub correlation: Option<String>,
}

/// What is opened.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    pub account: &'p str,
    pub container: &'p str,
    pub blob: &'p str,
}

/// The parameters of a signature. Whoever adds one to a query of its own can only break it.
pub const PARAMETERS: [&str; 26] = [
    "sv", "ss", "srt", "sr", "sp", "st", "se", "spr", "sip", "si", "sig", "skoid", "sktid", "skt", "ske", "sks", "skv",
    "skdutid", "sduoid", "saoid", "suoid", "scid", "ses", "srh", "srq", "rscc",
];

/// The order that letters of `sp` must have.
const LETTERS: &str = "racwdxltmeop";

/// Verifies the signature in `query` for `place` at `now`.
///
/// # Errors
/// Why it is not believed, in words; to the caller Azure says the same of all of them.
pub fn verify(query: &Form, place: Place<'_>, keys: &[DelegationKey], now: i64) -> Result<Sas, String> {
    let text = |name: &str| query.get(name).unwrap_or_default();
    let wanted = |name: &str| query.get(name).ok_or(format!("{name} is missing"));
    if let Some(name) = query.doubled(&[]) {
        return Err(format!("{name} stands twice"));
    }
    let version = wanted("sv")?;
    if epoch(&format!("{version}T00:00:00Z")).is_none() || !("2020-12-06"..="2026-10-06").contains(&version) {
        return Err(format!("sv {version} is no version"));
    }
    if let Some(name) = ["ss", "srt", "si", "sip", "srh", "srq"].iter().find(|name| query.get(name).is_some()) {
        return Err(format!("{name} is not taken here"));
    }
    let permissions = wanted("sp")?;
    let mut order = permissions.chars().map(|letter| LETTERS.find(letter));
    if !order.clone().all(|at| at.is_some()) || !order.by_ref().is_sorted_by(|one, next| one < next) {
        return Err(format!("sp {permissions} is not in the order {LETTERS}"));
    }
    let canonical = match wanted("sr")? {
        "c" => format!("/blob/{}/{}", place.account, place.container),
        "b" if !place.blob.is_empty() => format!("/blob/{}/{}/{}", place.account, place.container, place.blob),
        kind => return Err(format!("sr {kind} does not fit what is asked for")),
    };
    let moment = |name: &str| epoch(wanted(name)?).ok_or(format!("{name} is no moment"));
    let starts = query.get("st").map(|_| moment("st")).transpose()?.unwrap_or(i64::MIN);
    if now < starts.max(moment("skt")?) || now >= moment("se")?.min(moment("ske")?) {
        return Err("it is not in force".into());
    }
    if wanted("sks")? != "b" {
        return Err("sks is not b".into());
    }
    let key = keys.iter().find(|key| {
        let of_key = [&key.object_id, &key.tenant, &key.start, &key.expiry, &key.version];
        ["skoid", "sktid", "skt", "ske", "skv"].iter().zip(of_key).all(|(name, value)| text(name) == value)
    });
    let key = key.ok_or("there is no such key")?;
    let secret = STANDARD.decode(&key.value).map_err(|error| error.to_string())?;
    let signed = string_to_sign(version, &canonical, &|name| text(name).to_owned());
    let computed = STANDARD.encode(sign(&Key::new(HMAC_SHA256, &secret), signed.as_bytes()));
    if wanted("sig")? != computed {
        return Err(format!("Signature did not match. String to sign used was {}", signed.replace('\n', "|")));
    }
    Ok(Sas {
        object_id: key.object_id.clone(),
        permissions: permissions.to_owned(),
        correlation: query.get("scid").map(str::to_owned),
    })
}

/// The text that is signed, by the rules of `version`.
fn string_to_sign(version: &str, canonical: &str, text: &dyn Fn(&str) -> String) -> String {
    let mut fields: Vec<String> = ["sp", "st", "se"].iter().map(|name| text(name)).collect();
    fields.push(canonical.to_owned());
    let mut names = vec!["skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"];
    if version >= "2025-07-05" {
        names.extend(["skdutid", "sduoid"]);
    }
    names.extend(["sip", "spr", "sv", "sr", "snapshot", "ses"]);
    if version >= "2026-04-06" {
        names.extend(["srh", "srq"]);
    }
    names.extend(["rscc", "rscd", "rsce", "rscl", "rsct"]);
    fields.extend(names.into_iter().map(text));
    fields.join("\n")
}

#[cfg(test)]
mod tests;
