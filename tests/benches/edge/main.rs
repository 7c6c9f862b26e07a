//! What a cache hit costs at the edge: `cargo bench --bench edge`, `-- --quick` for a tenth of the requests.
//!
//! The same requests go through Envoys of one worker each: the plain router, Envoy's own `credential_injector`, and the filter
//! with every token in its cache, as it ships and without the check that stands behind it. Each round visits all of them, in
//! another order each time, and what a request costs above the router is taken within its round, so that a machine that slows
//! down slows all of them down.
//!
//! Counted is Envoy's own CPU time over a fixed number of requests. The load and the services behind Envoy are this process,
//! on another core where there is one. That each variant did its work is checked from what the service saw.

mod cpu;
mod credential;
mod load;
mod measure;
mod peer;
mod report;
mod variant;

use harness::{Result, artefact, envoy};

fn main() -> Result<()> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let plan = measure::Plan::new(quick);
    let filter = artefact::filter(artefact::Progress::Shown)?;
    let envoy = envoy::find(artefact::Progress::Shown)?;
    // One thread: load, service and STS together stay on one core, and Envoy has the other to itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure::all(&plan, &envoy, &filter))?;
    print!("{}", report::table(&plan, &measured));
    println!("written to {}", report::write(&plan, &measured)?.display());
    Ok(())
}
