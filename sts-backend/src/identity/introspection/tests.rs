use serde_json::json;
use token::{spiffe::SpiffeId, token_type::TokenType};

use super::*;
use crate::{
    actor::{Caller, VerifiedActor},
    identity::{
        JwksSettings, Platform, Preset, SourceError, SourceSettings, Sources, VerifiedSubject,
        assertion::Assertions,
        fake_issuer::FakeIssuer,
        inquiry::{credential::Credential, tests as inquiry},
    },
    request::TokenRequest,
};

const NOW: u64 = 1_800_000_000;
const PATH: &str = "/introspect";
const ISSUER: &str = "https://as.test";
const AUDIENCE: &str = "https://sts.test";
const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

struct World {
    server: FakeIssuer,
    settings: SourceSettings,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(name: &str, actor: Option<&str>) -> Self {
        let server = FakeIssuer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let settings = SourceSettings {
            name: name.into(),
            audience: AUDIENCE.into(),
            actors: actor.map(|actor| [SpiffeId::parse(actor).unwrap()].into()),
            preset: Preset::Introspection(IntrospectionSettings {
                issuer: ISSUER.into(),
                server: inquiry::settings(&server, PATH, folder.path()),
                hint: None,
                max_life: None,
            }),
            jwks: JwksSettings::default(),
        };
        let world = Self { server, settings, _folder: folder };
        world.says(&active());
        world
    }

    fn changed(mut self, change: impl FnOnce(&mut IntrospectionSettings)) -> Self {
        if let Preset::Introspection(settings) = &mut self.settings.preset {
            change(settings);
        }
        self
    }

    fn says(&self, answer: &Value) {
        self.server.serve(PATH, answer.to_string());
    }

    fn sources(&self) -> Sources {
        Sources::new(vec![self.settings.clone()], "td.test", None).unwrap()
    }

    async fn verify(&self) -> Result<VerifiedSubject, Refusal> {
        verify(&self.sources(), None, TokenType::AccessToken, TOKEN, NOW).await
    }

    async fn refusal(&self) -> (Reason, String) {
        let refusal = self.verify().await.unwrap_err();
        let text = format!("{refusal:?}");
        assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{text}");
        assert!(!text.contains(TOKEN), "{text}");
        (refusal.reason(), refusal.claim_name().unwrap().to_owned())
    }
}

fn active() -> Value {
    json!({
        "active": true, "aud": AUDIENCE, "iss": ISSUER, "sub": "job/7", "exp": NOW + 300, "iat": NOW - 10,
        "scope": "read", "client_id": "batch", "token_type": "Bearer"
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut answer = active();
    answer[name] = value;
    answer
}

fn without(name: &str) -> Value {
    let mut answer = active();
    answer.as_object_mut().unwrap().remove(name);
    answer
}

async fn verify(
    sources: &Sources,
    proxy: Option<&str>,
    kind: TokenType,
    token: &str,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE)
        .append_pair("subject_token", token)
        .append_pair("subject_token_type", kind.urn())
        .finish();
    let request = TokenRequest::read(form.as_bytes(), None, &Caller::Direct).unwrap();
    VerifiedSubject::verify(sources, &Assertions::default(), &VerifiedActor::for_tests(proxy), &request, now).await
}

#[tokio::test]
async fn an_active_token_names_its_subject() {
    let world = World::new("legacy", None).await.changed(|settings| settings.hint = Some("access_token".into()));
    let subject = world.verify().await.unwrap();
    assert_eq!(subject.name().as_str(), "spiffe://td.test/oidc/legacy/job_2f7");
    assert_eq!((subject.source(), subject.platform(), subject.issuer()), ("legacy", Platform::Oidc, ISSUER));
    assert_eq!((subject.subject(), subject.expires_at()), ("job/7", NOW + 300));
    let asked = world.server.asked(PATH);
    assert_eq!((asked.len(), &asked[0].method), (1, &http::Method::POST));
    assert_eq!(asked[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(asked[0].headers["accept"], "application/json");
    assert_eq!(&asked[0].body[..], format!("token={TOKEN}&token_type_hint=access_token").as_bytes());
    // A newline of a token file is not part of it.
    verify(&world.sources(), None, TokenType::AccessToken, &format!("{TOKEN}\n"), NOW).await.unwrap();
    assert!(world.server.asked(PATH)[1].body.starts_with(format!("token={TOKEN}&").as_bytes()));
}

#[tokio::test]
async fn a_token_is_sent_as_it_is_whatever_it_holds() {
    let world = World::new("legacy", None).await;
    verify(&world.sources(), None, TokenType::AccessToken, "a&b=c+d/e%f.g", NOW).await.unwrap();
    assert_eq!(&world.server.asked(PATH)[0].body[..], b"token=a%26b%3Dc%2Bd%2Fe%25f.g");
    let refusal = verify(&world.sources(), None, TokenType::AccessToken, "a\nb", NOW).await.unwrap_err();
    assert_eq!(refusal.reason(), Reason::SubjectTokenMalformed);
    assert_eq!(world.server.hits(PATH), 1);
}

#[tokio::test]
async fn an_answer_is_held_to_what_a_jwt_is_held_to() {
    let world = World::new("legacy", None).await;
    let (mismatch, audience) = (Reason::SubjectClaimMismatch, Reason::SubjectAudienceMismatch);
    for (answer, reason, claim) in [
        (json!({"active": false}), Reason::SubjectRevoked, "active"),
        (with("active", json!(false)), Reason::SubjectRevoked, "active"),
        (without("aud"), audience, "aud"),
        (with("aud", json!("https://other.test")), audience, "aud"),
        (with("aud", json!([AUDIENCE, "https://other.test"])), audience, "aud"),
        (with("iss", json!("https://as.test/")), mismatch, "iss"),
        (with("iss", json!(null)), mismatch, "iss"),
        (without("sub"), mismatch, "sub"),
        (with("sub", json!("")), mismatch, "sub"),
        (with("sub", json!("x".repeat(256))), mismatch, "sub"),
        (without("exp"), mismatch, "exp"),
        (with("exp", json!(NOW)), Reason::SubjectTokenExpired, "exp"),
        (with("exp", json!("soon")), Reason::SubjectTokenMalformed, "exp"),
        (with("exp", json!(NOW + 90_001)), mismatch, "exp"),
        (with("nbf", json!(NOW + 61)), Reason::SubjectTokenNotYetValid, "nbf"),
        (with("iat", json!(NOW + 61)), Reason::SubjectTokenNotYetValid, "iat"),
        (with("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})), mismatch, "cnf"),
        (with("cnf", json!(null)), mismatch, "cnf"),
        (with("token_type", json!("DPoP")), mismatch, "token_type"),
        (with("token_type", json!(7)), mismatch, "token_type"),
        (with("token_use", json!("refresh_token")), mismatch, "token_use"),
        (with("typ", json!("Refresh")), mismatch, "typ"),
    ] {
        world.says(&answer);
        assert_eq!(world.refusal().await, (reason, claim.to_owned()), "{answer}");
    }
    for answer in [without("iss"), with("aud", json!([AUDIENCE])), with("token_type", json!("bearer")), without("iat")]
    {
        world.says(&answer);
        assert!(world.verify().await.is_ok(), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_answer_says_nothing_of_the_token() {
    let world = World::new("legacy", None).await;
    for answer in ["", "[]", "{}", r#"{"active":"true"}"#, r#"{"active":1}"#, r#"{"active":false,"active":true}"#] {
        world.server.serve(PATH, answer);
        assert_eq!(world.refusal().await.0, Reason::ReviewUnavailable, "{answer}");
    }
    for status in [401, 403, 404, 429, 500, 503] {
        world.server.serve_with(PATH, StatusCode::from_u16(status).unwrap(), &[], active().to_string());
        assert_eq!(world.refusal().await.0, Reason::ReviewUnavailable, "{status}");
    }
}

#[tokio::test]
async fn a_longest_life_bounds_every_token_and_ends_those_without_end() {
    let world = World::new("legacy", None).await.changed(|settings| settings.max_life = Some(120));
    assert_eq!(world.verify().await.unwrap().expires_at(), NOW + 120);
    world.says(&with("exp", json!(NOW + 60)));
    assert_eq!(world.verify().await.unwrap().expires_at(), NOW + 60);
    world.says(&without("exp"));
    assert_eq!(world.verify().await.unwrap().expires_at(), NOW + 120);
}

#[tokio::test]
async fn a_remembered_answer_does_not_outlive_the_token() {
    let world = World::new("legacy", None).await.changed(|settings| settings.server.remember = 30);
    let sources = world.sources();
    let verify = |now| verify(&sources, None, TokenType::AccessToken, TOKEN, now);
    world.says(&with("exp", json!(NOW + 5)));
    assert!(verify(NOW).await.is_ok());
    assert!(verify(NOW + 4).await.is_ok());
    assert_eq!(verify(NOW + 5).await.unwrap_err().reason(), Reason::SubjectTokenExpired);
    assert_eq!(world.server.hits(PATH), 1);
}

#[tokio::test]
async fn only_opaque_access_tokens_are_asked_about() {
    let world = World::new("legacy", None).await;
    let sources = world.sources();
    let jws = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2FzLnRlc3QifQ.AAAA";
    for (kind, token, reason) in [
        (TokenType::AccessToken, jws, Reason::SubjectIssuerUnknown),
        (TokenType::Jwt, TOKEN, Reason::SubjectTokenMalformed),
        (TokenType::IdToken, TOKEN, Reason::SubjectTokenMalformed),
        (TokenType::Jwt, jws, Reason::SubjectIssuerUnknown),
    ] {
        assert_eq!(verify(&sources, None, kind, token, NOW).await.unwrap_err().reason(), reason, "{kind} {token}");
    }
    assert_eq!(world.server.hits(PATH), 0);
    // Dots alone make no JWS.
    for token in ["v4.local.AAAA", "a.b.c", "..", "eyJhbGciOiJFUzI1NiJ9.x"] {
        assert!(verify(&sources, None, TokenType::AccessToken, token, NOW).await.is_ok(), "{token}");
    }
}

#[tokio::test]
async fn the_proxy_tells_which_server_is_asked() {
    let (one, other) = ("spiffe://td/edge/one", "spiffe://td/edge/other");
    let first = World::new("first", Some(one)).await;
    let second = World::new("second", Some(other)).await;
    let sources = Sources::new(vec![first.settings.clone(), second.settings.clone()], "td.test", None).unwrap();
    second.says(&json!({"active": false}));
    let verify = |proxy| verify(&sources, proxy, TokenType::AccessToken, TOKEN, NOW);
    assert_eq!(verify(Some(one)).await.unwrap().source(), "first");
    assert_eq!((first.server.hits(PATH), second.server.hits(PATH)), (1, 0));
    assert_eq!(verify(Some(other)).await.unwrap_err().reason(), Reason::SubjectRevoked);
    assert_eq!((first.server.hits(PATH), second.server.hits(PATH)), (1, 1));
    assert_eq!(verify(None).await.unwrap_err().reason(), Reason::SubjectTokenMalformed);
    assert_eq!((first.server.hits(PATH), second.server.hits(PATH)), (1, 1));
    for actor in [None, Some(one)] {
        let both = vec![first.settings.clone(), World::new("third", actor).await.settings];
        let error = Sources::new(both, "td.test", None).err().unwrap();
        assert!(matches!(error, SourceError::TwoServers { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_must_not_be_reached_is_a_mistake_of_the_settings() {
    for address in ["http://as.test/introspect", "https://127.0.0.1/introspect", "https://u@as.test/introspect"] {
        let world = World::new("legacy", None).await.changed(|settings| {
            settings.server.address = address.parse().unwrap();
            settings.server.allow_private_addresses = false;
        });
        let error = Sources::new(vec![world.settings.clone()], "td.test", None).err().unwrap();
        assert!(matches!(error, SourceError::Address { .. }), "{address}: {error}");
    }
}

#[tokio::test]
async fn a_client_may_show_its_secret() {
    let folder = tempfile::tempdir().unwrap();
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, "s3cret\n").unwrap();
    let credential = Credential::Basic { client_id: "sts".into(), secret_file };
    let world = World::new("legacy", None).await.changed(|settings| settings.server.credential = credential);
    world.verify().await.unwrap();
    assert_eq!(world.server.asked(PATH)[0].headers["authorization"], "Basic c3RzOnMzY3JldA==");
}
