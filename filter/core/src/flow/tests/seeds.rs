//! Running something for many seeds, on all cores.
//!
//! `CLOAKROOM_SCHEDULES` says for how many, instead of the few that a test run has time for; `CLOAKROOM_SEED` runs one alone.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};

/// The seed that is to be run alone, if one is.
pub(super) fn alone() -> Option<u64> {
    number("CLOAKROOM_SEED")
}

/// Runs `each` for every seed, `usually` so many of them. What it adds to is returned, one by thread.
pub(super) fn for_each<T: Default + Send>(usually: u64, each: impl Fn(u64, &mut T) + Sync) -> Vec<T> {
    let (first, count) = match alone() {
        Some(seed) => (seed, 1),
        None => (0, number("CLOAKROOM_SCHEDULES").unwrap_or(usually)),
    };
    let next = AtomicU64::new(0);
    let work = || {
        let mut sum = T::default();
        while let Some(seed) = Some(next.fetch_add(1, Relaxed)).filter(|next| *next < count).map(|next| first + next) {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| each(seed, &mut sum))) {
                // The others need not go on.
                next.store(count, Relaxed);
                eprintln!("it was CLOAKROOM_SEED={seed}");
                resume_unwind(panic);
            }
        }
        sum
    };
    thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}
