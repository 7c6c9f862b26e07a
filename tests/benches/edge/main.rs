//! What a cache hit costs at the edge, beside everything else that could stand there.
//!
//! ```text
//! cargo bench --bench edge                    all tables, about half an hour
//! cargo bench --bench edge -- peers routes    these
//! cargo bench --bench edge -- --quick         the most telling peers and signatures, in a minute; with names, those tables in short
//! ```
//!
//! `peers` compares the filter with Envoy's own filters and with services that Envoy asks; `routes`, `keys` and `protocols`
//! ask whether a hit costs the same with many routes, many tokens, HTTP/2 and TLS; `signatures` compares requests to S3 that
//! the filter signs with those that Envoy's own filter signs; `start` tells memory and time to start.
//!
//! The same requests go through Envoys of one worker each. Each round visits all of them, in another order each time, and what
//! a request costs above the plain router is taken within its round ([`measure`]). Counted is Envoy's own CPU time over a
//! fixed number of requests. The load and everything behind Envoy are this process, on another core where there is one; what
//! the services that Envoy asks cost is therefore not counted, and weighs on rate and latency only. Not all do the same job:
//! `jwt_authn` verifies and removes the token, the WASM that does nothing passes it on, `credential_injector` and the services
//! swap in one token for all, `aws_request_signing` signs with one pair of keys for all, Lua and the filter use each workload's own. That each did its job is checked from what the service
//! saw, and from Envoy's counters.

mod bootstrap;
mod cpu;
mod credential;
mod ground;
mod load;
mod measure;
mod peer;
mod plan;
mod report;
mod request;
mod routes;
mod s3;
mod statistic;
mod table;
mod variant;

use harness::Result;

fn main() -> Result<()> {
    let plan = plan::Plan::read(std::env::args().skip(1))?;
    // One thread: load and services together stay on one core, and Envoy has the other to itself.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let ground = ground::Ground::prepare().await?;
        for table in &plan.tables {
            let results = table::measure(&plan, &ground, *table).await?;
            println!("\nwritten to {}", report::write(&plan, *table, &results)?.display());
        }
        Ok(())
    })
}
