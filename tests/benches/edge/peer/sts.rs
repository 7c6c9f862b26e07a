//! An STS that exchanges any token for the one that belongs to its workload. Its tokens outlive the bench.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use harness::{Result, server::Server};
use token::{
    message::{ExchangeRequest, ExchangeResponse},
    secret::Secret,
    token_type::TokenType,
};
use tokio::net::TcpListener;

use super::{Seen, count};
use crate::{credential, s3};

pub(super) fn start(listener: TcpListener, seen: Arc<Seen>) -> Result<Server> {
    Server::plain(listener, Router::new().route("/oauth2/token", post(exchange)).with_state(seen), |stream| stream)
}

async fn exchange(State(seen): State<Arc<Seen>>, form: Bytes) -> Response {
    count(&seen.exchanges);
    match answer(&form) {
        Some(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn answer(form: &[u8]) -> Option<String> {
    let request = ExchangeRequest::from_form(form).ok()?;
    let number = credential::workload(request.subject_token.expose())?;
    let keys = request.requested_token_type.as_deref() == Some(TokenType::AwsKeys.urn());
    let (access_token, issued, token_type) = if keys {
        (s3::lent(number).ok()?, TokenType::AwsKeys, "N_A")
    } else {
        (Secret::new(credential::issued(number).ok()?), TokenType::AccessToken, "Bearer")
    };
    let response = ExchangeResponse {
        access_token,
        issued_token_type: issued.urn().into(),
        token_type: token_type.into(),
        expires_in: 24 * 3600,
        scope: Some("reports.read".into()),
        authorization_details: Vec::new(),
        credential_expires_in: None,
    };
    response.to_json().ok()
}
