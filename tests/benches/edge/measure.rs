//! Rounds, each of all variants.
//!
//! Two Envoys are only ever compared within a round, and each with the plain router just before and just after it, so that a
//! machine that slows down slows both down. Every round has another order. An Envoy that is not measured is frozen: it has
//! timers of its own, and shares the core.

mod contender;

use std::{rc::Rc, time::Duration};

use contender::Contender;
use harness::Result;

use crate::{cpu, ground::Ground, plan::Plan, request::Traffic, variant::Variant};

/// Moderate load, as a part of what the plain router carries.
pub const MODERATE: f64 = 0.3;

/// Variants between two turns of the router.
const BETWEEN_ROUTERS: usize = 3;

/// Envoys that are compared with the same plain router.
pub struct Group {
    /// Its name in the results.
    pub name: String,
    /// What it is, for the table.
    pub title: String,
    /// What the router gets.
    pub traffic: Rc<Traffic>,
    /// The others, and what each gets.
    pub others: Vec<(Variant, Rc<Traffic>)>,
}

/// What one Envoy did in one turn.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Envoy's CPU time per request, in microseconds.
    pub cpu: f64,
    /// Requests per second, as fast as they went.
    pub rate: f64,
    /// Latency at moderate load, in microseconds.
    pub p50: f64,
    pub p99: f64,
    /// How long Envoy and the load had no core when they could have run, as a part of the time it took.
    pub waited: f64,
}

/// What a variant did in one round, and what the router did, on average, just before and just after.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    pub own: Sample,
    pub router: Sample,
}

/// One variant in all rounds.
#[derive(Debug)]
pub struct Measured {
    pub variant: Variant,
    /// One per round; more of the router, paired with itself.
    pub pairs: Vec<Pair>,
    /// Bytes in RAM after the last round.
    pub resident: u64,
}

/// One group in all rounds.
#[derive(Debug)]
pub struct Comparison {
    pub name: String,
    pub title: String,
    /// Requests per second at moderate load.
    pub moderate_rate: f64,
    /// The router first.
    pub measured: Vec<Measured>,
}

/// The Envoys of a group.
struct Field {
    name: String,
    title: String,
    between: Duration,
    router: Contender,
    others: Vec<Contender>,
}

/// Measures all groups, in turns.
pub async fn all(plan: &Plan, ground: &Ground, groups: Vec<Group>) -> Result<Vec<Comparison>> {
    cpu::keep(std::process::id(), plan.sides()[1])?;
    let mut fields = Vec::new();
    for group in groups {
        fields.push(Field::start(plan, ground, group).await?);
    }
    let count = fields.len();
    for round in 0..plan.rounds {
        eprintln!("round {} of {}", round + 1, plan.rounds);
        for turn in 0..count {
            if let Some(field) = fields.get_mut((round + turn) % count) {
                field.round(plan, ground, round).await?;
            }
        }
    }
    fields.into_iter().map(Field::finish).collect()
}

impl Field {
    async fn start(plan: &Plan, ground: &Ground, group: Group) -> Result<Self> {
        let label = |variant: Variant| format!("{}-{}", group.name, variant.name());
        eprintln!("warming up: {}", group.title);
        let router = Variant::Router;
        let mut router = Contender::start(plan, ground, router, &group.traffic, &label(router)).await?;
        let mut others = Vec::new();
        for (variant, traffic) in &group.others {
            others.push(Contender::start(plan, ground, *variant, traffic, &label(*variant)).await?);
        }
        let between = Duration::from_secs_f64(1.0 / (MODERATE * router.capacity(plan).await?));
        Ok(Self { name: group.name, title: group.title, between, router, others })
    }

    async fn round(&mut self, plan: &Plan, ground: &Ground, round: usize) -> Result<()> {
        let mut before = self.router.sample(plan, ground, self.between).await?;
        self.router.pairs.push(Pair { own: before, router: before });
        for places in order(round, self.others.len()).chunks(BETWEEN_ROUTERS) {
            let mut samples = Vec::new();
            for place in places {
                if let Some(other) = self.others.get_mut(*place) {
                    samples.push((*place, other.sample(plan, ground, self.between).await?));
                }
            }
            let after = self.router.sample(plan, ground, self.between).await?;
            self.router.pairs.push(Pair { own: after, router: after });
            for (place, own) in samples {
                if let Some(other) = self.others.get_mut(place) {
                    other.pairs.push(Pair { own, router: before.midpoint(after) });
                }
            }
            before = after;
        }
        Ok(())
    }

    fn finish(self) -> Result<Comparison> {
        let contenders = std::iter::once(self.router).chain(self.others);
        let measured = contenders.map(|contender| {
            let resident = contender.resident()?;
            Ok(Measured { variant: contender.variant, pairs: contender.pairs, resident })
        });
        Ok(Comparison {
            name: self.name,
            title: self.title,
            moderate_rate: 1.0 / self.between.as_secs_f64(),
            measured: measured.collect::<Result<_>>()?,
        })
    }
}

/// The order of a round: it starts with another variant each time, and runs backwards every other time.
fn order(round: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).map(|turn| (round + turn) % count).collect();
    if !round.is_multiple_of(2) {
        order.reverse();
    }
    order
}

impl Sample {
    fn midpoint(self, other: Self) -> Self {
        Self {
            cpu: f64::midpoint(self.cpu, other.cpu),
            rate: f64::midpoint(self.rate, other.rate),
            p50: f64::midpoint(self.p50, other.p50),
            p99: f64::midpoint(self.p99, other.p99),
            waited: f64::midpoint(self.waited, other.waited),
        }
    }
}
