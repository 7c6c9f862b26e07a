//! How many exchanges one core carries, from the form's bytes to the recorded token, and what each part of it costs.
//!
//! `cargo bench --bench sts` measures; `-- --quick`, or a run without `cargo bench`, does the same for an instant, to hold the
//! bench itself to work; `-- exchange`, `rotation`, `sources` or `signature` measures that part alone. Variants take turns in rounds, so
//! that what the machine does meanwhile hits all of them alike; the median of the rounds counts and the spread is told. "Per
//! core" is per second of processor time, that of the store's thread and of the disk's flushes included.
//!
//! Nothing is kept between exchanges, so that each makes a token of its own, but where the workloads' tokens are rotated: that
//! part is about what is kept.

use std::time::Duration;

#[path = "sts/exchange.rs"]
mod exchange;
#[allow(dead_code, reason = "the bench needs less of it than the tests it belongs to")]
#[path = "../src/identity/fake_issuer.rs"]
mod fake_issuer;
#[path = "../src/identity/subject/matrix/keys.rs"]
mod issuer_keys;
#[path = "sts/report.rs"]
mod report;
#[path = "sts/rotation.rs"]
mod rotation;
#[path = "sts/rounds.rs"]
mod rounds;
#[path = "sts/signature.rs"]
mod signature;
#[path = "sts/sources.rs"]
mod sources;
#[allow(dead_code, reason = "how a token can be wrong is not measured")]
#[path = "../src/identity/subject/matrix/workload.rs"]
mod workload;
#[path = "sts/world.rs"]
mod world;

// The files that are shared with the service's tests find it under its name there.
use sts_backend::identity::{self, JwksSettings};

use self::{report::Report, rounds::Plan, world::World};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let quick = has("--quick") || !has("--bench") || std::env::var_os("CLOAKROOM_BENCH_QUICK").is_some();
    let plan = if quick {
        Plan { rounds: 2, exchange: Duration::from_millis(20), signature: Duration::from_millis(10), workloads: 100 }
    } else {
        Plan {
            rounds: 5,
            exchange: Duration::from_millis(500),
            signature: Duration::from_millis(200),
            workloads: 10_000,
        }
    };
    let parts: Vec<_> = ["exchange", "rotation", "sources", "signature"].into_iter().filter(|part| has(part)).collect();
    let wanted = |part| parts.is_empty() || parts.contains(&part);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let report = Report {
        quick,
        plan,
        exchanges: if wanted("exchange") { runtime.block_on(exchange::measure(&plan, &world)) } else { Vec::new() },
        rotations: wanted("rotation").then(|| runtime.block_on(rotation::measure(&plan, &world))),
        sources: if wanted("sources") { runtime.block_on(sources::measure(&plan)) } else { Vec::new() },
        signatures: if wanted("signature") { signature::measure(&plan) } else { Vec::new() },
    };
    print!("{}", report.table());
    let path = report.write().unwrap();
    println!("written to {}", path.display());
}
