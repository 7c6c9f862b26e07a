//! The whole pipeline, with a real issuer over TLS, real policies and a real store.

use serde_json::{Value, json};
use token::{
    base64url,
    claims::AccessTokenClaims,
    jwk::{Jwk, JwkSet},
    jws::{Algorithm, CompactJws},
    message::ExchangeRequest,
    secret::Secret,
    token_type::TokenType,
};

use super::*;
use crate::{
    actor::PeerCertificate,
    audit::leaf::{Leaf, Outcome},
    crypto::{AwsLc, Es256Key},
    identity::{OidcClaims, Preset, SourceSettings, fake_issuer::FakeIssuer},
    store::{EmbeddedStore, Store},
    target::Target,
};

mod federation;
mod record;
mod reissue;

const NOW: u64 = 1_800_000_000;
const PROXY: &str = "spiffe://td.test/edge/egress";
const OTHER_PROXY: &str = "spiffe://td.test/edge/other";
const JOB: &str = "spiffe://td.test/oidc/test/job";

const POLICY: &str = r#"
    permit(principal == Cloakroom::Proxy::"spiffe://td.test/edge/egress", action == Cloakroom::Action::"act_for", resource)
    unless { resource.subject == "stranger" };

    @id("reports") @reason("nightly reports") @ttl("60s") @scope("reports.read reports.list") @methods("GET") @paths("/reports/*")
    permit(principal == Cloakroom::Workload::"spiffe://td.test/oidc/test/job",
           action == Cloakroom::Action::"exchange",
           resource == Cloakroom::Target::"https://reports.test")
    when { context.actor == Cloakroom::Proxy::"spiffe://td.test/edge/egress" };

    @id("capped") @ttl("1h")
    permit(principal, action == Cloakroom::Action::"exchange", resource == Cloakroom::Target::"https://short.test");

    @id("plain")
    permit(principal, action == Cloakroom::Action::"exchange", resource == Cloakroom::Target::"https://plain.test");

    @id("direct") @scope("reports.read")
    permit(principal == Cloakroom::Workload::"spiffe://td.test/oidc/test/job",
           action == Cloakroom::Action::"exchange_directly",
           resource == Cloakroom::Target::"https://reports.test");
"#;

struct World {
    exchange: Exchange,
    store: Arc<dyn Store>,
    keys: Arc<SigningKeys>,
    key: Es256Key,
    sources: Arc<Sources>,
    _issuer: FakeIssuer,
    _folder: tempfile::TempDir,
}

fn settings(policy: &str, sources: &Arc<Sources>, reissues: &Arc<Reissues>) -> ExchangeSettings {
    let target = |name: &str, max_life| Target {
        audience: Some(name.into()),
        max_life,
        ..Target::for_tests(name, &format!("https://{name}.test"))
    };
    ExchangeSettings {
        issuer: "https://sts.test".into(),
        trust_domain: "td.test".into(),
        default_life: 90,
        direct_default_life: 300,
        actors: BTreeSet::from([PROXY, OTHER_PROXY].map(|name| SpiffeId::parse(name).unwrap())),
        assertions: Assertions::default(),
        sources: Arc::clone(sources),
        targets: Targets::new(vec![
            target("reports", 3600),
            target("other", 3600),
            target("plain", 3600),
            target("short", 20),
        ])
        .unwrap(),
        policy: Policy::load(&[("policy.cedar".into(), policy.into())]).map_err(|e| format!("{e:?}")).unwrap(),
        reissues: Arc::clone(reissues),
        providers: Arc::default(),
    }
}

impl World {
    async fn start() -> Self {
        Self::with_audit(None).await
    }

    /// A world whose record goes to `audit`, where given.
    async fn with_audit(audit: Option<Arc<dyn Store>>) -> Self {
        let issuer = FakeIssuer::start().await;
        let (key, _) = Es256Key::generate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let jwks = issuer.publish(json!([Jwk::es256(key.public_point()).unwrap()]), folder.path());
        let source = SourceSettings {
            name: "test".into(),
            audience: "https://sts.test".into(),
            actors: None,
            preset: Preset::Oidc {
                issuer: "https://issuer.test".into(),
                algorithms: vec![Algorithm::Es256],
                claims: OidcClaims::default(),
            },
            jwks,
        };
        let sources = Arc::new(Sources::new(vec![source], "td.test", None).unwrap());
        let memory: Arc<dyn Store> = Arc::new(EmbeddedStore::in_memory().unwrap());
        let keys = Arc::new(SigningKeys::load_or_create(&*memory, &[3; 32], NOW).await.unwrap());
        let store = audit.unwrap_or(memory);
        let settings = settings(POLICY, &sources, &Arc::new(Reissues::new(100)));
        let exchange = Exchange::new(settings, Arc::clone(&keys), Audit::new(Arc::clone(&store)));
        Self { exchange, store, keys, key, sources, _issuer: issuer, _folder: folder }
    }

    fn subject_token(&self, changes: Value) -> String {
        let mut claims = json!({"iss": "https://issuer.test", "aud": "https://sts.test", "sub": "job", "iat": NOW, "exp": NOW + 300});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let kid = Jwk::es256(self.key.public_point()).unwrap().kid;
        let header = base64url::encode(json!({"alg": "ES256", "kid": kid}).to_string());
        let input = format!("{header}.{}", base64url::encode(claims.to_string()));
        format!("{input}.{}", base64url::encode(self.key.sign(input.as_bytes()).unwrap()))
    }

    fn request(&self) -> ExchangeRequest {
        ExchangeRequest {
            subject_token: Secret::new(self.subject_token(json!({}))),
            subject_token_type: TokenType::Jwt.urn().into(),
            actor_token: None,
            actor_token_type: None,
            resource: vec!["https://reports.test".into()],
            audience: Vec::new(),
            scope: Some("reports.read".into()),
            requested_token_type: None,
            request_context: Some(json!({"actor": PROXY, "listener": "egress", "route": "r1"}).to_string()),
        }
    }

    async fn ask(&self, request: &ExchangeRequest) -> Result<Released, Refused> {
        self.exchange.exchange(&proxy(), message(request.to_form().as_bytes(), Some("1")), NOW).await
    }

    async fn refusal(&self, request: &ExchangeRequest) -> Reason {
        self.ask(request).await.unwrap_err().refusal().reason()
    }

    async fn last_leaf(&self) -> Leaf {
        let leaves = self.store.leaves(0, 1_000).await.unwrap();
        Leaf::from_bytes(&leaves.last().unwrap().1).unwrap()
    }

    fn read(&self, released: &Released) -> AccessTokenClaims {
        let set = JwkSet::from_json(self.keys.jwks_json().as_bytes()).unwrap();
        let jws = CompactJws::parse(released.response().access_token.expose(), &[Algorithm::Es256]).unwrap();
        let key = set.find(jws.header().kid.as_deref(), Algorithm::Es256).unwrap();
        assert_eq!(jws.header().typ.as_deref(), Some("at+jwt"));
        serde_json::from_value(jws.verify(key, &AwsLc).unwrap().claims().clone().into()).unwrap()
    }
}

fn proxy() -> Caller {
    Caller::Proxy(PeerCertificate::new(vec![PROXY.into()]))
}

fn message<'m>(form: &'m [u8], protocol: Option<&'m str>) -> Message<'m> {
    Message { form, protocol, no_cache: false, received: Instant::now() }
}

#[tokio::test]
async fn a_permitted_request_gets_a_token_that_names_workload_and_proxy() {
    let world = World::start().await;
    let request = world.request();
    let released = world.ask(&request).await.unwrap();
    let claims = world.read(&released);
    assert_eq!(
        (claims.iss.as_str(), claims.sub.as_str(), claims.aud.as_str()),
        ("https://sts.test", JOB, "https://reports.test")
    );
    assert_eq!((claims.iat, claims.nbf, claims.exp), (NOW, NOW - 10, NOW + 60));
    assert_eq!(claims.client_id, PROXY);
    let act = claims.act.unwrap();
    assert_eq!((act.sub.as_str(), act.depth()), (PROXY, 1));
    assert_eq!(claims.scope.to_string(), "reports.read");
    assert_eq!(base64url::decode(&claims.jti).unwrap().len(), 16);
    let response = released.response();
    assert_eq!((response.expires_in, response.token_type.as_str()), (60, "Bearer"));
    assert_eq!(response.issued_token_type, TokenType::AccessToken.urn());
    assert_eq!(response.scope.as_deref(), Some("reports.read"));
    assert_eq!(response.authorization_details, claims.authorization_details);
    assert_eq!(response.authorization_details[0].methods.as_deref(), Some(&["GET".to_owned()][..]));

    let leaf = world.last_leaf().await;
    assert_eq!(leaf.outcome, Outcome::Granted);
    assert_eq!(leaf.decision_id, released.decision_id());
    assert_eq!(leaf.actor.as_deref(), Some(PROXY));
    assert_eq!((leaf.subject.as_deref(), leaf.source.as_deref()), (Some(JOB), Some("test")));
    assert_eq!((leaf.target.as_deref(), leaf.policy.as_deref()), (Some("https://reports.test"), Some("reports")));
    assert_eq!(leaf.policy_reason.as_deref(), Some("nightly reports"));
    assert_eq!((leaf.jti, leaf.exp), (Some(claims.jti), Some(NOW + 60)));
    assert_eq!((leaf.route.as_deref(), leaf.listener.as_deref()), (Some("r1"), Some("egress")));
    assert_eq!(leaf.subject_token_sha256, Some(request.subject_token.fingerprint()));
    assert_eq!(leaf.issued_token_sha256, Some(response.access_token.fingerprint()));
    assert_eq!(leaf.constraints, response.authorization_details);
    assert_eq!(leaf.time, NOW);
}

#[tokio::test]
async fn scope_only_narrows() {
    let world = World::start().await;
    for (asked, granted) in [
        (None, "reports.list reports.read"),
        (Some("reports.read"), "reports.read"),
        (Some("reports.read admin"), "reports.read"),
    ] {
        let request = ExchangeRequest { scope: asked.map(str::to_owned), ..world.request() };
        assert_eq!(world.ask(&request).await.unwrap().response().scope.as_deref(), Some(granted), "{asked:?}");
    }
    let request = ExchangeRequest { scope: Some("admin".into()), ..world.request() };
    assert_eq!(world.refusal(&request).await, Reason::ScopeRefused);
}

#[tokio::test]
async fn no_token_outlives_the_one_it_was_made_from() {
    let world = World::start().await;
    let mut request = world.request();
    request.subject_token = Secret::new(world.subject_token(json!({"exp": NOW + 7})));
    let released = world.ask(&request).await.unwrap();
    assert_eq!((released.response().expires_in, world.read(&released).exp), (7, NOW + 7));
}

#[tokio::test]
async fn the_shortest_life_wins() {
    let world = World::start().await;
    for (resource, life) in [("https://reports.test", 60), ("https://plain.test", 90), ("https://short.test", 20)] {
        let request = ExchangeRequest { resource: vec![resource.into()], scope: None, ..world.request() };
        let released = world.ask(&request).await.unwrap();
        assert_eq!(released.response().expires_in, life, "permit, default or destination: {resource}");
        assert_eq!(world.read(&released).exp, NOW + life);
    }
}

#[tokio::test]
async fn a_direct_caller_asks_for_itself() {
    let world = World::start().await;
    let form = world.request().to_form();
    let released = world.exchange.exchange(&Caller::Direct, message(form.as_bytes(), None), NOW).await.unwrap();
    let claims = world.read(&released);
    assert_eq!((claims.client_id.as_str(), claims.act), (JOB, None));
    assert_eq!(released.response().expires_in, 300, "what its SDK expects, and the subject token allows");
    let leaf = world.last_leaf().await;
    assert_eq!((leaf.actor, leaf.route, leaf.policy.as_deref()), (None, None, Some("direct")));
}

#[tokio::test]
async fn each_wrong_request_is_refused_for_its_reason_and_recorded() {
    let world = World::start().await;
    let good = world.request();
    let subject =
        |changes: Value| ExchangeRequest { subject_token: Secret::new(world.subject_token(changes)), ..good.clone() };
    let resource =
        |list: &[&str]| ExchangeRequest { resource: list.iter().map(ToString::to_string).collect(), ..good.clone() };
    let context = |json: &str| ExchangeRequest { request_context: Some(json.into()), ..good.clone() };
    let cases = [
        (subject(json!({"aud": "https://other.test"})), Reason::SubjectAudienceMismatch),
        (subject(json!({"exp": NOW})), Reason::SubjectTokenExpired),
        (subject(json!({"iss": "https://evil.test"})), Reason::SubjectIssuerUnknown),
        (subject(json!({"nbf": NOW + 100})), Reason::SubjectTokenNotYetValid),
        (subject(json!({"sub": "stranger"})), Reason::ActorNotPermitted),
        (subject(json!({"sub": "other-job"})), Reason::PolicyDenied),
        (resource(&["https://other.test"]), Reason::PolicyDenied),
        (resource(&["https://nowhere.test"]), Reason::TargetUnknown),
        (resource(&["https://reports.test", "https://other.test"]), Reason::TargetUnknown),
        (resource(&[]), Reason::TargetUnknown),
        (context(r#"{"actor":"spiffe://td.test/edge/other"}"#), Reason::ActorMismatch),
        (context("nonsense"), Reason::RequestInvalid),
        (
            ExchangeRequest { requested_token_type: Some(TokenType::IdToken.urn().into()), ..good.clone() },
            Reason::TokenTypeUnsupported,
        ),
        (
            ExchangeRequest { subject_token: Secret::new("x".repeat(1 << 20)), ..good.clone() },
            Reason::SubjectTokenTooLarge,
        ),
        (ExchangeRequest { subject_token: Secret::new(""), ..good.clone() }, Reason::SubjectTokenMissing),
    ];
    for (index, (request, reason)) in cases.iter().enumerate() {
        let refused = world.ask(request).await.unwrap_err();
        assert_eq!(refused.refusal().reason(), *reason, "case {index}");
        let leaf = world.last_leaf().await;
        assert_eq!(leaf.decision_id, refused.decision_id(), "case {index}");
        assert_eq!((leaf.outcome, leaf.reason.as_deref()), (Outcome::Refused, Some(reason.code())), "case {index}");
        assert_eq!((leaf.jti, leaf.issued_token_sha256), (None, None), "case {index}");
    }
    let stranger = Caller::Proxy(PeerCertificate::new(vec!["spiffe://td.test/edge/stranger".into()]));
    let form = good.to_form();
    let asked = |protocol| message(form.as_bytes(), Some(protocol));
    let refused = world.exchange.exchange(&stranger, asked("1"), NOW).await.unwrap_err();
    assert_eq!(refused.refusal().reason(), Reason::ActorUnknown);
    let refused = world.exchange.exchange(&proxy(), asked("2"), NOW).await.unwrap_err();
    assert_eq!(refused.refusal().reason(), Reason::ProtocolUnsupported);
    assert_eq!(world.store.leaves(0, 1_000).await.unwrap().len(), cases.len() + 2);
}
