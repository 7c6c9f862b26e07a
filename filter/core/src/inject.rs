//! How a credential gets into a request: as a header, behind its query, or as a signature over it.
//!
//! INVARIANT: what is written is written last. A signature is over the request as it will leave, and after it nothing that is
//! signed changes any more.

use token::{reason::Reason, secret::Secret};

use crate::{
    config::{ExchangeRoute, Injection, SigV4},
    credential::query,
    flow::Forward,
    issued::Credential,
    refusal::Refusal,
    request::{Edit, Headers, Reading},
    sas,
    sigv4::{
        outgoing::{ALWAYS_WRITTEN, Outgoing},
        payload::Plan,
    },
    time::Now,
};

/// What is to be written into a request, `:path` like a header. Each replaces what stands there.
pub enum Writes<'f> {
    One(&'f str, &'f Secret),
    Several(Vec<(&'static str, Secret)>),
}

/// Refuses a request into which no credential of the route could be put. Whether its body, which it may have (`has_body`), has
/// to be read for that.
///
/// # Errors
/// The refusal.
pub fn check(
    route: &ExchangeRoute,
    reading: &Reading<'_>,
    headers: &Headers<'_>,
    has_body: bool,
) -> Result<bool, Refusal> {
    match route.inject() {
        Injection::Header { .. } => Ok(false),
        Injection::AzureSas => {
            let detail = "the proxy puts a shared access signature of its own there";
            refuse_signed(sas::sent_in(reading.sent_path), detail)?;
            // No server gets a fragment, and the signature would be lost in it.
            if reading.path.as_str().contains('#') {
                return Err(Refusal::new(Reason::RequestRefused).claim(":path").wanted("a path without a fragment"));
            }
            Ok(false)
        }
        Injection::SigV4(sigv4) => {
            let detail = "the proxy signs in a header: have the client do so too, instead of presigning a URL";
            refuse_signed(query::aws_signature(reading.sent_path), detail)?;
            let goes = |name: &str| route.subject_header() != Some(name) && !is_removed(&reading.edits, name);
            let outgoing = Outgoing::read(headers, Some(reading.path.as_str()), goes);
            let reads = outgoing.plan(sigv4, has_body)? == Plan::Read;
            if reads && let Some(length) = content_length(headers).filter(|length| *length > sigv4.max_body_bytes) {
                return Err(too_large(length, sigv4));
            }
            Ok(reads)
        }
    }
}

/// Whether what is written depends on the request's headers.
pub fn depends_on_headers(route: &ExchangeRoute) -> bool {
    match route.inject() {
        Injection::Header { .. } => false,
        Injection::AzureSas | Injection::SigV4(_) => true,
    }
}

/// Whether a header of this name is written into every request of the route, which makes an end of what stands in it.
pub fn overwrites(route: &ExchangeRoute, name: &str) -> bool {
    match route.inject() {
        Injection::Header { name: written, .. } => name == written,
        Injection::AzureSas => false,
        Injection::SigV4(_) => ALWAYS_WRITTEN.contains(&name),
    }
}

/// What is to be written for `forward` into a request with these headers, of which `edits` are still to be made or have just
/// been.
///
/// # Errors
/// The refusal, where no signature would fit the request.
pub fn writes<'f>(
    forward: &'f Forward,
    headers: &Headers<'_>,
    edits: &[Edit<'_>],
    now: Now,
) -> Result<Writes<'f>, Refusal> {
    let path = edits.iter().find_map(|edit| match edit {
        Edit::SetPath(path) => Some(path.as_str()),
        Edit::Remove(_) => None,
    });
    match (forward.route.inject(), &forward.issued.credential) {
        (Injection::Header { name, .. }, Credential::Header(value)) => Ok(Writes::One(name, value)),
        (Injection::AzureSas, Credential::AzureSas(sas)) => {
            let sent = || headers.iter().find(|(name, _)| *name == ":path").map(|(_, path)| *path);
            let path = path.or_else(|| str::from_utf8(sent()?).ok()).unwrap_or_default();
            Ok(Writes::Several(vec![(":path", sas::merged(path, sas))]))
        }
        (Injection::SigV4(sigv4), Credential::AwsKeys(keys)) => {
            let outgoing = Outgoing::read(headers, path, |name| !is_removed(edits, name));
            outgoing.sign(sigv4, keys, forward.body_sha256, now.unix_ms).map(Writes::Several)
        }
        // A key names how its credential is used, so this cannot be.
        _ => Err(Refusal::new(Reason::FilterOverloaded).detail("the credential is not of the route's kind")),
    }
}

/// The refusal of a body that is longer than the route reads.
pub fn too_large(length: u64, sigv4: &SigV4) -> Refusal {
    let wanted = format!("at most {} bytes", sigv4.max_body_bytes);
    Refusal::new(Reason::BodyTooLarge).claim("body").got(&format!("{length} bytes")).wanted(&wanted)
}

fn refuse_signed(parameter: Option<&str>, detail: &str) -> Result<(), Refusal> {
    match parameter {
        None => Ok(()),
        Some(name) => Err(Refusal::new(Reason::SignatureRefused)
            .claim(name)
            .got("a signature in the query")
            .wanted("a request without one")
            .detail(detail)),
    }
}

fn is_removed(edits: &[Edit<'_>], name: &str) -> bool {
    edits.iter().any(|edit| matches!(edit, Edit::Remove(removed) if *removed == name))
}

fn content_length(headers: &Headers<'_>) -> Option<u64> {
    let (_, value) = headers.iter().find(|(name, _)| *name == "content-length")?;
    str::from_utf8(value).ok()?.parse().ok()
}
