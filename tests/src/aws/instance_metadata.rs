//! The metadata service of instances, version 2: credentials for whoever asks from within, with a token that a request that
//! was merely passed on cannot have.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{REGION, principal::Principal};
use crate::clock;

type Sessions = Arc<Mutex<HashSet<String>>>;

const SESSION: &str = "x-aws-ec2-metadata-token";
const LIFE: &str = "x-aws-ec2-metadata-token-ttl-seconds";

pub fn router() -> Router {
    Router::new()
        .route("/latest/api/token", put(session))
        .route("/latest/meta-data/{*path}", get(data))
        .with_state(Sessions::default())
}

async fn session(State(sessions): State<Sessions>, headers: HeaderMap) -> Response {
    let life = headers.get(LIFE).and_then(|life| life.to_str().ok()?.parse::<u32>().ok());
    if headers.contains_key("x-forwarded-for") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut session = [0; 24];
    if !life.is_some_and(|life| (1..=21_600).contains(&life)) || aws_lc_rs::rand::fill(&mut session).is_err() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let session = token::base64url::encode(session);
    sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone());
    session.into_response()
}

async fn data(State(sessions): State<Sessions>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let session = headers.get(SESSION).and_then(|session| session.to_str().ok()).unwrap_or_default();
    if !sessions.lock().unwrap_or_else(PoisonError::into_inner).contains(session) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let role = Principal::APP_ROLE;
    match path.strip_prefix("iam/security-credentials") {
        None if path == "placement/availability-zone" => format!("{REGION}a").into_response(),
        Some("" | "/") => role.name().into_response(),
        Some(name) if name.strip_prefix('/') == Some(role.name()) => {
            let (now, until) = (iso(clock::now()), iso(clock::now() + 6 * 3600));
            Json(json!({
                "Code": "Success", "LastUpdated": now, "Type": "AWS-HMAC", "AccessKeyId": role.access_key,
                "SecretAccessKey": role.secret_key, "Token": role.session_token, "Expiration": until
            }))
            .into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// As `2026-11-22T07:30:00Z`.
fn iso(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}
