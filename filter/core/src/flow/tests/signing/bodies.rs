//! Bodies that are read: each way for a body and its credential to come, or not to.

use token::digest::sha256;

use super::*;
use crate::sigv4;

/// The signature that a body must get, with nothing of the code under test but the signing itself.
fn signed(left: &[(String, Vec<u8>)], body: &str, now: Now) -> String {
    let config = config(&json!({"reads_bodies": true, "routes": {"db": {"exchange": {
        "audience": "a", "clusters": ["c"],
        "inject": {"sigv4": {"service": "dynamodb", "region": "eu-central-1", "payload": "hash"}},
    }}}}));
    let Some(RouteMode::Exchange(route)) = config.route("db") else { panic!("no route") };
    let keys = sigv4::SigningKeys::new(credentials::keys());
    let outgoing = sigv4::outgoing::Outgoing::read(&lent(left), None, |_| true);
    let writes = outgoing.sign(route.sigv4().unwrap(), &keys, Some(sha256(body)), now.unix_ms).unwrap();
    writes[0].1.expose().to_owned()
}

#[test]
fn a_body_and_its_credential_may_come_in_any_order() {
    let post = sdk("POST", "/", "t", &[]);
    // The credential last.
    let mut worker = worker();
    let sent = send(&mut worker, 1, "db", &post, true, START);
    assert!(matches!(sent.verdict, Verdict::Park { start: true, reads: true }));
    assert!(worker.flow.on_body(1, b"0123").is_ok() && worker.flow.body_read(1) == Some(4));
    assert!(worker.flow.on_body(1, b"456789").is_ok() && worker.flow.is_waiting(1));
    assert!(worker.flow.on_body_end(1, later(10)).is_none() && worker.flow.is_waiting(1));
    assert!(worker.flow.on_body_end(1, later(11)).is_none(), "trailers end it once more");
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, ok(&keys_answer(300)), later(20)).unwrap();
    assert_eq!(
        value(&delivered(&settled, 1, &sent.left, later(20)), "authorization"),
        signed(&sent.left, "0123456789", later(20))
    );
    assert!(!worker.flow.is_waiting(1));
    // The body last.
    let mut worker = super::worker();
    let sent = send(&mut worker, 1, "db", &post, true, START);
    worker.flow.on_body(1, b"0123").unwrap();
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, ok(&keys_answer(300)), later(20)).unwrap();
    assert!(settled.deliveries.is_empty() && worker.flow.is_waiting(1), "its body is still being read");
    worker.flow.on_body(1, b"4").unwrap();
    let Some(Ok(forward)) = worker.flow.on_body_end(1, later(30)) else { panic!("it does not go on") };
    assert_eq!(forward.outcome, Outcome::Miss);
    let writes = written(inject::writes(&forward, &lent(&sent.left), &[], later(30)).unwrap());
    assert_eq!(value(&writes, "authorization"), signed(&sent.left, "01234", later(30)));
    // A credential that is there already.
    let sent = send(&mut worker, 2, "db", &post, true, later(40));
    assert!(matches!(sent.verdict, Verdict::Read) && sent.edits.contains(&"x-amz-security-token".to_owned()));
    assert!(worker.flow.is_waiting(2));
    let Some(Ok(forward)) = worker.flow.on_body_end(2, later(50)) else { panic!("it does not go on") };
    assert_eq!((forward.outcome, forward.body_sha256), (Outcome::Hit, Some(sha256(""))), "more could have come");
    assert!(!worker.flow.is_waiting(2) && worker.flow.on_body_end(2, later(50)).is_none());
    // Headers alone are signed at once.
    let sent = send(&mut worker, 3, "db", &post, false, later(40));
    assert_eq!(value(&sent.written.unwrap(), "authorization"), signed(&sent.left, "", later(40)));
}

#[test]
fn what_is_too_long_is_refused_while_it_comes_and_waits_no_more() {
    let mut worker = worker();
    let post = sdk("POST", "/", "t", &[]);
    send(&mut worker, 1, "db", &post, true, START);
    worker.flow.on_body(1, b"0123456789").unwrap();
    let refused = worker.flow.on_body(1, b"0").unwrap_err();
    let response = response(&refused);
    assert_eq!((refused.refusal.reason(), response.status), (Some(Reason::BodyTooLarge), 413));
    let said = String::from_utf8(response.body).unwrap();
    assert!(said.contains("11 bytes") && said.contains("at most 10 bytes"), "{said}");
    assert!(!worker.flow.is_waiting(1) && worker.flow.on_body_end(1, START).is_none());
    worker.rests(START);
    // With a credential it is the same, and a stream that is not read may send what it likes.
    send(&mut worker, 2, "db", &post, true, START);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&keys_answer(300)), START).unwrap();
    worker.flow.on_body(2, b"01234567890").unwrap_err();
    assert!(!worker.flow.is_waiting(2));
    worker.flow.on_body(3, b"01234567890").unwrap();
}

#[test]
fn who_is_refused_or_waits_too_long_is_not_read_any_more() {
    let mut worker = worker();
    let post = sdk("POST", "/", "t", &[]);
    send(&mut worker, 1, "db", &post, true, START);
    let ask = worker.ask(START);
    let settled = worker.answer(ask.id, DENIED, later(10)).unwrap();
    assert_eq!(settled_codes(&settled), [Err("policy_denied".to_owned())]);
    assert!(!worker.flow.is_waiting(1) && worker.flow.body_read(1).is_none());
    send(&mut worker, 2, "db", &sdk("POST", "/", "u", &[]), true, START);
    worker.ask(START);
    let codes: Vec<_> = worker.tick(later(PATIENCE_MS)).iter().flat_map(settled_codes).collect();
    assert_eq!(codes, [Err("sts_unavailable".to_owned())]);
    assert!(!worker.flow.is_waiting(2) && worker.flow.body_read(2).is_none());
}

#[test]
fn a_body_that_does_not_end_in_time_is_given_up() {
    let mut worker = worker();
    let post = sdk("POST", "/", "t", &[]);
    send(&mut worker, 1, "db", &post, true, START);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&keys_answer(100)), START).unwrap();
    send(&mut worker, 2, "db", &post, true, later(20_000));
    assert!(worker.flow.late_bodies(later(59_999)).is_empty());
    let late = worker.flow.late_bodies(later(60_000));
    let [Delivery { stream: 1, verdict: Err(refused) }] = late.as_slice() else { panic!("{}", late.len()) };
    assert_eq!(refused.refusal.reason(), Some(Reason::RequestRefused));
    assert!(!worker.flow.is_waiting(1) && worker.flow.is_waiting(2));
    // Nor is a credential sent after its own end: the life less a tenth.
    send(&mut worker, 3, "db", &post, true, later(79_999));
    let Some(Err(refused)) = worker.flow.on_body_end(3, later(90_000)) else { panic!("it goes on") };
    assert_eq!(refused.refusal.reason(), Some(Reason::RequestRefused));
    assert!(!worker.flow.is_waiting(3));
}

#[test]
fn there_is_room_for_so_many_and_those_who_have_gone_make_room() {
    let mut worker = worker_with(&json!({"shared_tokens": 0, "waiting_requests": 2_500}));
    let post = sdk("POST", "/", "t", &[]);
    send(&mut worker, 0, "db", &post, true, START);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&keys_answer(3_000)), START).unwrap();
    for stream in 1..2_500 {
        assert!(matches!(send(&mut worker, stream, "db", &post, true, START).verdict, Verdict::Read));
    }
    let full = send(&mut worker, 9_999, "db", &post, true, START);
    assert_eq!(reason(&full.verdict), Some(Reason::FilterOverloaded));
    assert!(
        send(&mut worker, 9_998, "db", &post, false, START).written.is_some(),
        "without a body there is nothing to hold"
    );
    // All in turn, a part at a time; each that lives stays.
    let mut asked = Vec::new();
    for _ in 0..3 {
        worker.flow.forget_gone(|stream| {
            asked.push(stream);
            stream % 2 == 0
        });
    }
    assert_eq!(asked, (0..2_500).collect::<Vec<_>>());
    assert!(worker.flow.is_waiting(1_000) && !worker.flow.is_waiting(1_001));
    assert!(matches!(send(&mut worker, 9_999, "db", &post, true, START).verdict, Verdict::Read));
    worker.flow.forget_gone(|_| false);
    worker.flow.forget_gone(|_| false);
    assert!(!worker.flow.is_waiting(9_999) && !worker.flow.is_waiting(0));
}

#[test]
fn who_has_gone_while_it_waited_costs_no_exchange() {
    let mut worker = worker();
    send(&mut worker, 1, "db", &sdk("POST", "/", "t", &[]), true, START);
    worker.flow.forget_gone(|_| false);
    assert!(!worker.flow.is_waiting(1));
    worker.rests(START);
    assert_eq!(worker.flow.pending.len(), 0);
}
