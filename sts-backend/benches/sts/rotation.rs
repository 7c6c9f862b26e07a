//! Every workload's own token is replaced at once: what the herd of exchanges costs with the tokens that were kept, and
//! without.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use serde::Serialize;
use sts_backend::{
    audit::Audit,
    exchange::{Exchange, Message},
    issued::Origin,
    keys::SigningKeys,
    reissue::Reissues,
    store::{EmbeddedStore, SealedKey, Store, StoreError, StoreFuture},
};

use crate::{
    rounds::{Figure, Plan, Stopwatch, Turn, resident, together},
    world::{NOW, Others, World, caller},
};

/// How many requests are under way at once.
const AT_ONCE: usize = 64;

/// The policies that are loaded.
const POLICIES: usize = 54;

/// One rotation, measured.
#[derive(Serialize)]
pub struct Measured {
    /// The algorithm of the new tokens.
    pub subject: &'static str,
    /// Where the record goes.
    pub store: &'static str,
    pub workloads: usize,
    /// What the service has kept.
    pub kept: &'static str,
    /// The share of requests that were answered with a kept token.
    pub hits: f64,
    pub per_core: Figure,
    pub per_second: Figure,
}

/// Everything that was measured of rotations.
#[derive(Serialize)]
pub struct Rotations {
    pub measured: Vec<Measured>,
    /// What one kept token takes, in bytes.
    pub entry: f64,
}

impl Rotations {
    /// How many times as fast `one` is as the service that keeps nothing, in the same run.
    pub fn times(&self, one: &Measured) -> f64 {
        let same = |other: &&Measured| (other.subject, other.store) == (one.subject, one.store);
        let without = self.measured.iter().find(same).expect("the first of them keeps nothing");
        one.per_core.median / without.per_core.median
    }
}

/// What the service has kept of the workloads' first tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ages {
    /// Nothing: it keeps no tokens.
    None,
    /// A token of this second for each.
    Young,
    /// Tokens of 60 s as proxies have them that refresh after 45: any age from 0 to 45 s.
    Mixed,
}

struct Variant {
    subject: &'static str,
    store: &'static str,
    ages: Ages,
    turns: Vec<Turn>,
    hits: f64,
}

/// The workloads' requests before the rotation and after it.
struct Fleet<'w> {
    world: &'w World,
    keys: Arc<SigningKeys>,
    first: Vec<Vec<u8>>,
    rotated: [(&'static str, Vec<Vec<u8>>); 2],
}

/// Measures every variant, in turns. Each turn is one rotation, on a new store.
pub async fn measure(plan: &Plan, world: &World) -> Rotations {
    let fleet = Fleet::new(world, plan.workloads).await;
    let entry = fleet.entry().await;
    let mut variants: Vec<_> = [
        ("ES256", "memory", Ages::None),
        ("ES256", "memory", Ages::Young),
        ("ES256", "memory", Ages::Mixed),
        ("ES256", "disk", Ages::None),
        ("ES256", "disk", Ages::Young),
        ("RS256", "memory", Ages::None),
        ("RS256", "memory", Ages::Young),
    ]
    .into_iter()
    .map(|(subject, store, ages)| Variant { subject, store, ages, turns: Vec::new(), hits: 0.0 })
    .collect();
    for round in 0..plan.rounds {
        for variant in &mut variants {
            variant.turn(&fleet, round).await;
        }
    }
    Rotations { measured: variants.iter().map(|variant| variant.measured(plan.workloads)).collect(), entry }
}

impl Variant {
    async fn turn(&mut self, fleet: &Fleet<'_>, round: usize) {
        let reissues = Arc::new(Reissues::new(if self.ages == Ages::None { 0 } else { 2 * fleet.first.len() }));
        if self.ages != Ages::None {
            fleet.keep(&reissues, if self.ages == Ages::Young { 1 } else { 46 }).await;
        }
        let place: Arc<dyn Store> = match self.store {
            "disk" => {
                let file =
                    format!("rotation-{}-{round}.redb", if self.ages == Ages::None { "without" } else { "with" });
                Arc::new(EmbeddedStore::open(&fleet.world.file(&file)).unwrap())
            }
            _ => Arc::new(EmbeddedStore::in_memory().unwrap()),
        };
        let exchange = fleet.exchange(&reissues, place);
        let forms = &fleet.rotated.iter().find(|(subject, _)| *subject == self.subject).unwrap().1;
        let hits = Cell::new(0_u64);
        let watch = Stopwatch::start();
        let operations = all(
            &exchange,
            forms,
            |_| NOW,
            |origin| {
                hits.set(hits.get() + u64::from(origin == Origin::Kept));
            },
        )
        .await;
        self.turns.push(watch.stop(operations));
        self.hits = hits.get() as f64 / operations as f64;
    }

    fn measured(&self, workloads: usize) -> Measured {
        Measured {
            subject: self.subject,
            store: self.store,
            workloads,
            kept: match self.ages {
                Ages::None => "nothing",
                Ages::Young => "0 s old",
                Ages::Mixed => "0 to 45 s old",
            },
            hits: self.hits,
            per_core: Figure::per_core(&self.turns),
            per_second: Figure::per_second(&self.turns),
        }
    }
}

impl<'w> Fleet<'w> {
    async fn new(world: &'w World, workloads: usize) -> Self {
        let store = EmbeddedStore::in_memory().unwrap();
        let keys = Arc::new(SigningKeys::load_or_create(&store, &[5; 32], NOW).await.unwrap());
        let forms = |algorithm: &str, issued| {
            (0..workloads).map(|number| world.form(algorithm, &format!("job{number}"), issued)).collect::<Vec<_>>()
        };
        let rotated = [("ES256", forms("ES256", NOW)), ("RS256", forms("RS256", NOW))];
        Self { world, keys, first: forms("ES256", NOW - 1800), rotated }
    }

    fn exchange(&self, reissues: &Arc<Reissues>, place: Arc<dyn Store>) -> Exchange {
        let settings = self.world.settings(POLICIES, Others::Elsewhere, Arc::clone(reissues));
        Exchange::new(settings, Arc::clone(&self.keys), Audit::new(place))
    }

    /// The workloads' first exchanges, in the last `spread` seconds. Nobody needs their record.
    async fn keep(&self, reissues: &Arc<Reissues>, spread: u64) {
        let exchange = self.exchange(reissues, Arc::new(Nowhere));
        all(&exchange, &self.first, |number| NOW - number as u64 % spread, |_| ()).await;
    }

    async fn entry(&self) -> f64 {
        let reissues = Arc::new(Reissues::new(self.first.len()));
        // What is made for the first exchange alone is made before.
        self.keep(&Arc::new(Reissues::new(1)), 1).await;
        let before = resident();
        self.keep(&reissues, 1).await;
        resident().saturating_sub(before) as f64 / reissues.entries() as f64
    }
}

/// Sends every form once, and says of each answer where its token came from.
async fn all(exchange: &Exchange, forms: &[Vec<u8>], time: impl Fn(usize) -> u64, seen: impl Fn(Origin)) -> u64 {
    let caller = caller();
    let left = RefCell::new(forms.iter().enumerate());
    let ask = async || {
        let mut done = 0;
        loop {
            let Some((number, form)) = left.borrow_mut().next() else { return done };
            let released = exchange.exchange(&caller, message(form), time(number)).await;
            seen(released.expect("every request is permitted").issued().origin());
            done += 1;
        }
    };
    together((0..AT_ONCE).map(|_| ask())).await
}

fn message(form: &[u8]) -> Message<'_> {
    Message { form, protocol: Some("1"), no_cache: false, received: std::time::Instant::now() }
}

/// A store that keeps nothing.
struct Nowhere;

impl Store for Nowhere {
    fn append(&self, _leaf: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    fn leaves(&self, _from: u64, _limit: usize) -> StoreFuture<'_, Vec<(u64, Vec<u8>)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn signing_keys(&self) -> StoreFuture<'_, Vec<SealedKey>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn add_signing_key(&self, _key: SealedKey, _held: usize) -> StoreFuture<'_, bool> {
        Box::pin(async { Err(StoreError::Stopped) })
    }
}
