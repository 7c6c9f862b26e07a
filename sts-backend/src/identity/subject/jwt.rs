//! A JWT, verified: signature, issuer, audience, dates and everything its platform promises.

use serde_json::Value;
use token::{
    jws::{Algorithm, CompactJws, Header, JwsError},
    reason::Reason,
    secret::Secret,
};

use super::VerifiedSubject;
use crate::{
    actor::VerifiedActor,
    crypto::AwsLc,
    identity::{
        claims::{self, Claims},
        jwks::NoKey,
        sources::{Source, Sources},
        validity,
    },
    refusal::Refusal,
};

/// `typ` values a subject token may have (RFC 7519 section 5.1, RFC 9068 section 2.1), compared without case. Others are
/// JWTs for another purpose (RFC 8725, section 3.11).
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Verifies `token` at `now` by the source that its issuer belongs to.
pub(super) async fn verify(
    sources: &Sources,
    asker: &VerifiedActor,
    token: &Secret,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let jws = CompactJws::parse(token.expose(), &Algorithm::ALL).map_err(|error| refuse_jws(error, sources))?;
    let issuer = jws.unverified_issuer();
    let source = sources.of_issuer(issuer.as_deref(), asker)?;
    check_header(jws.header(), source)?;
    let key = source.keys.find(jws.header(), now).await.map_err(|error| refuse_key(error, jws.header(), source))?;
    let payload = jws.verify(&key, &AwsLc).map_err(|error| refuse_jws(error, sources))?;
    let claims = Claims::new(payload.claims());
    check_audience(claims.value("aud"), &source.settings.audience)?;
    let expires_at = validity::check(claims, now)?;
    let identified = source.settings.preset.identify(&source.settings.name, claims)?;
    VerifiedSubject::vouched(sources, &source.settings, claims.text("iss")?.to_owned(), identified, expires_at)
}

fn check_header(header: &Header, source: &Source) -> Result<(), Refusal> {
    if !source.algorithms.contains(&header.algorithm) {
        return Err(refuse_algorithm(header.algorithm.name(), &source.algorithms));
    }
    match header.typ.as_deref() {
        Some(typ) if !TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ)) => {
            Err(Refusal::new(Reason::SubjectClaimMismatch, "the JWT was made for another purpose")
                .claim("typ")
                .got(typ)
                .wanted("no `typ`, `JWT` or `at+jwt`"))
        }
        _ => Ok(()),
    }
}

/// Exactly one audience, and it is ours: a token with a second one can be used there by whoever we show it to, and here
/// by whoever it is shown to there.
fn check_audience(audience: Option<&Value>, wanted: &str) -> Result<(), Refusal> {
    let only = match audience {
        Some(Value::Array(list)) if list.len() == 1 => list.first(),
        other => other,
    };
    if only.and_then(Value::as_str) == Some(wanted) {
        return Ok(());
    }
    Err(Refusal::new(Reason::SubjectAudienceMismatch, "the token is not for this service alone")
        .claim("aud")
        .got(claims::describe(audience))
        .wanted(wanted)
        .help("ask the platform for a token with exactly this audience"))
}

fn refuse_jws(error: JwsError, sources: &Sources) -> Refusal {
    let reason = match &error {
        JwsError::TooLong => Reason::SubjectTokenTooLarge,
        JwsError::NotCompact | JwsError::Header(_) | JwsError::Payload => Reason::SubjectTokenMalformed,
        JwsError::Algorithm(name) => return refuse_algorithm(name, &sources.algorithms()),
        JwsError::Signature => Reason::SubjectSignatureInvalid,
    };
    let refusal = Refusal::new(reason, &error).claim("subject_token");
    match error {
        JwsError::TooLong => refusal.got("more").wanted(format!("at most {} bytes", token::jws::MAX_TOKEN_LENGTH)),
        JwsError::Signature => refusal
            .got("a signature of other bytes or by another key")
            .wanted("the signature of the issuer's key over exactly these bytes"),
        _ => refusal.got("something else").wanted("a compact JWS: header, payload and signature in base64url"),
    }
}

fn refuse_algorithm(got: &str, allowed: &[Algorithm]) -> Refusal {
    let names: Vec<_> = allowed.iter().map(|algorithm| algorithm.name()).collect();
    Refusal::new(Reason::SubjectAlgorithmRefused, "the token's algorithm is not one its issuer's keys may have")
        .claim("alg")
        .got(got)
        .wanted(format!("one of {}", names.join(", ")))
}

fn refuse_key(error: NoKey, header: &Header, source: &Source) -> Refusal {
    let kid = header.kid.as_deref().unwrap_or("nothing");
    let issuer = || source.settings.preset.issuers().into_iter().next().unwrap_or_default();
    match error {
        NoKey::Unavailable(cause) => Refusal::new(
            Reason::IssuerKeysUnavailable,
            "no keys of the token's issuer are held and none could be fetched",
        )
        .claim("kid")
        .got(cause)
        .wanted(format!("the keys of {}", issuer())),
        NoKey::Unknown => Refusal::new(Reason::SubjectKeyUnknown, "the issuer publishes no key with the token's `kid`")
            .claim("kid")
            .got(kid)
            .wanted(format!("a key that {} publishes", issuer())),
        NoKey::OtherAlgorithm => refuse_algorithm(header.algorithm.name(), &source.algorithms)
            .help("the issuer publishes this `kid` for another algorithm"),
    }
}

#[cfg(test)]
mod tests;
