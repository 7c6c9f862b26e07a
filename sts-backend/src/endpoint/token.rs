//! `POST /oauth2/token`: the token endpoint (RFC 6749, section 3.2; RFC 8693, section 2.1).

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Extension, State},
    response::Response,
};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use token::{message::PROTOCOL_HEADER, reason::Reason};
use zeroize::Zeroizing;

use super::answer;
use crate::{
    actor::Caller,
    app::{Admission, App, BODY_TIMEOUT},
    exchange::Message,
    refusal::Refusal,
};

/// The path, below the issuer's.
pub const PATH: &str = "/oauth2/token";

/// The largest request body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// Answers a token request. An `Authorization` header is not looked at: callers are known by their certificate, and SDKs
/// send `Basic` with an empty password to servers where they are not registered.
pub async fn exchange(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request<Body>,
) -> Response {
    let started = Instant::now();
    let Some(admission) = app.admit(app.in_force().exchanges_in_flight) else {
        let refusal = Refusal::new(Reason::Overloaded, "the service works on as many exchanges as it may")
            .help("ask again in a second; raise `limits.exchanges_in_flight` if this lasts");
        app.metrics.exchange_ended(Some(Reason::Overloaded), started.elapsed().as_secs_f64());
        return answer::refused(&refusal, None);
    };
    let (protocol, no_cache) = (protocol(request.headers()), no_cache(request.headers()));
    match read_form(request).await {
        Ok(form) => {
            decide(app, admission, caller, Received { form, protocol, no_cache, received: started }, started).await
        }
        Err(response) => {
            app.metrics.http_refused(response.status());
            response
        }
    }
}

/// What is looked at of a token request.
struct Received {
    form: Zeroizing<Vec<u8>>,
    protocol: Option<String>,
    no_cache: bool,
    /// When it came.
    received: Instant,
}

impl Received {
    fn message(&self) -> Message<'_> {
        Message {
            form: &self.form,
            protocol: self.protocol.as_deref(),
            no_cache: self.no_cache,
            received: self.received,
        }
    }
}

/// The exchange runs as a task of its own: a caller that goes away does not cut a decision from its record, and a bug
/// that panics costs one request and no connection.
async fn decide(
    app: Arc<App>,
    admission: Admission,
    caller: Arc<Caller>,
    received: Received,
    started: Instant,
) -> Response {
    let task = tokio::spawn({
        let app = Arc::clone(&app);
        async move {
            let _admission = admission;
            let now = (app.clock)();
            app.in_force().exchange.exchange(&caller, received.message(), now).await
        }
    });
    let (response, reason) = match task.await {
        Ok(Ok(released)) => {
            app.metrics.released(released.issued());
            (answer::granted(released.response(), released.decision_id()), None)
        }
        Ok(Err(refused)) => {
            let reason = refused.refusal().reason();
            (answer::refused(refused.refusal(), Some(refused.decision_id())), Some(reason))
        }
        Err(_) => {
            tracing::error!("an exchange ended in a bug; it was refused");
            let refusal = Refusal::new(Reason::Overloaded, "the service could not finish the exchange");
            (answer::refused(&refusal, None), Some(Reason::Overloaded))
        }
    };
    app.metrics.exchange_ended(reason, started.elapsed().as_secs_f64());
    response
}

/// The filter's protocol version as sent. What is not one readable value reads as a version nobody has.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all(PROTOCOL_HEADER).iter();
    let first = values.next()?;
    let readable = first.to_str().ok().filter(|_| values.next().is_none());
    Some(readable.unwrap_or("unreadable").to_owned())
}

/// Whether the sender wants no token that was kept for it (RFC 9111, section 5.2.1.4). Other directives ask for nothing here.
fn no_cache(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case("no-cache"))
}

async fn read_form(request: Request<Body>) -> Result<Zeroizing<Vec<u8>>, Response> {
    if let Some(response) = wrong_content_type(request.headers()) {
        return Err(response);
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(Zeroizing::new(body.to_bytes().to_vec())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => {
            let detail = "the body ended before it was complete";
            Err(answer::http_refused(StatusCode::BAD_REQUEST, detail, None, "a whole form"))
        }
        Err(_) => {
            let wanted = format!("a whole form within {} seconds", BODY_TIMEOUT.as_secs());
            Err(answer::http_refused(StatusCode::REQUEST_TIMEOUT, "the body took too long", None, &wanted))
        }
    }
}

fn wrong_content_type(headers: &HeaderMap) -> Option<Response> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    let essence = value.map(|value| value.split(';').next().unwrap_or_default().trim());
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM)) && values.next().is_none() {
        return None;
    }
    let detail = "the body is not declared as a form";
    Some(answer::http_refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail, value, FORM))
}

fn too_large() -> Response {
    let wanted = format!("at most {MAX_BODY} bytes");
    answer::http_refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", None, &wanted)
}

#[cfg(test)]
mod tests;
