//! The blob service of storage accounts (Azure Storage, "Blob service REST API").

use super::{
    delegation,
    sas::{self, PARAMETERS, Place},
    tenant::{Action, Tenant},
};
use crate::{
    asked::Asked,
    federation::{
        aws::decoded,
        random,
        reply::{Reply, Wrong, escaped, wrong},
        seen::Seen,
    },
};

/// What is said to those who are known and may not.
pub const MISMATCH: &str = "This request is not authorized to perform this operation using this permission.";

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Get,
    List,
    Put,
    Delete,
}

/// The account that is asked, and the path below it: by the host's name, or where that is an address, by the path's start.
pub fn account(asked: &Asked) -> Option<(String, String)> {
    let path = decoded(asked.path.strip_prefix('/')?)?;
    if let Some(account) = asked.host().strip_suffix(".blob.core.windows.net") {
        return Some((account.to_owned(), path));
    }
    let (account, rest) = path.split_once('/').unwrap_or((&path, ""));
    Some((account.to_owned(), rest.to_owned()))
}

pub fn answer(
    tenant: &Tenant,
    asked: &Asked,
    account: &str,
    path: &str,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    let (container, blob) = path.split_once('/').unwrap_or((path, ""));
    let place = Place { account, container, blob };
    let query = asked.parameters();
    let operation = match (asked.method.as_str(), blob.is_empty(), query.get("restype"), query.get("comp")) {
        ("GET", true, Some("container"), Some("list")) => Operation::List,
        ("GET" | "HEAD", false, None, None) => Operation::Get,
        ("PUT", false, None, None) => Operation::Put,
        ("DELETE", false, None, None) => Operation::Delete,
        _ => return Err(wrong(400, "InvalidQueryParameterValue", "Value for one of the query parameters is invalid.")),
    };
    seen.operation(operation.name(), format!("/blob/{account}/{path}"));
    authorise(tenant, asked, place, operation, seen, now)?;

    let mut accounts = tenant.accounts();
    let container = accounts.get_mut(account).and_then(|account| account.get_mut(container));
    let container =
        container.ok_or_else(|| wrong(404, "ContainerNotFound", "The specified container does not exist."))?;
    let missing = || wrong(404, "BlobNotFound", "The specified blob does not exist.");
    match operation {
        Operation::Get => {
            let blob = container.get(blob).ok_or_else(missing)?;
            Ok(Reply::new(200, "application/octet-stream", blob.clone()).header("x-ms-blob-type", "BlockBlob"))
        }
        Operation::List => {
            let prefix = query.get("prefix").unwrap_or_default();
            let blobs = container.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(name, blob)| {
                let length = blob.len();
                let name = escaped(name);
                format!(
                    "<Blob><Name>{name}</Name><Properties><Content-Length>{length}</Content-Length></Properties></Blob>"
                )
            });
            let blobs: String = blobs.collect();
            let body = format!(
                "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults \
                 ServiceEndpoint=\"https://{account}.blob.core.windows.net/\" ContainerName=\"{}\"><Prefix>{}</Prefix>\
                 <Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>",
                place.container,
                escaped(prefix)
            );
            Ok(Reply::new(200, "application/xml", body))
        }
        Operation::Put => {
            if asked.header("x-ms-blob-type") != Some("BlockBlob") {
                return Err(wrong(
                    400,
                    "MissingRequiredHeader",
                    "An HTTP header that's mandatory for this request is not specified.",
                ));
            }
            container.insert(blob.to_owned(), asked.body.to_vec());
            Ok(Reply::empty(201))
        }
        Operation::Delete => container.remove(blob).map(|_| Reply::empty(202)).ok_or_else(missing),
    }
}

/// Who bears a token for storage accounts, with the header that Azure wants beside one.
pub fn bearer(tenant: &Tenant, asked: &Asked, now: i64) -> Result<String, Wrong> {
    if asked.bearer().is_none() {
        return Err(wrong(
            401,
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        ));
    }
    if asked.header("x-ms-version").is_none_or(|version| version < "2018-11-09") {
        return Err(wrong(403, "AuthenticationFailed", "x-ms-version must be specified with a bearer token."));
    }
    let caller = delegation::caller(tenant, asked, now);
    caller.ok_or_else(|| wrong(401, "InvalidAuthenticationInfo", "Server failed to authenticate the request."))
}

fn authorise(
    tenant: &Tenant,
    asked: &Asked,
    place: Place<'_>,
    operation: Operation,
    seen: &mut Seen,
    now: i64,
) -> Result<(), Wrong> {
    let query = asked.parameters();
    let mismatch = || wrong(403, "AuthorizationPermissionMismatch", MISMATCH);
    let is_signed = query.pairs().any(|(name, _)| PARAMETERS.contains(&name));
    let object_id = if is_signed {
        if asked.headers.contains_key("authorization") {
            return Err(wrong(403, "AuthenticationFailed", "A signature and an Authorization header in one request"));
        }
        let keys = tenant.keys().clone();
        let sas = sas::verify(&query, place, &keys, now);
        let sas = sas.map_err(|why| {
            wrong(403, "AuthenticationFailed", format!("Server failed to authenticate the request. {why}"))
        })?;
        seen.principal.clone_from(&sas.object_id);
        if let Some(correlation) = &sas.correlation {
            seen.fact("correlation", correlation.clone());
        }
        let exists = tenant
            .accounts()
            .get(place.account)
            .and_then(|account| account.get(place.container)?.get(place.blob))
            .is_some();
        if !operation.letters(exists).chars().any(|letter| sas.permissions.contains(letter)) {
            return Err(mismatch());
        }
        sas.object_id
    } else {
        bearer(tenant, asked, now)?
    };
    seen.principal.clone_from(&object_id);
    let container = Some(place.container);
    if tenant.may(&object_id, operation.action(), place.account, container) { Ok(()) } else { Err(mismatch()) }
}

/// A refusal, as the blob service writes it.
pub fn refusal(wrong: &Wrong) -> Reply {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{}</Code><Message>{}\nRequestId:{}</Message></Error>",
        wrong.code,
        escaped(&wrong.message),
        random::guid()
    );
    let reply = Reply::new(wrong.status, "application/xml", body).header("x-ms-error-code", &wrong.code);
    if wrong.status == 401 {
        return reply.header("www-authenticate", format!("Bearer resource_id={}", delegation::RESOURCE));
    }
    reply
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GetBlob",
            Self::List => "ListBlobs",
            Self::Put => "PutBlob",
            Self::Delete => "DeleteBlob",
        }
    }

    fn action(self) -> Action {
        match self {
            Self::Get => Action::Read,
            Self::List => Action::List,
            Self::Put => Action::Write,
            Self::Delete => Action::Delete,
        }
    }

    /// Any of these in `sp` lets a signature do it.
    fn letters(self, exists: bool) -> &'static str {
        match self {
            Self::Get => "r",
            Self::List => "l",
            Self::Put if exists => "w",
            Self::Put => "cw",
            Self::Delete => "d",
        }
    }
}
