//! Random schedules: one Envoy with one to four workers, an STS that answers late, refuses, repeats itself or is away, 401s,
//! VMs that die in the middle of what they do, clocks that are set, and somebody who writes to the shared data. After every
//! event everything is held against what must hold: see [`judge`].
//!
//! A schedule is a seed. How many are run says `CLOAKROOM_SCHEDULES`; with a million of them:
//!
//! ```text
//! CLOAKROOM_SCHEDULES=1000000 cargo test --release -p filter-core --lib schedules -- --nocapture
//! ```
//!
//! A schedule that fails is cut to the events that it takes, and printed; `CLOAKROOM_SEED` runs that one alone.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

mod envoy;
mod event;
mod judge;
mod sts;

use envoy::Envoy;
use event::Step;
use judge::Counts;

#[test]
fn no_schedule_breaks_what_must_hold() {
    let counts = seeds::for_each(1_000, |seed, counts: &mut Counts| match run(&event::schedule(seed), seed) {
        Ok(counted) => counts.add(counted),
        Err(_) => {
            let events = shrunk(seed);
            let wrong = run(&events, seed).err().unwrap_or_default();
            let events: Vec<_> = events.iter().map(|step| format!("\n{:?}", step.event)).collect();
            panic!("{wrong}\nby these events:{}", events.concat());
        }
    });
    let mut sum = Counts::default();
    counts.into_iter().for_each(|counts| sum.add(counts));
    println!("{sum:#?}");
    assert!(
        seeds::alone().is_some() || sum.show_all_there_is(),
        "the schedules miss what they are there for: {sum:#?}"
    );
}

/// Runs a schedule; what is wrong, if anything is.
fn run(events: &[Step], seed: u64) -> Result<Counts, String> {
    let run = AssertUnwindSafe(|| {
        let mut envoy = Envoy::start(seed);
        events.iter().for_each(|step| envoy.happens(step));
        envoy.comes_to_rest();
        envoy.counts()
    });
    catch_unwind(run).map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or("a panic").to_owned(),
    })
}

/// As few events as still make the schedule fail: first as short a beginning as possible, then without those that do not
/// matter.
fn shrunk(seed: u64) -> Vec<Step> {
    let fails = |events: &[Step]| run(events, seed).is_err();
    let mut events = event::schedule(seed);
    let shortest = (0..events.len()).find(|length| fails(&events[..*length])).unwrap_or(events.len());
    events.truncate(shortest);
    for place in (0..events.len()).rev() {
        let left_out = events.remove(place);
        if !fails(&events) {
            events.insert(place, left_out);
        }
    }
    events
}
