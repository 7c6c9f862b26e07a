//! The metadata server of Compute Engine, as far as Google's clients use it for identities.
//!
//! | path | what it is |
//! |---|---|
//! | `GET /` | a sign of life |
//! | `GET /computeMetadata/v1/project/project-id` | the project; its number is `numeric-project-id` |
//! | `GET /computeMetadata/v1/universe/universe-domain` | the universe |
//! | `GET /computeMetadata/v1/instance/service-accounts/default/?recursive=true` | what is known of the service account |
//! | `GET .../default/email` | its e-mail address |
//! | `GET .../default/identity?audience=AUD&format=full` | an ID token |
//!
//! The account's e-mail address may stand for `default`. Whoever forgets `Metadata-Flavor: Google`, or was sent here by a proxy,
//! gets 403: such a request was tricked out of somebody.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, RawQuery, Request, State},
    http::{HeaderName, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};

use super::{Metadata, Shared, parameters};
use crate::clouds::{cloud::Cloud, mint::Order};

pub(super) fn router() -> Router<Arc<Metadata>> {
    let account = "/computeMetadata/v1/instance/service-accounts/{account}";
    Router::new()
        .route("/", get(|| async { "computeMetadata/\n" }))
        .route("/computeMetadata/v1/project/project-id", get(|| async { instance("project_id") }))
        .route("/computeMetadata/v1/project/numeric-project-id", get(|| async { instance("project_number") }))
        .route("/computeMetadata/v1/universe/universe-domain", get(|| async { "googleapis.com" }))
        .route(&format!("{account}/"), get(service_account))
        .route(&format!("{account}/email"), get(email))
        .route(&format!("{account}/identity"), get(identity))
        .layer(middleware::from_fn(only_from_here))
}

async fn service_account(Path(account): Path<String>, RawQuery(query): RawQuery) -> Response {
    if !is_attached(&account) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if parameters(query.as_deref()).get("recursive").is_none_or(|recursive| recursive != "true") {
        return "aliases\nemail\nidentity\nscopes\n".into_response();
    }
    let scopes = ["https://www.googleapis.com/auth/cloud-platform"];
    Json(json!({"aliases": ["default"], "email": claim("email"), "scopes": scopes})).into_response()
}

async fn email(Path(account): Path<String>) -> Response {
    if is_attached(&account) { text(&claim("email")).into_response() } else { StatusCode::NOT_FOUND.into_response() }
}

async fn identity(State(metadata): Shared, Path(account): Path<String>, RawQuery(query): RawQuery) -> Response {
    if !is_attached(&account) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let query = parameters(query.as_deref());
    let Some(audience) = query.get("audience").filter(|audience| !audience.is_empty()) else {
        return (StatusCode::BAD_REQUEST, "non-empty audience parameter required\n").into_response();
    };
    let mut order = Order { audience: Some(audience.clone()), ..Order::default() };
    match query.get("format").map(String::as_str) {
        Some("full") => {}
        // Where the machine is stands in full tokens only.
        None | Some("standard") => _ = order.claims.insert("google".into(), Value::Null),
        Some(_) => return (StatusCode::BAD_REQUEST, "unknown format\n").into_response(),
    }
    match metadata.mint(Cloud::Gcp, &order) {
        Ok(token) => token.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn only_from_here(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let flavoured = headers.get(FLAVOR).is_some_and(|flavor| flavor == "Google");
    let answer = if flavoured && !headers.contains_key("x-forwarded-for") {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "Missing Metadata-Flavor:Google header, or forwarded.\n").into_response()
    };
    ([(FLAVOR, "Google")], answer).into_response()
}

/// Whether this machine runs as that service account.
fn is_attached(account: &str) -> bool {
    account == "default" || claim("email") == account
}

fn instance(name: &str) -> String {
    text(&claim("google")["compute_engine"][name])
}

fn claim(name: &str) -> Value {
    Cloud::Gcp.claims(Cloud::Gcp.workload(), "", 0).remove(name).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");
