//! Rounds, each of all variants.

use std::{path::Path, rc::Rc, time::Duration};

use harness::{Result, edge::Edge};

use crate::{cpu, credential, load, peer::Peers, variant::Variant};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub quick: bool,
    pub rounds: usize,
    /// Requests per variant and round.
    pub requests: usize,
    /// Cores of the machine that this process may use.
    pub cores: usize,
}

/// One variant in one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Envoy's CPU time.
    pub cpu: Duration,
    /// Time that passed.
    pub elapsed: Duration,
}

/// One variant in all rounds.
#[derive(Debug)]
pub struct Measured {
    pub variant: Variant,
    pub samples: Vec<Sample>,
    /// Bytes in RAM after the last round.
    pub resident: u64,
}

impl Plan {
    pub fn new(quick: bool) -> Self {
        Self { quick, rounds: 7, requests: if quick { 4_000 } else { 40_000 }, cores: cpu::cores() }
    }
}

/// Measures every variant.
pub async fn all(plan: &Plan, envoy: &Path, filter: &Path) -> Result<Vec<Measured>> {
    let folder = tempfile::tempdir()?;
    let peers = Peers::start().await?;
    let requests = Rc::new(credential::native().iter().map(|token| load::request(token)).collect::<Vec<_>>());
    let mut edges = Vec::new();
    for variant in Variant::ALL {
        let edge = variant.start(envoy, filter, folder.path(), &peers).await?;
        if plan.cores > 1 {
            cpu::pin(edge.process().pid(), 0)?;
        }
        edges.push((edge, Measured { variant, samples: Vec::new(), resident: 0 }));
    }
    if plan.cores > 1 {
        cpu::pin(std::process::id(), 1)?;
    }
    // Every token once, so that what is measured is hits, then once more, to bring allocators and branches to rest.
    for (edge, measured) in &edges {
        let before = peers.sight().exchanges;
        load::run(edge.address(), &requests, 20 * credential::COUNT).await?;
        let (made, wanted) = (peers.sight().exchanges - before, measured.variant.exchanges());
        if made != wanted {
            return Err(format!("{}: the warm-up made {made} exchanges, not {wanted}", measured.variant.name()).into());
        }
    }
    let exchanges = peers.sight().exchanges;
    for round in 0..plan.rounds {
        for turn in 0..edges.len() {
            let place = (round + turn) % edges.len();
            let Some((edge, measured)) = edges.get_mut(place) else { continue };
            measured.samples.push(sample(plan, edge, measured.variant, &requests, &peers).await?);
        }
    }
    if peers.sight().exchanges != exchanges {
        return Err("the filter asked the STS while hits were measured".into());
    }
    edges
        .into_iter()
        .map(|(edge, measured)| Ok(Measured { resident: cpu::resident(edge.process().pid())?, ..measured }))
        .collect()
}

async fn sample(
    plan: &Plan,
    edge: &Edge,
    variant: Variant,
    requests: &Rc<Vec<Vec<u8>>>,
    peers: &Peers,
) -> Result<Sample> {
    let (before, pid) = (peers.sight(), edge.process().pid());
    let used = cpu::used(pid)?;
    let elapsed = load::run(edge.address(), requests, plan.requests).await?;
    let cpu = cpu::used(pid)?.saturating_sub(used);
    let after = peers.sight();
    let wanted = if variant == Variant::Router { 0 } else { plan.requests };
    let (arrived, issued) = (after.requests - before.requests, after.issued - before.issued);
    if arrived != plan.requests || issued != wanted {
        return Err(format!("{}: {arrived} requests arrived, {issued} with an issued token", variant.name()).into());
    }
    Ok(Sample { cpu, elapsed })
}
