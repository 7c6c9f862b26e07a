//! Requests that are signed, with or without their bodies, and those that get a shared access signature.

use token::token_type::TokenType;

use super::*;
use crate::{
    inject::{self, Writes},
    issued::tests as credentials,
    sigv4::EMPTY_SHA256,
};

mod bodies;

/// A worker with a route for S3, one that reads bodies, and one for Azure Storage.
fn worker() -> Worker {
    worker_with(&json!({"shared_tokens": 0}))
}

fn worker_with(limits: &Value) -> Worker {
    let route = |inject: Value, subject: Value| json!({"exchange": {"audience": "a", "clusters": ["c"], "inject": inject, "subject": subject}});
    let session_token = json!({"header": {"name": "x-amz-security-token"}});
    Worker::with(&json!({"limits": limits, "reads_bodies": true, "routes": {
        "s3": route(json!({"sigv4": {"service": "s3", "region": "eu-central-1"}}), session_token.clone()),
        "db": route(json!({"sigv4": {
            "service": "dynamodb", "region": "eu-central-1", "payload": "hash", "max_body_bytes": 10,
        }}), session_token),
        "blob": route(json!("azure_sas"), json!("authorization")),
    }}))
}

/// What an SDK sends whose session token is the workload's own token.
fn sdk(method: &str, path: &str, token: &str, more: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    let native = format!("native-{token}");
    let head = [
        (":method", method),
        (":authority", "a.test"),
        (":path", path),
        ("authorization", "AWS4-HMAC-SHA256 Credential=placeholder/20200101/eu-central-1/s3/aws4_request, Signature=0"),
        ("x-amz-date", "20200101T000000Z"),
        ("x-amz-security-token", &native),
        ("cookie", "c=1"),
    ];
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    head.iter().chain(more).map(own).collect()
}

fn lent(headers: &[(String, Vec<u8>)]) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect()
}

/// One request: its step, and its headers as the host has them once the edits are made.
struct Sent {
    verdict: Verdict,
    edits: Vec<String>,
    left: Vec<(String, Vec<u8>)>,
    written: Option<Vec<(String, String)>>,
}

fn send(worker: &mut Worker, stream: u32, route: &str, headers: &[(String, Vec<u8>)], body: bool, now: Now) -> Sent {
    let list = lent(headers);
    let connection = Peer::from_source("10.0.0.1:4711");
    let arrival = Arrival { stream, route: Some(route.as_bytes()), has_body: body, connection: &connection };
    let Step { edits, verdict } = worker.flow.on_request(&mut worker.host, arrival, &list, now);
    let written = match &verdict {
        Verdict::Forward(forward) => Some(written(inject::writes(forward, &list, &edits, now).unwrap())),
        _ => None,
    };
    let mut left = headers.to_vec();
    for edit in &edits {
        match edit {
            Edit::Remove(name) => left.retain(|(other, _)| other != name),
            Edit::SetPath(path) => {
                let place = left.iter().position(|(name, _)| name == ":path").unwrap();
                left[place].1 = path.clone().into_bytes();
            }
        }
    }
    let names = edits.iter().filter_map(|edit| match edit {
        Edit::Remove(name) => Some((*name).to_owned()),
        Edit::SetPath(_) => None,
    });
    Sent { edits: names.collect(), left, written, verdict }
}

fn written(writes: Writes<'_>) -> Vec<(String, String)> {
    match writes {
        Writes::One(name, value) => vec![(name.to_owned(), value.expose().to_owned())],
        Writes::Several(writes) => {
            writes.into_iter().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect()
        }
    }
}

fn value<'w>(written: &'w [(String, String)], name: &str) -> &'w str {
    written.iter().find(|(other, _)| other == name).map_or("", |(_, value)| value)
}

fn keys_answer(life: u64) -> Vec<u8> {
    answer_of(credentials::keys().to_token().unwrap().expose(), TokenType::AwsKeys, life)
}

fn answer_of(token: &str, kind: TokenType, life: u64) -> Vec<u8> {
    let body = json!({
        "access_token": token, "token_type": "N_A", "expires_in": life, "issued_token_type": kind.urn(),
    });
    serde_json::to_vec(&body).unwrap()
}

/// The one request that an answer lets go on, as it is then written.
fn delivered(settled: &Settled, stream: u32, left: &[(String, Vec<u8>)], now: Now) -> Vec<(String, String)> {
    let [Delivery { stream: told, verdict: Ok(forward) }] = settled.deliveries.as_slice() else {
        panic!("{:?}", told(settled_codes(settled)))
    };
    assert_eq!(*told, stream);
    written(inject::writes(forward, &lent(left), &[], now).unwrap())
}

fn settled_codes(settled: &Settled) -> Vec<Result<(), String>> {
    let code = |delivery: &Delivery| delivery.verdict.as_ref().map(|_| ()).map_err(|r| r.refusal.code().to_owned());
    settled.deliveries.iter().map(code).collect()
}

fn told(codes: Vec<Result<(), String>>) -> String {
    format!("{codes:?}")
}

#[test]
fn a_request_of_an_sdk_is_signed_anew_and_nothing_of_its_own_signature_is_left() {
    let mut worker = worker();
    let get = sdk("GET", "/key", "t", &[("x-amz-meta-a", "1")]);
    let miss = send(&mut worker, 1, "s3", &get, false, START);
    assert!(matches!(miss.verdict, Verdict::Park { start: true, reads: false }));
    for name in ["authorization", "x-amz-security-token", "cookie"] {
        assert!(miss.edits.contains(&name.to_owned()), "{name} waits for nothing");
    }
    let ask = worker.ask(START);
    assert_eq!(ask.request.subject_token.expose(), "native-t");
    assert_eq!(ask.request.requested_token_type.as_deref(), Some(TokenType::AwsKeys.urn()));
    let settled = worker.answer(ask.id, ok(&keys_answer(300)), later(40)).unwrap();
    let late = delivered(&settled, 1, &miss.left, later(40));
    let hit = send(&mut worker, 2, "s3", &get, false, later(900));
    let Some(soon) = hit.written else { panic!("no hit") };
    assert_eq!(late, soon, "within a second both ways give the same");
    assert_eq!(value(&soon, "x-amz-security-token"), "FwoGZXIvYXdzEXAMPLETOKEN==");
    assert_eq!(value(&soon, "x-amz-content-sha256"), EMPTY_SHA256);
    assert!(value(&soon, "authorization").contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a;"));
    assert_eq!(hit.edits, ["cookie"], "what is written over need not be removed before");
}

#[test]
fn a_digest_of_the_client_s_own_is_signed_without_reading() {
    let mut worker = worker();
    let digest = "ab".repeat(32);
    let put = sdk("PUT", "/key", "t", &[("x-amz-content-sha256", &digest)]);
    let miss = send(&mut worker, 1, "s3", &put, true, START);
    assert!(matches!(miss.verdict, Verdict::Park { reads: false, .. }));
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, ok(&keys_answer(300)), START).unwrap();
    let writes = delivered(&settled, 1, &miss.left, START);
    assert_eq!(writes.len(), 3, "it stays as it is");
    assert_eq!(worker.flow.body_read(1), None);
}

#[test]
fn what_cannot_be_signed_is_refused_before_the_sts_is_asked() {
    let mut worker = worker();
    let long = [("content-length", "11")];
    for (route, headers, body, reason) in [
        ("s3", sdk("PUT", "/k", "t", &[]), true, Reason::SignatureRefused),
        (
            "s3",
            sdk("PUT", "/k", "t", &[("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]),
            true,
            Reason::SignatureRefused,
        ),
        ("s3", sdk("GET", "/k?X-Amz-Signature=s&X-Amz-Expires=9", "t", &[]), false, Reason::SignatureRefused),
        ("s3", sdk("GET", "/k?AWSAccessKeyId=a&Signature=s&Expires=1", "t", &[]), false, Reason::SignatureRefused),
        ("db", sdk("GET", "/?x%2damz-security-token=s", "t", &[]), false, Reason::SignatureRefused),
        ("db", sdk("POST", "/", "t", &long), true, Reason::BodyTooLarge),
        ("blob", request("GET", "/c/b?sv=1&sig=x", "t"), false, Reason::SignatureRefused),
        ("blob", request("GET", "/c/b?restype=container&SE=1", "t"), false, Reason::SignatureRefused),
        ("blob", request("GET", "/c/b#f", "t"), false, Reason::RequestRefused),
        ("s3", sdk("GET", "/k#f", "t", &[]), false, Reason::RequestRefused),
    ] {
        let sent = send(&mut worker, 1, route, &headers, body, START);
        assert_eq!(super::reason(&sent.verdict), Some(reason), "{route} {headers:?}");
        assert!(!sent.left.iter().any(|(_, value)| value.windows(8).any(|part| part == b"native-t")));
        assert!(worker.flow.body_read(1).is_none() && !worker.flow.is_waiting(1));
    }
    worker.rests(START);
    // Only what is longer is too long, and headers alone have no body.
    let fits = send(&mut worker, 2, "db", &sdk("POST", "/", "t", &[("content-length", "10")]), true, START);
    assert!(matches!(fits.verdict, Verdict::Park { reads: true, .. }));
    let none = send(&mut worker, 3, "db", &sdk("GET", "/", "t", &long), false, START);
    assert!(matches!(none.verdict, Verdict::Park { reads: false, .. }));
}

#[test]
fn other_credentials_in_the_query_are_still_taken_out_and_what_is_left_is_signed() {
    let mut worker = worker();
    let dirty = sdk("GET", "/key?access_token=x&list-type=2", "t", &[]);
    let clean = sdk("GET", "/key?list-type=2", "t", &[]);
    send(&mut worker, 1, "s3", &dirty, false, START);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&keys_answer(300)), START).unwrap();
    let one = send(&mut worker, 2, "s3", &dirty, false, START);
    let other = send(&mut worker, 3, "s3", &clean, false, START);
    assert!(one.written.is_some() && one.written == other.written);
}

#[test]
fn a_shared_access_signature_stands_behind_the_query() {
    let mut worker = worker();
    let get = request("GET", "/c?comp=list&access_token=x", "t");
    let miss = send(&mut worker, 1, "blob", &get, false, START);
    let ask = worker.ask(START);
    assert_eq!(ask.request.requested_token_type.as_deref(), Some(TokenType::AzureSas.urn()));
    let body = answer_of(credentials::SAS, TokenType::AzureSas, 300);
    let settled = worker.answer(ask.id, ok(&body), START).unwrap();
    let wanted = vec![(":path".to_owned(), format!("/c?comp=list&{}", credentials::SAS))];
    assert_eq!(delivered(&settled, 1, &miss.left, START), wanted);
    let hit = send(&mut worker, 2, "blob", &get, false, START);
    assert_eq!(hit.written, Some(wanted));
    assert_eq!(hit.edits, ["cookie", "authorization"], "the native token stands where nothing is written");
    let plain = send(&mut worker, 3, "blob", &request("GET", "/c/b", "t"), false, START);
    assert_eq!(plain.written, Some(vec![(":path".to_owned(), format!("/c/b?{}", credentials::SAS))]));
}

#[test]
fn constraints_hold_for_what_the_client_asked_for() {
    let mut worker = worker();
    send(&mut worker, 1, "blob", &request("GET", "/c/b", "t"), false, START);
    let ask = worker.ask(START);
    let mut body: Value = serde_json::from_slice(&answer_of(credentials::SAS, TokenType::AzureSas, 300)).unwrap();
    body["authorization_details"] = json!([{"type": "cloakroom_constraint", "methods": ["GET"], "paths": ["/c/*"]}]);
    worker.answer(ask.id, ok(&serde_json::to_vec(&body).unwrap()), START).unwrap();
    assert!(send(&mut worker, 2, "blob", &request("GET", "/c/b", "t"), false, START).written.is_some());
    let other = send(&mut worker, 3, "blob", &request("GET", "/d/b", "t"), false, START);
    assert_eq!(super::reason(&other.verdict), Some(Reason::PathRefused));
    let put = send(&mut worker, 4, "blob", &request("PUT", "/c/b", "t"), false, START);
    assert_eq!(super::reason(&put.verdict), Some(Reason::MethodRefused));
}

#[test]
fn workers_share_credentials_of_every_kind() {
    for (route, headers, body) in [
        ("s3", sdk("GET", "/key", "t", &[]), keys_answer(300)),
        ("blob", request("GET", "/c", "t"), answer_of(credentials::SAS, TokenType::AzureSas, 300)),
    ] {
        let world = World::new(3);
        let mut workers = [0, 1].map(|_| {
            let mut worker = worker_with(&json!({}));
            worker.host = world.host();
            assert!(worker.flow.share(&mut worker.host, START));
            worker
        });
        let [a, b] = &mut workers;
        send(a, 1, route, &headers, false, START);
        let ask = a.ask(START);
        a.answer(ask.id, ok(&body), later(10)).unwrap();
        let mine = send(a, 2, route, &headers, false, later(20));
        let theirs = send(b, 3, route, &headers, false, later(20));
        assert!(matches!(theirs.verdict, Verdict::Forward(Forward { outcome: Outcome::Shared, .. })));
        assert!(mine.written.is_some() && mine.written == theirs.written);
        b.flow.on_unauthorized(&mut b.host, 3, later(30));
        let mut third = worker_with(&json!({}));
        third.host = world.host();
        assert!(third.flow.share(&mut third.host, later(40)));
        let after = send(&mut third, 4, route, &headers, false, later(40));
        assert!(matches!(after.verdict, Verdict::Park { .. }), "what a destination refused is shared no more");
    }
}
