//! A workload that holds no token and is known by the certificate that it showed.

use super::*;

fn worker(world: &World) -> Worker {
    let config = config(&json!({"routes": {
        "mesh": {"exchange": {"subject": "peer_certificate", "audience": "a0", "clusters": ["c"]}},
        "r0": {"exchange": {"audience": "a0", "clusters": ["c"]}},
    }}));
    let mut host = world.host();
    let mut flow = Flow::new(config, 3, START);
    assert!(flow.share(&mut host, START));
    Worker { flow, host, source: "10.0.0.1:1".to_owned() }
}

fn call<'h>(worker: &mut Worker, stream: u32, certificate: Option<&str>, headers: &Headers<'h>, now: Now) -> Step<'h> {
    let connection = Peer { certificate: certificate.map(str::to_owned), ..Peer::default() };
    let arrival = Arrival { stream, route: Some(b"mesh"), has_body: false, connection: &connection };
    worker.flow.on_request(&mut worker.host, arrival, headers, now)
}

const PLAIN: &Headers<'static> = &[(":method", b"GET"), (":path", b"/x")];

#[test]
fn the_certificate_is_exchanged_and_each_has_its_own_token() {
    let mut worker = worker(&World::new(1));
    assert!(matches!(call(&mut worker, 1, Some("one"), PLAIN, START).verdict, Verdict::Park { start: true, .. }));
    let ask = worker.ask(START);
    assert_eq!(ask.request.subject_token.expose(), "one");
    assert_eq!(ask.request.subject_token_type, "urn:cloakroom:params:oauth:token-type:peer-certificate");
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    let Verdict::Forward(forward) = call(&mut worker, 2, Some("one"), PLAIN, START).verdict else {
        panic!("no hit");
    };
    assert_eq!((forward.issued.header_value(), forward.outcome), ("Bearer i", Outcome::Hit));
    assert!(matches!(call(&mut worker, 3, Some("other"), PLAIN, START).verdict, Verdict::Park { start: true, .. }));
}

#[test]
fn without_a_certificate_nobody_is_asking() {
    let mut worker = worker(&World::new(1));
    for certificate in [None, Some("")] {
        let Verdict::Refuse(refused) = call(&mut worker, 1, certificate, PLAIN, START).verdict else {
            panic!("not refused");
        };
        assert_eq!(refused.refusal.reason(), Some(Reason::SubjectTokenMissing));
    }
}

#[test]
fn a_token_the_client_sends_besides_is_no_subject_and_does_not_go_on() {
    let mut worker = worker(&World::new(1));
    let headers: &Headers<'_> = &[PLAIN, &[("authorization", &b"Bearer native"[..])]].concat();
    for (stream, certificate) in [(1, Some("one")), (2, None)] {
        let step = call(&mut worker, stream, certificate, headers, START);
        assert_eq!(step.edits, [Edit::Remove("authorization")]);
    }
    assert_eq!(worker.ask(START).request.subject_token.expose(), "one");
}

#[test]
fn its_token_is_not_laid_where_other_workers_could_unseal_it() {
    let world = World::new(1);
    let (mut first, mut second) = (worker(&world), worker(&world));
    call(&mut first, 1, Some("one"), PLAIN, START);
    let ask = first.ask(START);
    // The other asks for itself: there is no lease either.
    call(&mut second, 2, Some("one"), PLAIN, START);
    second.ask(START);
    first.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    let mut third = worker(&world);
    assert!(matches!(call(&mut third, 3, Some("one"), PLAIN, START).verdict, Verdict::Park { start: true, .. }));
    // A 401 ends it here, and looks for it nowhere else.
    let Verdict::Forward(_) = call(&mut first, 4, Some("one"), PLAIN, START).verdict else { panic!("no hit") };
    first.unauthorized(4, START);
    assert!(matches!(call(&mut first, 5, Some("one"), PLAIN, START).verdict, Verdict::Park { .. }));
}
