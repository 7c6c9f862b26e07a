use http::StatusCode;
use serde_json::{Value, json};

use super::{chaining::tests::jwt, *};
use crate::federation::{
    credential::CredentialKind,
    fake::{FakeProvider, NOW, WORKLOAD, fields, order},
};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A server that answers `answer` at `/token`.
async fn provider(answer: &Value) -> FakeProvider {
    let provider = FakeProvider::start().await;
    provider.server.serve("/token", answer.to_string());
    provider
}

fn settings(provider: &FakeProvider, grant: Grant) -> Settings {
    Settings {
        token_endpoint: provider.uri("/token"),
        grant,
        audience: "https://as.partner.example".to_owned(),
        client_id: None,
        algorithm: Algorithm::Es256,
    }
}

fn opening() -> Opening {
    Opening { resource: Some("https://api.partner.example/v1".to_owned()), audience: None }
}

fn good() -> Value {
    json!({ "access_token": "at-1", "token_type": "bearer", "expires_in": 300 })
}

/// The last form that was sent to `path`.
fn form(provider: &FakeProvider, path: &str) -> Vec<(String, String)> {
    let asked = provider.server.asked(path).pop().expect("it was asked");
    assert_eq!(asked.method, http::Method::POST);
    assert_eq!(asked.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(asked.headers["accept"], "application/json");
    fields(&asked)
}

fn pairs(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn an_exchange_shows_our_assertion_about_the_workload() {
    let mut answer = good();
    answer["issued_token_type"] = ACCESS_TOKEN.into();
    let provider = provider(&answer).await;
    let settings = settings(&provider, Grant::TokenExchange);
    let credential = settings.obtain(&opening(), &order("write read", 60), provider.means(), NOW).await.unwrap();
    let CredentialKind::Token { token, token_type } = &credential.kind else { panic!("{credential:?}") };
    assert_eq!((token.expose(), token_type.as_str()), ("at-1", "Bearer"));
    assert_eq!((credential.expires_at, credential.jti.as_str()), (NOW + 300, "jti-1"));
    let signed = provider.signer.signed();
    let [about] = signed.as_slice() else { panic!("{signed:?}") };
    assert_eq!((about.issuer.as_deref(), about.subject.as_str()), (None, WORKLOAD));
    assert_eq!((about.audience.as_str(), about.typ), ("https://as.partner.example", "JWT"));
    assert_eq!(about.algorithm, Algorithm::Es256);
    assert_eq!(
        pairs(&form(&provider, "/token")),
        [
            ("grant_type", EXCHANGE),
            ("subject_token", "assertion-1"),
            ("subject_token_type", JWT),
            ("requested_token_type", ACCESS_TOKEN),
            ("resource", "https://api.partner.example/v1"),
            ("scope", "read write"),
        ]
    );
}

#[tokio::test]
async fn an_exchange_must_say_what_it_issued() {
    for issued in [Value::Null, json!("urn:ietf:params:oauth:token-type:id_token"), json!("access_token")] {
        let mut answer = good();
        answer["issued_token_type"] = issued;
        let provider = provider(&answer).await;
        let settings = settings(&provider, Grant::TokenExchange);
        let trouble = settings.obtain(&opening(), &order("", 60), provider.means(), NOW).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Invalid { code } if code.contains("issued_token_type")), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_client_shows_itself_beside_the_assertion() {
    let provider = provider(&good()).await;
    let settings = Settings {
        client_id: Some("cloakroom".to_owned()),
        algorithm: Algorithm::Rs256,
        ..settings(&provider, Grant::JwtBearer)
    };
    let opening = Opening { resource: None, audience: Some("orders api".to_owned()) };
    let credential = settings.obtain(&opening, &order("", 60), provider.means(), NOW).await.unwrap();
    assert_eq!(credential.jti, "jti-1", "the assertion about the workload names it, not the client's");
    let signed = provider.signer.signed();
    let [about, client] = signed.as_slice() else { panic!("{signed:?}") };
    assert_eq!((about.subject.as_str(), about.algorithm), (WORKLOAD, Algorithm::Rs256));
    assert_eq!((client.issuer.as_deref(), client.subject.as_str()), (Some("cloakroom"), "cloakroom"));
    assert_eq!((client.audience.as_str(), client.typ), ("https://as.partner.example", "client-authentication+jwt"));
    assert_eq!(client.algorithm, Algorithm::Rs256);
    let form = form(&provider, "/token");
    let [grant_type, (_, assertion), audience, client_id, assertion_type, (last, client_assertion)] = form.as_slice()
    else {
        panic!("{form:?}")
    };
    assert_eq!(grant_type.1, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!((audience.0.as_str(), audience.1.as_str()), ("audience", "orders api"));
    assert_eq!((client_id.0.as_str(), client_id.1.as_str()), ("client_id", "cloakroom"));
    assert_eq!(assertion_type.1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(last, "client_assertion");
    assert_eq!((assertion.as_str(), client_assertion.as_str()), ("assertion-1", "assertion-2"));
}

#[tokio::test]
async fn client_credentials_are_asked_for_in_our_own_name() {
    let provider = provider(&good()).await;
    let mut settings = settings(&provider, Grant::ClientCredentials);
    let refused = settings.obtain(&opening(), &order("read", 60), provider.means(), NOW).await.unwrap_err();
    assert!(matches!(refused, Trouble::Refused { .. }), "{refused:?}");
    assert_eq!(provider.server.hits("/token"), 0, "nothing is sent that shows nobody");
    settings.client_id = Some("cloakroom".to_owned());
    let credential = settings.obtain(&opening(), &order("read", 60), provider.means(), NOW).await.unwrap();
    assert_eq!(credential.jti, "jti-1");
    let form = form(&provider, "/token");
    let names: Vec<_> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "resource", "scope", "client_id", "client_assertion_type", "client_assertion"]);
    assert_eq!(form[0].1, "client_credentials");
}

fn chaining(provider: &FakeProvider) -> Settings {
    let grant = Grant::IdentityChaining {
        exchange_endpoint: provider.uri("/home"),
        exchange_audience: "https://as.home.example".to_owned(),
        exchange_client_id: Some("at-home".to_owned()),
    };
    Settings { client_id: Some("abroad".to_owned()), ..settings(provider, grant) }
}

fn middle() -> Value {
    let grant = jwt(&json!({ "aud": "https://as.partner.example", "exp": NOW + 60, "sub": "cart" }));
    json!({ "access_token": grant, "token_type": "N_A", "issued_token_type": JWT, "expires_in": 60 })
}

#[tokio::test]
async fn a_chain_carries_the_grant_of_one_server_to_the_other() {
    let provider = provider(&good()).await;
    provider.server.serve("/home", middle().to_string());
    let settings = chaining(&provider);
    let credential = settings.obtain(&opening(), &order("read", 60), provider.means(), NOW).await.unwrap();
    assert_eq!((credential.jti.as_str(), credential.expires_at), ("jti-1", NOW + 300));
    let signed = provider.signer.signed();
    let told: Vec<_> = signed.iter().map(|signed| (signed.subject.as_str(), signed.audience.as_str())).collect();
    assert_eq!(
        told,
        [
            (WORKLOAD, "https://as.home.example"),
            ("at-home", "https://as.home.example"),
            ("abroad", "https://as.partner.example"),
        ],
        "nothing that is signed for one server is worth anything at the other"
    );
    let home = form(&provider, "/home");
    assert_eq!(
        pairs(&home)[2..7],
        [
            ("subject_token_type", JWT),
            ("requested_token_type", JWT),
            ("resource", "https://as.partner.example"),
            ("scope", "read"),
            ("client_id", "at-home"),
        ]
    );
    let abroad = form(&provider, "/token");
    let carried = middle()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        pairs(&abroad)[..5],
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", carried.as_str()),
            ("resource", "https://api.partner.example/v1"),
            ("scope", "read"),
            ("client_id", "abroad"),
        ]
    );
}

#[tokio::test]
async fn a_chain_that_breaks_at_home_never_reaches_the_other_server() {
    let provider = provider(&good()).await;
    let mut access_token = middle();
    access_token["token_type"] = "Bearer".into();
    let for_us = jwt(&json!({ "aud": "https://api.home.example", "exp": NOW + 60 }));
    let mut misdirected = middle();
    misdirected["access_token"] = for_us.into();
    for (status, answer, wanted) in [
        (StatusCode::BAD_REQUEST, json!({ "error": "invalid_target" }), "invalid_target at the `exchange_endpoint`"),
        (StatusCode::OK, access_token, "a `token_type` other than N_A"),
        (StatusCode::OK, misdirected, "a grant whose `aud` is not the other server alone"),
    ] {
        provider.server.serve_with("/home", status, &[], answer.to_string());
        let trouble =
            chaining(&provider).obtain(&opening(), &order("read", 60), provider.means(), NOW).await.unwrap_err();
        assert!(trouble.to_string().starts_with(wanted), "{trouble:?}");
        assert!(trouble.to_string().ends_with("at the `exchange_endpoint`"), "{trouble:?}");
    }
    assert_eq!(provider.server.hits("/token"), 0);
}

#[tokio::test]
async fn a_scope_may_narrow_and_never_widen() {
    for (asked, given, good) in [
        ("read write", Some("read"), true),
        ("read write", Some("write read"), true),
        ("read", None, true),
        ("read", Some("read admin"), false),
        ("read", Some("admin"), false),
        ("", Some("whatever the server likes"), true),
    ] {
        let mut answer = self::good();
        answer["scope"] = given.into();
        let provider = provider(&answer).await;
        let settings = settings(&provider, Grant::JwtBearer);
        let outcome = settings.obtain(&Opening::default(), &order(asked, 60), provider.means(), NOW).await;
        assert_eq!(outcome.is_ok(), good, "{asked:?} -> {given:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_server_s_code() {
    let provider = FakeProvider::start().await;
    let body = json!({ "error": "invalid_grant", "error_description": "subject unknown: eyJhbGciOi" }).to_string();
    provider.server.serve_with("/token", StatusCode::BAD_REQUEST, &[], body);
    let settings = settings(&provider, Grant::JwtBearer);
    let trouble = settings.obtain(&opening(), &order("read", 60), provider.means(), NOW).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Refused { code, .. } if code == "invalid_grant"), "{trouble:?}");
    assert!(!trouble.is_retryable());
}
