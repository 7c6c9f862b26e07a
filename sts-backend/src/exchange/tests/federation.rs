//! What a destination's own platform gives, on loan: in the same order, on the record, never for more or for longer than what
//! was granted.

use std::time::Duration;

use http::StatusCode;
use token::{aws_keys::AwsKeys, claims::Scope};

use super::*;
use crate::{
    federation::{
        fake_provider,
        limits::Limits,
        providers::{Common, ProviderSettings},
        signer::AssertionSigner,
        way::{Kind, Way},
    },
    loan::Lender,
};

mod waiting;

const POLICY: &str = r#"
    @id("pair") permit(principal, action == Cloakroom::Action::"act_for", resource);
    @id("whole") @ttl("60s") @methods("GET")
    permit(principal, action == Cloakroom::Action::"exchange", resource)
    when { resource.name != "narrow" && resource.name != "ceiling" };
    @id("narrowed") @reason("r") @scope("read admin")
    permit(principal, action == Cloakroom::Action::"exchange", resource)
    when { resource.name == "narrow" || resource.name == "ceiling" };
    @id("itself") permit(principal, action == Cloakroom::Action::"exchange_directly", resource);
"#;

const TOKEN: &str = "ya29.lent-token";

/// A world with a provider that gives what its server says.
struct Scene {
    world: World,
    provider: FakeIssuer,
    exchange: Exchange,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let provider = FakeIssuer::start().await;
        let ca = world._folder.path().join("provider.pem");
        std::fs::write(&ca, &provider.ca_pem).unwrap();
        let uri = format!("{}/t", provider.url);
        let lent = |name: &str, permissions: &str, types| {
            let way = Way::Fake(fake_provider::Settings { types, ..fake_provider::Settings::new(&uri) });
            Target {
                permissions: Some(Scope::parse(permissions).unwrap()),
                lender: Some(Lender { provider: "cloud".into(), way: Arc::new(way) }),
                ..Target::for_tests(name, &format!("https://{name}.test"))
            }
        };
        let ceiling = Scope::parse("read").unwrap();
        let targets = vec![
            lent("bucket", "read list", &[TokenType::AccessToken]),
            lent("narrow", "list read", &[TokenType::AccessToken]),
            Target { max_life: 20, ..lent("short", "read", &[TokenType::AccessToken]) },
            lent("open", "", &[TokenType::AccessToken]),
            lent("keys", "read", &[TokenType::AwsKeys]),
            lent("sas", "read", &[TokenType::AzureSas]),
            lent("id", "", &[TokenType::IdToken, TokenType::Jwt, TokenType::AccessToken]),
            Target { permissions: Some(ceiling), ..Target::for_tests("ceiling", "https://ceiling.test") },
        ];
        let settings = ProviderSettings {
            name: "cloud".into(),
            kind: Kind::Fake(fake_provider::Settings::new(&uri)),
            ca: Some(ca),
            allow_private_addresses: true,
            limits: Limits {
                at_once: 8,
                waiting: 8,
                timeout: Duration::from_secs(5),
                calls_per_second: 1_000,
                burst: 1_000,
            },
        };
        let common = Common {
            signer: Arc::new(AssertionSigner::new("https://sts.test", Arc::clone(&world.keys))),
            trust_domain: "td.test".into(),
            capacity: 100,
            waiting_callers: 100,
        };
        let exchange_settings = ExchangeSettings {
            targets: Targets::new(targets).unwrap(),
            providers: Arc::new(Providers::new(vec![settings], &common, None).unwrap()),
            ..settings_of(&world)
        };
        let audit = Audit::new(Arc::clone(&world.store));
        let exchange = Exchange::new(exchange_settings, Arc::clone(&world.keys), audit);
        let scene = Self { world, provider, exchange };
        scene.gives(900);
        scene
    }

    fn gives(&self, life: u64) {
        let body = json!({"access_token": TOKEN, "expires_in": life, "reference": "trace-1"});
        self.provider.serve("/t", body.to_string());
    }

    fn request(&self, target: &str, scope: Option<&str>) -> ExchangeRequest {
        ExchangeRequest {
            resource: vec![format!("https://{target}.test")],
            scope: scope.map(str::to_owned),
            request_context: None,
            ..self.world.request()
        }
    }

    async fn ask_at(&self, request: &ExchangeRequest, now: u64, no_cache: bool) -> Result<Released, Refused> {
        let form = request.to_form();
        let message = Message { no_cache, ..message(form.as_bytes(), Some("1")) };
        self.exchange.exchange(&proxy(), message, now).await
    }

    async fn ask(&self, target: &str, scope: Option<&str>) -> Result<Released, Refused> {
        self.ask_at(&self.request(target, scope), NOW, false).await
    }

    async fn refusal(&self, target: &str, scope: Option<&str>) -> Refusal {
        self.ask(target, scope).await.unwrap_err().refusal().clone()
    }

    fn hits(&self) -> usize {
        self.provider.hits("/t")
    }

    /// The fields of the last form that the provider got.
    fn shown(&self) -> Vec<(String, String)> {
        let asked = self.provider.asked("/t");
        form_urlencoded::parse(&asked.last().unwrap().body).into_owned().collect()
    }
}

fn settings_of(world: &World) -> ExchangeSettings {
    settings(POLICY, &world.sources, &Arc::new(Reissues::new(100)))
}

#[tokio::test]
async fn a_credential_is_lent_for_less_than_it_lives_and_recorded() {
    let scene = Scene::start().await;
    let request = scene.request("bucket", None);
    let released = scene.ask_at(&request, NOW, false).await.unwrap();
    let response = released.response();
    assert_eq!(response.access_token.expose(), TOKEN);
    assert_eq!(response.issued_token_type, TokenType::AccessToken.urn());
    assert_eq!((response.token_type.as_str(), response.scope.as_deref()), ("Bearer", Some("list read")));
    assert_eq!((response.expires_in, response.credential_expires_in), (60, Some(900)));
    assert_eq!(response.authorization_details[0].methods.as_deref(), Some(&["GET".to_owned()][..]));

    let leaf = scene.world.last_leaf().await;
    assert_eq!((leaf.outcome, leaf.decision_id.as_str()), (Outcome::Granted, released.decision_id()));
    assert_eq!((leaf.provider.as_deref(), leaf.provider_reference.as_deref()), (Some("cloud"), Some("trace-1")));
    assert_eq!((leaf.exp, leaf.credential_exp), (Some(NOW + 60), Some(NOW + 900)));
    assert_eq!((leaf.policy.as_deref(), leaf.scope_granted.as_deref()), (Some("whole"), Some("list read")));
    assert_eq!(leaf.issued_token_sha256, Some(response.access_token.fingerprint()));
    assert_eq!(leaf.constraints, response.authorization_details);
    assert!(!leaf.reissued);
    assert_eq!(Leaf::from_bytes(&leaf.to_bytes().unwrap()).unwrap(), leaf);

    let again = scene.ask_at(&request, NOW + 50, false).await.unwrap();
    let second = scene.world.last_leaf().await;
    assert_eq!(again.response().access_token, response.access_token);
    assert_eq!((again.response().expires_in, again.response().credential_expires_in), (60, Some(850)));
    assert_eq!((second.reissued, second.jti.clone()), (true, leaf.jti.clone()));
    assert_eq!(scene.hits(), 1);
    assert_eq!(scene.exchange.reissues().entries(), 0);
}

#[tokio::test]
async fn the_provider_sees_our_assertion_about_the_workload_and_never_its_own_token() {
    let scene = Scene::start().await;
    let request = scene.request("bucket", Some("read"));
    // The permit grants no scope in particular; what cannot be granted is refused before anybody is asked.
    assert_eq!(scene.ask_at(&request, NOW, false).await.unwrap_err().refusal().reason(), Reason::ScopeRefused);
    assert_eq!(scene.hits(), 0);
    scene.ask("bucket", None).await.unwrap();
    let shown = scene.shown();
    let set = JwkSet::from_json(scene.world.keys.jwks_json().as_bytes()).unwrap();
    let jws = CompactJws::parse(&shown[0].1, &[Algorithm::Rs256]).unwrap();
    let key = set.find(jws.header().kid.as_deref(), Algorithm::Rs256).unwrap();
    let claims = Value::Object(jws.verify(key, &AwsLc).unwrap().claims().clone());
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("https://sts.test"), &json!(JOB)));
    assert_eq!(scene.world.last_leaf().await.jti.as_deref(), claims["jti"].as_str());
    assert_eq!(shown[1], ("scope".to_owned(), "list read".to_owned()));
    for part in request.subject_token.expose().split('.') {
        assert!(shown.iter().all(|(_, value)| !value.contains(part)), "a part of the native token");
    }
}

#[tokio::test]
async fn each_kind_is_answered_as_what_it_is_and_asked_for_as_that() {
    let scene = Scene::start().await;
    let asked = |target: &str, kind: TokenType| ExchangeRequest {
        requested_token_type: Some(kind.urn().into()),
        ..scene.request(target, None)
    };
    for (target, kind, token_type) in [
        ("keys", TokenType::AwsKeys, "N_A"),
        ("sas", TokenType::AzureSas, "N_A"),
        ("bucket", TokenType::AccessToken, "Bearer"),
        ("id", TokenType::IdToken, "Bearer"),
        ("id", TokenType::AccessToken, "Bearer"),
    ] {
        let released = scene.ask_at(&asked(target, kind), NOW, false).await.unwrap();
        let response = released.response();
        assert_eq!((response.issued_token_type.as_str(), response.token_type.as_str()), (kind.urn(), token_type));
        if kind == TokenType::AwsKeys {
            let keys = AwsKeys::from_token(response.access_token.expose()).unwrap();
            assert_eq!(keys.secret_access_key.expose(), TOKEN);
        }
    }
    for (target, kind, wanted) in [
        ("keys", TokenType::AccessToken, TokenType::AwsKeys),
        ("sas", TokenType::AwsKeys, TokenType::AzureSas),
        ("bucket", TokenType::Jwt, TokenType::AccessToken),
        ("ceiling", TokenType::AwsKeys, TokenType::AccessToken),
    ] {
        let refused = scene.ask_at(&asked(target, kind), NOW, false).await.unwrap_err();
        assert_eq!(refused.refusal().reason(), Reason::TokenTypeUnsupported, "{target}");
        assert_eq!(refused.refusal().got_value(), Some(kind.urn()));
        assert!(refused.refusal().advice().unwrap().contains(wanted.urn()), "{target}");
    }
}

#[tokio::test]
async fn the_shortest_life_wins() {
    let scene = Scene::start().await;
    for (target, left_of_subject, life_of_credential, life) in
        [("bucket", 300, 900, 60), ("short", 300, 900, 20), ("bucket", 7, 900, 7), ("narrow", 300, 50, 40)]
    {
        scene.gives(life_of_credential);
        let subject_token = Secret::new(scene.world.subject_token(json!({"exp": NOW + left_of_subject})));
        let request = ExchangeRequest { subject_token, ..scene.request(target, None) };
        let released = scene.ask_at(&request, NOW, false).await.unwrap();
        assert_eq!(released.response().expires_in, life, "policy, target, subject or credential: {target}");
        assert_eq!(scene.world.last_leaf().await.exp, Some(NOW + life));
    }
    // The default, where policy says nothing: of proxies 90 s here, of callers for themselves 300.
    scene.gives(900);
    let form = scene.request("open", None).to_form();
    let direct = scene.exchange.exchange(&Caller::Direct, message(form.as_bytes(), None), NOW).await.unwrap();
    assert_eq!(direct.response().expires_in, 300);
}

#[tokio::test]
async fn permissions_are_narrowed_by_what_was_granted_and_never_widened() {
    let scene = Scene::start().await;
    // The permit grants `read admin`, and the destination has `list read`.
    let released = scene.ask("narrow", None).await.unwrap();
    assert_eq!(released.response().scope.as_deref(), Some("read"));
    assert_eq!(scene.shown()[1].1, "read");
    assert_eq!(scene.ask("narrow", Some("read list")).await.unwrap().response().scope.as_deref(), Some("read"));
    let refusal = scene.refusal("narrow", Some("admin")).await;
    assert_eq!((refusal.reason(), refusal.wanted_value()), (Reason::ScopeRefused, Some("some of: list read")));
    // What takes no permissions cannot be narrowed: nothing narrower is pretended.
    assert!(scene.ask("open", None).await.unwrap().response().scope.is_none());
    // A ceiling on tokens of our own.
    let released = scene.ask("ceiling", None).await.unwrap();
    assert_eq!(
        (released.response().scope.as_deref(), scene.world.read(&released).scope.to_string()),
        (Some("read"), "read".into())
    );
    assert_eq!(scene.refusal("ceiling", Some("admin")).await.reason(), Reason::ScopeRefused);
    assert_eq!(scene.hits(), 2, "one for each destination that was opened");
}

#[tokio::test]
async fn a_credential_is_nobody_elses_and_for_nothing_else() {
    let scene = Scene::start().await;
    scene.ask("bucket", None).await.unwrap();
    let subject_token = Secret::new(scene.world.subject_token(json!({"sub": "other-job"})));
    let other = ExchangeRequest { subject_token, ..scene.request("bucket", None) };
    scene.ask_at(&other, NOW, false).await.unwrap();
    scene.ask("narrow", None).await.unwrap();
    scene.ask("short", None).await.unwrap();
    assert_eq!(scene.hits(), 4);
    // The same again, with whatever else may differ between two requests of one workload.
    let mut same = scene.request("bucket", None);
    same.subject_token = Secret::new(scene.world.subject_token(json!({"exp": NOW + 200})));
    scene.ask_at(&same, NOW, false).await.unwrap();
    assert_eq!(scene.hits(), 4);
}

#[tokio::test]
async fn who_wants_a_new_one_gets_it_when_the_kept_one_is_old_enough() {
    let scene = Scene::start().await;
    let request = scene.request("bucket", None);
    for (after, hits) in [(0, 1), (29, 1), (30, 2), (31, 2)] {
        scene.ask_at(&request, NOW + after, true).await.unwrap();
        assert_eq!(scene.hits(), hits, "{after}");
    }
}

#[tokio::test]
async fn each_trouble_is_refused_for_its_reason_with_the_providers_code_and_recorded() {
    let scene = Scene::start().await;
    for (target, status, reason) in [
        ("bucket", StatusCode::BAD_REQUEST, Reason::ProviderRefused),
        ("narrow", StatusCode::BAD_GATEWAY, Reason::ProviderUnavailable),
        ("short", StatusCode::OK, Reason::ProviderReplyInvalid),
        ("open", StatusCode::TOO_MANY_REQUESTS, Reason::ProviderThrottled),
    ] {
        scene.provider.serve_with("/t", status, &[("retry-after", "9")], "no JSON");
        let mut refusal = scene.refusal(target, None).await;
        while refusal.got_value() == Some("an order that is under way") {
            refusal = scene.refusal(target, None).await;
        }
        assert_eq!((refusal.reason(), refusal.claim_name()), (reason, Some("provider cloud")), "{target}");
        assert_eq!(refusal.got_value(), Some(status.as_str()));
        let leaf = scene.world.last_leaf().await;
        assert_eq!((leaf.outcome, leaf.reason.as_deref()), (Outcome::Refused, Some(reason.code())));
        assert_eq!((leaf.provider.as_deref(), leaf.got.as_deref()), (Some("cloud"), Some(status.as_str())));
        assert_eq!((leaf.jti, leaf.subject.as_deref()), (None, Some(JOB)));
        let retry = (reason == Reason::ProviderThrottled).then_some(9);
        assert_eq!(refusal.retry_after_seconds(), retry);
    }
}

#[tokio::test]
async fn policy_decides_before_anybody_is_asked() {
    let scene = Scene::start().await;
    let subject_token = Secret::new(scene.world.subject_token(json!({"exp": NOW})));
    let expired = ExchangeRequest { subject_token, ..scene.request("bucket", None) };
    assert!(scene.ask_at(&expired, NOW, false).await.is_err());
    let nobody = Exchange::new(
        ExchangeSettings {
            policy: crate::policy::Policy::load(&[("p".into(), String::new())]).unwrap(),
            targets: scene.exchange.targets.clone(),
            providers: Arc::clone(&scene.exchange.providers),
            ..settings_of(&scene.world)
        },
        Arc::clone(&scene.world.keys),
        Audit::new(Arc::clone(&scene.world.store)),
    );
    let form = scene.request("bucket", None).to_form();
    let refused = nobody.exchange(&proxy(), message(form.as_bytes(), Some("1")), NOW).await.unwrap_err();
    assert_eq!(refused.refusal().reason(), Reason::ActorNotPermitted);
    assert_eq!(scene.hits(), 0);
}

#[tokio::test]
async fn the_record_holds_no_credential() {
    let scene = Scene::start().await;
    for target in ["bucket", "keys", "sas"] {
        let kind = match target {
            "keys" => TokenType::AwsKeys,
            "sas" => TokenType::AzureSas,
            _ => TokenType::AccessToken,
        };
        let request = ExchangeRequest { requested_token_type: Some(kind.urn().into()), ..scene.request(target, None) };
        let released = scene.ask_at(&request, NOW, false).await.unwrap();
        let lent = released.response().access_token.expose().to_owned();
        for (_, bytes) in scene.world.store.leaves(0, 100).await.unwrap() {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains(&lent) && !text.contains(TOKEN), "{text}");
        }
        assert!(!format!("{released:?}").contains(&lent));
    }
}
