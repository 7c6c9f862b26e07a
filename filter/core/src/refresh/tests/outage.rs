//! Whole workers in simulated time: keys, schedule, budget, breaker and an STS that goes away.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::*;
use crate::{
    breaker::{Breaker, Outcome, Ticket},
    jitter::{Jitter, between},
    life::{Came, Life, Terms, Upkeep, retry_at},
};

struct World {
    keys: u64,
    upkeep: Upkeep,
    /// The keys come with their first requests, all within this time.
    warm_up_ms: u64,
    /// When the STS does not answer.
    outage: std::ops::Range<u64>,
    ends_ms: u64,
    /// One in so many answers is lost while the STS is there; 0: none.
    lost: u64,
    seed: u64,
}

struct Seen {
    /// When renewals were asked for.
    asked: Vec<u64>,
    /// Keys whose token ended without another.
    expired: usize,
    steady: f64,
}

const LIFE_S: u64 = 300;
const TICK_MS: u64 = 100;
const TIMEOUT_MS: u64 = 1_000;

fn run(world: &World) -> Seen {
    let mut jitter = Jitter::new(world.seed);
    let mut schedule = Schedule::new(100_000);
    let (mut budget, mut breaker) = (Budget::new(at(0)), Breaker::new(TIMEOUT_MS + 100, world.seed));
    let mut failures = vec![0_u32; world.keys as usize];
    let mut ends: Vec<Option<Deadline>> = vec![None; world.keys as usize];
    // Answers to come: when, whose, to which question, asked when.
    let mut answers: BinaryHeap<Reverse<(u64, u64, u64)>> = BinaryHeap::new();
    let mut tickets: Vec<Option<Ticket>> = vec![None; world.keys as usize];
    let mut firsts: Vec<(u64, u64)> =
        (0..world.keys).map(|key| (between(jitter.draw(), 0, world.warm_up_ms), key)).collect();
    firsts.sort_unstable_by_key(|first| Reverse(*first));
    let mut seen = Seen { asked: Vec::new(), expired: 0, steady: 0.0 };
    let terms =
        |asked, came| Terms { asked: at(asked), expires_in_s: LIFE_S, subject_exp: None, lent_until: None, came };

    for ms in (0..world.ends_ms).step_by(TICK_MS as usize) {
        let now = at(ms);
        while let Some((_, key)) = firsts.pop_if(|(when, _)| *when <= ms) {
            let life = Life::new(terms(ms, Came::First), world.upkeep, now, jitter.draw()).unwrap();
            schedule.put(key, life.refresh_at.unwrap(), life.usable_until, life.interval_ms, now).unwrap();
            ends[key as usize] = Some(life.usable_until);
        }
        while let Some(Reverse((when, key, asked))) = answers.peek().copied() {
            if when > ms {
                break;
            }
            answers.pop();
            let place = key as usize;
            let came = !world.outage.contains(&asked) && (world.lost == 0 || !jitter.draw().is_multiple_of(world.lost));
            let outcome = if came { Outcome::Answered } else { Outcome::Unavailable };
            breaker.report(tickets[place].take().unwrap(), outcome, now);
            let interval_ms = world.upkeep.plan(LIFE_S * 1_000).unwrap().interval_ms();
            if came {
                failures[place] = 0;
                let life = Life::new(terms(asked, Came::Renewed), world.upkeep, now, jitter.draw()).unwrap();
                let before = ends[place].replace(life.usable_until);
                seen.expired += usize::from(before.is_some_and(|end| end.passed(now)));
                schedule.put(key, life.refresh_at.unwrap(), life.usable_until, interval_ms, now).unwrap();
            } else if let Some(until) = ends[place] {
                failures[place] += 1;
                match retry_at(failures[place], until, now, jitter.draw()) {
                    Some(retry) => schedule.put(key, retry, until, interval_ms, now).unwrap(),
                    None => schedule.remove(key),
                }
            }
        }
        let steady = schedule.steady();
        let room = breaker.room_for_refreshes(steady, now);
        for key in schedule.due(now, room, &mut budget, |_| true) {
            tickets[key as usize] = Some(breaker.admit_refresh(steady, now).unwrap());
            let took = if world.outage.contains(&ms) { TIMEOUT_MS } else { between(jitter.draw(), 5, 300) };
            answers.push(Reverse((ms + took, key, ms)));
            seen.asked.push(ms);
        }
        seen.steady = seen.steady.max(schedule.steady().each_second());
    }
    let over = |end: &&Option<Deadline>| end.is_some_and(|end| end.passed(at(world.ends_ms)));
    seen.expired += ends.iter().filter(over).count();
    seen
}

/// The most renewals that were asked for in any second.
fn most_in_a_second(asked: &[u64]) -> usize {
    let until = |start: &u64| asked.partition_point(|ms| *ms < start + 1_000);
    asked.iter().enumerate().map(|(first, start)| until(start) - first).max().unwrap_or(0)
}

fn promise(outage_s: Option<u64>) -> Upkeep {
    Upkeep {
        expiry_margin_ms: 5_000,
        route_timeout_ms: 5_000,
        sts_timeout_ms: TIMEOUT_MS,
        survive_outage_ms: outage_s.map(|seconds| seconds * 1_000),
    }
}

fn check(world: &World) -> Result<Seen, TestCaseError> {
    let seen = run(world);
    prop_assert_eq!(seen.expired, 0);
    let most = most_in_a_second(&seen.asked);
    let twice = (2.0 * seen.steady).max(1.5 * seen.steady + 1.0);
    prop_assert!(most as f64 <= twice, "{} in a second, {} are steady", most, seen.steady);
    Ok(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    /// Five-minute tokens that promise up to four minutes: no key is lost, and no second sees more than twice the steady rate.
    #[test]
    fn an_outage_as_long_as_promised_loses_nothing_and_the_return_is_no_herd(
        keys in prop_oneof![4 => 60..1_200u64, 1 => 4_000..6_000u64],
        warm_up_ms in 0..30_000u64,
        outage_s in prop_oneof![Just(240u64), 1..240u64],
        route_timeout_s in 0..=15u64,
        start in 60_000..400_000u64,
        seed: u64,
    ) {
        let outage = start..start + outage_s * 1_000;
        let upkeep = Upkeep { route_timeout_ms: route_timeout_s * 1_000, ..promise(Some(outage_s)) };
        prop_assert!(upkeep.keeps_promise(LIFE_S * 1_000));
        let world = World {
            keys, upkeep, warm_up_ms, ends_ms: outage.end + 300_000, outage, lost: 0, seed,
        };
        let seen = check(&world)?;
        let during = seen.asked.iter().filter(|ms| world.outage.contains(ms)).count();
        // Those that started before the first of them failed, and a probe every few seconds.
        prop_assert!(during as f64 <= 70.0 + 3.0 * seen.steady, "{} calls to an STS that is not there", during);
        let after = seen.asked.iter().filter(|ms| **ms >= world.outage.end).count();
        prop_assert!(after as u64 >= keys, "all were renewed");
    }

    /// Keys that all came at once and promise nothing, with an STS that loses answers now and then.
    #[test]
    fn a_herd_of_first_requests_does_not_become_a_herd_of_renewals(
        keys in 60..1_200u64,
        warm_up_ms in 0..2_000u64,
        lost in prop_oneof![Just(0u64), 50..200u64],
        seed: u64,
    ) {
        check(&World { keys, upkeep: promise(None), warm_up_ms, outage: 0..0, ends_ms: 1_000_000, lost, seed })?;
    }
}

#[test]
fn without_the_promise_the_same_outage_loses_keys() {
    let outage = 400_000..640_000;
    let world =
        World { keys: 300, upkeep: promise(None), warm_up_ms: 30_000, ends_ms: 760_000, outage, lost: 0, seed: 1 };
    assert!(run(&world).expired > 100, "or the simulation could not tell");
}
