//! What starting costs, in time and in memory.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use harness::{Result, edge::Edge};
use serde_json::{Value, json};

use crate::{
    cpu,
    credential::{self, Tokens},
    ground::Ground,
    load::{Load, Pace},
    plan::Plan,
    request::{Protocol, Traffic},
    routes::Routes,
    statistic::Spread,
    variant::Variant,
};

/// One start.
struct Start {
    /// From the process's start until its listener is open, as seen every ten milliseconds.
    ready: Duration,
    /// Bytes in RAM then.
    idle: u64,
    /// And after every token has passed.
    used: u64,
    /// Runtimes of WASM: one per worker, one of the main thread and one that the others are cloned from.
    vms: u64,
}

/// Two starts of one round.
struct Round {
    router: Start,
    cloakroom: Start,
}

/// Measures and prints the table. Envoy starts on as many cores as there are.
pub(super) async fn measure(plan: &Plan, ground: &Ground) -> Result<Value> {
    cpu::keep(std::process::id(), &plan.cores)?;
    let tokens = Rc::new(Tokens::unsigned(credential::COUNT)?);
    let traffic = Traffic::new(Protocol::PLAIN, Routes::ONE, &tokens)?;
    let size = std::fs::metadata(&ground.filter)?.len();
    println!("\nStart, {} rounds, medians (least to most). filter.wasm has {size} bytes.\n", plan.rounds);
    println!(
        "{:<9} {:>24} {:>24} {:>24} {:>4} {:>24} {:>24}",
        "workers", "router ready, ms", "Cloakroom ready, ms", "more, ms", "VMs", "MB per VM, idle", "MB per VM, used"
    );
    let mut results = serde_json::Map::new();
    for workers in [1, 2] {
        let mut rounds = Vec::new();
        for round in 0..plan.rounds {
            rounds.push(Round::run(ground, &traffic, workers, round).await?);
        }
        results.insert(format!("{workers}_workers"), show(workers, &rounds));
    }
    results.insert("filter_bytes".into(), json!(size));
    Ok(results.into())
}

fn show(workers: u32, rounds: &[Round]) -> Value {
    let of = |value: &dyn Fn(&Round) -> f64| Spread::of(rounds.iter().map(value));
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let per_vm = |with: u64, without: u64, vms: u64| (with as f64 - without as f64) / 1e6 / vms.max(1) as f64;
    let router = of(&|round| ms(round.router.ready));
    let cloakroom = of(&|round| ms(round.cloakroom.ready));
    let more = of(&|round| ms(round.cloakroom.ready) - ms(round.router.ready));
    let idle = of(&|round| per_vm(round.cloakroom.idle, round.router.idle, round.cloakroom.vms));
    let used = of(&|round| per_vm(round.cloakroom.used, round.router.used, round.cloakroom.vms));
    let vms = rounds.last().map_or(0, |round| round.cloakroom.vms);
    println!(
        "{workers:<9} {:>24} {:>24} {:>24} {vms:>4} {:>24} {:>24}",
        format!("{router:.0}"),
        format!("{cloakroom:.0}"),
        format!("{more:.0}"),
        idle.to_string(),
        used.to_string()
    );
    json!({
        "router_ready_ms": router.json(),
        "cloakroom_ready_ms": cloakroom.json(),
        "more_ms": more.json(),
        "vms": vms,
        "mb_per_vm_idle": idle.json(),
        "mb_per_vm_used": used.json(),
    })
}

impl Round {
    async fn run(ground: &Ground, traffic: &Rc<Traffic>, workers: u32, round: usize) -> Result<Self> {
        let start = |variant: Variant| async move {
            let label = format!("start-{workers}-{round}-{}", variant.name());
            Start::run(ground, traffic, workers, variant, &label).await
        };
        if round.is_multiple_of(2) {
            let router = start(Variant::Router).await?;
            return Ok(Self { router, cloakroom: start(Variant::Cloakroom).await? });
        }
        let cloakroom = start(Variant::Cloakroom).await?;
        Ok(Self { router: start(Variant::Router).await?, cloakroom })
    }
}

impl Start {
    async fn run(ground: &Ground, traffic: &Rc<Traffic>, workers: u32, variant: Variant, label: &str) -> Result<Self> {
        let started = Instant::now();
        let edge = variant.start(ground, traffic, workers, label).await?;
        let ready = started.elapsed();
        let pid = edge.process().pid();
        let idle = cpu::resident(pid)?;
        let mut load = Load::connect(edge.address(), traffic, &ground.pki).await?;
        load.run(10 * credential::COUNT, Pace::Free).await?;
        Ok(Self { ready, idle, used: cpu::resident(pid)?, vms: vms(&edge).await? })
    }
}

async fn vms(edge: &Edge) -> Result<u64> {
    const GAUGE: &str = "wasm.envoy.wasm.runtime.v8.active";
    let answer = edge.admin(&format!("/stats?filter={GAUGE}")).await?.text();
    let active = answer.lines().find_map(|line| line.strip_prefix(GAUGE)?.strip_prefix(": ")?.parse().ok());
    Ok(active.unwrap_or(0))
}
