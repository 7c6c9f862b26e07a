//! Whether the service lives, whether it should be asked, and what it has counted.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::answer;
use crate::{app::App, identity::IssuerReadiness, metrics};

/// How long the store may take to answer before the service counts as not ready.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Readiness {
    /// `ready`, `degraded` (some issuers' keys are missing) or `not_ready`.
    status: &'static str,
    draining: bool,
    store: &'static str,
    configuration: String,
    policy: String,
    issuers: Vec<Issuer>,
}

#[derive(Serialize)]
struct Issuer {
    source: String,
    issuer: String,
    ready: bool,
    keys: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// How far the issuer's clock is ahead of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_seconds: Option<i64>,
}

impl From<IssuerReadiness> for Issuer {
    fn from(readiness: IssuerReadiness) -> Self {
        let IssuerReadiness { source, issuer, ready, keys, fetched_at, error, fetches: _, clock_offset } = readiness;
        Self { source, issuer, ready, keys, fetched_at, error, clock_offset_seconds: clock_offset }
    }
}

/// 200 as long as the process answers at all.
pub async fn healthz() -> Response {
    answer::json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
}

/// 200 if requests should be sent here: the store answers, the service is not stopping, and some issuer's tokens can be
/// verified. One unreachable issuer must not take the others' workloads down with it, so it only degrades.
pub async fn readyz(State(app): State<Arc<App>>) -> Response {
    let in_force = app.in_force();
    let store = store_answers(&app).await;
    let issuers = in_force.sources.readiness((app.clock)());
    let any = issuers.is_empty() || issuers.iter().any(|issuer| issuer.ready);
    // An issuer that was not yet asked for its keys may have them in a moment.
    let pending = issuers.iter().any(|issuer| !issuer.ready && issuer.error.is_none());
    let ready = store && !app.is_draining() && any && !pending;
    let status = match ready {
        false => "not_ready",
        true if issuers.iter().all(|issuer| issuer.ready) => "ready",
        true => "degraded",
    };
    let readiness = Readiness {
        status,
        draining: app.is_draining(),
        store: if store { "ok" } else { "unavailable" },
        configuration: in_force.configuration_version.clone(),
        policy: in_force.policy_version.clone(),
        issuers: issuers.into_iter().map(Issuer::from).collect(),
    };
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::json(code, serde_json::to_string(&readiness).unwrap_or_default())
}

async fn store_answers(app: &App) -> bool {
    matches!(tokio::time::timeout(STORE_TIMEOUT, app.store.leaves(u64::MAX, 1)).await, Ok(Ok(_)))
}

/// Counters and gauges.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    let in_force = app.in_force();
    app.metrics.reissue_entries(in_force.exchange.reissues().entries());
    let issuers = in_force.sources.readiness((app.clock)());
    let Ok(text) = app.metrics.text(&issuers) else {
        let detail = "the metrics could not be written";
        return answer::http_refused(StatusCode::SERVICE_UNAVAILABLE, detail, None, "text");
    };
    let mut response = answer::json(StatusCode::OK, text);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}
