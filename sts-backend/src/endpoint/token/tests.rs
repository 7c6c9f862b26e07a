use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use token::{
    base64url,
    jwk::Jwk,
    token_type::{GRANT_TYPE_TOKEN_EXCHANGE, TokenType},
};
use tower::ServiceExt;

use super::*;
use crate::{
    actor::PeerCertificate,
    app, clock,
    crypto::Es256Key,
    fixture::{Fixture, Service},
    identity::fake_issuer::FakeIssuer,
};

const POLICY: &str = r#"
    @id("edge") permit (
        principal == Cloakroom::Proxy::"spiffe://cloakroom.test/edge/egress",
        action == Cloakroom::Action::"act_for",
        resource is Cloakroom::Workload
    );
    @id("job") @scope("reports.read") @ttl("60s") @methods("GET") permit (
        principal == Cloakroom::Workload::"spiffe://cloakroom.test/oidc/only/job",
        action == Cloakroom::Action::"exchange",
        resource == Cloakroom::Target::"https://reports.gcp.cloakroom.test"
    );
    @id("job-itself") @scope("reports.read") permit (
        principal == Cloakroom::Workload::"spiffe://cloakroom.test/oidc/only/job",
        action == Cloakroom::Action::"exchange_directly",
        resource == Cloakroom::Target::"https://reports.gcp.cloakroom.test"
    );
"#;

/// A service that believes an issuer which signs what a test tells it to.
struct World {
    service: Service,
    key: Es256Key,
    _issuer: FakeIssuer,
    _fixture: Fixture,
}

impl World {
    async fn start() -> Self {
        let issuer = FakeIssuer::start().await;
        let (key, _) = Es256Key::generate().unwrap();
        issuer.serve("/jwks", json!({"keys": [Jwk::es256(key.public_point()).unwrap()]}).to_string());
        let fixture = Fixture::new().with_issuer(&issuer);
        fixture.write("policy/example.cedar", POLICY);
        Self { service: fixture.service().await, key, _issuer: issuer, _fixture: fixture }
    }

    fn native_token(&self) -> String {
        let now = clock::now();
        let kid = Jwk::es256(self.key.public_point()).unwrap().kid;
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": kid}).to_string();
        let claims = json!({
            "iss": "https://issuer.test", "sub": "job", "aud": "https://sts.cloakroom.test",
            "iat": now, "exp": now + 3_600
        });
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(claims.to_string()));
        format!("{input}.{}", base64url::encode(self.key.sign(input.as_bytes()).unwrap()))
    }

    fn proxy(&self) -> Router {
        let certificate = PeerCertificate::new(vec!["spiffe://cloakroom.test/edge/egress".to_owned()]);
        app::full(&self.service.app).layer(Extension(Arc::new(Caller::Proxy(certificate))))
    }

    fn sdk(&self) -> Router {
        app::direct(&self.service.app).layer(Extension(Arc::new(Caller::Direct)))
    }
}

async fn ask(router: Router, headers: &[(&str, &str)], parameters: &[(&str, &str)]) -> (StatusCode, HeaderMap, Value) {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let mut request = Request::post(PATH).header(header::CONTENT_TYPE, FORM);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_proxy_gets_a_token_with_the_policys_terms() {
    let world = World::start().await;
    let token = world.native_token();
    let parameters = [
        ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", TokenType::Jwt.urn()),
        ("resource", "https://reports.gcp.cloakroom.test"),
    ];
    let (status, headers, body) = ask(world.proxy(), &[("x-cloakroom-protocol", "1")], &parameters).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(headers[header::PRAGMA], "no-cache");
    assert!(!headers["x-cloakroom-decision-id"].is_empty());
    assert_eq!(body["expires_in"], 60);
    assert_eq!(body["authorization_details"][0]["methods"], json!(["GET"]));
    let newer = ask(world.proxy(), &[("x-cloakroom-protocol", "9")], &parameters).await;
    assert_eq!((newer.0, &newer.2["reason"]), (StatusCode::BAD_REQUEST, &json!("protocol_unsupported")));
}

#[tokio::test]
async fn a_rotated_token_is_answered_from_what_is_kept_unless_the_proxy_wants_another() {
    let world = World::start().await;
    let ask = async |headers: &[(&str, &str)]| {
        // A new signature each time: another token of the same workload.
        let token = world.native_token();
        let parameters = [
            ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
            ("subject_token", token.as_str()),
            ("subject_token_type", TokenType::Jwt.urn()),
            ("resource", "https://reports.gcp.cloakroom.test"),
        ];
        let (status, headers, body) = ask(world.proxy(), headers, &parameters).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let life = body["expires_in"].as_u64().unwrap();
        assert!((50..=60).contains(&life), "{life}");
        (body["access_token"].as_str().unwrap().to_owned(), headers["x-cloakroom-decision-id"].clone())
    };
    let (first, decision) = ask(&[]).await;
    let (again, another_decision) = ask(&[("cache-control", "max-age=0, no-store")]).await;
    assert_eq!((first == again, decision == another_decision), (true, false), "one token, two decisions");
    let (renewed, _) = ask(&[("cache-control", "no-cache")]).await;
    assert_ne!(renewed, first);
    assert_eq!(ask(&[]).await.0, renewed);

    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = app::operations(&world.service.app).oneshot(request).await.unwrap();
    let metrics = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    for line in [
        r#"cloakroom_reissues_total{result="hit"} 2"#,
        r#"cloakroom_reissues_total{result="miss"} 1"#,
        r#"cloakroom_reissues_total{result="bypassed"} 1"#,
        "cloakroom_reissue_entries 1",
        r#"cloakroom_exchanges_total{outcome="granted",reason="none"} 4"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[test]
fn no_cache_is_found_among_other_directives_and_in_any_case() {
    let sent = |values: &[&'static [u8]]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CACHE_CONTROL, http::HeaderValue::from_bytes(value).unwrap());
        }
        no_cache(&headers)
    };
    for values in
        [&[&b"no-cache"[..]][..], &[b"max-age=0,No-Cache"], &[b"max-age=0", b" no-cache\t"], &[b"\xff", b"no-cache"]]
    {
        assert!(sent(values), "{values:?}");
    }
    for values in
        [&[][..], &[&b""[..]], &[b"no-store"], &[b"x-no-cache"], &[b"no-cache-please, max-age=0"], &[b"\xff no-cache"]]
    {
        assert!(!sent(values), "{values:?}");
    }
}

/// What google-auth's external account client sends: no `resource`, a newline after the token, `Basic` where a client id is
/// set. What it, the Rust and the Java clients need of an answer: status 200, whole seconds, all five members.
#[tokio::test]
async fn an_unmodified_sdk_gets_the_answer_it_understands() {
    let world = World::start().await;
    let token = format!("{}\n", world.native_token());
    let parameters = [
        ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
        ("audience", "gcp-reports"),
        ("scope", "reports.read"),
        ("requested_token_type", TokenType::AccessToken.urn()),
        ("subject_token", token.as_str()),
        ("subject_token_type", TokenType::Jwt.urn()),
    ];
    let (status, _, body) = ask(world.sdk(), &[("authorization", "Basic Y2lkOnNlYw==")], &parameters).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body["access_token"].is_string());
    assert_eq!(body["issued_token_type"], TokenType::AccessToken.urn());
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"].as_u64(), Some(300));
    assert_eq!(body["scope"], "reports.read");
}

#[tokio::test]
async fn an_unregistered_proxy_is_challenged() {
    let world = World::start().await;
    let certificate = PeerCertificate::new(vec!["spiffe://cloakroom.test/edge/other".to_owned()]);
    let router = app::full(&world.service.app).layer(Extension(Arc::new(Caller::Proxy(certificate))));
    let token = world.native_token();
    let parameters = [
        ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
        ("subject_token", token.as_str()),
        ("subject_token_type", TokenType::Jwt.urn()),
        ("resource", "https://reports.gcp.cloakroom.test"),
    ];
    let (status, headers, body) = ask(router, &[], &parameters).await;
    assert_eq!((status, &body["error"]), (StatusCode::UNAUTHORIZED, &json!("invalid_client")));
    assert_eq!(body["reason"], "actor_unknown");
    assert!(headers.contains_key(header::WWW_AUTHENTICATE));
}

#[tokio::test]
async fn a_service_that_holds_its_issuers_keys_is_ready() {
    let world = World::start().await;
    let ready = async {
        loop {
            let request = Request::get("/readyz").body(Body::empty()).unwrap();
            let response = app::operations(&world.service.app).oneshot(request).await.unwrap();
            if response.status() == StatusCode::OK {
                return response.into_body().collect().await.unwrap().to_bytes();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let body =
        tokio::time::timeout(Duration::from_secs(10), ready).await.expect("keys are fetched without being asked for");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], "ready");
    assert_eq!(body["issuers"][0]["keys"], 1);
}
