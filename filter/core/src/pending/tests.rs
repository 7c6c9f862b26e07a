use super::*;
use crate::{
    config::{Config, RouteMode},
    key::Subject,
};

const START: Now = Now { unix_ms: 1_800_000_000_000, steady_ms: 10_000 };
const PATIENCE_MS: u64 = 800;

fn later(ms: u64) -> Now {
    Now { unix_ms: START.unix_ms + ms, steady_ms: START.steady_ms + ms }
}

fn route() -> Arc<ExchangeRoute> {
    let json = br#"{
        "version": 1, "listener": "egress",
        "sts": {"cluster": "sts", "authority": "sts", "actor": "spiffe://td/edge"},
        "routes": {"r0": {"exchange": {"audience": "a0", "clusters": ["c"]}}}
    }"#;
    let Some(RouteMode::Exchange(route)) = Config::parse(json).unwrap().route("r0").cloned() else { panic!("a route") };
    route
}

/// Parks `stream` for `token`, with a path of so many bytes.
fn park(pending: &mut Pending, stream: u32, token: &str, path: usize, now: Now) -> Result<Joined, Full> {
    let route = route();
    let probe = Probe::new(route.facts(), Subject::Token(token)).unwrap();
    let waiter = Waiter { stream, method: String::new(), path: "p".repeat(path), first: false };
    let purpose = Purpose::Miss(Source::default());
    let open = || Opening { route: Arc::clone(&route), index: 0, traceparent: None, purpose };
    pending.join(probe, waiter, open, now)
}

#[test]
fn waits_that_ended_long_before_their_time_leave_nothing_behind() {
    let mut pending = Pending::new(Limits::default(), PATIENCE_MS);
    park(&mut pending, 0, "slow", 1, START).unwrap();
    for stream in 1..10_000 {
        park(&mut pending, stream, "quick", 1, START).unwrap();
        let id = pending.to_start.pop_back().unwrap();
        assert_eq!(pending.take(id).unwrap().into_waiters().count(), 1);
        assert!(pending.waits.len() <= 2 * 2 + LEFT_OVER);
    }
    let ended = pending.impatient(later(PATIENCE_MS));
    assert_eq!(ended.into_values().flatten().map(|waiter| waiter.stream).collect::<Vec<_>>(), [0]);
    assert_eq!((pending.waiting(), pending.waiting_bytes, pending.waits.len()), (0, 0, 0));
}

#[test]
fn who_waits_takes_no_more_bytes_than_there_may_be() {
    let mut pending = Pending::new(Limits::default(), PATIENCE_MS);
    let long = MOST_WAITING_BYTES / 4;
    for stream in 0..4 {
        park(&mut pending, stream, "t", long, START).unwrap();
    }
    assert_eq!(park(&mut pending, 4, "t", 1, START), Err(Full));
    assert_eq!(park(&mut pending, 5, "u", 1, START), Err(Full), "another exchange has no room of its own");
    assert_eq!(pending.len(), 1, "and none was opened for it");
    pending.impatient(later(PATIENCE_MS));
    park(&mut pending, 4, "t", long, later(PATIENCE_MS)).unwrap();
}

#[test]
fn who_comes_later_waits_as_long_as_who_came_first() {
    let mut pending = Pending::new(Limits::default(), PATIENCE_MS);
    for (stream, ms) in [(1, 0), (2, 300), (3, 300)] {
        park(&mut pending, stream, "t", 1, later(ms)).unwrap();
    }
    let mut told = |ms| pending.impatient(later(ms)).into_values().flatten().map(|w| w.stream).collect::<Vec<_>>();
    assert_eq!((told(799), told(800), told(1_099), told(1_100)), (vec![], vec![1], vec![], vec![2, 3]));
}

#[test]
fn who_leaves_waits_no_more_and_leaves_nothing_behind() {
    let mut pending = Pending::new(Limits::default(), PATIENCE_MS);
    park(&mut pending, 1, "t", 7, START).unwrap();
    park(&mut pending, 2, "t", 5, START).unwrap();
    pending.leave(1);
    pending.leave(3);
    assert!(!pending.is_waiting(1) && pending.is_waiting(2) && pending.key_of(1).is_none());
    assert_eq!((pending.waiting(), pending.waiting_bytes, pending.len()), (1, 5, 1));
    let ended = pending.impatient(later(PATIENCE_MS));
    assert_eq!(ended.into_values().flatten().map(|waiter| waiter.stream).collect::<Vec<_>>(), [2]);
    assert_eq!(pending.waiting_bytes, 0);
}
