//! What may not travel behind a request.

use super::*;

fn removed(worker: &Worker, stream: u32, route: Option<&str>) -> Vec<&'static str> {
    let trailers: [(&str, &[u8]); 6] = [
        ("grpc-status", b"0"),
        ("x-checksum", b"abc"),
        ("x-note", b"it was native-t that came"),
        ("authorization", b"Bearer x"),
        ("x-envoy-max-retries", b"3"),
        ("x-cloakroom-subject", b"me"),
    ];
    worker.flow.trailer_removals(stream, route.map(str::as_bytes), &trailers)
}

const CARRIERS: [&str; 3] = ["authorization", "x-envoy-max-retries", "x-cloakroom-subject"];
const ALL: [&str; 6] =
    ["grpc-status", "x-checksum", "x-note", "authorization", "x-envoy-max-retries", "x-cloakroom-subject"];

#[test]
fn carriers_and_what_holds_the_native_token_go_whether_the_request_waits_or_was_sent() {
    let mut worker = Worker::alone();
    let wanted = [&["x-note"][..], &CARRIERS].concat();
    worker.parks(1, "t", START);
    assert_eq!(removed(&worker, 1, Some("r0")), wanted);
    let ask = worker.ask(START);
    worker.answer(ask.id, ok(&issued("i", 60)), START).unwrap();
    assert_eq!(removed(&worker, 1, Some("r0")), wanted);
    worker.hit(2, "t", START);
    assert_eq!(removed(&worker, 2, Some("r0")), wanted);
    worker.warm("other", 60, START, START);
    worker.hit(3, "other", START);
    assert_eq!(removed(&worker, 3, Some("r0")), CARRIERS, "the native token of another request is not this one's");
}

#[test]
fn without_the_native_token_to_compare_with_every_trailer_goes() {
    let mut worker = Worker::alone();
    assert_eq!(removed(&worker, 1, Some("r0")), ALL);
    worker.warm("t", 60, START, START);
    worker.unauthorized(1, START);
    assert_eq!(removed(&worker, 1, Some("r0")), ALL, "it was dropped");
    assert_eq!(removed(&worker, 1, Some("nowhere")), ALL);
    assert_eq!(removed(&worker, 1, None), ALL);
}

#[test]
fn an_untouched_route_keeps_all_but_our_own() {
    assert_eq!(removed(&Worker::alone(), 1, Some("plain")), ["x-cloakroom-subject"]);
}
