//! The API server of the Kubernetes stand-in: reviews tokens, and knows which pods and service accounts are gone.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /kubernetes/apis/authentication.k8s.io/v1/tokenreviews` | TokenReview; the caller's own token must be that of [`REVIEWER`] for [`AUDIENCE`] |
//! | `POST /kubernetes/delete?pod=UID` | that pod is gone; `?service_account=NAME` likewise |
//! | `POST /kubernetes/api?answer=429` | the API server answers this to everything, or `hang`s, until `?answer=ok` |

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};

use super::{Issuers, cloud::Cloud, keys::IssuerKeys};

/// The audience of tokens for the API server itself.
pub const AUDIENCE: &str = "https://kubernetes.default.svc.cluster.local";

/// The service account that may have tokens reviewed.
pub const REVIEWER: &str = "token-reviewer";

/// Which of a cluster's objects are gone, and how its API server is.
#[derive(Default)]
pub struct Cluster {
    pods: BTreeSet<String>,
    service_accounts: BTreeSet<String>,
    trouble: Option<Trouble>,
}

#[derive(Clone, Copy)]
enum Trouble {
    Status(StatusCode),
    Hang,
}

pub(super) fn router() -> Router<Arc<Issuers>> {
    Router::new()
        .route("/kubernetes/apis/authentication.k8s.io/v1/tokenreviews", post(review))
        .route("/kubernetes/delete", post(delete))
        .route("/kubernetes/api", post(trouble))
}

async fn review(State(issuers): State<Arc<Issuers>>, headers: HeaderMap, body: Bytes) -> Response {
    let (trouble, answer) = {
        let mut issuers = issuers.lock();
        let Some(issuer) = issuers.get_mut(&Cloud::Kubernetes) else { return StatusCode::NOT_FOUND.into_response() };
        *issuer.requests.entry("token_reviews").or_default() += 1;
        (issuer.cluster.trouble, answer(&issuer.keys, &issuer.cluster, &headers, &body))
    };
    match trouble {
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::Status(status)) => failure(status, "the API server is out of order"),
        None => answer,
    }
}

fn answer(keys: &IssuerKeys, cluster: &Cluster, headers: &HeaderMap, body: &[u8]) -> Response {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let Some(caller) = bearer.and_then(|token| cluster.authenticate(keys, token, &[AUDIENCE.to_owned()]).ok()) else {
        return failure(StatusCode::UNAUTHORIZED, "Unauthorized");
    };
    let username = caller["user"]["username"].as_str().unwrap_or_default();
    if !username.ends_with(&format!(":{REVIEWER}")) {
        let message =
            format!("tokenreviews.authentication.k8s.io is forbidden: User \"{username}\" cannot create resource");
        return failure(StatusCode::FORBIDDEN, &message);
    }
    let review: Value = serde_json::from_slice(body).unwrap_or_default();
    let json = headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    if !json || review["kind"] != "TokenReview" || review["apiVersion"] != "authentication.k8s.io/v1" {
        return failure(StatusCode::BAD_REQUEST, "not a TokenReview");
    }
    let spec = &review["spec"];
    let audiences = spec["audiences"].as_array().map_or_else(
        || vec![AUDIENCE.to_owned()],
        |audiences| audiences.iter().filter_map(|audience| audience.as_str().map(str::to_owned)).collect(),
    );
    let status = match cluster.authenticate(keys, spec["token"].as_str().unwrap_or_default(), &audiences) {
        Ok(status) => status,
        // `authenticated` is left out where it is false.
        Err(error) => json!({"user": {}, "error": error}),
    };
    let review = json!({
        "kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": null}, "spec": spec, "status": status
    });
    (StatusCode::CREATED, Json(review)).into_response()
}

impl Cluster {
    /// The status of a review of `token`, or why it is worth nothing here.
    fn authenticate(&self, keys: &IssuerKeys, token: &str, audiences: &[String]) -> Result<Value, String> {
        let claims = keys.verify(token).ok_or("invalid bearer token")?;
        let of_token: Vec<_> = claims["aud"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let shared: Vec<_> = audiences.iter().filter(|audience| of_token.contains(&audience.as_str())).collect();
        if shared.is_empty() {
            return Err(format!("token audiences {of_token:?} is invalid for the target audiences {audiences:?}"));
        }
        let bound = &claims["kubernetes.io"];
        let (account, pod) = (&bound["serviceaccount"], &bound["pod"]);
        if account["name"].as_str().is_some_and(|name| self.service_accounts.contains(name)) {
            return Err("service account token has been invalidated: serviceaccounts not found".to_owned());
        }
        if pod["uid"].as_str().is_some_and(|uid| self.pods.contains(uid)) {
            return Err("pod token has been invalidated: pods not found".to_owned());
        }
        let namespace = bound["namespace"].as_str().unwrap_or_default();
        Ok(json!({
            "authenticated": true,
            "audiences": shared,
            "user": {
                "username": claims["sub"], "uid": account["uid"],
                "groups": ["system:serviceaccounts", format!("system:serviceaccounts:{namespace}"), "system:authenticated"],
                "extra": {
                    "authentication.kubernetes.io/pod-name": [pod["name"]],
                    "authentication.kubernetes.io/pod-uid": [pod["uid"]],
                    "authentication.kubernetes.io/node-name": [bound["node"]["name"]],
                    "authentication.kubernetes.io/node-uid": [bound["node"]["uid"]],
                    "authentication.kubernetes.io/credential-id": [format!("JTI={}", claims["jti"].as_str().unwrap_or_default())]
                }
            }
        }))
    }
}

async fn delete(State(issuers): State<Arc<Issuers>>, RawQuery(query): RawQuery) -> Response {
    change(&issuers, query, |cluster, name, value| match name {
        "pod" => cluster.pods.insert(value.to_owned()),
        "service_account" => cluster.service_accounts.insert(value.to_owned()),
        _ => false,
    })
}

async fn trouble(State(issuers): State<Arc<Issuers>>, RawQuery(query): RawQuery) -> Response {
    change(&issuers, query, |cluster, _, value| {
        cluster.trouble = match value {
            "ok" => None,
            "hang" => Some(Trouble::Hang),
            status => match status.parse() {
                Ok(status) => Some(Trouble::Status(status)),
                Err(_) => return false,
            },
        };
        true
    })
}

fn change(issuers: &Issuers, query: Option<String>, change: impl Fn(&mut Cluster, &str, &str) -> bool) -> Response {
    let mut issuers = issuers.lock();
    let Some(issuer) = issuers.get_mut(&Cloud::Kubernetes) else { return StatusCode::NOT_FOUND.into_response() };
    let query = query.unwrap_or_default();
    let fine = form_urlencoded::parse(query.as_bytes()).all(|(name, value)| change(&mut issuer.cluster, &name, &value));
    if fine { StatusCode::NO_CONTENT.into_response() } else { StatusCode::BAD_REQUEST.into_response() }
}

/// A failure, as API servers tell it.
fn failure(status: StatusCode, message: &str) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "code": status.as_u16()
    });
    (status, Json(body)).into_response()
}
