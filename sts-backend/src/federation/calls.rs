//! Calls to one provider, kept within bounds.

use std::{fmt, sync::Arc, time::Instant};

use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;

use super::{
    lane::{Lane, retries::Retries},
    trouble::Trouble,
};
use crate::outgoing::fetch::{Answered, Bounds, FetchError, Fetcher};

/// A request that can be made more than once. Always a POST.
#[derive(Clone)]
pub struct Call {
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// It may hold secrets: it is never printed.
    pub body: Bytes,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let uri = (self.uri.authority().map(ToString::to_string), self.uri.path());
        f.debug_struct("Call").field("uri", &uri).field("headers", &names).field("body", &self.body.len()).finish()
    }
}

/// The way to one provider, for the calls of one order.
pub struct Calls {
    fetcher: Fetcher,
    bounds: Bounds,
    /// Without one each call is made once, whatever becomes of it.
    lane: Option<InLane>,
}

struct InLane {
    lane: Arc<Lane>,
    /// When the order must be filled.
    deadline: Instant,
    setback: Box<dyn Fn(&Trouble) + Send + Sync>,
}

impl Calls {
    /// Calls by `fetcher`, each made once.
    pub fn new(fetcher: Fetcher, bounds: Bounds) -> Self {
        Self { fetcher, bounds, lane: None }
    }

    /// The same in `lane`: at its pace, repeated where that may help, and all of it before `deadline`. `setback` is told of each
    /// trouble after which a call is to be repeated.
    #[must_use]
    pub fn within(
        self,
        lane: Arc<Lane>,
        deadline: Instant,
        setback: impl Fn(&Trouble) + Send + Sync + 'static,
    ) -> Self {
        Self { lane: Some(InLane { lane, deadline, setback: Box::new(setback) }), ..self }
    }

    /// Makes `call`, and says what `judge` makes of the answer.
    pub async fn ask<T>(
        &self,
        call: &Call,
        judge: impl Fn(&Answered) -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
        let Some(InLane { lane, deadline, setback }) = &self.lane else {
            return self.send(call, self.bounds).await.and_then(|answered| judge(&answered));
        };
        let host = call.uri.authority().map_or("", |authority| authority.as_str());
        let mut retries = Retries::default();
        loop {
            let pass = lane.enter(host, *deadline).await?;
            let left = deadline.saturating_duration_since(Instant::now());
            let bounds = Bounds { time: self.bounds.time.min(left), ..self.bounds };
            let judged = self.send(call, bounds).await.and_then(|answered| judge(&answered));
            pass.ended(judged.as_ref().err());
            let trouble = match judged {
                Ok(given) => return Ok(given),
                Err(trouble) => trouble,
            };
            match retries.after(&trouble, lane.entropy()) {
                Some(wait) if Instant::now() + wait < *deadline => {
                    setback(&trouble);
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(trouble),
            }
        }
    }

    async fn send(&self, call: &Call, bounds: Bounds) -> Result<Answered, Trouble> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = call.uri.clone();
        request.headers_mut().extend(call.headers.iter().cloned());
        self.fetcher.send(request, bounds).await.map_err(|error| match error {
            FetchError::TooLarge { .. } => Trouble::Invalid { code: error.to_string() },
            FetchError::Refused { .. } => Trouble::Refused {
                code: error.to_string(),
                help: "correct the provider's address, or allow private ones in its settings",
            },
            _ => Trouble::Unavailable { code: error.to_string() },
        })
    }
}
