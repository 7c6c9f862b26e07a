//! The user delegation key of a storage account (Azure Storage, "Get User Delegation Key"): with it, signatures are made in
//! the name of the identity that asked for it, and Azure asks at each use what that identity may do.

use std::{
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use token::{digest::FieldDigest, spiffe::SpiffeId};
use zeroize::Zeroizing;

use super::{BACKDATED, Settings, check::is_named_host, correlation, entra, kept_keys::KEPT, sas};
use crate::{
    federation::{calls::Call, means::Means, moment, oauth::error, retry_after, trouble::Trouble},
    identity::entra::is_guid,
    outgoing::fetch::Answered,
    xml,
};

/// What a token must open for its bearer to have such a key. The same in every cloud.
const SCOPE: &str = "https://storage.azure.com/.default";

/// What stands behind an account's name in Azure's public cloud.
const PUBLIC_SUFFIX: &str = "blob.core.windows.net";

/// The longest life of a key, in seconds.
const LONGEST: u64 = 7 * 24 * 3600;

/// By how much an answer may be ahead of our clock, in seconds.
const SKEW: u64 = 300;

/// What a key's value may have, in bytes. Azure's have 32.
const VALUE_LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// A user delegation key.
#[derive(PartialEq, Eq)]
pub struct DelegationKey {
    /// Whose it is: an object of the directory.
    pub object: String,
    pub tenant: String,
    /// From when it counts, as Azure wrote it.
    pub start: String,
    pub starts_at: u64,
    /// Until when, as Azure wrote it.
    pub expiry: String,
    pub expires_at: u64,
    /// The version by whose rules it was made.
    pub version: String,
    pub value: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for DelegationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationKey")
            .field("object", &self.object)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Whose key it is that signs for `workload`, in one value.
    pub(super) fn holder(&self, account: &str, life: u64, workload: &SpiffeId) -> [u8; 32] {
        let address = |uri: Option<&Uri>| uri.map(ToString::to_string);
        FieldDigest::new("azure delegation key")
            .optional(address(self.authority.as_ref()))
            .field(&self.tenant)
            .field(&self.client_id)
            .field(&self.audience)
            .field(self.subject_of(workload))
            .optional(address(self.storage_endpoint.as_ref()))
            .field(account)
            .field(life.to_be_bytes())
            .finish()
    }
}

/// Asks for a key of `account` that outlives every signature of `life` seconds that is made while it is kept.
pub async fn delegation_key(
    settings: &Settings,
    account: &str,
    life: u64,
    workload: &SpiffeId,
    means: Means<'_>,
    now: u64,
) -> Result<DelegationKey, Trouble> {
    let granted = entra::access_token(settings, SCOPE, workload, means, now).await?;
    let start = written(now.saturating_sub(BACKDATED))?;
    let expiry = written(now.saturating_add(KEPT).saturating_add(life))?;
    let mut authorization = Zeroizing::new(String::from("Bearer "));
    authorization.push_str(granted.token.expose());
    let mut authorization = entra::header_value(&authorization)?;
    authorization.set_sensitive(true);
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(now)).unwrap_or(UNIX_EPOCH);
    let call = Call {
        uri: address(settings, account)?,
        headers: vec![
            (header::AUTHORIZATION, authorization),
            (header::CONTENT_TYPE, HeaderValue::from_static("application/xml")),
            (HeaderName::from_static("x-ms-version"), HeaderValue::from_static(sas::VERSION)),
            (HeaderName::from_static("x-ms-date"), entra::header_value(&httpdate::fmt_http_date(date))?),
            (
                HeaderName::from_static("x-ms-client-request-id"),
                entra::header_value(&correlation::id(&granted.jti))?,
            ),
        ],
        body: format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
        )
        .into(),
    };
    let object = granted.object();
    means.calls.ask(&call, |answered| judge(answered, &settings.tenant, object.as_deref(), now)).await
}

/// A moment, so many seconds after the epoch, as Azure Storage reads it.
pub fn written(seconds: u64) -> Result<String, Trouble> {
    moment::text(seconds).ok_or_else(|| invalid("a moment that no date can be written for"))
}

/// Where `account` is asked for a key.
fn address(settings: &Settings, account: &str) -> Result<Uri, Trouble> {
    const QUERY: &str = "restype=service&comp=userdelegationkey";
    let Some(endpoint) = &settings.storage_endpoint else {
        return entra::address(&format!("https://{account}.{PUBLIC_SUFFIX}/?{QUERY}"));
    };
    let authority = endpoint.authority().map(ToString::to_string).unwrap_or_default();
    let path = endpoint.path().trim_end_matches('/');
    if is_named_host(endpoint) {
        entra::address(&format!("https://{account}.{authority}{path}/?{QUERY}"))
    } else {
        entra::address(&format!("https://{authority}{path}/{account}/?{QUERY}"))
    }
}

/// The key in an answer that came at `now`. It must be of `tenant`, and of `object`, where that is known.
fn judge(answered: &Answered, tenant: &str, object: Option<&str>, now: u64) -> Result<DelegationKey, Trouble> {
    if answered.status != StatusCode::OK {
        return Err(trouble(answered, now));
    }
    let key = read(&answered.body).ok_or_else(|| invalid("an answer that is no user delegation key"))?;
    if !key.tenant.eq_ignore_ascii_case(tenant) {
        return Err(invalid("a user delegation key of another tenant"));
    }
    // What is signed with it opens what its owner may open.
    if object.is_some_and(|object| !key.object.eq_ignore_ascii_case(object)) {
        return Err(invalid("a user delegation key of somebody else"));
    }
    if key.starts_at > now || key.expires_at <= now || key.expires_at.saturating_sub(now) > LONGEST + SKEW {
        return Err(invalid("a user delegation key that does not count now, or for longer than any"));
    }
    Ok(key)
}

/// The key in a good answer; nothing where anything in it is other than it always is. All of it but the value stands in the
/// query of a signature later.
fn read(body: &[u8]) -> Option<DelegationKey> {
    let root = xml::parse(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))?;
    let text = |name: &str| root.only(name).filter(|child| child.children.is_empty()).map(|child| child.text.as_str());
    let guid = |name: &str| text(name).filter(|text| is_guid(&text.to_ascii_lowercase())).map(str::to_owned);
    let moment = |name: &str| text(name).and_then(|text| Some((text.to_owned(), moment::parse(text)?)));
    if root.name != "UserDelegationKey" || text("SignedService") != Some("b") {
        return None;
    }
    let (start, starts_at) = moment("SignedStart")?;
    let (expiry, expires_at) = moment("SignedExpiry")?;
    let value = Zeroizing::new(STANDARD.decode(text("Value")?).ok()?);
    Some(DelegationKey {
        object: guid("SignedOid")?,
        tenant: guid("SignedTid")?,
        start,
        starts_at,
        expiry,
        expires_at,
        version: text("SignedVersion").filter(|version| is_version(version))?.to_owned(),
        value: VALUE_LENGTHS.contains(&value.len()).then_some(value)?,
    })
}

/// Versions are dates.
fn is_version(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// The trouble that an answer other than 200 means. Nothing of its body is passed on but the code.
fn trouble(answered: &Answered, now: u64) -> Trouble {
    let code = code(answered);
    match code.as_deref() {
        Some("ServerBusy") => {
            let retry_after = retry_after::read(&answered.headers, now);
            return Trouble::Throttled { code: "ServerBusy".to_owned(), retry_after };
        }
        Some("OperationTimedOut" | "InternalError") => {
            return Trouble::Unavailable { code: code.unwrap_or_default() };
        }
        _ => {}
    }
    if let Some(trouble) = error::of_status(answered, code.as_deref(), now) {
        return trouble;
    }
    let help = match code.as_deref() {
        Some("AuthorizationPermissionMismatch" | "InsufficientAccountPermissions") => {
            "give the identity the role Storage Blob Delegator at the account, beside the data role at the container; a new \
             assignment takes up to ten minutes to count"
        }
        Some("AuthorizationFailure") => "let the account's network rules admit this service",
        Some("AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation") => {
            "look whether the account is in the tenant, or trusts it, and whether the clocks agree"
        }
        Some("AccountIsDisabled" | "ResourceNotFound" | "AccountNotFound") => {
            "look whether the account is there and enabled"
        }
        _ => "look the code up in Azure Storage's documentation",
    };
    let status = answered.status.as_u16();
    Trouble::Refused { code: code.unwrap_or_else(|| format!("{status} without a code of Azure Storage")), help }
}

/// The code of an error, from its header or its body.
fn code(answered: &Answered) -> Option<String> {
    let is_code = |code: &&str| (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(code) = answered.headers.get("x-ms-error-code") {
        return code.to_str().ok().filter(is_code).map(str::to_owned);
    }
    let body = answered.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answered.body);
    let root = xml::parse(body).filter(|root| root.name == "Error")?;
    root.only("Code").map(|code| code.text.as_str()).filter(is_code).map(str::to_owned)
}

fn invalid(code: &str) -> Trouble {
    Trouble::Invalid { code: code.to_owned() }
}

#[cfg(test)]
mod tests;
