//! A workload that is known by the certificate that a trusted hop was shown.

use super::*;

const HOP: &str = "spiffe://td/gateway";
const XFCC: &str = "x-forwarded-client-cert";
const ONE: &[u8] = b"By=spiffe://td/gateway;Hash=00;Cert=\"one%0A\";URI=spiffe://td/ns/a/sa/b";
const PLAIN: &Headers<'static> = &[(":method", b"GET"), (":path", b"/x")];

fn worker() -> Worker {
    let exchange = |subject: Value| json!({"exchange": {"subject": subject, "audience": "a0", "clusters": ["c"]}});
    Worker::with(&json!({"limits": {"shared_tokens": 0}, "routes": {
        "mesh": exchange(json!({"forwarded_certificate": {"hop": HOP}})),
        "tokens": exchange(json!("authorization")),
        "plain": "untouched",
    }}))
}

fn call<'h>(worker: &mut Worker, route: &str, uri: Option<&str>, more: &Headers<'h>) -> Step<'h> {
    // The certificate of the connection is the hop's own: it must never be the subject.
    let peer = Peer { uri: uri.map(str::to_owned), certificate: Some("the hop's".to_owned()), ..Peer::default() };
    let arrival = Arrival { stream: 1, route: Some(route.as_bytes()), has_body: false, connection: &peer };
    worker.flow.on_request(&mut worker.host, arrival, &[PLAIN, more].concat(), START)
}

#[test]
fn the_certificate_that_the_hop_tells_of_is_exchanged() {
    let mut worker = worker();
    let step = call(&mut worker, "mesh", Some(HOP), &[(XFCC, ONE)]);
    assert!(matches!(step.verdict, Verdict::Park { start: true, .. }));
    assert_eq!(step.edits, [Edit::Remove(XFCC)]);
    let ask = worker.ask(START);
    assert_eq!(ask.request.subject_token.expose(), "one%0A");
    assert_eq!(ask.request.subject_token_type, "urn:cloakroom:params:oauth:token-type:peer-certificate");
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    let step = call(&mut worker, "mesh", Some(HOP), &[(XFCC, b"Cert=one%0A")]);
    assert!(matches!(step.verdict, Verdict::Forward(_)), "the same certificate, otherwise told of, is a hit");
    assert_eq!(step.edits, [Edit::Remove(XFCC)]);
    let step = call(&mut worker, "mesh", Some(HOP), &[(XFCC, b"Cert=other%0A")]);
    assert!(matches!(step.verdict, Verdict::Park { start: true, .. }), "another certificate is another exchange");
}

#[test]
fn a_client_that_is_not_the_hop_gets_nothing_on_a_warm_cache_either() {
    let mut worker = worker();
    call(&mut worker, "mesh", Some(HOP), &[(XFCC, ONE)]);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    for uri in [None, Some(""), Some("spiffe://td/gateway/x"), Some("spiffe://td/ns/a/sa/b")] {
        let step = call(&mut worker, "mesh", uri, &[(XFCC, ONE)]);
        assert_eq!(reason(&step.verdict), Some(Reason::SubjectTokenMissing), "{uri:?}");
        assert_eq!(step.edits, [Edit::Remove(XFCC)]);
    }
    for (value, wanted) in [
        (&b"By=a"[..], Reason::SubjectTokenMissing),
        (b"Cert=one%0A,Cert=one%0A", Reason::SubjectTokenDuplicated),
        (b"Cert=\"one%0A", Reason::SubjectTokenMalformed),
    ] {
        let step = call(&mut worker, "mesh", Some(HOP), &[(XFCC, value)]);
        assert_eq!((reason(&step.verdict), &step.edits[..]), (Some(wanted), &[Edit::Remove(XFCC)][..]));
    }
    assert_eq!(reason(&call(&mut worker, "mesh", Some(HOP), &[]).verdict), Some(Reason::SubjectTokenMissing));
}

#[test]
fn the_header_goes_on_no_other_route_of_the_listener_either() {
    let mut worker = worker();
    let list: &Headers<'_> = &[(XFCC, ONE), ("x_forwarded_client_cert", ONE)];
    for route in ["mesh", "tokens", "plain", "nowhere"] {
        let step = call(&mut worker, route, None, list);
        for (name, _) in list {
            assert!(step.edits.contains(&Edit::Remove(name)), "{name} on {route}");
        }
        assert!(worker.flow.trailer_removals(1, Some(route.as_bytes()), list).contains(&XFCC), "{route}");
    }
    let step = call(&mut Worker::alone(), "plain", None, list);
    assert_eq!(step.edits, [], "where no route reads it, it is Envoy's to remove");
}

#[test]
fn another_hop_is_another_exchange() {
    let facts = |hop: &str| {
        let subject = json!({"forwarded_certificate": {"hop": hop}});
        let config = config(&json!({"routes": {
            "r": {"exchange": {"subject": subject, "audience": "a0", "clusters": ["c"]}}
        }}));
        match config.route("r") {
            Some(RouteMode::Exchange(route)) => route.facts().clone(),
            _ => panic!("no such route"),
        }
    };
    assert_eq!(facts(HOP), facts(HOP));
    assert_ne!(facts(HOP), facts("spiffe://td/gateway2"));
}
