//! A request to AWS that the workload has signed, verified: by itself, by AWS, and by the source that vouches for its account.

use token::reason::Reason;

use super::VerifiedSubject;
use crate::{
    actor::VerifiedActor,
    identity::{
        aws_request::{
            caller,
            replays::{Replayed, Uses},
            serialisation::Presented,
            signed::{Addressee, SignedRequest},
        },
        sources::{AwsRequestSource, Sources},
    },
    refusal::Refusal,
    request::TokenRequest,
};

/// Verifies the subject token of `request` at `now` by the source that takes signed requests from `asker`.
pub(super) async fn verify(
    sources: &Sources,
    asker: &VerifiedActor,
    request: &TokenRequest,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let source = sources.of_aws_requests(asker)?;
    let judged = judge(sources, source, asker, request, now).await;
    judged.map_err(|refusal| refusal.of_source(&source.settings.name))
}

async fn judge(
    sources: &Sources,
    source: &AwsRequestSource,
    asker: &VerifiedActor,
    request: &TokenRequest,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let presented = Presented::read(request.subject_token().expose())?;
    let addressee = Addressee { audience: &source.settings.audience, asked: request.audience() };
    let signed = SignedRequest::check(&presented, &source.aws, addressee, now)?;
    let uses = if signed.audience_signed { Uses::Again } else { Uses::Once };
    let claim = sources
        .replays()
        .claim(signed.signature, asker.proxy(), uses, (signed.expires_at(), now))
        .map_err(refuse_replay)?;
    let caller = source.sts.ask(&signed, asker).await?;
    claim.keep();
    let identified = caller::identify(&source.aws, &caller)?;
    let issuer = format!("https://{}", signed.host);
    VerifiedSubject::vouched(sources, &source.settings, issuer, identified, signed.expires_at())
}

fn refuse_replay(replayed: Replayed) -> Refusal {
    let refuse = |got: &str, help: &str| {
        Refusal::new(Reason::SubjectTokenReplayed, "the signed request has been used")
            .claim("subject_token signature")
            .got(got)
            .wanted("a request that was signed for this exchange")
            .help(help)
    };
    match replayed {
        Replayed::Used => refuse("used before", "sign anew for every exchange, or have the audience header signed too"),
        Replayed::ByAnother => refuse("used by another caller", "sign anew for every proxy that is called"),
        // This source's trouble, and not that of the whole service.
        Replayed::Full => Refusal::new(Reason::ReviewUnavailable, "no more signed requests can be remembered")
            .claim("subject_token signature")
            .got("one more")
            .wanted("fewer within five minutes"),
    }
}

#[cfg(test)]
mod tests;
