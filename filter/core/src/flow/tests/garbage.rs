//! Garbage, and what is nearly right, through everything that takes what others send: headers, trailers, answers of the STS,
//! native tokens, configurations, shared data. Nothing may panic; a build for tests and for release checks every sum, so an
//! overflow would. And what comes out is still what may go on.
//!
//! ```text
//! CLOAKROOM_SCHEDULES=1000000 cargo test --release -p filter-core --lib garbage
//! ```

use super::*;
use crate::credential;

mod mutation;

use mutation::Mutation;

/// Header and trailer names that mean something, here or to others.
const NAMES: [&str; 19] = [
    ":method",
    ":path",
    ":authority",
    ":protocol",
    "authorization",
    "x-native",
    "x-token",
    "cookie",
    "upgrade",
    "http2-settings",
    "traceparent",
    "x-cloakroom-subject",
    "x_cloakroom_subject",
    "x-envoy-max-retries",
    "x-old",
    "x-forwarded-for",
    "x-forwarded-client-cert",
    "content-type",
    "",
];

/// What stands in headers that are right.
const VALUES: [&[u8]; 15] = [
    b"GET",
    b"CONNECT",
    b"/reports/1?access_token=abc&x=1;sig=%2e",
    b"/",
    b"*",
    b"Bearer native-t",
    b"bearer e30.eyJleHAiOjE4MDAwMDAwNjB9.x",
    b"native-t",
    b"h2c",
    b"websocket",
    b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"a=b; c=d",
    b"By=spiffe://td/hop;Cert=\"one%0A\"",
    "päth".as_bytes(),
    b"",
];

/// A worker with routes of every kind.
fn worker(world: &World) -> Worker {
    let exchange = |more: Value| {
        let mut route = json!({"audience": "a0", "clusters": ["c"], "strip_headers": ["x-old"]});
        more.as_object().into_iter().flatten().for_each(|(name, value)| route[name] = value.clone());
        json!({"exchange": route})
    };
    let mut host = world.host();
    let mut flow = Flow::new(
        config(&json!({"limits": {"shared_tokens": 4, "shared_leases": 8, "shared_refusals": 4}, "routes": {
            "r0": exchange(json!({})),
            "r1": exchange(json!({"subject": {"header": {"name": "x-native"}}})),
            "r2": exchange(json!({"inject": {"header": {"name": "x-token"}}})),
            "r3": exchange(json!({"subject": {"forwarded_certificate": {"hop": "spiffe://td/hop"}}})),
            "plain": "untouched",
        }})),
        5,
        START,
    );
    assert!(flow.share(&mut host, START));
    Worker { flow, host, source: String::new() }
}

#[test]
fn whatever_is_sent_only_what_may_go_on_goes_on() {
    let seen = seeds::for_each(300, |seed, seen: &mut [u32; 4]| {
        let (mut mutation, mut worker) = (Mutation::new(seed), worker(&World::new(seed)));
        for stream in 0..40 {
            // Answers that are no use open the breaker; here they shall go on.
            worker.mend_circuit();
            let now = later(u64::from(stream) * 300);
            seen[requested(&mut worker, &mut mutation, stream, now)] += 1;
            while let Next::Ask(ask) = worker.next(now) {
                answered(&mut worker, &mut mutation, ask.id, now);
            }
            worker.unauthorized(stream.wrapping_sub(mutation.number(20)), now);
            trailed(&mut worker, &mut mutation, stream);
        }
    });
    let every = |verdict: usize| seen.iter().map(|seen| seen[verdict]).sum::<u32>() > 100;
    assert!(seeds::alone().is_some() || (0..4).all(every), "not only refused: {seen:?}");
}

/// The number of the verdict on a request.
fn requested(worker: &mut Worker, mutation: &mut Mutation, stream: u32, now: Now) -> usize {
    let mut list = vec![(":method".to_owned(), b"GET".to_vec()), (":path".to_owned(), b"/".to_vec())];
    // Half of them have what every route wants, and little else.
    let right = mutation.number(2) == 0;
    if right {
        let token = mutation.number(2);
        list.push(("authorization".to_owned(), format!("Bearer native-{token}").into_bytes()));
        list.push(("x-forwarded-client-cert".to_owned(), format!("Cert=c{token}%0A").into_bytes()));
        list.push(("x-native".to_owned(), format!("other-{token}").into_bytes()));
    }
    let more = mutation.number(if right { 2 } else { 8 });
    list.extend((0..more).map(|_| (mutation.name(&NAMES), mutation.bytes(&VALUES))));
    let list: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let route = [Some(&b"r0"[..]), Some(b"r1"), Some(b"r2"), Some(b"r3"), Some(b"plain"), Some(b"\xffr"), None];
    let route = route[mutation.place(7)];
    worker.source = String::from_utf8_lossy(&mutation.bytes(&[b"10.0.0.1:80", b"[2001:db8::1]:80"])).into_owned();
    let uri = Some("spiffe://td/hop".to_owned());
    let connection = Peer { uri, ..Peer::from_source(&worker.source) };
    let step = worker.flow.on_request(&mut worker.host, Arrival { stream, route, connection: &connection }, &list, now);
    let removed = |name: &str| step.edits.iter().any(|edit| matches!(edit, Edit::Remove(removed) if *removed == name));
    assert!(list.iter().all(|(name, _)| *name != "x-forwarded-client-cert" || removed(name)));
    match &step.verdict {
        Verdict::Pass { .. } => {
            assert!(list.iter().all(|(name, _)| removed(name) || !credential::is_own(name)));
            0
        }
        Verdict::Forward(forward) => {
            let written = forward.route.injected_header();
            let clean = |name: &str| written == Some(name) || removed(name) || !credential::is_removed(name);
            assert!(list.iter().all(|(name, _)| clean(name)));
            may_be_written(forward);
            1
        }
        Verdict::Park { .. } => {
            assert!(list.iter().all(|(name, _)| removed(name) || !credential::is_removed(name)));
            2
        }
        Verdict::Refuse(refused) => {
            may_be_said(refused);
            3
        }
    }
}

fn answered(worker: &mut Worker, mutation: &mut Mutation, id: u64, now: Now) {
    let details = json!([{"type": "cloakroom_constraint", "methods": ["GET"], "paths": ["/reports/*"]}]);
    let right = [
        issued("i", 60),
        issued_with("i", u64::MAX, &details),
        issued("native-t", 1),
        DENIED.body.to_vec(),
        OVERLOADED.body.to_vec(),
        br#"{"error":"x","reason":"moon_phase_wrong","claim":"aud","got":"\r\n","wanted":"","help":"\u0000"}"#.to_vec(),
    ];
    let body = mutation.bytes(&right.each_ref().map(Vec::as_slice));
    let body = if mutation.number(2) == 0 { issued(&format!("i-{id}"), 60) } else { body };
    let status = [Some(200), Some(200), Some(200), Some(400), Some(503), Some(0), Some(u16::MAX), None];
    let status = status[mutation.place(8)];
    let decision_id = String::from_utf8_lossy(&mutation.bytes(&[b"d-1"])).into_owned();
    let answer = Answer { status, decision_id: Some(&decision_id), body: &body };
    let settled = worker.answer(id, answer, now).expect("nothing was invalidated");
    for delivery in &settled.deliveries {
        match &delivery.verdict {
            Ok(forward) => may_be_written(forward),
            Err(refused) => may_be_said(refused),
        }
    }
}

/// It can neither end its header nor be anything else than one.
fn may_be_written(forward: &Forward) {
    let value = forward.issued.header_value.expose();
    assert!(!value.is_empty() && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{value:?}");
}

fn may_be_said(refused: &Refused) {
    let response = response(refused);
    assert!([401, 403, 429, 503].contains(&response.status));
    let visible = |text: &str| text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    assert!(response.headers.iter().all(|(name, value)| visible(name) && visible(value)), "{:?}", response.headers);
    assert!(response.body.len() < 16 * 1024 && serde_json::from_slice::<Value>(&response.body).is_ok());
}

fn trailed(worker: &mut Worker, mutation: &mut Mutation, stream: u32) {
    let list: Vec<_> = (0..mutation.number(6)).map(|_| (mutation.name(&NAMES), mutation.bytes(&VALUES))).collect();
    let list: Vec<_> = list.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let route = [Some(&b"r0"[..]), Some(b"plain"), None][mutation.place(3)];
    let removed = worker.flow.trailer_removals(stream, route, &list);
    let kept = |name: &str| !removed.contains(&name);
    assert!(!list.iter().any(|(name, _)| credential::is_own(name) && kept(name)));
    if route == Some(b"r0") {
        assert!(!list.iter().any(|(name, _)| credential::is_removed(name) && kept(name)));
    }
    assert!(route.is_some() || removed.len() == list.len());
}

#[test]
fn a_configuration_is_taken_or_its_mistake_is_named() {
    let right = [include_str!("../../../../README.md"), include_str!("../../../../../README.md")].map(|text| {
        let (_, rest) = text.split_once("```json\n").expect("an example");
        rest.split_once("```").expect("its end").0.as_bytes()
    });
    let taken = seeds::for_each(1_500, |seed, taken: &mut u32| {
        let mut mutation = Mutation::new(seed);
        for _ in 0..10 {
            match Config::parse(&mutation.bytes(&right)) {
                Ok(config) => {
                    *taken += 1;
                    let mut flow = Flow::new(Arc::new(config), seed, START);
                    flow.on_tick(&mut World::new(seed).host(), u64::MAX, later(1));
                }
                Err(error) => assert!(!error.to_string().is_empty() && error.to_string().len() < 8 * 1024),
            }
        }
    });
    assert!(seeds::alone().is_some() || taken.iter().sum::<u32>() > 100, "some are hardly changed");
}

#[test]
fn whatever_lies_in_shared_data_everybody_is_told() {
    seeds::for_each(300, |seed, _: &mut ()| {
        let (mut mutation, world) = (Mutation::new(seed), World::new(seed));
        let mut workers = [worker(&world), worker(&world)];
        let names = world.names();
        let mut waiting = [0, 0];
        for stream in 0..60 {
            let now = later(u64::from(stream) * 40);
            let (which, name) = (usize::from(stream % 2 == 0), &names[mutation.place(names.len())]);
            let worker = &mut workers[which];
            let parked = matches!(worker.get(stream, &format!("t{}", mutation.number(3)), now), Verdict::Park { .. });
            waiting[which] += usize::from(parked);
            let values: Vec<_> = (0..3).filter_map(|_| world.value(&names[mutation.place(names.len())])).collect();
            world.write(name, &mutation.bytes(&values.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            let mut settled = Vec::new();
            loop {
                match worker.next(now) {
                    Next::Ask(ask) => settled.extend(worker.answer(ask.id, ok(&issued("i", 2)), now)),
                    Next::Settled(told) => settled.push(told),
                    Next::Nothing => break,
                }
            }
            settled.extend(worker.tick(now));
            for delivery in settled.iter().flat_map(|settled| &settled.deliveries) {
                waiting[which] -= 1;
                match &delivery.verdict {
                    Ok(forward) => may_be_written(forward),
                    Err(refused) => may_be_said(refused),
                }
            }
            assert_eq!(waiting[which], worker.flow.pending.waiting());
        }
    });
}

#[test]
fn clocks_may_show_anything() {
    seeds::for_each(200, |seed, _: &mut ()| {
        let (mut mutation, world) = (Mutation::new(seed), World::new(seed));
        let mut workers = [worker(&world), worker(&world)];
        for stream in 0..60 {
            let mut reading = || match mutation.number(6) {
                0 => u64::MAX - u64::from(mutation.number(3)),
                1 => u64::from(mutation.number(3)),
                2 => u64::from(mutation.number(u32::MAX)) << mutation.number(32),
                _ => START.unix_ms + u64::from(mutation.number(100_000)),
            };
            let now = Now { unix_ms: reading(), steady_ms: reading() };
            let worker = &mut workers[usize::from(stream % 2 == 0)];
            worker.get(stream, &format!("t{}", mutation.number(3)), now);
            loop {
                match worker.next(now) {
                    Next::Ask(ask) => {
                        let body = issued("i", [0, 60, u64::MAX][mutation.place(3)]);
                        worker.answer(ask.id, if mutation.number(3) == 0 { NO_ANSWER } else { ok(&body) }, now);
                    }
                    Next::Settled(_) => {}
                    Next::Nothing => break,
                }
            }
            worker.unauthorized(stream, now);
            worker.tick(now);
        }
    });
}
