//! The metadata servers of machines, on plain HTTP as machines know them: what SDKs get their tokens from.
//!
//! Google's is in [`gce`], Azure's in [`azure`]. They sign with the keys of the stand-in issuers, so a rotation reaches them; an
//! issuer's outage does not, for they are not where its keys are published. The clouds' own HTTPS server holds their switches:
//!
//! | path | what it is |
//! |---|---|
//! | `GET /metadata` | where they listen |
//! | `POST /metadata?answer=503` | they answer this to everything, until `?answer=ok` |
//! | `POST /metadata?skew=-7200` | their clock is off by so many seconds |

mod azure;
mod gce;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use super::{
    Issuers,
    cloud::Cloud,
    mint::{self, Order},
};
use crate::{Result, clock, server::Server};

pub use azure::IDENTITY_HEADER;

struct Metadata {
    issuers: Arc<Issuers>,
    switches: Mutex<Switches>,
}

#[derive(Clone, Copy, Default)]
struct Switches {
    trouble: Option<StatusCode>,
    skew: i64,
}

type Shared = State<Arc<Metadata>>;

/// Serves them on `listener`. With them comes the router of their switches, for the clouds' own server.
pub(super) fn start(listener: TcpListener, issuers: Arc<Issuers>) -> Result<(Server, Router)> {
    let metadata = Arc::new(Metadata { issuers, switches: Mutex::default() });
    let servers = Router::new()
        .merge(gce::router())
        .merge(azure::router())
        .layer(middleware::from_fn_with_state(Arc::clone(&metadata), in_order))
        .with_state(Arc::clone(&metadata));
    let server = Server::plain(listener, servers, |stream| stream)?;
    let address = server.address().to_string();
    let switches = Router::new().route("/metadata", get(|| async { address }).post(switch)).with_state(metadata);
    Ok((server, switches))
}

impl Metadata {
    fn switches(&self) -> MutexGuard<'_, Switches> {
        self.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time by their clock.
    fn now(&self) -> i64 {
        clock::now().saturating_add(self.switches().skew)
    }

    /// A token to order, signed as the cloud's issuer signs now.
    fn mint(&self, cloud: Cloud, order: &Order) -> Result<String> {
        let now = self.now();
        let issuers = self.issuers.lock();
        let issuer = issuers.get(&cloud).ok_or("no such issuer")?;
        mint::mint(cloud, order, &issuer.keys, now)
    }
}

/// The parameters of a query, of those that stand twice the last.
fn parameters(query: Option<&str>) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

async fn in_order(State(metadata): Shared, request: Request, next: Next) -> Response {
    let trouble = metadata.switches().trouble;
    match trouble {
        Some(status) => (status, "the metadata server is out of order\n").into_response(),
        None => next.run(request).await,
    }
}

async fn switch(State(metadata): Shared, RawQuery(query): RawQuery) -> StatusCode {
    let mut switches = metadata.switches();
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match (name.as_ref(), value.as_ref()) {
            ("answer", "ok") => switches.trouble = None,
            ("answer", status) => match status.parse() {
                Ok(status) => switches.trouble = Some(status),
                Err(_) => return StatusCode::BAD_REQUEST,
            },
            ("skew", seconds) => match seconds.parse() {
                Ok(seconds) => switches.skew = seconds,
                Err(_) => return StatusCode::BAD_REQUEST,
            },
            _ => return StatusCode::BAD_REQUEST,
        }
    }
    StatusCode::NO_CONTENT
}
