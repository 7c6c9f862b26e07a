//! Asking AWS whose signature a request has.

use std::time::Duration;

use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use token::reason::Reason;

use super::{
    answer::{self, CallerIdentity},
    signed::SignedRequest,
};
use crate::{
    actor::VerifiedActor,
    aws::answer::failure,
    outgoing::{
        bulkhead::Bulkhead,
        fetch::{Answered, Bounds, FetchError, Fetcher},
    },
    refusal::Refusal,
};

/// How many connections are kept open between calls.
pub const KEPT: usize = 8;

/// What one call may take: an answer has some 500 bytes and comes within a tenth of a second.
const BOUNDS: Bounds = Bounds { body: 16 * 1024, time: Duration::from_secs(3) };

/// How many calls may be under way for proxies, and how many may be or wait for their turn. More are refused at once.
const FOR_PROXIES: (usize, usize) = (24, 96);

/// The same for callers without a certificate. A place of their own: any stranger can make us ask, with a request that AWS
/// then refuses, and must not take the proxies' turns.
const FOR_STRANGERS: (usize, usize) = (8, 32);

/// AWS's STS, as one source reaches it.
pub struct AwsSts {
    fetcher: Fetcher,
    endpoint: Option<Uri>,
    proxies: Bulkhead,
    strangers: Bulkhead,
}

impl AwsSts {
    /// Asks at `endpoint`, or where it is absent at the host that a request was signed for.
    pub fn new(fetcher: Fetcher, endpoint: Option<Uri>) -> Self {
        let bulkhead = |(at_once, size)| Bulkhead::new(at_once, size);
        Self { fetcher, endpoint, proxies: bulkhead(FOR_PROXIES), strangers: bulkhead(FOR_STRANGERS) }
    }

    /// Sends `request` for `asker`, and says whom AWS names.
    pub async fn ask(&self, request: &SignedRequest, asker: &VerifiedActor) -> Result<CallerIdentity, Refusal> {
        let (bulkhead, (_, size)) =
            if asker.proxy().is_some() { (&self.proxies, FOR_PROXIES) } else { (&self.strangers, FOR_STRANGERS) };
        let _turn = match tokio::time::timeout(BOUNDS.time, bulkhead.turn()).await {
            Ok(turn) => turn.ok_or_else(|| unavailable(format!("{size} calls under way")))?,
            Err(_) => return Err(unavailable(format!("no turn within {} s", BOUNDS.time.as_secs()))),
        };
        let answered = self.fetcher.send(self.outgoing(request)?, BOUNDS).await;
        judge(answered.map_err(|error| unavailable(without_query(&error)))?)
    }

    fn outgoing(&self, request: &SignedRequest) -> Result<Request<Full<Bytes>>, Refusal> {
        let authority = match &self.endpoint {
            Some(endpoint) => endpoint.authority().map_or("", |authority| authority.as_str()),
            None => &request.host,
        };
        let mark = if request.query.is_empty() { "" } else { "?" };
        let mut outgoing = Request::post(format!("https://{authority}/{mark}{}", request.query));
        for (name, value) in &request.headers {
            outgoing = outgoing.header(name, value);
        }
        if !request.headers.iter().any(|(name, _)| name == http::header::CONTENT_LENGTH) {
            outgoing = outgoing.header(http::header::CONTENT_LENGTH, request.body.len());
        }
        outgoing.body(Full::from(request.body)).map_err(|_| unavailable("no request could be made of it"))
    }
}

/// The identity, or why there is none: because of the request, or because AWS could not say.
fn judge(answered: Answered) -> Result<CallerIdentity, Refusal> {
    let Answered { status, body, .. } = answered;
    if status == StatusCode::OK {
        return answer::identity(&body).ok_or_else(|| unavailable("an answer that names nobody"));
    }
    let code = failure(&body).map(|failure| failure.code);
    let reason = match (status, code.as_deref()) {
        (StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN, Some(code)) => blamed(code),
        _ => None,
    };
    let got = format!("{} {}", status.as_u16(), code.as_deref().unwrap_or("without a code"));
    let Some((reason, detail, help)) = reason else { return Err(unavailable(got)) };
    Err(Refusal::new(reason, detail)
        .claim("subject_token signature")
        .got(got)
        .wanted("a signature that AWS confirms")
        .help(help))
}

/// What is wrong with the request, by AWS's code; nothing where the code blames AWS, or is not known to blame the request.
fn blamed(code: &str) -> Option<(Reason, &'static str, &'static str)> {
    const SIGN_AGAIN: &str = "sign again, with the credentials the platform gives now";
    Some(match code {
        "SignatureDoesNotMatch" | "IncompleteSignature" | "MissingAuthenticationToken" | "InvalidSignature" => (
            Reason::SubjectSignatureInvalid,
            "AWS does not confirm the signature",
            "the request was changed after it was signed, signed with another key, or the clocks differ",
        ),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            (Reason::SubjectTokenExpired, "the credentials that signed the request have expired", SIGN_AGAIN)
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            (Reason::SubjectKeyUnknown, "AWS does not know the access key or its session token", SIGN_AGAIN)
        }
        "AccessDenied" | "AccessDeniedException" | "OptInRequired" | "RegionDisabledException" => (
            Reason::SubjectSignatureInvalid,
            "AWS refuses the caller",
            "ask whoever runs the account; a region's endpoint may be disabled in it",
        ),
        _ => return None,
    })
}

fn unavailable(cause: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::ReviewUnavailable, "AWS could not be asked whose signature the request has")
        .claim("subject_token signature")
        .got(cause)
        .wanted("an answer of AWS's STS")
        .help("ask again in a moment; if it stays so, look at the way from this service to AWS's STS")
}

fn without_query(error: &FetchError) -> String {
    super::signed::QUESTIONS.iter().fold(error.to_string(), |text, question| text.replace(&format!("?{question}"), ""))
}

#[cfg(test)]
mod tests;
