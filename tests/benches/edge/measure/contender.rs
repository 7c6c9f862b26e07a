//! One Envoy and its client.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use harness::{Result, edge::Edge, process::Signal};

use super::{Pair, Sample};
use crate::{
    cpu::{self, Account},
    ground::Ground,
    load::{Load, Pace},
    plan::Plan,
    request::Traffic,
    statistic::{micros, quantile},
    variant::Variant,
};

pub struct Contender {
    pub variant: Variant,
    pub pairs: Vec<Pair>,
    edge: Edge,
    load: Load,
}

/// Requests in the first warm-up at least, to bring allocators, compilers and branches to rest.
const WARM_UP: usize = 10_000;

impl Contender {
    /// Starts it and brings it to where every answer is a hit. It stays frozen until it is measured.
    pub async fn start(
        plan: &Plan,
        ground: &Ground,
        variant: Variant,
        traffic: &Rc<Traffic>,
        label: &str,
    ) -> Result<Self> {
        let edge = variant.start(ground, traffic, 1, label).await?;
        cpu::keep(edge.process().pid(), plan.sides()[0])?;
        let tokens = traffic.tokens.native.len();
        let mut load = Load::connect(edge.address(), traffic, &ground.pki).await?;
        let before = ground.peers.sight();
        // Every token once, for the cache, and then as hits.
        load.run(tokens, Pace::Free).await?;
        load.run(WARM_UP.max(tokens), Pace::Free).await?;
        let (made, wanted) =
            (ground.peers.sight().since(before).exchanges, if variant.exchanges() { tokens } else { 0 });
        if made != wanted {
            return Err(format!("{label}: the warm-up made {made} exchanges, not {wanted}").into());
        }
        edge.process().signal(Signal::Pause);
        Ok(Self { variant, pairs: Vec::new(), edge, load })
    }

    /// How much it carries, in requests per second.
    pub async fn capacity(&mut self, plan: &Plan) -> Result<f64> {
        self.edge.process().signal(Signal::Continue);
        let run = self.load.run(plan.requests, Pace::Free).await?;
        self.edge.process().signal(Signal::Pause);
        Ok(plan.requests as f64 / run.elapsed.as_secs_f64())
    }

    /// Measures it once, at moderate load with this time between two requests.
    pub async fn sample(&mut self, plan: &Plan, ground: &Ground, between: Duration) -> Result<Sample> {
        let pid = self.edge.process().pid();
        self.edge.process().signal(Signal::Continue);
        let (seen, counted) = (ground.peers.sight(), self.counted().await?);
        self.load.run(plan.settle, Pace::Free).await?;
        let start = (Account::of(pid)?, Account::of(std::process::id())?, Instant::now());
        let free = self.load.run(plan.requests, Pace::Free).await?;
        let used = Account::of(pid)?.since(start.0).used;
        self.load.run(plan.settle, Pace::Every(between)).await?;
        let moderate = self.load.run(plan.moderate, Pace::Every(between)).await?;
        let waited = Account::of(pid)?.since(start.0).waited + Account::of(std::process::id())?.since(start.1).waited;
        let waited = waited.as_secs_f64() / start.2.elapsed().as_secs_f64();
        let now = self.counted().await?;
        let counted = now.and_then(|now| Some(now - counted?));
        self.variant.check(
            2 * plan.settle + plan.requests + plan.moderate,
            ground.peers.sight().since(seen),
            counted,
        )?;
        self.edge.process().signal(Signal::Pause);
        let count = plan.requests as f64;
        Ok(Sample {
            cpu: micros(used) / count,
            rate: count / free.elapsed.as_secs_f64(),
            p50: quantile(&moderate.latencies, 0.5),
            p99: quantile(&moderate.latencies, 0.99),
            waited,
        })
    }

    /// Bytes in RAM.
    pub fn resident(&self) -> Result<u64> {
        cpu::resident(self.edge.process().pid())
    }

    /// What Envoy's counter of the variant's work says, if it has one.
    async fn counted(&self) -> Result<Option<usize>> {
        let Some(name) = self.variant.counter() else { return Ok(None) };
        let answer = self.edge.admin(&format!("/stats?filter={name}")).await?.text();
        let value = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")?.parse().ok());
        // Defined when first needed, as many are.
        Ok(Some(value.unwrap_or(0)))
    }
}
