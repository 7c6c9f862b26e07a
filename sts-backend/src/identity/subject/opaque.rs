//! A token that says nothing by itself: the server that issued it is asked.

use token::{base64url, json, reason::Reason, secret::Secret};

use super::VerifiedSubject;
use crate::{
    identity::{
        introspection::Introspection,
        sources::{Source, Sources},
    },
    refusal::Refusal,
};

/// Whether `token` has the form of a JWS: three parts, of which the first is a header. Such a token is verified by its
/// signature, whatever becomes of that.
pub(super) fn is_jws(token: &Secret) -> bool {
    let mut parts = token.expose().split('.');
    let header = parts.next().unwrap_or_default();
    parts.count() == 2 && base64url::decode(header).is_ok_and(|header| json::parse_object(&header).is_ok())
}

/// Asks `server`, which `source` names, about `token` at `now`.
pub(super) async fn verify(
    sources: &Sources,
    source: &Source,
    server: &Introspection,
    token: &Secret,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    // RFC 6749, appendix A.12.
    if !token.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(Refusal::new(Reason::SubjectTokenMalformed, "the token has bytes that no access token has")
            .claim("subject_token")
            .got("something else")
            .wanted("printable ASCII"));
    }
    let vouched = server.of(token, now).await.map_err(|refusal| refusal.of_source(&source.settings.name));
    let (identified, expires_at) = vouched?;
    VerifiedSubject::vouched(sources, &source.settings, source.settings.preset.issuer(), identified, expires_at)
}
