//! A server of opaque tokens (RFC 7662): it alone knows what they are worth.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /introspection/token` | issues a token with the claims of the JSON body, `null` for those to leave out |
//! | `POST /introspection/revoke` | the token in the body is worth nothing any more |
//! | `POST /introspection/introspect` | RFC 7662; the caller must be [`CLIENT`] with [`SECRET`] |
//! | `POST /introspection/trouble?answer=503` | it answers this to every question, until `?answer=ok` |
//! | `GET /introspection/requests` | how often it was asked |

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::clock;

/// `iss` of its answers.
pub const ISSUER: &str = "https://legacy.cloakroom.test";

/// The client that may introspect.
pub const CLIENT: &str = "cloakroom";

/// Its secret: one that must be encoded before it is sent.
pub const SECRET: &str = "s3cret:with/colon+plus";

#[derive(Default)]
struct Held {
    tokens: BTreeMap<String, Map<String, Value>>,
    trouble: Option<StatusCode>,
    requests: u64,
}

type Shared = State<Arc<Mutex<Held>>>;

pub(super) fn router() -> Router {
    Router::new()
        .route("/introspection/token", post(token))
        .route("/introspection/revoke", post(revoke))
        .route("/introspection/introspect", post(introspect))
        .route("/introspection/trouble", post(trouble))
        .route("/introspection/requests", get(requests))
        .with_state(Arc::default())
}

async fn token(State(held): Shared, body: Bytes) -> Response {
    let Ok(changes) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let now = clock::now();
    let mut claims = Map::new();
    for (name, value) in [
        ("active", json!(true)),
        ("iss", json!(ISSUER)),
        ("aud", json!("https://sts.cloakroom.test")),
        ("sub", json!("batch")),
        ("client_id", json!("batch-client")),
        ("scope", json!("everything")),
        ("token_type", json!("Bearer")),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    claims.extend(changes);
    claims.retain(|_, value| !value.is_null());
    let mut random = [0; 24];
    if aws_lc_rs::rand::fill(&mut random).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    // What a form must encode is in real tokens too (RFC 6750, section 2.1).
    let token = format!("opaque.{}/+=", token::base64url::encode(random));
    lock(&held).tokens.insert(token.clone(), claims);
    ([(header::CACHE_CONTROL, "no-store")], token).into_response()
}

async fn revoke(State(held): Shared, body: String) -> StatusCode {
    match lock(&held).tokens.remove(&body) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::NOT_FOUND,
    }
}

async fn introspect(State(held): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let mut held = lock(&held);
    held.requests += 1;
    if let Some(status) = held.trouble {
        return status.into_response();
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_client(text(header::AUTHORIZATION)) {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")]).into_response();
    }
    let form: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
    let (Some(token), "application/x-www-form-urlencoded") = (form.get("token"), text(header::CONTENT_TYPE)) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request"}))).into_response();
    };
    let alive =
        |claims: &&Map<String, Value>| claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp > clock::now());
    let answer = match held.tokens.get(token).filter(alive) {
        Some(claims) => Value::Object(claims.clone()),
        // RFC 7662, section 2.2: and nothing else, whatever is wrong.
        None => json!({"active": false}),
    };
    ([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response()
}

async fn trouble(State(held): Shared, RawQuery(query): RawQuery) -> StatusCode {
    let query = query.unwrap_or_default();
    lock(&held).trouble = query.strip_prefix("answer=").and_then(|status| status.parse().ok());
    StatusCode::NO_CONTENT
}

async fn requests(State(held): Shared) -> Response {
    Json(json!({"introspections": lock(&held).requests})).into_response()
}

/// Whether `authorization` shows the client's id and secret, form-encoded as RFC 6749, section 2.3.1, wants them.
fn is_client(authorization: &str) -> bool {
    let pair = authorization.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok()).unwrap_or_default();
    let pair = String::from_utf8_lossy(&pair);
    let decoded = |text: &str| {
        let form = format!("x={text}");
        form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    match pair.split_once(':') {
        Some((id, secret)) => decoded(id) == CLIENT && decoded(secret) == SECRET && !secret.contains(':'),
        None => false,
    }
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
