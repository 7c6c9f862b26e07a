//! User delegation keys of a storage account (Azure Storage, "Get User Delegation Key").

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    blob, entra,
    tenant::{Action, Tenant},
};
use crate::{
    asked::Asked,
    federation::{
        lie::Lie,
        random,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

/// A key, and what it was asked for with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationKey {
    pub object_id: String,
    pub tenant: String,
    /// As it was asked for.
    pub start: String,
    pub expiry: String,
    pub version: String,
    /// Base64.
    pub value: String,
}

/// What Azure asks for with every service.
pub const RESOURCE: &str = "https://storage.azure.com";

/// The longest life of a key, in seconds.
const LONGEST: i64 = 7 * 86_400;

pub async fn answer(
    tenant: &Tenant,
    asked: &Asked,
    account: &str,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    seen.operation("userdelegationkey", account);
    let mismatch = || wrong(403, "AuthorizationPermissionMismatch", blob::MISMATCH);
    let lie = match switches.enter("userdelegationkey").await {
        Manner::Honest => None,
        Manner::Throttled => return Err(wrong(503, "ServerBusy", "The server is busy.")),
        Manner::Outage => return Err(wrong(500, "InternalError", "The server encountered an internal error.")),
        Manner::Unaware => return Err(mismatch()),
        Manner::Lying(lie) => Some(lie),
    };
    let object_id = blob::bearer(tenant, asked, now)?;
    seen.principal.clone_from(&object_id);
    if !tenant.may(&object_id, Action::Delegate, account, None) {
        return Err(mismatch());
    }
    let text = std::str::from_utf8(&asked.body).unwrap_or_default();
    let moment = |name: &str| {
        let text = element(text, name).unwrap_or_default();
        let moment = epoch(text).ok_or_else(|| wrong(400, "InvalidXmlNodeValue", format!("{name} is no moment")))?;
        Result::<_, Wrong>::Ok((text.to_owned(), moment))
    };
    let ((start, starts), (expiry, expires)) = (moment("Start")?, moment("Expiry")?);
    if expires <= starts || expires <= now || expires - now.max(starts) > LONGEST {
        return Err(wrong(400, "InvalidXmlNodeValue", "Expiry must be in the future, after Start and within 7 days"));
    }
    let version = asked.header("x-ms-version").unwrap_or_default().to_owned();
    let mut key = DelegationKey { object_id, tenant: tenant.id.clone(), start, expiry, version, value: String::new() };
    let mut keys = tenant.keys();
    key.value = keys.iter().find(|known| known.is_named_as(&key)).map_or_else(value, |known| known.value.clone());
    keys.push(key.clone());
    let reply = written(&key, lie);
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

impl DelegationKey {
    /// Whether a signature would name both in the same way. Then they are the same key, as who verifies it keeps none but
    /// makes it again of its name.
    fn is_named_as(&self, other: &Self) -> bool {
        let name = |key: &Self| [&key.object_id, &key.tenant, &key.start, &key.expiry, &key.version].map(String::clone);
        name(self) == name(other)
    }
}

/// 32 bytes: the last letter may be one of those alone whose lowest two bits are clear.
fn value() -> String {
    format!("{}A=", random::of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 42))
}

fn written(key: &DelegationKey, lie: Option<Lie>) -> Reply {
    let other = "ffffffff-ffff-4fff-8fff-ffffffffffff";
    let object_id = if lie == Some(Lie::OtherRole) { other } else { &key.object_id };
    let tenant = if lie == Some(Lie::Wider) { other } else { &key.tenant };
    let expiry = match lie {
        Some(Lie::Ended) => "2020-01-01T00:00:00Z",
        Some(Lie::Endless) => "2120-01-01T00:00:00Z",
        _ => &key.expiry,
    };
    let service = if lie == Some(Lie::OtherKind) { "f" } else { "b" };
    let value = lie.map_or_else(|| key.value.clone(), |lie| lie.bend(&key.value));
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey><SignedOid>{object_id}</SignedOid>\
         <SignedTid>{tenant}</SignedTid><SignedStart>{}</SignedStart><SignedExpiry>{expiry}</SignedExpiry>\
         <SignedService>{service}</SignedService><SignedVersion>{}</SignedVersion><Value>{value}</Value></UserDelegationKey>",
        key.start, key.version
    );
    Reply::new(200, "application/xml", body).header("x-ms-version", &key.version)
}

/// The text of the one element of that name.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
}

/// A moment as `2026-11-22T07:30:00Z`, in seconds since the epoch.
pub fn epoch(text: &str) -> Option<i64> {
    let is_utc = text.len() == "2026-11-22T07:30:00Z".len() && text.ends_with('Z');
    OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| is_utc).map(OffsetDateTime::unix_timestamp)
}

/// Who bears a token for storage accounts.
pub fn caller(tenant: &Tenant, asked: &Asked, now: i64) -> Option<String> {
    entra::bearer(tenant, asked, RESOURCE, now)
}
