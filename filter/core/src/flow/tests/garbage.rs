//! Garbage, and what is nearly right, through everything that takes what others send: headers, trailers, answers of the STS,
//! native tokens, configurations, shared data. Nothing may panic; a build for tests and for release checks every sum, so an
//! overflow would. And what comes out is still what may go on.
//!
//! ```text
//! CLOAKROOM_SCHEDULES=1000000 cargo test --release -p filter-core --lib garbage
//! ```

use token::token_type::TokenType;

use super::*;
use crate::{credential, issued::tests as credentials};

mod mutation;
mod requests;

use mutation::Mutation;
use requests::{NAMES, Requests, VALUES};

/// A worker with routes of every kind.
fn worker(world: &World) -> Worker {
    let exchange = |more: Value| {
        let mut route = json!({"audience": "a0", "clusters": ["c"], "strip_headers": ["x-old"]});
        more.as_object().into_iter().flatten().for_each(|(name, value)| route[name] = value.clone());
        json!({"exchange": route})
    };
    let mut host = world.host();
    let mut flow = Flow::new(
        config(
            &json!({"limits": {"shared_tokens": 4, "shared_leases": 8, "shared_refusals": 4}, "reads_bodies": true, "routes": {
                "r0": exchange(json!({})),
                "r1": exchange(json!({"subject": {"header": {"name": "x-native"}}})),
                "r2": exchange(json!({"inject": {"header": {"name": "x-token"}}})),
                "r3": exchange(json!({"subject": {"forwarded_certificate": {"hop": "spiffe://td/hop"}}})),
                "s3": exchange(json!({"inject": {"sigv4": {
                    "service": "s3", "region": "r", "prefix_rewrite": {"match": "/", "to": "/bucket/"},
                }}})),
                "db": exchange(json!({
                    "subject": {"header": {"name": "x-amz-security-token"}},
                    "inject": {"sigv4": {"service": "dynamodb", "region": "r", "payload": "hash", "max_body_bytes": 50}},
                })),
                "blob": exchange(json!({"inject": "azure_sas"})),
                "plain": "untouched",
            }}),
        ),
        5,
        START,
    );
    assert!(flow.share(&mut host, START));
    Worker { flow, host, source: String::new() }
}

#[test]
fn whatever_is_sent_only_what_may_go_on_goes_on() {
    let seen = seeds::for_each(300, |seed, seen: &mut [u32; 6]| {
        let (mut mutation, mut worker) = (Mutation::new(seed), worker(&World::new(seed)));
        let mut requests = Requests::default();
        for stream in 0..60 {
            // Answers that are no use open the breaker; here they shall go on.
            worker.mend_circuit();
            let now = later(u64::from(stream) * 300);
            seen[requests.send(&mut worker, &mut mutation, stream, now)] += 1;
            while let Next::Ask(ask) = worker.next(now) {
                answered(&mut worker, &mut mutation, &requests, ask, now);
            }
            let early = stream.wrapping_sub(mutation.number(3));
            seen[5] += u32::from(requests.send_body(&mut worker, &mut mutation, early, now));
            worker.unauthorized(stream.wrapping_sub(mutation.number(20)), now);
            trailed(&mut worker, &mut mutation, stream);
        }
    });
    let every = |verdict: usize| seen.iter().map(|seen| seen[verdict]).sum::<u32>() > 40;
    assert!(seeds::alone().is_some() || (0..6).all(every), "not only refused: {seen:?}");
}

fn answered(worker: &mut Worker, mutation: &mut Mutation, requests: &Requests, ask: Ask, now: Now) {
    let Ask { id, request, .. } = ask;
    let details = json!([{"type": "cloakroom_constraint", "methods": ["GET"], "paths": ["/reports/*"]}]);
    let keys = credentials::keys().to_token().unwrap();
    let wanted = request.requested_token_type.unwrap();
    let right = [
        issued("i", 60),
        issued_with("i", u64::MAX, &details),
        issued("native-t", 1),
        issued_as(keys.expose(), TokenType::AwsKeys.urn()),
        issued_as(credentials::SAS, TokenType::AzureSas.urn()),
        DENIED.body.to_vec(),
        OVERLOADED.body.to_vec(),
        br#"{"error":"x","reason":"moon_phase_wrong","claim":"aud","got":"\r\n","wanted":"","help":"\u0000"}"#.to_vec(),
    ];
    let body = mutation.bytes(&right.each_ref().map(Vec::as_slice));
    let good = match TokenType::from_urn(&wanted) {
        Some(TokenType::AwsKeys) => issued_as(keys.expose(), &wanted),
        Some(TokenType::AzureSas) => issued_as(credentials::SAS, &wanted),
        _ => issued(&format!("i-{id}"), 60),
    };
    let body = if mutation.number(2) == 0 { good } else { body };
    let status = [Some(200), Some(200), Some(200), Some(400), Some(503), Some(0), Some(u16::MAX), None];
    let status = status[mutation.place(8)];
    let decision_id = String::from_utf8_lossy(&mutation.bytes(&[b"d-1"])).into_owned();
    let answer = Answer { status, decision_id: Some(&decision_id), body: &body };
    let settled = worker.answer(id, answer, now).expect("nothing was invalidated");
    for delivery in &settled.deliveries {
        match &delivery.verdict {
            Ok(forward) => requests.may_be_written(delivery.stream, forward, &[], now),
            Err(refused) => may_be_said(refused),
        }
    }
}

/// A credential of a kind of its own, lent.
fn issued_as(token: &str, kind: &str) -> Vec<u8> {
    let body = json!({
        "access_token": token, "token_type": "N_A", "expires_in": 60, "issued_token_type": kind,
        "credential_expires_in": 900,
    });
    serde_json::to_vec(&body).unwrap()
}

fn may_be_said(refused: &Refused) {
    let response = response(refused);
    assert!([401, 403, 413, 429, 503].contains(&response.status));
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
                    Ok(forward) => assert_eq!(forward.issued.header_value(), "Bearer i"),
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
