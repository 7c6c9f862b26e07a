//! One Envoy: its workers, its clocks, its shared data, and what happens to them.

use std::sync::LazyLock;

use super::{
    event::{Event, Mode, Step},
    judge::{Call, Counts, Gone, Judge, Wait},
    sts::{Asked, Reply, Sts},
    *,
};
use crate::{
    config::RouteMode,
    jitter::{Jitter, between},
    key::{Key, Probe, Subject},
};

mod harm;

/// The process.
pub(super) struct Envoy {
    world: World,
    config: Arc<Config>,
    shares: bool,
    vms: Vec<Vm>,
    sts: Sts,
    judge: Judge,
    now_ms: u64,
    wall_ahead_ms: i64,
    streams: u32,
    jitter: Jitter,
    /// Names of the values that others can write to, and what was in some of them.
    names: Vec<String>,
    past: Vec<Vec<u8>>,
}

struct Vm {
    flow: Flow,
    host: SimHost,
    beat_ms: u64,
}

impl Envoy {
    pub(super) fn start(seed: u64) -> Self {
        let mut jitter = Jitter::new(seed ^ 0xE);
        let config = Arc::clone(&CONFIGS[usize::try_from(seed % 3).unwrap()]);
        let mut envoy = Self {
            world: World::new(seed),
            config,
            shares: !seed.is_multiple_of(8),
            vms: Vec::new(),
            sts: Sts::new(KEYS),
            judge: Judge::new(KEYS),
            now_ms: 0,
            wall_ahead_ms: 0,
            streams: 0,
            names: Vec::new(),
            past: vec![Vec::new()],
            jitter: jitter.clone(),
        };
        for worker in 0..usize::try_from(between(jitter.draw(), 1, 4)).unwrap() {
            let vm = envoy.open(worker);
            envoy.vms.push(vm);
        }
        // Other VMs have places, too; but nobody will take so many.
        let kept = |name: &String| {
            !name.ends_with("layout") && (!name.contains("/vm/") || name.len() < "cloakroom/1/vm/10".len())
        };
        envoy.names = envoy.world.names().into_iter().filter(kept).collect();
        envoy
    }

    pub(super) fn counts(&self) -> Counts {
        self.judge.counts
    }

    pub(super) fn happens(&mut self, Step { event, chance }: &Step) {
        self.jitter = Jitter::new(*chance);
        self.judge.next_event();
        self.judge.counts.events += 1;
        match event {
            Event::Request { worker, key, source, post, asks_later } => {
                self.request(worker % self.vms.len(), key % KEYS, source % 3, *post, *asks_later);
            }
            Event::Answer { call, roll } => {
                if let Some(call) = call.checked_rem(self.judge.calls.len()) {
                    self.answer(call, |envoy, asked| envoy.sts.answer(asked, *roll));
                }
            }
            Event::Unauthorized { worker, request } => {
                if let Some(gone) = self.gone(worker % self.vms.len(), *request) {
                    self.unauthorized(gone);
                }
            }
            Event::Wait { ms, stalled } => self.wait(*ms, stalled.map(|worker| worker % self.vms.len())),
            Event::SetClock { by_ms } => {
                self.wall_ahead_ms += by_ms;
                self.judge.counts.clocks_set += 1;
            }
            Event::Sts(mode) => self.sts.mode = *mode,
            Event::Trap { worker, after, during } => self.trap(worker % self.vms.len(), *after, during),
            Event::Hostile(write) => self.write(write),
            Event::Knock { worker } => self.wake(worker % self.vms.len()),
        }
        self.knocks();
        self.hold();
    }

    /// The STS is there, time passes, and everything comes to its end; then everybody is served again.
    pub(super) fn comes_to_rest(&mut self) {
        self.sts.mode = Mode::Up;
        for _ in 0..12 {
            self.wait(400, None);
            self.answer_all();
            self.hold();
        }
        assert!(self.judge.waiting.is_empty(), "somebody waits still");
        for Vm { flow, host, .. } in &mut self.vms {
            assert!(flow.pending.is_empty(), "something is still under way");
            let leases = flow.shared.as_ref().map_or(0, |shared| shared.leases_held(host));
            assert!(leases == 0 || self.judge.counts.hostile_writes > 0, "a lease was not given back");
        }
        // The longest that anything is remembered: a lease, a 401, the breaker.
        self.wait(61_000, None);
        self.judge.a_minute_has_passed();
        for worker in 0..self.vms.len() {
            self.judge.next_event();
            let key = usize::try_from(between(self.jitter.draw(), 0, 14)).unwrap();
            let served = self.judge.counts.returned.iter().sum::<u64>();
            self.request(worker, key, 0, false, false);
            self.answer_all();
            assert!(self.judge.counts.returned.iter().sum::<u64>() > served, "a request is not served any more");
        }
    }

    /// All calls are answered, and no knock gets lost.
    fn answer_all(&mut self) {
        self.judge.next_event();
        while !self.judge.calls.is_empty() {
            self.answer(0, |envoy, asked| envoy.sts.answer(asked, LONG_LIFE));
            (0..self.vms.len()).for_each(|worker| self.wake(worker));
        }
    }

    fn open(&mut self, worker: usize) -> Vm {
        let (now, mut host) = (self.now(), self.world.host());
        let mut flow = Flow::new(Arc::clone(&self.config), self.jitter.draw(), now);
        if self.shares && flow.share(&mut host, now) {
            flow.attend(queue(worker));
        }
        Vm { flow, host, beat_ms: self.now_ms }
    }

    fn now(&self) -> Now {
        let unix_ms = START.unix_ms.checked_add_signed(self.wall_ahead_ms).unwrap() + self.now_ms;
        Now { unix_ms, steady_ms: START.steady_ms + self.now_ms }
    }

    fn patience_ms(&self) -> u64 {
        self.config.sts().timeout_ms + GRACE_MS
    }

    fn request(&mut self, worker: usize, key: usize, source: usize, post: bool, asks_later: bool) {
        self.judge.counts.requests += 1;
        let stream = self.streams;
        self.streams += 1;
        let wait = Wait { key, post, since_ms: self.now_ms };
        match self.decide(worker, stream, (key, post), source) {
            Verdict::Forward(forward) => {
                self.judge.forwarded((worker, stream), wait, &forward, &self.sts, self.now_ms);
            }
            Verdict::Refuse(refused) => self.judge.refused(worker, key, &refused, self.now_ms),
            Verdict::Park { start, .. } => {
                self.judge.waiting.insert((worker, stream), wait);
                if start && !asks_later {
                    self.start_exchanges(worker);
                }
            }
            Verdict::Pass { .. } | Verdict::Read => panic!("no route is untouched, or reads bodies"),
        }
    }

    fn decide(&mut self, worker: usize, stream: u32, (key, post): (usize, bool), source: usize) -> Verdict {
        let now = self.now();
        let Vm { flow, host, .. } = &mut self.vms[worker];
        let (route, token) = (format!("r{}", key / TOKENS), format!("Bearer native-t{}", key % TOKENS));
        let method: &[u8] = if post { b"POST" } else { b"GET" };
        let headers = [(":method", method), (":path", b"/"), ("authorization", token.as_bytes())];
        let connection = Peer::from_source(&format!("10.0.0.{source}:80"));
        let arrival = Arrival { stream, route: Some(route.as_bytes()), has_body: false, connection: &connection };
        flow.on_request(host, arrival, &headers, now).verdict
    }

    fn start_exchanges(&mut self, worker: usize) {
        let now = self.now();
        loop {
            let Vm { flow, host, .. } = &mut self.vms[worker];
            match flow.next(host, now) {
                Next::Ask(ask) => {
                    let (key, at_ms) = (key_of(&ask), self.now_ms);
                    let may_repeat = !self.judge.wants_fresh(worker, key);
                    assert!(ask.fresh || may_repeat, "after a 401 the STS's own cache is no help");
                    let asked = Asked { key, at_ms, may_repeat };
                    let lease_ms = if self.shares { self.patience_ms() } else { 0 };
                    self.judge.asked(worker, ask.id, asked, lease_ms, self.seems_dead(worker));
                }
                Next::Settled(settled) => self.settle(worker, &settled),
                Next::Nothing => {
                    assert_eq!(flow.pending.next_to_start(), None, "something was left to be started");
                    return;
                }
            }
        }
    }

    fn settle(&mut self, worker: usize, settled: &Settled) {
        self.judge.counts.renewals += u64::from(settled.renewal);
        self.judge.settled(worker, settled, &FINGERPRINTS, &self.sts, self.now_ms);
    }

    fn answer(&mut self, call: usize, reply: impl FnOnce(&mut Self, Asked) -> Reply) {
        let call = self.judge.calls.remove(call);
        let reply = reply(self, call.asked);
        let settled = self.hand_over(&call, &reply);
        assert!(!call.over || settled.is_none(), "it was given up before");
        match settled {
            Some(settled) => self.settle(call.worker, &settled),
            None if call.over => {}
            None => self.judge.asks_anew(&call),
        }
        self.start_exchanges(call.worker);
    }

    fn hand_over(&mut self, call: &Call, reply: &Reply) -> Option<Settled> {
        self.judge.answered(call, reply, self.now_ms);
        let now = self.now();
        let Vm { flow, host, .. } = &mut self.vms[call.worker];
        flow.on_answer(host, call.id, Answer { status: reply.status, decision_id: None, body: &reply.body }, now)
    }

    fn gone(&self, worker: usize, which: usize) -> Option<Gone> {
        let of_worker: Vec<_> = self.judge.gone.iter().filter(|gone| gone.worker == worker).collect();
        // The latest ones: others have lost their places.
        let latest = of_worker.len().min(8);
        which.checked_rem(latest).map(|place| *of_worker[of_worker.len() - 1 - place])
    }

    fn unauthorized(&mut self, gone: Gone) {
        let before = self.held(gone.worker, gone.key);
        let now = self.now();
        let Vm { flow, host, .. } = &mut self.vms[gone.worker];
        flow.on_unauthorized(host, gone.stream, now);
        let after = self.held(gone.worker, gone.key);
        self.judge.unauthorized(gone, before, after);
    }

    fn held(&mut self, worker: usize, key: usize) -> Option<usize> {
        let key = key_at(&self.config, key);
        let (entry, _) = self.vms[worker].flow.cache.held(&key)?;
        entry.issued.header_value().strip_prefix("Bearer i-")?.parse().ok()
    }

    /// Whether the worker has not shown for too long that it lives.
    fn seems_dead(&self, worker: usize) -> bool {
        self.now_ms - self.vms[worker].beat_ms > DEAD_AFTER_MS
    }

    fn wait(&mut self, ms: u64, stalled: Option<usize>) {
        self.now_ms += ms;
        for worker in 0..self.vms.len() {
            if self.seems_dead(worker) {
                self.judge.seems_dead(worker);
            }
        }
        // The host ends calls in time, mostly before a tick.
        let (now_ms, timeout_ms) = (self.now_ms, self.config.sts().timeout_ms);
        let overdue = |call: &Call| now_ms - call.asked.at_ms >= timeout_ms;
        if self.jitter.draw().is_multiple_of(4) {
            self.tick_all(stalled);
        } else {
            while let Some(call) = self.judge.calls.iter().position(overdue) {
                self.answer(call, |_, _| Reply { status: None, body: Vec::new(), token: None });
            }
            self.tick_all(stalled);
        }
    }

    fn tick_all(&mut self, stalled: Option<usize>) {
        for worker in (0..self.vms.len()).filter(|worker| Some(*worker) != stalled) {
            let (now, patience_ms) = (self.now(), self.patience_ms());
            let vm = &mut self.vms[worker];
            let settled = vm.flow.on_tick(&mut vm.host, 0, now);
            vm.beat_ms = self.now_ms;
            for settled in settled {
                self.judge.counts.impatient += u64::try_from(settled.deliveries.len()).unwrap();
                self.settle(worker, &settled);
            }
            self.judge.ticked(worker, patience_ms, self.now_ms);
            self.start_exchanges(worker);
        }
    }

    fn wake(&mut self, worker: usize) {
        self.vms[worker].flow.on_wake();
        self.start_exchanges(worker);
    }

    /// Hands out the knocks; some get lost.
    fn knocks(&mut self) {
        for worker in 0..self.vms.len() {
            if self.world.take_knocks(queue(worker)) > 0 && !self.jitter.draw().is_multiple_of(8) {
                self.wake(worker);
            }
        }
    }

    /// The bounds, and that the books of flow and judge agree.
    fn hold(&mut self) {
        let limits = self.config.limits();
        for (worker, Vm { flow, .. }) in self.vms.iter_mut().enumerate() {
            assert!(flow.cache.len() <= limits.cached_tokens && flow.cache.refusals() <= limits.cached_tokens);
            assert!(flow.cache.bytes() <= limits.cached_bytes.saturating_mul(2));
            assert!(flow.schedule.len() <= limits.cached_tokens);
            assert!(flow.pending.len() <= limits.pending_exchanges);
            assert!(flow.pending.waiting() <= limits.waiting_requests);
            let waiting = self.judge.waiting.range((worker, 0)..(worker + 1, 0));
            assert_eq!(flow.pending.waiting(), waiting.clone().count());
            assert!(waiting.clone().all(|((_, stream), _)| flow.is_waiting(*stream)));
            assert_eq!(flow.sources.under_way(), flow.pending.misses(), "each is ended once");
        }
    }
}

fn queue(worker: usize) -> u32 {
    100 + u32::try_from(worker).unwrap()
}

fn key_of(ask: &Ask) -> usize {
    let number = |text: &str, prefix: &str| text.strip_prefix(prefix).unwrap().parse::<usize>().unwrap();
    number(&ask.request.audience[0], "a") * TOKENS + number(ask.request.subject_token.expose(), "native-t")
}

fn key_at(config: &Config, key: usize) -> Key {
    let Some(RouteMode::Exchange(route)) = config.route(&format!("r{}", key / TOKENS)) else { panic!("a route") };
    let token = format!("native-t{}", key % TOKENS);
    Probe::new(route.facts(), Subject::Token(&token)).unwrap().to_key()
}

const ROUTES: usize = 3;
const TOKENS: usize = 5;
const KEYS: usize = ROUTES * TOKENS;

/// A roll by which the STS issues a new token that lives for long.
const LONG_LIFE: u64 = 1 | 7 << 8 | 1 << 16;

/// As the table of VMs has it.
const DEAD_AFTER_MS: u64 = 500;

/// Small bounds, and timeouts shorter and longer than it takes to notice that a VM is dead.
static CONFIGS: LazyLock<[Arc<Config>; 3]> = LazyLock::new(|| {
    [200, 750, 2_000].map(|timeout_ms| {
        config(&json!({
            "sts": {"cluster": "sts", "authority": "sts", "actor": "spiffe://td/edge", "timeout_ms": timeout_ms},
            "limits": {
                "cached_tokens": 6, "cached_bytes": 20_000, "pending_exchanges": 6, "waiting_requests": 12,
                "waiting_per_exchange": 5, "pending_per_source": 3,
                "shared_tokens": 8, "shared_leases": 64, "shared_refusals": 8,
            },
        }))
    })
});

static FINGERPRINTS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..KEYS).map(|key| key_at(&CONFIGS[0], key).fingerprint()).collect());
