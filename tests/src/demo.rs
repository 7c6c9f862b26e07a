//! The demo: workloads of four platforms call services in three clouds, and a table says what became of their tokens.

mod calls;
mod endpoints;
mod route;
mod shell;
mod table;
mod tour;

use std::{path::PathBuf, time::Instant};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    Result,
    artefact::{self, Progress},
    envoy,
    port::Port,
    topology::{Plan, Topology},
};

/// What the demo can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// End after the table: with 0 if every line is as it should be, else with 1.
    #[arg(long)]
    once: bool,
    /// The egress edge's port; by default a free one.
    #[arg(long, value_name = "PORT")]
    edge_port: Option<u16>,
    /// The port of the STS's listener for proxies; by default a free one.
    #[arg(long, value_name = "PORT")]
    sts_port: Option<u16>,
    /// The port of the STS's listener for callers without a certificate; by default a free one.
    #[arg(long, value_name = "PORT")]
    sts_no_client_cert_port: Option<u16>,
}

/// Runs the demo; `program` is this program, which can also be a stand-in. True if every line was as it should be.
pub async fn run(options: Options, program: PathBuf) -> Result<bool> {
    let mut end = EndAskedFor::watch()?;
    let named = |port: Option<u16>, flag| port.map(|port| Port::named(port, flag)).transpose();
    let edge_port = named(options.edge_port, "--edge-port")?;
    let sts_ports =
        [named(options.sts_port, "--sts-port")?, named(options.sts_no_client_cert_port, "--sts-no-client-cert-port")?];

    eprintln!("Building the filter (WASM) and the STS. The first time this takes minutes, later it only looks.");
    tokio::task::block_in_place(|| artefact::build(Progress::Shown).and_then(|_| envoy::find(Progress::Shown)))?;
    eprintln!("Starting stand-in clouds, the STS, an egress edge, a destination edge and a service.");
    let started = Instant::now();
    let plan = Plan::default().progress(Progress::Shown).stand_ins_as_children_of(program).ports(edge_port, sts_ports);
    let topology = tokio::select! {
        topology = plan.start() => topology?,
        () = end.asked_for() => return Ok(false),
    };
    eprintln!("Ready after {:.1} s.\n", started.elapsed().as_secs_f64());
    let _published = (shell::write(&topology)?, endpoints::write(&topology)?);

    let lines = tokio::select! {
        lines = calls::make(&topology) => lines?,
        () = end.asked_for() => return Ok(false),
    };
    println!("{}", table::render(&lines));
    let right = lines.iter().all(|line| line.wrong.is_empty());
    if options.once {
        println!("{}", verdict(right));
        return Ok(right);
    }
    println!("{}\n\n{}", verdict(right), tour::TEXT);
    stay(&topology, &mut end).await;
    eprintln!("\nEnding everything.");
    Ok(right)
}

fn verdict(right: bool) -> &'static str {
    if right {
        "Every line is as it should be: each service knows who called through which proxy, and no native token reached it."
    } else {
        "Not every line is as it should be; see the last column."
    }
}

/// Waits to be asked to end. A child that ends meanwhile is said so, and nothing else: whoever ended it may want to see
/// what the others do without it.
async fn stay(topology: &Topology, end: &mut EndAskedFor) {
    let mut gone = Vec::new();
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(200));
    loop {
        tokio::select! {
            () = end.asked_for() => return,
            _ = tick.tick() => {
                for name in topology.ended() {
                    if !gone.contains(&name) {
                        eprintln!("`{name}` has ended.");
                        gone.push(name);
                    }
                }
            }
        }
    }
}

/// Ctrl-C, and what a shell or a supervisor sends instead.
struct EndAskedFor([tokio::signal::unix::Signal; 3]);

impl EndAskedFor {
    fn watch() -> Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    async fn asked_for(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
