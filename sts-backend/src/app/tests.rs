use axum::{Extension, body::Body, response::Response};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::*;
use crate::{
    actor::{Caller, PeerCertificate},
    fixture::{Fixture, Service},
};

const FORM: &str = "application/x-www-form-urlencoded";

async fn service() -> (Fixture, Service) {
    let fixture = Fixture::new().without_network();
    let service = fixture.service().await;
    (fixture, service)
}

fn edge() -> Extension<Arc<Caller>> {
    let name = "spiffe://cloakroom.test/edge/egress".to_owned();
    Extension(Arc::new(Caller::Proxy(PeerCertificate::new(vec![name]))))
}

async fn get(router: Router, path: &str) -> Response {
    router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn post(app: &Arc<App>, content_type: &str, body: impl Into<Body>) -> Response {
    let request = Request::post("/oauth2/token").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap();
    full(app).layer(edge()).oneshot(request).await.unwrap()
}

async fn json(response: Response) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}"))
}

#[tokio::test]
async fn keys_are_published_without_their_private_halves() {
    let (_fixture, service) = service().await;
    for router in [full(&service.app), direct(&service.app)] {
        let response = get(router, "/jwks.json").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=300");
        let body = json(response).await;
        let key = &body["keys"][0];
        assert_eq!(key["alg"], "ES256");
        assert!(key["kid"].is_string() && key.get("d").is_none(), "{key}");
    }
}

#[tokio::test]
async fn metadata_is_where_clients_look_for_it() {
    let (_fixture, service) = service().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let response = get(direct(&service.app), path).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(json(response).await["issuer"], "https://sts.cloakroom.test", "{path}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_path_is_found_below_it() {
    let fixture = Fixture::new().without_network();
    fixture.edit("issuer: https://sts.cloakroom.test\n", "issuer: https://sts.cloakroom.test/a\n");
    let service = fixture.service().await;
    // RFC 8414, section 3.1: the issuer's path comes after the well-known one; in OpenID discovery it comes before.
    for path in ["/.well-known/oauth-authorization-server/a", "/a/.well-known/openid-configuration", "/a/jwks.json"] {
        assert_eq!(get(full(&service.app), path).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn health_and_metrics_are_not_for_strangers() {
    let (_fixture, service) = service().await;
    for path in ["/healthz", "/readyz", "/metrics", "/no-such-path"] {
        assert_eq!(get(direct(&service.app), path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/oauth2/token", "/jwks.json"] {
        assert_eq!(get(operations(&service.app), path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(get(operations(&service.app), "/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_service_that_stops_is_not_ready() {
    let (_fixture, service) = service().await;
    service.app.drain();
    let response = get(operations(&service.app), "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = json(response).await;
    assert_eq!(body["status"], "not_ready");
    assert_eq!(body["draining"], true);
    assert_eq!(body["store"], "ok");
    assert_eq!(body["issuers"][0]["source"], "only");
    assert_eq!(get(operations(&service.app), "/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_forms_by_post_of_bounded_size_are_read() {
    let (_fixture, service) = service().await;
    let app = &service.app;
    let response = get(full(app).layer(edge()), "/oauth2/token?grant_type=x").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "POST");
    for kind in ["application/json", "text/plain", ""] {
        assert_eq!(post(app, kind, "a=b").await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    let large = post(app, FORM, vec![b'a'; endpoint::token::MAX_BODY + 1]).await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(large).await["reason"], "request_invalid");
    let just =
        post(app, "Application/X-WWW-Form-Urlencoded; charset=utf-8", vec![b'a'; endpoint::token::MAX_BODY]).await;
    assert_eq!(just.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_refusal_names_reason_and_decision_and_is_not_cached() {
    let (_fixture, service) = service().await;
    let response = post(&service.app, FORM, "grant_type=password&username=a").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::PRAGMA], "no-cache");
    let decision = response.headers()["x-cloakroom-decision-id"].to_str().unwrap().to_owned();
    let body = json(response).await;
    assert_eq!(body["decision_id"], decision.as_str());
    assert_eq!(body["reason"], "request_invalid");
    assert!(!decision.is_empty());
    let metrics = get(operations(&service.app), "/metrics").await.into_body().collect().await.unwrap().to_bytes();
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(
        metrics.contains(r#"cloakroom_exchanges_total{outcome="refused",reason="request_invalid"} 1"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_basic_authorization_header_changes_nothing() {
    let (_fixture, service) = service().await;
    let request = Request::post("/oauth2/token")
        .header(header::CONTENT_TYPE, FORM)
        .header(header::AUTHORIZATION, "Basic Y2xpZW50Og==")
        .body(Body::from("grant_type=password"))
        .unwrap();
    let with = direct(&service.app).layer(Extension(Arc::new(Caller::Direct))).oneshot(request).await.unwrap();
    assert_eq!(with.status(), StatusCode::BAD_REQUEST);
    assert_eq!(json(with).await["reason"], "request_invalid");
}

#[tokio::test]
async fn a_full_service_says_when_to_come_back() {
    let fixture = Fixture::new().without_network();
    fixture.edit("exchanges_in_flight: 1024", "exchanges_in_flight: 1");
    let service = fixture.service().await;
    let admission = service.app.admit(1).unwrap();
    let response = post(&service.app, FORM, "grant_type=x").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    assert_eq!(json(response).await["reason"], "overloaded");
    drop(admission);
    assert_eq!(post(&service.app, FORM, "grant_type=x").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn no_body_makes_the_service_fail() {
    let (_fixture, service) = service().await;
    let long = "a=b&".repeat(10_000);
    for body in ["", "&&&&", "%", "%ff%fe", "a=%00", "grant_type", "\u{0}\u{1}", "grant_type=x&grant_type=y", &long] {
        let response = post(&service.app, FORM, body.to_owned()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{:.20}", body);
    }
}
