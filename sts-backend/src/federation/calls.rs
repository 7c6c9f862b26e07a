//! Calls to one provider, kept within bounds.

use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;

use super::trouble::Trouble;
use crate::outgoing::fetch::{Answered, Bounds, Fetcher};

/// A request that can be made more than once. Always a POST.
#[derive(Clone, Debug)]
pub struct Call {
    pub uri: Uri,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// It may hold secrets: it is never printed.
    pub body: Bytes,
}

/// The way to one provider.
pub struct Calls {
    fetcher: Fetcher,
    bounds: Bounds,
}

impl Calls {
    /// Calls by `fetcher`.
    pub fn new(fetcher: Fetcher, bounds: Bounds) -> Self {
        Self { fetcher, bounds }
    }

    /// Makes `call`, and says what `judge` makes of the answer.
    pub async fn ask<T>(
        &self,
        call: &Call,
        judge: impl Fn(&Answered) -> Result<T, Trouble> + Send,
    ) -> Result<T, Trouble> {
        let mut request = Request::new(Full::new(call.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = call.uri.clone();
        request.headers_mut().extend(call.headers.iter().cloned());
        let answered = self.fetcher.send(request, self.bounds).await;
        judge(&answered.map_err(|error| Trouble::Unavailable { code: error.to_string() })?)
    }
}
