//! A token is handed out again for an equal grant, within its bounds, on the record; and never otherwise.

use token::message::ExchangeResponse;

use super::*;

const POLICY: &str = r#"
    @id("pair") permit(principal, action == Cloakroom::Action::"act_for", resource);
    @id("any") @reason("r") @ttl("60s") @scope("a b") @methods("GET")
    permit(principal, action == Cloakroom::Action::"exchange", resource);
    @id("itself") @ttl("60s") @scope("a b")
    permit(principal, action == Cloakroom::Action::"exchange_directly", resource);
"#;

/// A world whose clock moves and whose policies and keys can be replaced while the kept tokens stay.
struct Scene {
    world: World,
    reissues: Arc<Reissues>,
    exchange: Exchange,
}

impl Scene {
    async fn start() -> Self {
        let world = World::start().await;
        let reissues = Arc::new(Reissues::new(100));
        let exchange = exchange(&world, &reissues, POLICY, &world.keys);
        Self { world, reissues, exchange }
    }

    fn replace(&mut self, policy: &str, keys: &Arc<SigningKeys>) {
        self.exchange = exchange(&self.world, &self.reissues, policy, keys);
    }

    /// A request with a token that was issued `after` seconds later than the first one.
    fn rotated(&self, after: u64) -> ExchangeRequest {
        let times = json!({"iat": NOW + after, "exp": NOW + after + 300});
        let subject_token = Secret::new(self.world.subject_token(times));
        ExchangeRequest { subject_token, scope: Some("a".into()), request_context: None, ..self.world.request() }
    }

    async fn ask_as(&self, caller: &Caller, request: &ExchangeRequest, now: u64, no_cache: bool) -> Released {
        let form = request.to_form();
        let message = Message { form: form.as_bytes(), protocol: Some("1"), no_cache, received: Instant::now() };
        self.exchange.exchange(caller, message, now).await.unwrap()
    }

    async fn ask(&self, request: &ExchangeRequest, now: u64) -> Released {
        self.ask_as(&proxy(), request, now, false).await
    }
}

fn exchange(world: &World, reissues: &Arc<Reissues>, policy: &str, keys: &Arc<SigningKeys>) -> Exchange {
    let audit = Audit::new(Arc::clone(&world.store));
    Exchange::new(settings(policy, &world.sources, reissues), Arc::clone(keys), audit)
}

fn token(released: &Released) -> &Secret {
    &released.response().access_token
}

#[tokio::test]
async fn a_rotated_token_is_answered_with_the_token_of_the_one_before_and_recorded() {
    let scene = Scene::start().await;
    let first = scene.ask(&scene.rotated(0), NOW).await;
    let before = scene.world.last_leaf().await;
    let rotated = scene.rotated(20);
    let again = scene.ask(&rotated, NOW + 20).await;
    assert_eq!(token(&first), token(&again));
    let response = ExchangeResponse { expires_in: 40, ..first.response().clone() };
    assert_eq!(*again.response(), response, "all that differs is what is left of its life");
    assert_ne!(first.decision_id(), again.decision_id());

    let after = scene.world.last_leaf().await;
    assert_eq!((before.reissued, after.reissued), (false, true));
    assert_eq!(after.subject_token_sha256, Some(rotated.subject_token.fingerprint()));
    let expected = Leaf {
        reissued: true,
        time: NOW + 20,
        decision_id: again.decision_id().into(),
        subject_token_sha256: after.subject_token_sha256.clone(),
        ..before
    };
    assert_eq!(after, expected, "the record says the same of both releases");
    assert_eq!(scene.world.store.leaves(0, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn every_difference_of_a_request_that_reaches_the_token_is_a_miss() {
    let scene = Scene::start().await;
    let request = scene.rotated(0);
    let first = scene.ask(&request, NOW).await;
    let other_proxy = Caller::Proxy(PeerCertificate::new(vec![OTHER_PROXY.into()]));
    let other_job = Secret::new(scene.world.subject_token(json!({"sub": "job2"})));
    let mut seen = vec![token(&first).clone()];
    for (what, caller, request) in [
        ("subject", proxy(), ExchangeRequest { subject_token: other_job, ..request.clone() }),
        ("proxy", other_proxy, request.clone()),
        ("no proxy", Caller::Direct, request.clone()),
        ("target", proxy(), ExchangeRequest { resource: vec!["https://plain.test".into()], ..request.clone() }),
        ("scope", proxy(), ExchangeRequest { scope: Some("a b".into()), ..request.clone() }),
        (
            "type",
            proxy(),
            ExchangeRequest { requested_token_type: Some(TokenType::Jwt.urn().into()), ..request.clone() },
        ),
    ] {
        let released = scene.ask_as(&caller, &request, NOW, false).await;
        assert!(!seen.contains(token(&released)), "{what}");
        seen.push(token(&released).clone());
    }
    // What does not reach the token makes no difference, once policy has allowed it.
    let context = Some(json!({"actor": PROXY, "listener": "l", "route": "r"}).to_string());
    let by_audience = ExchangeRequest { audience: vec!["reports".into()], request_context: context, ..request };
    assert_eq!(token(&scene.ask(&by_audience, NOW).await), &seen[0]);
}

#[tokio::test]
async fn other_policies_and_other_keys_are_a_miss() {
    let mut scene = Scene::start().await;
    let request = scene.rotated(0);
    let first = scene.ask(&request, NOW).await;
    let keys = Arc::clone(&scene.world.keys);
    for (from, to) in [
        ("60s", "50s"),
        ("60s", "70s"),
        ("GET", "GET HEAD"),
        ("@methods(\"GET\")", ""),
        ("\"any\"", "\"some\""),
        ("(\"r\")", "(\"s\")"),
        ("\"pair\"", "\"pairs\""),
    ] {
        scene.replace(&POLICY.replacen(from, to, 1), &keys);
        assert_ne!(token(&scene.ask(&request, NOW).await), token(&first), "{from} -> {to}");
    }
    let memory = EmbeddedStore::in_memory().unwrap();
    let others = Arc::new(SigningKeys::load_or_create(&memory, &[4; 32], NOW).await.unwrap());
    scene.replace(POLICY, &others);
    assert_ne!(token(&scene.ask(&request, NOW).await), token(&first));
    scene.replace(POLICY, &keys);
    assert_eq!(token(&scene.ask(&request, NOW).await), token(&first), "it was there all the time");
}

#[tokio::test]
async fn who_asks_in_the_second_half_of_a_life_gets_a_new_token() {
    let scene = Scene::start().await;
    let first = scene.ask(&scene.rotated(0), NOW).await;
    let at_half = scene.ask(&scene.rotated(30), NOW + 30).await;
    assert_eq!((token(&at_half), at_half.response().expires_in), (token(&first), 30));
    let later = scene.ask(&scene.rotated(31), NOW + 31).await;
    assert_eq!((token(&later) == token(&first), later.response().expires_in), (false, 60));
    let again = scene.ask(&scene.rotated(32), NOW + 32).await;
    assert_eq!((token(&again), again.response().expires_in), (token(&later), 59));
}

#[tokio::test]
async fn no_kept_token_outlives_the_subject_token_it_is_asked_with() {
    let scene = Scene::start().await;
    let first = scene.ask(&scene.rotated(0), NOW).await;
    for left in [59, 31, 2] {
        let shorter = Secret::new(scene.world.subject_token(json!({"exp": NOW + left})));
        let request = ExchangeRequest { subject_token: shorter, ..scene.rotated(0) };
        let released = scene.ask(&request, NOW).await;
        assert_ne!(token(&released), token(&first));
        assert_eq!(scene.world.read(&released).exp, NOW + left);
    }
}

#[tokio::test]
async fn who_wants_no_kept_token_replaces_it() {
    let scene = Scene::start().await;
    let first = scene.ask(&scene.rotated(0), NOW).await;
    let renewed = scene.ask_as(&proxy(), &scene.rotated(0), NOW, true).await;
    assert_ne!(token(&renewed), token(&first));
    assert!(!scene.world.last_leaf().await.reissued);
    assert_eq!(token(&scene.ask(&scene.rotated(1), NOW + 1).await), token(&renewed));
}

#[tokio::test]
async fn workloads_that_ask_for_themselves_get_a_token_of_their_own() {
    let scene = Scene::start().await;
    let first = scene.ask_as(&Caller::Direct, &scene.rotated(0), NOW, false).await;
    let second = scene.ask_as(&Caller::Direct, &scene.rotated(0), NOW, false).await;
    assert_ne!(token(&first), token(&second));
    assert_eq!(scene.reissues.entries(), 0);
}
