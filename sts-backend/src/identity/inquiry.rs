//! Asking a server about one token, so that neither the server nor those who send tokens can do harm by it.
//!
//! - What is asked goes to the one configured address: see [`Fetcher`] for what guards it.
//! - At most [`ASKING`] questions of a source are open, and [`ROOM`] wait or are open: one slow server does not fill the
//!   service.
//! - An answer is awaited for less time than proxies wait for us; after that the token is refused, and nobody takes the
//!   whole service for dead.
//! - An answer may be remembered for seconds, so that retries do not become questions.

use std::{path::PathBuf, time::Duration};

use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Bytes;
use rustls::RootCertStore;
use thiserror::Error;
use token::{digest, reason::Reason, secret::Secret};

use self::{
    credential::{Credential, CredentialError},
    memory::Memory,
};
use crate::{
    outgoing::{
        bulkhead::Bulkhead,
        fetch::{DOCUMENT, FetchError, Fetcher},
    },
    refusal::Refusal,
};

pub mod credential;
mod memory;

/// How many questions of one source may be open.
const ASKING: usize = 16;

/// How many may be open or wait for that.
const ROOM: usize = 64;

/// How long an answer is awaited unless configured. Our filter gives an exchange 750 ms.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);

/// How long an answer is remembered unless configured, in seconds.
pub const DEFAULT_REMEMBER: u64 = 5;

/// The server to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it is asked.
    pub address: Uri,
    /// How we show who asks.
    pub credential: Credential,
    /// The certificate authorities that are believed instead of the system's, as a PEM file.
    pub ca: Option<PathBuf>,
    /// Whether the address may be a loopback, private or link-local one.
    pub allow_private_addresses: bool,
    /// How long one answer is awaited, with everything that comes before it.
    pub timeout: Duration,
    /// How long an answer counts, in seconds; 0: for the one request.
    pub remember: u64,
}

/// What is asked.
pub struct Question {
    /// The media type of `body`.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
    /// The status of an answer.
    pub answered: StatusCode,
    /// What our credentials must be allowed to do there.
    pub permission: &'static str,
}

/// A server, and what it said of late.
pub struct Inquiry<A> {
    source: String,
    settings: ServerSettings,
    fetcher: Fetcher,
    bulkhead: Bulkhead,
    memory: Memory<Result<A, Refusal>>,
}

/// Why there is no answer. That says nothing of the token.
#[derive(Debug, Error)]
pub enum Trouble {
    #[error("{ROOM} other tokens wait for its answer already")]
    Busy,
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("`{uri}` did not answer within {} ms", .timeout.as_millis())]
    TimedOut { uri: Uri, timeout: Duration },
    #[error("`{uri}` answered {status}")]
    Status { uri: Uri, status: StatusCode },
    #[error("its answer is not {0}")]
    Answer(&'static str),
}

impl<A: Clone> Inquiry<A> {
    /// A server that is proved by `authorities` alone. Asks nothing yet.
    pub fn new(source: &str, settings: ServerSettings, authorities: RootCertStore) -> Result<Self, rustls::Error> {
        Ok(Self {
            source: source.to_owned(),
            fetcher: Fetcher::keeping(ASKING, authorities, settings.allow_private_addresses)?,
            bulkhead: Bulkhead::new(ASKING, ROOM),
            memory: Memory::new(settings.remember),
            settings,
        })
    }

    /// What the server says of `token` at `now`, as `judge` understands it, or said a moment ago.
    pub async fn ask(
        &self,
        token: &Secret,
        now: u64,
        question: Question,
        judge: impl FnOnce(&[u8]) -> Result<Result<A, Refusal>, Trouble>,
    ) -> Result<A, Refusal> {
        let key = digest::sha256(token.expose());
        if let Some(known) = self.memory.recall(&key, now) {
            return known;
        }
        let permission = question.permission;
        let judged = self.answer(question).await.and_then(|answer| judge(&answer)).map_err(|trouble| {
            tracing::warn!(source = self.source, cause = %trouble, "a token could not be reviewed");
            self.unavailable(&trouble, permission)
        })?;
        self.memory.keep(key, judged.clone(), now);
        judged
    }

    async fn answer(&self, question: Question) -> Result<Bytes, Trouble> {
        let (uri, timeout) = (&self.settings.address, self.settings.timeout);
        let answer = async {
            let _turn = self.bulkhead.turn().await.ok_or(Trouble::Busy)?;
            self.send(question).await
        };
        match tokio::time::timeout(timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::TimedOut { uri: uri.clone(), timeout }),
        }
    }

    async fn send(&self, question: Question) -> Result<Bytes, Trouble> {
        let uri = &self.settings.address;
        let mut request = Request::new(Full::new(question.body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(question.content_type));
        headers.insert(header::AUTHORIZATION, self.settings.credential.authorization().await?);
        let answer = self.fetcher.send(request, DOCUMENT).await?;
        if answer.status != question.answered {
            return Err(Trouble::Status { uri: uri.clone(), status: answer.status });
        }
        let json = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(is_json);
        if json { Ok(answer.body) } else { Err(Trouble::Answer("of the type application/json")) }
    }

    fn unavailable(&self, trouble: &Trouble, permission: &str) -> Refusal {
        let help = match trouble {
            Trouble::Status { status: StatusCode::UNAUTHORIZED, .. } | Trouble::Credential(_) => {
                "give this service credentials that the server accepts".to_owned()
            }
            Trouble::Status { status: StatusCode::FORBIDDEN, .. } => format!("allow our credentials {permission}"),
            Trouble::Status { status: StatusCode::TOO_MANY_REQUESTS, .. } | Trouble::Busy => {
                "the server is asked more than it can bear; raise its limits, or `remember_seconds`".to_owned()
            }
            _ => "look whether the server is up and reached at this address".to_owned(),
        };
        // Where our credentials lie is for the log, not for callers.
        let got = match trouble {
            Trouble::Credential(_) => "our own credential cannot be used".to_owned(),
            trouble => trouble.to_string(),
        };
        Refusal::new(Reason::ReviewUnavailable, "the server that must vouch for the token gave no usable answer")
            .claim("subject_token")
            .got(got)
            .wanted(format!("an answer of the server of source {}", self.source))
            .help(help)
    }
}

/// Whether a media type is JSON, whatever its parameters (RFC 9110, section 8.3.1: names are compared without case).
pub fn is_json(media_type: &str) -> bool {
    media_type.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
pub(super) mod tests;
