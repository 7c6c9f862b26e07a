//! The service behind the destination edge: it answers 200 and remembers exactly what arrived.
//!
//! `GET /__record` gives every request as JSON, `GET /__raw` every byte that came in, `DELETE /__record` forgets both,
//! `GET /__health` answers without a record. The
//! query parameter `answer=401` makes it answer with that status, `delay_ms=50` makes it wait first.

mod tee;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Result,
    server::{Server, bind},
};
use tee::{Tape, Tee};

/// The recording upstream of one topology, until dropped.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
}

/// One request, as it arrived.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Recorded {
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, String)>,
    pub body_length: usize,
    /// Hexadecimal SHA-256 of the body.
    pub body_sha256: String,
    pub trailers: Vec<(String, String)>,
}

#[derive(Default)]
struct Record {
    requests: Mutex<VecDeque<Recorded>>,
    tape: Arc<Tape>,
}

impl Upstream {
    /// Starts it on `address`.
    pub async fn start(address: SocketAddr) -> Result<Self> {
        let record = Arc::new(Record::default());
        let tape = Arc::clone(&record.tape);
        let router = Router::new()
            .route("/__record", get(requests).delete(forget))
            .route("/__raw", get(raw))
            .route("/__health", get(|| async { "ok\n" }))
            .fallback(answer)
            .with_state(record);
        let server = Server::plain(bind(address).await?, router, move |stream| Tee::new(stream, Arc::clone(&tape)))?;
        Ok(Self { server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

impl Record {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Recorded>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

async fn answer(State(record): State<Arc<Record>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // A client that left has said nothing worth recording; a broken body is not recorded as a whole one.
    let Ok(body) = body.collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let trailers = body.trailers().map(pairs).unwrap_or_default();
    let body = body.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let recorded = Recorded {
        method: head.method.to_string(),
        path,
        headers: pairs(&head.headers),
        body_length: body.len(),
        body_sha256: token::digest::sha256(&body).iter().map(|byte| format!("{byte:02x}")).collect(),
        trailers,
    };
    let answer = Json(json!({
        "subject": recorded.header("x-cloakroom-subject"),
        "actor": recorded.header("x-cloakroom-actor"),
        "scope": recorded.header("x-cloakroom-scope"),
        "audience": recorded.header("x-cloakroom-audience"),
        "method": recorded.method,
        "path": recorded.path,
        "body_length": recorded.body_length,
    }));
    let query = head.uri.query().unwrap_or_default().to_owned();
    {
        let mut requests = record.lock();
        if requests.len() == MAX_REQUESTS {
            requests.pop_front();
        }
        requests.push_back(recorded);
    }
    if let Some(delay) = parameter(&query, "delay_ms") {
        tokio::time::sleep(Duration::from_millis(delay.min(10_000))).await;
    }
    let status = parameter(&query, "answer").and_then(|code| StatusCode::from_u16(u16::try_from(code).ok()?).ok());
    (status.unwrap_or(StatusCode::OK), answer).into_response()
}

async fn requests(State(record): State<Arc<Record>>) -> Response {
    Json(record.lock().clone()).into_response()
}

async fn raw(State(record): State<Arc<Record>>) -> Response {
    Body::from(record.tape.copy()).into_response()
}

async fn forget(State(record): State<Arc<Record>>) -> StatusCode {
    record.lock().clear();
    record.tape.clear();
    StatusCode::NO_CONTENT
}

fn parameter(query: &str, name: &str) -> Option<u64> {
    form_urlencoded::parse(query.as_bytes()).find(|(other, _)| other == name)?.1.parse().ok()
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

const MAX_REQUESTS: usize = 20_000;
