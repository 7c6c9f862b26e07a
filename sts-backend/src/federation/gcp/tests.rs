use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::StatusCode;
use serde_json::{Value, json};
use token::{base64url, spiffe::SpiffeId};

use super::*;
use crate::{
    federation::fake::{FakeProvider, NOW, WORKLOAD, field, order},
    identity::fake_issuer::Asked,
};

const PROVIDER: &str = "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/x";
const EMAIL: &str = "x@y.iam.gserviceaccount.com";
const TOKEN: &str = "/v1/token";
const ACCESS: &str = "/v1/projects/-/serviceAccounts/x@y.iam.gserviceaccount.com:generateAccessToken";
const ID: &str = "/v1/projects/-/serviceAccounts/x@y.iam.gserviceaccount.com:generateIdToken";

fn settings(fake: &FakeProvider) -> Settings {
    Settings {
        provider: PROVIDER.to_owned(),
        audience: None,
        service_account: Some(EMAIL.to_owned()),
        sts_endpoint: Some(fake.uri("")),
        iam_endpoint: Some(fake.uri("")),
        kept: Kept::default(),
    }
}

fn bucket() -> Opening {
    Opening::Bucket { bucket: "reports".to_owned(), prefix: Some("team-a/".to_owned()) }
}

fn exchanged(token: &str, life: u64) -> (StatusCode, String) {
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    let body = json!({"access_token": token, "issued_token_type": issued, "token_type": "Bearer", "expires_in": life});
    (StatusCode::OK, body.to_string())
}

fn refused(status: StatusCode, code: &str) -> (StatusCode, String) {
    let error = json!({"code": status.as_u16(), "message": "m", "status": code});
    (status, json!({ "error": error }).to_string())
}

/// A Google that gives what it is asked for: federated tokens are named by the assertion, narrow ones by what they were.
async fn google() -> FakeProvider {
    let fake = FakeProvider::start().await;
    fake.server.serve_by(TOKEN, |asked| match field(asked, "options").as_str() {
        "" => exchanged(&format!("federated.{}", field(asked, "subject_token")), 3599),
        _ => exchanged(&format!("narrow.{}", field(asked, "subject_token")), 3599),
    });
    fake.server.serve_by(ACCESS, |_| {
        let body = json!({"accessToken": "ya29.c.account", "expireTime": "2026-11-22T07:35:00Z"});
        (StatusCode::OK, body.to_string())
    });
    fake.server.serve_by(ID, |asked| {
        let asked: Value = serde_json::from_slice(&asked.body).unwrap();
        let claims = json!({"aud": asked["audience"], "email": EMAIL, "exp": NOW + 3600});
        let parts = [json!({"alg": "RS256", "kid": "k"}).to_string(), claims.to_string(), "s".to_owned()];
        (StatusCode::OK, json!({"token": parts.map(base64url::encode).join(".")}).to_string())
    });
    fake
}

fn token(credential: &Credential) -> &str {
    let CredentialKind::Token { token, token_type } = &credential.kind else { panic!("{credential:?}") };
    assert_eq!(token_type, "Bearer");
    token.expose()
}

fn bearer(asked: &Asked) -> &str {
    asked.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
}

#[tokio::test]
async fn three_calls_give_a_token_that_opens_one_folder() {
    let fake = google().await;
    let credential = settings(&fake).obtain(&bucket(), &order("read list", 300), fake.means(), NOW).await.unwrap();
    assert_eq!(token(&credential), "narrow.ya29.c.account");
    assert_eq!((credential.expires_at, credential.jti.as_str()), (NOW + 300, "jti-1"), "it ends with the account's");
    assert_eq!(
        credential.provider_reference.as_deref(),
        Some(format!("principal://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/subject/{WORKLOAD}").as_str())
    );

    let [federate, narrow] = fake.server.asked(TOKEN).try_into().unwrap();
    assert_eq!(field(&federate, "audience"), PROVIDER);
    assert_eq!(field(&federate, "scope"), "https://www.googleapis.com/auth/iam");
    assert_eq!(field(&federate, "subject_token"), "assertion-1");
    assert!(!federate.headers.contains_key("authorization") && !narrow.headers.contains_key("authorization"));
    assert_eq!(field(&narrow, "subject_token"), "ya29.c.account");
    assert!(field(&narrow, "options").contains("/objects/team-a/')"));
    let [account] = fake.server.asked(ACCESS).try_into().unwrap();
    assert_eq!(bearer(&account), "federated.assertion-1");
    assert_eq!(
        serde_json::from_slice::<Value>(&account.body).unwrap(),
        json!({"scope": ["https://www.googleapis.com/auth/devstorage.read_only"], "lifetime": "300s"})
    );
    let [assertion] = fake.signer.signed().try_into().unwrap();
    assert_eq!((assertion.subject.as_str(), assertion.audience), (WORKLOAD, format!("https:{PROVIDER}")));
    assert_eq!((assertion.issuer, assertion.typ, assertion.algorithm), (None, "JWT", Algorithm::Rs256));
}

#[tokio::test]
async fn a_federated_token_serves_the_workload_s_other_destinations_and_nobody_else() {
    let fake = google().await;
    let settings = settings(&fake);
    let other = Opening::Bucket { bucket: "invoices".to_owned(), prefix: None };
    for opening in [bucket(), other, Opening::IdToken { audience: "https://reports.run.app".into() }] {
        let permissions = if matches!(opening, Opening::IdToken { .. }) { "" } else { "read" };
        let credential = settings.obtain(&opening, &order(permissions, 300), fake.means(), NOW).await.unwrap();
        assert_eq!(credential.jti, "jti-1", "of the assertion it goes back to");
    }
    assert_eq!((fake.signer.signed().len(), fake.server.hits(TOKEN)), (1, 3));
    let till = SpiffeId::parse("spiffe://td.example/k8s/prod/shop/till").unwrap();
    let order_of_till = Order { subject: till, ..order("read", 300) };
    let credential = settings.obtain(&bucket(), &order_of_till, fake.means(), NOW).await.unwrap();
    assert_eq!(credential.jti, "jti-2");
    assert_eq!(fake.server.asked(ACCESS).iter().map(bearer).collect::<Vec<_>>()[2], "federated.assertion-2");
    // Within its last minute it is not used any more.
    settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW + 3540).await.unwrap_err();
    assert_eq!(fake.signer.signed().len(), 3);
}

#[tokio::test]
async fn orders_at_the_same_time_are_federated_once() {
    let fake = google().await;
    let settings = settings(&fake);
    let gate = fake.server.hold();
    let order = order("read", 300);
    let opening = bucket();
    let obtain = || settings.obtain(&opening, &order, fake.means(), NOW);
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        gate.add_permits(100);
    };
    let (a, b, c, ()) = tokio::join!(obtain(), obtain(), obtain(), release);
    for credential in [a, b, c] {
        assert_eq!(credential.unwrap().jti, "jti-1");
    }
    assert_eq!((fake.signer.signed().len(), fake.server.hits(TOKEN)), (1, 4));
}

#[tokio::test]
async fn a_kept_token_that_google_takes_no_more_is_replaced_once() {
    let fake = google().await;
    let settings = settings(&fake);
    settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap();
    fake.server.serve_by(ACCESS, |asked| match bearer(asked) {
        "federated.assertion-1" => refused(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
        _ => (StatusCode::OK, json!({"accessToken": "ya29.c.new", "expireTime": "2026-11-22T07:35:00Z"}).to_string()),
    });
    let credential = settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap();
    assert_eq!((token(&credential), credential.jti.as_str()), ("narrow.ya29.c.new", "jti-2"));
    // A new one that is refused too is not replaced: it is not the token's age.
    fake.server.serve_by(ACCESS, |_| refused(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"));
    let trouble = settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Refused { code, .. } if code == "UNAUTHENTICATED"));
    assert_eq!(fake.signer.signed().len(), 3);
}

#[tokio::test]
async fn scopes_and_lives_are_what_the_order_needs() {
    let fake = google().await;
    for (permissions, life, scope, lifetime) in [
        ("write", 1, "devstorage.read_write", "300s"),
        ("read list write delete", 900, "devstorage.read_write", "900s"),
        ("list", 100_000, "devstorage.read_only", "3600s"),
    ] {
        let outcome = settings(&fake).obtain(&bucket(), &order(permissions, life), fake.means(), NOW).await;
        assert!(outcome.is_ok(), "{permissions}: {outcome:?}");
        let asked: Value = serde_json::from_slice(&fake.server.asked(ACCESS).last().unwrap().body).unwrap();
        assert_eq!(asked["scope"], json!([format!("https://www.googleapis.com/auth/{scope}")]));
        assert_eq!(asked["lifetime"], lifetime);
    }
    let pubsub = "https://www.googleapis.com/auth/pubsub";
    let opening = Opening::Scopes(vec![pubsub.to_owned(), "https://www.googleapis.com/auth/bigquery".to_owned()]);
    let credential = settings(&fake).obtain(&opening, &order(pubsub, 300), fake.means(), NOW).await.unwrap();
    assert_eq!(token(&credential), "ya29.c.account");
    let asked: Value = serde_json::from_slice(&fake.server.asked(ACCESS).last().unwrap().body).unwrap();
    assert_eq!(asked["scope"], json!([pubsub]), "what was granted, not all that the destination has");
}

#[tokio::test]
async fn without_a_service_account_the_federated_token_itself_is_narrowed() {
    let fake = google().await;
    let settings = Settings { service_account: None, ..settings(&fake) };
    let credential = settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap();
    assert_eq!((token(&credential), credential.expires_at), ("narrow.federated.assertion-1", NOW + 3599));
    let asked = fake.server.asked(TOKEN);
    assert_eq!(field(&asked[0], "scope"), "https://www.googleapis.com/auth/devstorage.read_only");
    let scope = "https://www.googleapis.com/auth/pubsub";
    let opening = Opening::Scopes(vec![scope.to_owned()]);
    let credential = settings.obtain(&opening, &order(scope, 300), fake.means(), NOW).await.unwrap();
    assert_eq!(token(&credential), "federated.assertion-2", "another scope is another token");
    // One that ends before the order does is no help.
    let credential = settings.obtain(&opening, &order(scope, 1800), fake.means(), NOW + 1800).await.unwrap();
    assert_eq!((token(&credential), credential.expires_at), ("federated.assertion-3", NOW + 1800 + 3599));
    assert_eq!(fake.server.hits(ACCESS), 0);
}

#[tokio::test]
async fn a_boundary_that_was_passed_over_is_noticed() {
    let fake = google().await;
    fake.server.serve_by(TOKEN, |asked| match field(asked, "options").as_str() {
        "" => exchanged("federated", 3599),
        _ => exchanged(&field(asked, "subject_token"), 3599),
    });
    let trouble = settings(&fake).obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap_err();
    assert!(matches!(trouble, Trouble::Invalid { .. }), "{trouble:?}");
}

#[tokio::test]
async fn google_s_refusal_comes_with_its_code_at_every_step() {
    for step in [0, 1, 2] {
        let fake = google().await;
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        fake.server.serve_by(TOKEN, move |_| {
            let place = count.fetch_add(1, Ordering::SeqCst) * 2;
            let error = r#"{"error":"invalid_target","error_description":"d"}"#;
            if place == step { (StatusCode::BAD_REQUEST, error.to_owned()) } else { exchanged("federated", 3599) }
        });
        if step == 1 {
            fake.server.serve_by(ACCESS, |_| refused(StatusCode::FORBIDDEN, "PERMISSION_DENIED"));
        }
        let trouble = settings(&fake).obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap_err();
        let wanted = if step == 1 { "PERMISSION_DENIED" } else { "invalid_target" };
        assert!(matches!(&trouble, Trouble::Refused { code, .. } if code == wanted), "{step}: {trouble:?}");
    }
}

#[tokio::test]
async fn an_order_that_cannot_be_narrowed_never_reaches_google() {
    let fake = google().await;
    let long = SpiffeId::parse(&format!("spiffe://td.example/{}", "a".repeat(108))).unwrap();
    assert_eq!(long.as_str().len(), 128);
    for (opening, order) in [
        (bucket(), order("", 300)),
        (bucket(), order("delete", 300)),
        (bucket(), order("read admin", 300)),
        (Opening::Scopes(vec!["a".into()]), order("b", 300)),
        (Opening::IdToken { audience: "https://x".into() }, order("read", 300)),
        (bucket(), Order { subject: long, ..order("read", 300) }),
    ] {
        let trouble = settings(&fake).obtain(&opening, &order, fake.means(), NOW).await.unwrap_err();
        assert!(
            matches!(&trouble, Trouble::Refused { code, .. } if code == "an order that does not fit"),
            "{trouble:?}"
        );
    }
    assert_eq!((fake.signer.signed().len(), fake.server.hits(TOKEN)), (0, 0));
    let longest = SpiffeId::parse(&format!("spiffe://td.example/{}", "a".repeat(107))).unwrap();
    let order = Order { subject: longest, ..order("read", 300) };
    assert!(settings(&fake).obtain(&bucket(), &order, fake.means(), NOW).await.is_ok());
}

#[test]
fn settings_that_fit_nothing_are_found() {
    let good = Settings {
        provider: PROVIDER.to_owned(),
        audience: None,
        service_account: Some(EMAIL.to_owned()),
        sts_endpoint: None,
        iam_endpoint: None,
        kept: Kept::default(),
    };
    let scope = |text: &str| Scope::parse(text).unwrap();
    assert_eq!(good.check(&bucket(), &scope("read list write delete")), Ok(()));
    let plan = good.plan(&bucket(), &scope("read")).unwrap();
    assert_eq!(plan.token_endpoint, "https://sts.googleapis.com/v1/token");
    assert_eq!(plan.account.unwrap().0, "https://iamcredentials.googleapis.com");
    let with_path: Uri = "https://sts.example/v1/token".parse().unwrap();
    for (settings, complaint) in [
        (Settings { provider: "p".into(), ..good.clone() }, "`provider` is `p`"),
        (Settings { audience: Some("a b".into()), ..good.clone() }, "`audience` must be"),
        (Settings { audience: Some("a".repeat(257)), ..good.clone() }, "`audience` must be"),
        (Settings { service_account: Some("x".into()), ..good.clone() }, "`service_account` is `x`"),
        (Settings { sts_endpoint: Some(with_path.clone()), ..good.clone() }, "`sts_endpoint` is"),
        (Settings { iam_endpoint: Some(with_path), ..good.clone() }, "`iam_endpoint` is"),
    ] {
        let problem = settings.check(&bucket(), &scope("read")).unwrap_err();
        assert!(problem.contains(complaint), "{problem}");
    }
    let id_token = |audience: &str| Opening::IdToken { audience: audience.to_owned() };
    for (settings, opening, permissions, complaint) in [
        (&good, bucket(), "", "`permissions` is empty"),
        (&good, bucket(), "delete", "without `write` and `list`"),
        (&good, Opening::Scopes(vec!["a".into()]), "", "`permissions` is empty"),
        (&good, Opening::Scopes(vec!["a".into()]), "a b", "`permissions` has `b`"),
        (&good, Opening::Scopes(vec!["a".into(); 33]), "a", "at most 32"),
        (&good, id_token("https://x"), "read", "`permissions` is not empty"),
        (&good, id_token(""), "", "`id_token_audience`"),
        (&good, id_token("a b"), "", "`id_token_audience`"),
        (&Settings { service_account: None, ..good.clone() }, id_token("https://x"), "", "needs a `service_account`"),
    ] {
        let problem = settings.check(&opening, &scope(permissions)).unwrap_err();
        assert!(problem.contains(complaint), "{problem}");
    }
    assert_eq!(good.check(&id_token("https://x"), &scope("")), Ok(()));
}
