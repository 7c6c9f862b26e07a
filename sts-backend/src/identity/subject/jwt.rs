//! A JWT, verified: signature, issuer, audience, dates and everything its platform promises; then, where a source says so,
//! its platform is asked.

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
        audience,
        claims::Claims,
        jwks::NoKey,
        source::Preset,
        sources::{Source, Sources},
        validity,
    },
    refusal::Refusal,
};

const COMPACT: &str = "a compact JWS: header, payload and signature in base64url";

/// What to do about a token that is none.
const OPAQUE: &str =
    "an opaque token needs `subject_token_type` access_token and an `introspection` source that serves this caller";

/// Verifies `token` at `now` by the source that its issuer belongs to.
pub(super) async fn verify(
    sources: &Sources,
    asker: &VerifiedActor,
    token: &Secret,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let jws = CompactJws::parse(token.expose(), &Algorithm::ALL).map_err(|error| refuse_jws(error, sources))?;
    let (issuer, subject) = (jws.unverified_issuer(), jws.unverified_subject());
    let source = sources.of_token(issuer.as_deref(), subject.as_deref(), asker)?;
    let judged = judge(sources, source, jws, token, now).await;
    judged.map_err(|refusal| refusal.of_source(&source.settings.name))
}

async fn judge(
    sources: &Sources,
    source: &Source,
    jws: CompactJws<'_>,
    token: &Secret,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    check_header(jws.header(), source)?;
    let found = match &source.keys {
        Some(keys) => keys.find(jws.header(), now).await,
        None => Err(NoKey::Unknown),
    };
    let key = found.map_err(|error| refuse_key(error, jws.header(), source))?;
    let payload = jws.verify(&key, &AwsLc).map_err(|error| refuse_jws(error, sources))?;
    let claims = Claims::new(payload.claims());
    audience::check(claims.value("aud"), &source.settings.audience)?;
    let expires_at = validity::check(claims, now, source.settings.preset.max_life())?;
    let identified = source.settings.preset.identify(&source.settings.name, claims)?;
    if let Some(review) = &source.review {
        review.confirm(token, claims, now).await?;
    }
    let issuer = match source.settings.preset {
        // What an SVID says of its issuer binds nobody; its trust domain does.
        Preset::Spiffe { .. } => source.issuer(),
        _ => claims.text("iss")?,
    };
    VerifiedSubject::vouched(sources, &source.settings, issuer.to_owned(), identified, expires_at)
}

fn check_header(header: &Header, source: &Source) -> Result<(), Refusal> {
    if !source.algorithms.contains(&header.algorithm) {
        return Err(refuse_algorithm(header.algorithm.name(), &source.algorithms));
    }
    let types = source.settings.preset.types();
    match header.typ.as_deref() {
        Some(typ) if !types.iter().any(|known| known.eq_ignore_ascii_case(typ)) => {
            Err(Refusal::new(Reason::SubjectClaimMismatch, "the JWT was made for another purpose")
                .claim("typ")
                .got(typ)
                .wanted(format!("no `typ`, or {}", types.join(" or "))))
        }
        _ => Ok(()),
    }
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
        JwsError::NotCompact => refusal.got("something else").wanted(COMPACT).help(OPAQUE),
        _ => refusal.got("something else").wanted(COMPACT),
    }
}

fn refuse_algorithm(got: &str, allowed: &[Algorithm]) -> Refusal {
    let names: Vec<_> = allowed.iter().map(|algorithm| algorithm.name()).collect();
    Refusal::new(Reason::SubjectAlgorithmRefused, "the token's algorithm is not one its issuer's keys may have")
        .claim("alg")
        .got(got)
        .wanted(format!("one of {}", names.join(", ")))
        .help("have the issuer sign with one of these, or list its algorithm under the source")
}

fn refuse_key(error: NoKey, header: &Header, source: &Source) -> Refusal {
    let kid = header.kid.as_deref().unwrap_or("nothing");
    match error {
        NoKey::Unavailable(cause) => Refusal::new(
            Reason::IssuerKeysUnavailable,
            "no keys of the token's issuer are held and none could be fetched",
        )
        .claim("kid")
        .got(cause)
        .wanted(format!("the keys of {}", source.issuer())),
        NoKey::Unknown => Refusal::new(Reason::SubjectKeyUnknown, "the issuer publishes no key with the token's `kid`")
            .claim("kid")
            .got(kid)
            .wanted(format!("a key that {} publishes", source.issuer())),
        NoKey::OtherAlgorithm => refuse_algorithm(header.algorithm.name(), &source.algorithms)
            .help("the issuer publishes this `kid` for another algorithm"),
    }
}

#[cfg(test)]
mod tests;
