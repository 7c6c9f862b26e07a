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

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

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
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().unwrap());
    let seed = number("CLOAKROOM_SEED", u64::MAX);
    let count = if seed == u64::MAX { number("CLOAKROOM_SCHEDULES", 1_000) } else { 1 };
    let first = if seed == u64::MAX { 0 } else { seed };
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut counts = Counts::default();
        loop {
            let schedule = next.fetch_add(1, Relaxed);
            if schedule >= count {
                return counts;
            }
            let seed = first + schedule;
            match run(&event::schedule(seed), seed) {
                Ok(counted) => counts.add(counted),
                Err(_) => {
                    // The others need not go on.
                    next.store(count, Relaxed);
                    let events = shrunk(seed);
                    let wrong = run(&events, seed).err().unwrap_or_default();
                    let events: Vec<_> = events.iter().map(|step| format!("\n{:?}", step.event)).collect();
                    panic!("CLOAKROOM_SEED={seed}: {wrong}\nby these events:{}", events.concat());
                }
            }
        }
    };
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join().expect("no schedule fails"));
        joined.reduce(|mut all, counts| {
            all.add(counts);
            all
        })
    });
    let counts = counts.unwrap();
    println!("{counts:#?}");
    assert!(seed != u64::MAX || counts.show_all_there_is(), "the schedules miss what they are there for: {counts:#?}");
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
