//! Whole flows: requests, answers and time in, and what everybody is told.

use serde_json::{Value, json};

use super::{arrival::Known as Peer, *};
use crate::{
    breaker,
    refusal::Response,
    reply::{Answer, CallResult},
    shared::simulation::{SimHost, World},
};

mod bounds;
mod certificate;
mod forwarded_certificate;
mod garbage;
mod keys;
mod lent;
mod lives;
mod misses;
mod outage;
mod refusals;
mod renewals;
mod reports;
mod schedules;
mod seeds;
mod sharing;
mod signing;
mod sources;
mod trailers;
mod unauthorized;

const START: Now = Now { unix_ms: 1_800_000_000_000, steady_ms: 10_000 };

/// The longest that anybody waits: the default timeout and the grace.
const PATIENCE_MS: u64 = 800;

fn later(ms: u64) -> Now {
    Now { unix_ms: START.unix_ms + ms, steady_ms: START.steady_ms + ms }
}

/// A configuration with three routes that exchange and one that does not, and `settings` on top.
fn config(settings: &Value) -> Arc<Config> {
    let route = |audience: &str| json!({"exchange": {"audience": audience, "clusters": ["c"]}});
    let mut config = json!({
        "version": 1, "listener": "egress",
        "sts": {"cluster": "sts", "authority": "sts", "actor": "spiffe://td/edge"},
        "routes": {"r0": route("a0"), "r1": route("a1"), "r2": route("a2"), "plain": "untouched"},
    });
    for (name, value) in settings.as_object().into_iter().flatten() {
        config[name] = value.clone();
    }
    Arc::new(Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap())
}

/// One VM: its flow and its host. Every request comes from an address of its own choice.
struct Worker {
    flow: Flow,
    host: SimHost,
    source: String,
}

impl Worker {
    /// One that works for itself.
    fn alone() -> Self {
        Self::with(&json!({"limits": {"shared_tokens": 0}}))
    }

    /// The same, configured otherwise.
    fn with(settings: &Value) -> Self {
        let host = World::new(1).host();
        Self { flow: Flow::new(config(settings), 7, START), host, source: "10.0.0.1:4711".to_owned() }
    }

    /// One of several of the process `world`, that listens on `queue`.
    fn of(world: &World, queue: u32, now: Now) -> Self {
        let mut host = world.host();
        let mut flow = Flow::new(config(&Value::Null), u64::from(queue), now);
        assert!(flow.share(&mut host, now));
        assert!(flow.queue_wanted().is_some());
        flow.attend(queue);
        assert_eq!(flow.queue_wanted(), None);
        Self { flow, host, source: "10.0.0.1:4711".to_owned() }
    }

    fn arrive(&mut self, stream: u32, route: &str, headers: &[(String, Vec<u8>)], now: Now) -> Verdict {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let connection = Peer::from_source(&self.source);
        let arrival = Arrival { stream, route: Some(route.as_bytes()), has_body: false, connection: &connection };
        self.flow.on_request(&mut self.host, arrival, &headers, now).verdict
    }

    /// A plain request with `token` on `r0`.
    fn get(&mut self, stream: u32, token: &str, now: Now) -> Verdict {
        self.arrive(stream, "r0", &get(token), now)
    }

    fn parks(&mut self, stream: u32, token: &str, now: Now) {
        assert!(matches!(self.get(stream, token, now), Verdict::Park { .. }), "{token} does not wait");
    }

    fn next(&mut self, now: Now) -> Next {
        self.flow.next(&mut self.host, now)
    }

    /// The exchange to be asked for now.
    fn ask(&mut self, now: Now) -> Ask {
        match self.next(now) {
            Next::Ask(ask) => ask,
            Next::Settled(settled) => panic!("settled: {:?}", settled.result),
            Next::Nothing => panic!("nothing to ask for"),
        }
    }

    /// What comes to its end without this worker asking.
    fn told(&mut self, now: Now) -> Settled {
        match self.next(now) {
            Next::Settled(settled) => settled,
            Next::Ask(_) => panic!("it asks"),
            Next::Nothing => panic!("nothing is told"),
        }
    }

    fn rests(&mut self, now: Now) {
        assert!(matches!(self.next(now), Next::Nothing));
    }

    fn answer(&mut self, id: u64, answer: Answer<'_>, now: Now) -> Option<Settled> {
        self.flow.on_answer(&mut self.host, id, answer, now)
    }

    fn tick(&mut self, now: Now) -> Vec<Settled> {
        self.flow.on_tick(&mut self.host, 0, now)
    }

    /// Ticks every tenth of a second from `from` to before `until`, until there is something to ask for.
    fn tick_until_ask(&mut self, from: u64, until: u64) -> Option<(u64, Ask)> {
        (from..until).step_by(100).find_map(|ms| {
            self.tick(later(ms));
            match self.next(later(ms)) {
                Next::Ask(ask) => Some((ms, ask)),
                _ => None,
            }
        })
    }

    /// Gets `token` a credential on `r0`, `Bearer for-TOKEN`, asked for and answered at these moments.
    fn warm(&mut self, token: &str, expires_in: u64, asked: Now, answered: Now) {
        self.parks(1, token, asked);
        let ask = self.ask(asked);
        let body = issued(&format!("for-{token}"), expires_in);
        assert_eq!(self.answer(ask.id, ok(&body), answered).unwrap().result, CallResult::Ok);
    }

    /// How a request that must be a hit came by which credential.
    fn hit(&mut self, stream: u32, token: &str, now: Now) -> (Outcome, String) {
        match self.get(stream, token, now) {
            Verdict::Forward(forward) => (forward.outcome, forward.issued.header_value().to_owned()),
            verdict => panic!("no hit: {:?}", refusal(&verdict)),
        }
    }

    /// So many calls without an answer that the breaker opens.
    fn break_circuit(&mut self, now: Now) {
        for _ in 0..breaker::FAILURES_IN_A_ROW {
            let ticket = self.flow.breaker.admit(now).unwrap();
            self.flow.breaker.report(ticket, breaker::Outcome::Unavailable, now);
        }
    }

    fn mend_circuit(&mut self) {
        self.flow.breaker = Breaker::new(PATIENCE_MS, 0);
    }

    /// The destination answers 401 to what `stream` was sent with.
    fn unauthorized(&mut self, stream: u32, now: Now) {
        self.flow.on_unauthorized(&mut self.host, stream, now);
    }
}

fn get(token: &str) -> Vec<(String, Vec<u8>)> {
    request("GET", "/reports/1", token)
}

fn request(method: &str, path: &str, token: &str) -> Vec<(String, Vec<u8>)> {
    [(":method", method), (":path", path), ("authorization", &format!("Bearer native-{token}")), ("cookie", "c=1")]
        .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
        .to_vec()
}

fn issued(token: &str, expires_in: u64) -> Vec<u8> {
    issued_with(token, expires_in, &json!([]))
}

fn issued_with(token: &str, expires_in: u64, details: &Value) -> Vec<u8> {
    let body = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": expires_in,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "authorization_details": details,
    });
    serde_json::to_vec(&body).unwrap()
}

fn ok(body: &[u8]) -> Answer<'_> {
    Answer { status: Some(200), decision_id: None, body }
}

const DENIED: Answer<'static> = Answer {
    status: Some(400),
    decision_id: Some("d-1"),
    body: br#"{"error":"invalid_request","reason":"policy_denied"}"#,
};

const OVERLOADED: Answer<'static> = Answer {
    status: Some(503),
    decision_id: None,
    body: br#"{"error":"temporarily_unavailable","reason":"overloaded"}"#,
};

fn refusal(verdict: &Verdict) -> Option<&Refused> {
    match verdict {
        Verdict::Refuse(refused) => Some(refused),
        _ => None,
    }
}

fn reason(verdict: &Verdict) -> Option<Reason> {
    refusal(verdict).and_then(|refused| refused.refusal.reason())
}

fn response(refused: &Refused) -> Response {
    refused.refusal.to_response("id")
}

fn retry_after(response: &Response) -> Option<u64> {
    let (_, seconds) = response.headers.iter().find(|(name, _)| *name == "retry-after")?;
    seconds.parse().ok()
}

/// What each waiter was told: a credential, or the code of a refusal.
fn told(settled: &Settled) -> Vec<(u32, Result<&str, &str>)> {
    settled
        .deliveries
        .iter()
        .map(|delivery| {
            let verdict = delivery.verdict.as_ref();
            (delivery.stream, verdict.map(|f| f.issued.header_value()).map_err(|r| r.refusal.code()))
        })
        .collect()
}
