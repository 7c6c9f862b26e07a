//! The metadata services of Google's and Azure's machines, as their SDKs find them: plain HTTP, and only for who sends the header
//! that a browser or a fooled server would not. Their tokens come from the stand-in clouds.

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{client::Client, clouds::cloud::Cloud};

/// The project of Google's machine.
pub const PROJECT: &str = "acme-reports";

#[derive(Clone)]
struct Machine {
    clouds: String,
    client: Client,
}

/// The services of machines of the stand-in clouds at `clouds`, which `client` can reach.
pub fn router(clouds: String, client: Client) -> Router {
    let google = Router::new()
        .route("/", get(|| async { google_text(String::new()) }))
        .route("/computeMetadata/v1/project/project-id", get(project))
        .route("/computeMetadata/v1/instance/service-accounts/default/", get(account))
        .route("/computeMetadata/v1/instance/service-accounts/default/identity", get(identity));
    google.route("/metadata/identity/oauth2/token", get(managed_identity)).with_state(Machine { clouds, client })
}

async fn project(headers: HeaderMap) -> Response {
    not_a_machine(&headers).unwrap_or_else(|| google_text(PROJECT.to_owned()))
}

/// What the machine's service account is.
async fn account(headers: HeaderMap) -> Response {
    let email = format!("{}@{PROJECT}.iam.gserviceaccount.com", Cloud::Gcp.workload());
    let account = json!({"aliases": ["default"], "email": email, "scopes": []});
    let told = || ([("metadata-flavor", "Google")], Json(account)).into_response();
    not_a_machine(&headers).unwrap_or_else(told)
}

/// An ID token of the machine's service account.
async fn identity(State(machine): State<Machine>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    if let Some(refusal) = not_a_machine(&headers) {
        return refusal;
    }
    match parameter(query.as_deref(), "audience") {
        Some(audience) => match machine.token(Cloud::Gcp, &audience).await {
            Some(token) => google_text(token),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
        None => (StatusCode::BAD_REQUEST, "non-empty audience parameter required").into_response(),
    }
}

/// Google's service answers nobody who does not say that he means it, and nobody behind a proxy.
fn not_a_machine(headers: &HeaderMap) -> Option<Response> {
    let meant = headers.get("metadata-flavor").is_some_and(|value| value == "Google");
    (!meant || headers.contains_key("x-forwarded-for")).then(|| StatusCode::FORBIDDEN.into_response())
}

fn google_text(text: String) -> Response {
    ([("metadata-flavor", "Google"), (header::CONTENT_TYPE.as_str(), "application/text")], text).into_response()
}

/// A token of the machine's managed identity. Azure knows the resources of its tenant and no others.
async fn managed_identity(State(machine): State<Machine>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let refuse = |error: &str, description: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({"error": error, "error_description": description}))).into_response()
    };
    if headers.get("metadata").is_none_or(|value| value != "true") || headers.contains_key("x-forwarded-for") {
        return refuse("invalid_request", "Required metadata header not specified");
    }
    if parameter(query.as_deref(), "api-version").as_deref() != Some("2018-02-01") {
        return refuse("bad_request_102", "Required api-version parameter not specified");
    }
    let resource = parameter(query.as_deref(), "resource").unwrap_or_default();
    if resource != Cloud::AzureV1.audience() {
        return refuse("invalid_resource", "AADSTS500011: The resource principal was not found in the tenant");
    }
    match machine.token(Cloud::AzureV1, &resource).await {
        Some(token) => Json(json!({
            "access_token": token, "client_id": "c6f5a8d1-1b2e-4c3d-9e4f-5a6b7c8d9e0f", "expires_in": "86399",
            "ext_expires_in": "86399", "resource": resource, "token_type": "Bearer"
        }))
        .into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    parameters.find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value.into_owned())
}

impl Machine {
    async fn token(&self, cloud: Cloud, audience: &str) -> Option<String> {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("audience", audience).finish();
        let answer = self.client.get(&format!("{}/{}/token?{query}", self.clouds, cloud.name()), &[]).await.ok()?;
        answer.status.is_success().then(|| answer.text())
    }
}
