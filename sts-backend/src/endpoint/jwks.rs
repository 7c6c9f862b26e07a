//! `/jwks.json`: the public halves of the signing keys (RFC 7517, section 5).

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::answer;
use crate::app::App;

/// The path, below the issuer's.
pub const PATH: &str = "/jwks.json";

/// How long verifiers may keep the keys, in seconds. A new key must be published for longer than this before it signs.
pub const MAX_AGE: u32 = 300;

/// The keys.
pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    answer::document(app.keys.jwks_json(), MAX_AGE)
}
