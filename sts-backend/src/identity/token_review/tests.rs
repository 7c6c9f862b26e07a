use serde_json::{Value, json};
use token::{base64url, jwk::Jwk, jws::Algorithm, token_type::TokenType};

use super::*;
use crate::{
    actor::{Caller, VerifiedActor},
    crypto::Es256Key,
    identity::{
        Preset, SourceSettings, Sources, VerifiedSubject, assertion::Assertions, fake_issuer::FakeIssuer,
        inquiry::tests as inquiry,
    },
    request::TokenRequest,
};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const AUDIENCE: &str = "https://sts.test";
const USER: &str = "system:serviceaccount:payments:api";

/// One cluster: keys, API server, and the source that trusts it.
struct Cluster {
    server: FakeIssuer,
    key: Es256Key,
    _folder: tempfile::TempDir,
    settings: SourceSettings,
}

impl Cluster {
    async fn new(name: &str, actor: Option<&str>) -> Self {
        let server = FakeIssuer::start().await;
        let (key, _) = Es256Key::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let jwks = server.publish(json!([Jwk::es256(key.public_point()).unwrap()]), folder.path());
        let token_review = Some(inquiry::settings(&server, PATH, folder.path()));
        let settings = SourceSettings {
            name: name.into(),
            audience: AUDIENCE.into(),
            actors: actor.map(|actor| [token::spiffe::SpiffeId::parse(actor).unwrap()].into()),
            preset: Preset::Kubernetes { issuer: ISSUER.into(), cluster: name.into(), token_review },
            jwks,
        };
        let cluster = Self { server, key, _folder: folder, settings };
        cluster.says(&vouched());
        cluster
    }

    fn says(&self, status: &Value) {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status});
        self.server.serve_with(PATH, StatusCode::CREATED, &[], review.to_string());
    }

    fn token(&self, change: impl FnOnce(&mut Value)) -> String {
        let kid = Jwk::es256(self.key.public_point()).unwrap().kid.unwrap();
        let header = json!({"alg": Algorithm::Es256.name(), "kid": kid});
        let mut claims = json!({
            "iss": ISSUER, "aud": [AUDIENCE], "sub": USER, "iat": NOW, "nbf": NOW, "exp": NOW + 3607,
            "kubernetes.io": {
                "namespace": "payments", "serviceaccount": {"name": "api", "uid": "sa-uid"},
                "pod": {"name": "api-1", "uid": "pod-uid"}
            }
        });
        change(&mut claims);
        let input = format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
        format!("{input}.{}", base64url::encode(self.key.sign(input.as_bytes()).unwrap()))
    }

    async fn verify(&self, token: &str) -> Result<VerifiedSubject, Refusal> {
        verify(&Sources::new(vec![self.settings.clone()], "td.test", None).unwrap(), None, token).await
    }

    async fn refusal(&self) -> Refusal {
        let token = self.token(|_| ());
        let refusal = self.verify(&token).await.unwrap_err();
        let text = format!("{refusal:?}");
        assert!(refusal.claim_name().is_some() && refusal.wanted_value().is_some(), "{text}");
        assert!(refusal.got_value().is_some() && refusal.advice().is_some(), "{text}");
        for part in token.split('.') {
            assert!(!text.contains(part), "the token is quoted: {text}");
        }
        refusal
    }

    fn reviews(&self) -> usize {
        self.server.hits(PATH)
    }
}

fn vouched() -> Value {
    json!({
        "authenticated": true, "audiences": [AUDIENCE],
        "user": {
            "username": USER, "uid": "sa-uid", "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {
                "authentication.kubernetes.io/pod-name": ["api-1"],
                "authentication.kubernetes.io/pod-uid": ["pod-uid"],
                "authentication.kubernetes.io/credential-id": ["JTI=1"]
            }
        }
    })
}

async fn verify(sources: &Sources, proxy: Option<&str>, token: &str) -> Result<VerifiedSubject, Refusal> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE)
        .append_pair("subject_token", token)
        .append_pair("subject_token_type", TokenType::Jwt.urn())
        .finish();
    let request = TokenRequest::read(form.as_bytes(), None, &Caller::Direct).unwrap();
    VerifiedSubject::verify(sources, &Assertions::default(), &VerifiedActor::for_tests(proxy), &request, NOW).await
}

#[tokio::test]
async fn a_token_that_its_cluster_vouches_for_is_believed() {
    let cluster = Cluster::new("prod", None).await;
    let token = cluster.token(|_| ());
    let subject = cluster.verify(&format!("{token}\n")).await.unwrap();
    assert_eq!(subject.name().as_str(), "spiffe://td.test/k8s/prod/payments/api");
    let asked = cluster.server.asked(PATH);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].headers["authorization"], "Bearer our-credential");
    assert_eq!(
        serde_json::from_slice::<Value>(&asked[0].body).unwrap(),
        json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]}
        })
    );
}

#[tokio::test]
async fn what_the_cluster_does_not_vouch_for_is_refused() {
    let cluster = Cluster::new("prod", None).await;
    let change = |path: &str, value: Value| {
        let mut status = vouched();
        *status.pointer_mut(path).unwrap() = value;
        status
    };
    let uid = "/user/extra/authentication.kubernetes.io~1pod-uid";
    for (status, reason) in [
        (change("/authenticated", json!(false)), Reason::SubjectRevoked),
        (json!({}), Reason::SubjectRevoked),
        (json!({"error": "service account token has been invalidated"}), Reason::SubjectRevoked),
        (change("/audiences", json!([])), Reason::SubjectAudienceMismatch),
        (change("/audiences", json!(["https://kubernetes.default.svc"])), Reason::SubjectAudienceMismatch),
        (change("/user/username", json!("system:serviceaccount:payments:other")), Reason::SubjectClaimMismatch),
        (change("/user/username", json!("")), Reason::SubjectClaimMismatch),
        (change("/user", json!({})), Reason::SubjectClaimMismatch),
        (change("/user/uid", json!("another")), Reason::SubjectClaimMismatch),
        (change(uid, json!(["another"])), Reason::SubjectClaimMismatch),
        (change(uid, json!(["pod-uid", "another"])), Reason::SubjectClaimMismatch),
        (change(uid, json!([])), Reason::SubjectClaimMismatch),
    ] {
        cluster.says(&status);
        assert_eq!(cluster.refusal().await.reason(), reason, "{status}");
    }
}

#[tokio::test]
async fn the_clusters_words_are_told_unless_they_hold_the_token() {
    let cluster = Cluster::new("prod", None).await;
    cluster.says(&json!({"authenticated": false, "error": "pod is gone"}));
    assert_eq!(cluster.refusal().await.got_value(), Some("pod is gone"));
    let signature = cluster.token(|_| ()).rsplit_once('.').unwrap().1.to_owned();
    let token = Secret::new(format!("eyJhbGciOiJ9.eyJzdWIiOiJ9.{signature}"));
    assert_eq!(revoked(Some(&format!("bad token {signature}")), &token).got_value(), Some("false"));
}

#[tokio::test]
async fn older_clusters_that_name_no_pod_are_taken_at_their_word() {
    let cluster = Cluster::new("prod", None).await;
    cluster.says(&json!({"authenticated": true, "audiences": ["other", AUDIENCE], "user": {"username": USER}}));
    cluster.verify(&cluster.token(|_| ())).await.unwrap();
    // A token that is bound to no pod.
    cluster.says(&vouched());
    cluster
        .verify(&cluster.token(|claims| _ = claims["kubernetes.io"].as_object_mut().unwrap().remove("pod")))
        .await
        .unwrap();
}

#[tokio::test]
async fn garbage_never_reaches_the_api_server() {
    let cluster = Cluster::new("prod", None).await;
    let other = Cluster::new("other", None).await;
    let good = cluster.token(|_| ());
    let (signed, _) = good.rsplit_once('.').unwrap();
    for (token, reason) in [
        (other.token(|_| ()), Reason::SubjectKeyUnknown),
        (format!("{signed}.{}", base64url::encode([1; 64])), Reason::SubjectSignatureInvalid),
        (cluster.token(|claims| claims["aud"] = json!(["https://other.test"])), Reason::SubjectAudienceMismatch),
        (cluster.token(|claims| claims["aud"] = json!([AUDIENCE, "x"])), Reason::SubjectAudienceMismatch),
        (cluster.token(|claims| claims["iss"] = json!("https://other.test")), Reason::SubjectIssuerUnknown),
        (cluster.token(|claims| claims["exp"] = json!(NOW)), Reason::SubjectTokenExpired),
        (cluster.token(|claims| claims["nbf"] = json!(NOW + 61)), Reason::SubjectTokenNotYetValid),
        (cluster.token(|claims| claims["sub"] = json!("system:serviceaccount:a:b")), Reason::SubjectClaimMismatch),
        ("not.a.token".to_owned(), Reason::SubjectTokenMalformed),
    ] {
        assert_eq!(cluster.verify(&token).await.unwrap_err().reason(), reason);
    }
    assert_eq!((cluster.reviews(), other.reviews()), (0, 0));
}

#[tokio::test]
async fn what_is_no_review_says_nothing_of_the_token() {
    let cluster = Cluster::new("prod", None).await;
    for answer in [
        "",
        "{}",
        "[]",
        r#"{"kind":"Status","status":"Failure","code":403}"#,
        r#"{"kind":"SubjectAccessReview","status":{"authenticated":true}}"#,
        r#"{"kind":"TokenReview","status":{"authenticated":"true"}}"#,
        r#"{"kind":"TokenReview","status":{"authenticated":false,"authenticated":true}}"#,
    ] {
        cluster.server.serve_with(PATH, StatusCode::CREATED, &[], answer);
        assert_eq!(cluster.refusal().await.reason(), Reason::ReviewUnavailable, "{answer}");
    }
    cluster.server.serve_with(PATH, StatusCode::FORBIDDEN, &[], "{}");
    assert!(cluster.refusal().await.advice().unwrap().contains("system:auth-delegator"));
}

#[tokio::test]
async fn clusters_of_one_issuer_are_never_asked_for_each_other() {
    let (one, other) = ("spiffe://td/edge/one", "spiffe://td/edge/other");
    let east = Cluster::new("east", Some(one)).await;
    let west = Cluster::new("west", Some(other)).await;
    let sources = Sources::new(vec![east.settings.clone(), west.settings.clone()], "td.test", None).unwrap();
    let (of_east, of_west) = (east.token(|_| ()), west.token(|_| ()));
    assert_eq!(verify(&sources, Some(one), &of_east).await.unwrap().source(), "east");
    assert_eq!(verify(&sources, Some(other), &of_west).await.unwrap().source(), "west");
    assert_eq!((east.reviews(), west.reviews()), (1, 1));
    for (proxy, token, reason) in [
        (Some(one), &of_west, Reason::SubjectKeyUnknown),
        (Some(other), &of_east, Reason::SubjectKeyUnknown),
        (None, &of_east, Reason::SubjectIssuerUnknown),
    ] {
        assert_eq!(verify(&sources, proxy, token).await.unwrap_err().reason(), reason);
    }
    assert_eq!((east.reviews(), west.reviews()), (1, 1), "an API server was asked about a token of another cluster");
    // One that cannot be reached is its own workloads' trouble.
    east.server.serve_with(PATH, StatusCode::SERVICE_UNAVAILABLE, &[], "");
    let refusal = verify(&sources, Some(one), &of_east).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::ReviewUnavailable);
    assert!(verify(&sources, Some(other), &of_west).await.is_ok());
}
