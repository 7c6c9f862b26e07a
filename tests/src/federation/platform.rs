//! One provider on a listener of its own: its services, its switches and its record.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /__switch?...` | how it behaves from now on: see [`Switches`] |
//! | `GET /__calls`, `DELETE /__calls` | how often each endpoint was called; counts from 0 again |
//! | `GET /__record`, `DELETE /__record` | every call, as [`Seen`]; forgets them |
//! | everything else | the provider's own |

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::{
    reply::Reply,
    seen::{Record, Seen},
    switches::Switches,
};
use crate::{Result, asked::Asked, clock, pki::Pki, server::Server};

/// What a provider does.
pub trait Platform: Send + Sync + 'static {
    /// Answers a call, and notes in `seen` what it found out.
    fn answer(
        &self,
        asked: &Asked,
        switches: &Switches,
        seen: &mut Seen,
        now: i64,
    ) -> impl Future<Output = Reply> + Send;
}

/// A provider that runs, until dropped.
pub struct Running<P> {
    server: Server,
    desk: Arc<Desk<P>>,
}

struct Desk<P> {
    platform: P,
    switches: Switches,
    record: Record,
}

impl<P: Platform> Running<P> {
    /// Serves `platform` on `listener`, with the certificate of `party`.
    pub fn start(listener: TcpListener, platform: P, pki: &Pki, party: &str) -> Result<Self> {
        let desk = Arc::new(Desk { platform, switches: Switches::default(), record: Record::default() });
        let router = Router::new()
            .route("/__switch", axum::routing::post(switch))
            .route("/__calls", get(calls).delete(forget_calls))
            .route("/__record", get(record).delete(forget_record))
            .fallback(answer)
            .with_state(Arc::clone(&desk));
        Ok(Self { server: Server::tls(listener, router, pki, party)?, desk })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its base address, as our STS is told it.
    pub fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    /// What it is.
    pub fn platform(&self) -> &P {
        &self.desk.platform
    }

    /// How it behaves.
    pub fn switches(&self) -> &Switches {
        &self.desk.switches
    }

    /// Every call of it.
    pub fn seen(&self) -> Vec<Seen> {
        self.desk.record.all()
    }

    /// Every call of one of its services.
    pub fn seen_by(&self, service: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.service == service).collect()
    }

    /// Forgets all calls, and counts from 0 again.
    pub fn forget(&self) {
        self.desk.record.clear();
        self.desk.switches.forget();
    }
}

type Shared<P> = State<Arc<Desk<P>>>;

async fn answer<P: Platform>(State(desk): Shared<P>, asked: Asked) -> Response {
    let mut seen = Seen::of(&asked);
    let now = clock::now().saturating_add(desk.switches.skew());
    let reply = desk.platform.answer(&asked, &desk.switches, &mut seen, now).await;
    seen.status = reply.status;
    desk.record.push(seen);
    if asked.method == "HEAD" { Reply { body: Vec::new(), ..reply }.into_response() } else { reply.into_response() }
}

async fn switch<P: Platform>(State(desk): Shared<P>, asked: Asked) -> Response {
    match desk.switches.set(&asked.parameters()) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    }
}

async fn calls<P: Platform>(State(desk): Shared<P>) -> Response {
    Json(desk.switches.counts()).into_response()
}

async fn forget_calls<P: Platform>(State(desk): Shared<P>) -> StatusCode {
    desk.switches.forget();
    StatusCode::NO_CONTENT
}

async fn record<P: Platform>(State(desk): Shared<P>) -> Response {
    Json(desk.record.all()).into_response()
}

async fn forget_record<P: Platform>(State(desk): Shared<P>) -> StatusCode {
    desk.record.clear();
    StatusCode::NO_CONTENT
}
