//! Every input of the key counts, in a worker's cache and in what workers share; and nothing else does.

use super::*;

/// A configuration with one route, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Arc<Config> {
    let mut config = json!({
        "version": 1, "listener": "egress",
        "sts": {"cluster": "sts", "authority": "sts", "actor": "spiffe://td/edge"},
        "routes": {"r0": {"exchange": {
            "audience": "a0", "resource": "https://a.example", "scope": "read", "clusters": ["c"],
        }}},
    });
    change(&mut config);
    Arc::new(Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap())
}

fn in_route(name: &'static str, value: Value) -> Arc<Config> {
    changed(|config| config["routes"]["r0"]["exchange"][name] = value)
}

/// Another VM of the same process: one of another listener, or one after a new configuration.
fn of(world: &World, config: Arc<Config>) -> Worker {
    let mut host = world.host();
    let mut flow = Flow::new(config, 3, START);
    assert!(flow.share(&mut host, START));
    Worker { flow, host, source: "10.0.0.1:1".to_owned() }
}

/// Whether a request of another VM shares an exchange that is under way, and whether it gets the token afterwards.
fn shares(config: Arc<Config>, route: &str, headers: &[(String, Vec<u8>)]) -> (bool, bool) {
    let world = World::new(1);
    let mut first = of(&world, changed(|_| ()));
    first.parks(1, "t", START);
    let ask = first.ask(START);
    let mut other = of(&world, Arc::clone(&config));
    assert!(matches!(other.arrive(2, route, headers, later(1)), Verdict::Park { .. }));
    let waits = matches!(other.next(later(1)), Next::Nothing);
    first.answer(ask.id, ok(&issued("i", 60)), later(2)).unwrap();
    let mut third = of(&world, config);
    let got = match third.arrive(3, route, headers, later(3)) {
        Verdict::Forward(forward) => {
            assert_eq!(forward.issued.header_value(), "Bearer i");
            true
        }
        Verdict::Park { .. } => false,
        verdict => panic!("{:?}", reason(&verdict)),
    };
    (waits, got)
}

#[test]
fn each_input_that_differs_is_another_exchange() {
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let differing = [
        ("listener", changed(|config| config["listener"] = json!("other"))),
        ("actor", changed(|config| config["sts"]["actor"] = json!("spiffe://td/other"))),
        ("subject_token_type", in_route("subject_token_type", json!("urn:ietf:params:oauth:token-type:id_token"))),
        ("resource", in_route("resource", json!("https://b.example"))),
        ("no resource", in_route("resource", Value::Null)),
        ("audience", in_route("audience", json!("a1"))),
        ("no audience", in_route("audience", Value::Null)),
        ("scope", in_route("scope", json!("read write"))),
        ("no scope", in_route("scope", Value::Null)),
        ("requested_token_type", in_route("requested_token_type", json!(jwt))),
        ("inject", in_route("inject", json!({"header": {"name": "x-token"}}))),
        ("scheme", in_route("inject", json!({"header": {"name": "authorization", "scheme": "Token"}}))),
        ("clusters", in_route("clusters", json!(["c", "d"]))),
        ("strip_headers", in_route("strip_headers", json!(["x-old"]))),
        ("margin", changed(|config| config["defaults"] = json!({"expiry_margin_seconds": 6}))),
        ("timeout", changed(|config| config["defaults"] = json!({"request_timeout_seconds": 16}))),
    ];
    for (name, config) in differing {
        assert_eq!(shares(config, "r0", &get("t")), (false, false), "{name}");
    }
    let renamed = changed(|config| config["routes"] = json!({"r1": config["routes"]["r0"]}));
    assert_eq!(shares(renamed, "r1", &get("t")), (false, false), "route");
    let mut elsewhere = get("t");
    elsewhere[2].0 = "x-native".to_owned();
    elsewhere[2].1 = b"native-t".to_vec();
    let subject = in_route("subject", json!({"header": {"name": "x-native"}}));
    assert_eq!(shares(subject, "r0", &elsewhere), (false, false), "where the subject is read from");
    for token in ["u", "t.", "T", ""] {
        assert_eq!(shares(changed(|_| ()), "r0", &get(token)), (false, false), "subject {token:?}");
    }
}

#[test]
fn what_is_no_input_keeps_a_new_configuration_warm() {
    for (name, config) in [
        ("nothing", changed(|_| ())),
        ("limits", changed(|config| config["limits"] = json!({"cached_tokens": 5}))),
        ("when it is refreshed", changed(|config| config["defaults"] = json!({"refresh_ahead": false}))),
        ("what is promised", changed(|config| config["defaults"] = json!({"survive_outage_seconds": 30}))),
        ("another route", changed(|config| config["routes"]["plain"] = json!("untouched"))),
        ("how the STS is reached", changed(|config| config["sts"]["timeout_ms"] = json!(500))),
    ] {
        assert_eq!(shares(config, "r0", &get("t")), (true, true), "{name}");
    }
}

#[test]
fn in_a_worker_s_own_cache_route_and_token_count_to_the_last_byte() {
    let mut worker = Worker::alone();
    worker.warm("t", 60, START, START);
    for token in ["u", "t.", "T", ""] {
        worker.parks(2, token, later(1));
        let ask = worker.ask(later(1));
        worker.answer(ask.id, DENIED, later(1)).unwrap();
    }
    for route in ["r1", "r2"] {
        assert!(matches!(worker.arrive(3, route, &get("t"), later(1)), Verdict::Park { .. }), "{route}");
        let ask = worker.ask(later(1));
        worker.answer(ask.id, DENIED, later(1)).unwrap();
    }
    assert_eq!(worker.hit(4, "t", later(2)).1, "Bearer for-t", "and what they are refused is not its own");
}
