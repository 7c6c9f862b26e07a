//! Whole exchanges: read, verify, decide, mint, check, record.

use std::sync::Arc;

use serde::Serialize;
use sts_backend::{
    audit::Audit,
    exchange::{Exchange, Message},
    keys::SigningKeys,
    reissue::Reissues,
    store::{EmbeddedStore, Store},
};

use crate::{
    rounds::{Figure, Plan, Stopwatch, Turn, together},
    world::{NOW, Others, World, caller},
};

/// One way of exchanging, measured.
#[derive(Serialize)]
pub struct Measured {
    /// The algorithm of the subject token.
    pub subject: &'static str,
    /// How many policies are loaded.
    pub policies: usize,
    /// Whether they all name the destination asked for.
    pub policies_on: &'static str,
    /// Where the record goes.
    pub store: &'static str,
    /// How many requests are under way at once.
    pub at_once: usize,
    pub per_core: Figure,
    pub per_second: Figure,
}

struct Variant {
    subject: &'static str,
    policies: usize,
    others: Others,
    store: &'static str,
    at_once: usize,
    exchange: Exchange,
    form: Vec<u8>,
    turns: Vec<Turn>,
}

/// Measures every variant, in turns.
pub async fn measure(plan: &Plan, world: &World) -> Vec<Measured> {
    let mut variants = Vec::new();
    for subject in ["ES256", "RS256"] {
        for (policies, others) in
            [(4, Others::Elsewhere), (54, Others::Elsewhere), (504, Others::Elsewhere), (504, Others::Here)]
        {
            variants.push(Variant::new(world, subject, policies, others, "memory", 64).await);
        }
        variants.push(Variant::new(world, subject, 54, Others::Elsewhere, "disk", 64).await);
    }
    for store in ["memory", "disk"] {
        variants.push(Variant::new(world, "ES256", 54, Others::Elsewhere, store, 1).await);
    }
    for variant in &mut variants {
        variant.turn(plan.exchange / 5).await;
    }
    for _ in 0..plan.rounds {
        for variant in &mut variants {
            let turn = variant.turn(plan.exchange).await;
            variant.turns.push(turn);
        }
    }
    variants.iter().map(Variant::measured).collect()
}

impl Variant {
    async fn new(
        world: &World,
        subject: &'static str,
        policies: usize,
        others: Others,
        store: &'static str,
        at_once: usize,
    ) -> Self {
        let place = match store {
            "disk" => Arc::new(EmbeddedStore::open(&world.file(&format!("{subject}-{at_once}.redb"))).unwrap()),
            _ => Arc::new(EmbeddedStore::in_memory().unwrap()),
        };
        let keys = SigningKeys::load_or_create(&*place, &[5; 32], NOW).await.unwrap();
        let settings = world.settings(policies, others, Arc::new(Reissues::new(0)));
        let exchange = Exchange::new(settings, Arc::new(keys), Audit::new(place as Arc<dyn Store>));
        let form = world.form(subject, "job", NOW);
        Self { subject, policies, others, store, at_once, exchange, form, turns: Vec::new() }
    }

    /// Exchanges for as long as told, with as many requests under way as the variant has.
    async fn turn(&self, length: std::time::Duration) -> Turn {
        let caller = caller();
        let message =
            Message { form: &self.form, protocol: Some("1"), no_cache: false, received: std::time::Instant::now() };
        let watch = Stopwatch::start();
        let ask = async || {
            let mut done = 0;
            while watch.elapsed() < length {
                self.exchange.exchange(&caller, message, NOW).await.expect("every request is permitted");
                done += 1;
            }
            done
        };
        let operations = together((0..self.at_once).map(|_| ask())).await;
        watch.stop(operations)
    }

    fn measured(&self) -> Measured {
        Measured {
            subject: self.subject,
            policies: self.policies,
            policies_on: if self.others == Others::Here { "one destination" } else { "many destinations" },
            store: self.store,
            at_once: self.at_once,
            per_core: Figure::per_core(&self.turns),
            per_second: Figure::per_second(&self.turns),
        }
    }
}
