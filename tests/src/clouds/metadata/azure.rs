//! Where Azure's machines and apps get the tokens of their managed identity.
//!
//! | path | what it is |
//! |---|---|
//! | `GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=R` | a machine's: the instance metadata service, with `Metadata: true` |
//! | `GET /msi/token?api-version=2019-08-01&resource=R` | an app's: App Service, with the secret of [`IDENTITY_HEADER`] |
//!
//! One identity is assigned; a query may name it by `client_id`, `object_id` or `msi_res_id` (App Service: `mi_res_id`). The
//! resource decides the version of the token: [`Cloud::AzureV1`]'s audience asks for 1, [`Cloud::Azure`]'s for 2.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};

use super::{Metadata, Shared, parameters};
use crate::clouds::{cloud::Cloud, mint::Order};

/// What an app must send as `X-IDENTITY-HEADER`: App Service gives it to the app alone.
pub const IDENTITY_HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";

pub(super) fn router() -> Router<Arc<Metadata>> {
    Router::new().route("/metadata/identity/oauth2/token", get(of_machine)).route("/msi/token", get(of_app))
}

type Parameters = BTreeMap<String, String>;

async fn of_machine(State(metadata): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = parameters(query.as_deref());
    if headers.contains_key("x-forwarded-for") || !header(&headers, "metadata").eq_ignore_ascii_case("true") {
        return refusal("bad_request_102", "Required metadata header not specified");
    }
    if query.get("api-version").is_none_or(|version| version != "2018-02-01") {
        return refusal("invalid_request", "The api-version is missing or not supported");
    }
    token(&metadata, &query, ["client_id", "object_id", "msi_res_id"])
}

async fn of_app(State(metadata): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let query = parameters(query.as_deref());
    if header(&headers, "x-identity-header") != IDENTITY_HEADER {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if query.get("api-version").is_none_or(|version| version != "2019-08-01") {
        return refusal("invalid_request", "The api-version is missing or not supported");
    }
    token(&metadata, &query, ["client_id", "object_id", "mi_res_id"])
}

fn token(metadata: &Metadata, query: &Parameters, names: [&str; 3]) -> Response {
    let resource = query.get("resource").map(String::as_str).unwrap_or_default();
    let Some(cloud) = of_resource(resource) else {
        let said = format!("AADSTS500011: The resource principal named {resource} was not found in the tenant.");
        return refusal("invalid_resource", &said);
    };
    let now = metadata.now();
    let identity = cloud.claims(cloud.workload(), cloud.audience(), now);
    let client_id = identity.get("appid").or_else(|| identity.get("azp")).cloned().unwrap_or_default();
    let assigned = [Some(&client_id), identity.get("oid"), identity.get("xms_mirid")];
    for (name, assigned) in names.into_iter().zip(assigned) {
        if query.get(name).is_some_and(|asked| !is(assigned, asked)) {
            return refusal("invalid_request", "Identity not found");
        }
    }
    match metadata.mint(cloud, &Order::default()) {
        Ok(token) => Json(answer(&identity, &client_id, resource, &token, now)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Numbers are strings here.
fn answer(identity: &Map<String, Value>, client_id: &Value, resource: &str, token: &str, now: i64) -> Value {
    let expires = identity.get("exp").and_then(Value::as_i64).unwrap_or(now);
    let life = expires.saturating_sub(now).to_string();
    json!({
        "access_token": token, "client_id": client_id, "expires_in": life, "expires_on": expires.to_string(),
        "ext_expires_in": life, "not_before": now.to_string(), "resource": resource, "token_type": "Bearer"
    })
}

/// Whose tokens are asked for. An API is named by its URI or, as Entra allows too, by its client id.
fn of_resource(resource: &str) -> Option<Cloud> {
    let bare = resource.strip_prefix("api://").unwrap_or(resource);
    match resource {
        _ if resource == Cloud::AzureV1.audience() => Some(Cloud::AzureV1),
        _ if bare == Cloud::Azure.audience() => Some(Cloud::Azure),
        _ => None,
    }
}

fn is(assigned: Option<&Value>, asked: &str) -> bool {
    assigned.and_then(Value::as_str).is_some_and(|assigned| assigned.eq_ignore_ascii_case(asked))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn refusal(error: &str, description: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": description}))).into_response()
}
