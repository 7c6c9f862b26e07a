use proptest::prelude::*;

use super::*;

mod outage;

const START: Now = Now { unix_ms: 1_800_000_000_000, steady_ms: 5_000_000 };

fn at(ms: u64) -> Now {
    Now { unix_ms: START.unix_ms + ms, steady_ms: START.steady_ms + ms }
}

/// What is due while the budget is no bound: keys that are renewed every millisecond bring enough into it in a second.
fn due(schedule: &mut Schedule, now: Now, most: usize) -> Vec<u64> {
    let mut budget = Budget::new(Now { steady_ms: now.steady_ms - 1_000, ..now });
    schedule.due(now, most, &mut budget, |_| true)
}

fn put(schedule: &mut Schedule, id: u64, refresh_ms: u64, end_ms: u64, now: Now) {
    schedule.put(id, at(refresh_ms).after(0), at(end_ms).after(0), 1, now).unwrap();
}

#[test]
fn what_is_due_comes_out_once_the_soonest_to_end_first() {
    let mut schedule = Schedule::new(10);
    for (id, refresh_ms, end_ms) in [(1, 100, 9_000), (2, 50, 8_000), (3, 300, 400), (4, 20, 7_000)] {
        put(&mut schedule, id, refresh_ms, end_ms, at(0));
    }
    assert!(due(&mut schedule, at(19), 9).is_empty());
    assert_eq!(due(&mut schedule, at(100), 2), [4, 2]);
    assert_eq!(due(&mut schedule, at(100), 9), [1]);
    assert!(due(&mut schedule, at(100), 9).is_empty(), "all of them are under way");
    assert_eq!(due(&mut schedule, at(300), 9), [3]);
    put(&mut schedule, 3, 700, 900, at(310));
    assert_eq!(due(&mut schedule, at(700), 9), [3]);
    assert_eq!(schedule.len(), 4);
}

#[test]
fn what_was_put_again_or_removed_does_not_come_out_at_its_old_time() {
    let mut schedule = Schedule::new(10);
    put(&mut schedule, 1, 100, 9_000, at(0));
    put(&mut schedule, 1, 500, 9_000, at(0));
    put(&mut schedule, 2, 100, 9_000, at(0));
    schedule.remove(2);
    assert!(due(&mut schedule, at(499), 9).is_empty());
    assert_eq!(due(&mut schedule, at(500), 9), [1]);
    // Under way, and its key was forgotten: a late answer must not bring it back to the queue by itself.
    schedule.remove(1);
    assert!(due(&mut schedule, at(600), 9).is_empty());
    assert!(schedule.is_empty());
}

#[test]
fn ended_and_idle_keys_are_dropped_and_cost_nothing() {
    let mut schedule = Schedule::new(10);
    for (id, end_ms) in [(1, 200), (2, 9_000), (3, 9_001), (4, 9_002)] {
        schedule.put(id, at(100).after(0), at(end_ms).after(0), 1_000_000, at(0)).unwrap();
    }
    let mut budget = Budget::new(at(0));
    assert_eq!(schedule.due(at(200), 9, &mut budget, |id| id != 2), [3], "the budget is for one");
    schedule.remove(4);
    assert_eq!(schedule.len(), 1);
    // One whose answer never comes is dropped with its token.
    assert!(due(&mut schedule, at(9_001), 9).is_empty());
    assert!(schedule.is_empty());
    assert_eq!(schedule.steady(), Rate::default());
}

#[test]
fn nothing_starts_without_room_and_what_ends_meanwhile_is_dropped() {
    let mut schedule = Schedule::new(10);
    put(&mut schedule, 1, 100, 200, at(0));
    put(&mut schedule, 2, 100, 9_000, at(0));
    assert!(due(&mut schedule, at(150), 0).is_empty());
    assert_eq!(schedule.soonest_end_ms(at(150)), Some(50));
    assert!(due(&mut schedule, at(250), 0).is_empty());
    assert_eq!(schedule.len(), 1);
    assert_eq!(schedule.soonest_end_ms(at(250)), Some(8_750));
}

#[test]
fn it_holds_no_more_than_it_may() {
    let mut schedule = Schedule::new(2);
    put(&mut schedule, 1, 100, 200, at(0));
    put(&mut schedule, 2, 100, 200, at(0));
    assert_eq!(schedule.put(3, at(1).after(0), at(9).after(0), 1_000, at(0)), Err(Full));
    for round in 0..10_000 {
        put(&mut schedule, 1, round + 100, round + 200, at(0));
    }
    assert!(schedule.waiting.len() <= 2 * 2 + LEFT_OVER + 1, "what is left over is bounded");
    assert_eq!(due(&mut schedule, at(10_099), 9), [1], "the other has ended");
}

#[test]
fn a_wall_clock_set_forward_makes_due_what_it_makes_end_sooner() {
    let mut schedule = Schedule::new(10);
    put(&mut schedule, 1, 225_000, 290_000, at(0));
    put(&mut schedule, 2, 25_000, 90_000, at(0));
    let forward = |ms, by| Now { unix_ms: at(ms).unix_ms + by, ..at(ms) };
    // 230 seconds forward: the first is due by the wall clock, the second has ended.
    assert_eq!(due(&mut schedule, forward(1_000, 230_000), 9), [1]);
    assert_eq!(schedule.len(), 1);
    put(&mut schedule, 1, 1_000_000, 2_000_000, at(1_000));
    assert!(due(&mut schedule, forward(1_000, 36_000_000), 9).is_empty());
    assert!(schedule.is_empty(), "ten hours forward: all have ended");
}

#[test]
fn a_wall_clock_set_back_delays_nothing() {
    let mut schedule = Schedule::new(10);
    put(&mut schedule, 1, 225_000, 290_000, at(0));
    let back = |ms| Now { unix_ms: at(ms).unix_ms - 7_200_000, ..at(ms) };
    assert!(due(&mut schedule, back(224_999), 9).is_empty());
    assert_eq!(due(&mut schedule, back(225_000), 9), [1]);
    assert!(due(&mut schedule, back(290_000), 9).is_empty());
    assert!(schedule.is_empty());
}

#[test]
fn tokens_about_to_end_have_a_budget_of_their_own() {
    let mut schedule = Schedule::new(1_000);
    for id in 0..1_000 {
        let end_ms = if id < 500 { 1_900 } else { 60_000 };
        schedule.put(id, at(0).after(0), at(end_ms).after(0), 100_000, at(0)).unwrap();
    }
    // Ten a second: fifteen come in, five can be saved up.
    let mut budget = Budget::new(at(0));
    budget.refill(schedule.steady(), at(0));
    let started = |schedule: &mut Schedule, budget: &mut Budget, ms| schedule.due(at(ms), 1_000, budget, |_| true);
    let first: Vec<u64> = (0..10).flat_map(|tick| started(&mut schedule, &mut budget, tick * 100)).collect();
    assert!((28..=40).contains(&first.len()), "{}", first.len());
    assert!(first.iter().all(|id| *id < 500), "the soonest to end first");
    for tick in 10..20 {
        started(&mut schedule, &mut budget, tick * 100);
    }
    let later: Vec<u64> = (20..30).flat_map(|tick| started(&mut schedule, &mut budget, tick * 100)).collect();
    assert!(later.len() <= 20, "{}: the others wait for the usual budget", later.len());
}

#[test]
fn a_key_with_a_long_life_can_be_tried_again_soon() {
    let mut schedule = Schedule::new(10);
    let mut budget = Budget::new(at(0));
    let hour = 3_600_000;
    schedule.put(1, at(0).after(0), at(hour).after(0), hour, at(0)).unwrap();
    for ms in [0, 1_000, 2_000, 3_000] {
        assert_eq!(schedule.due(at(ms), 9, &mut budget, |_| true), [1]);
        schedule.put(1, at(ms + 1_000).after(0), at(hour).after(0), hour, at(ms)).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put { id: u64, wait: u64, life: u64 },
    Remove { id: u64 },
    Due { most: usize },
    Wait { ms: u64 },
    WallClock { by: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..20u64, 0..3_000u64, 0..3_000u64).prop_map(|(id, wait, life)| Step::Put { id, wait, life: wait + life }),
        1 => (0..20u64).prop_map(|id| Step::Remove { id }),
        3 => (0..8usize).prop_map(|most| Step::Due { most }),
        3 => (0..1_000u64).prop_map(|ms| Step::Wait { ms }),
        // Not less: small differences are tolerated, and would only blur the comparison.
        1 => (-8..8i64).prop_map(|halves| Step::WallClock { by: halves * 500 }),
    ]
}

struct Listed {
    id: u64,
    refresh_at: Deadline,
    usable_until: Deadline,
    /// Was due once. A wall clock that is set back afterwards does not take that back.
    ready: bool,
    started: bool,
}

proptest! {
    /// Against a list that is searched from end to end.
    #[test]
    fn it_does_what_a_plain_list_would_do(steps in prop::collection::vec(step(), 1..300)) {
        let mut schedule = Schedule::new(15);
        let mut list: Vec<Listed> = Vec::new();
        let mut now = START;
        for step in steps {
            match step {
                Step::Put { id, wait, life } => {
                    list.retain(|listed| listed.id != id);
                    let full = list.len() >= 15;
                    let (refresh_at, usable_until) = (now.after(wait), now.after(life));
                    let put = schedule.put(id, refresh_at, usable_until, 1, now);
                    prop_assert_eq!(put.is_err(), full);
                    if !full {
                        list.push(Listed { id, refresh_at, usable_until, ready: false, started: false });
                    }
                }
                Step::Remove { id } => {
                    schedule.remove(id);
                    list.retain(|listed| listed.id != id);
                }
                Step::Due { most } => {
                    let started = due(&mut schedule, now, most);
                    for listed in &mut list {
                        listed.ready |= listed.refresh_at.passed(now);
                    }
                    list.retain(|listed| !(listed.usable_until.passed(now) && (listed.ready || listed.started)));
                    let ready = list.iter().filter(|listed| listed.ready && !listed.started);
                    let mut left: Vec<u64> = ready.map(|listed| listed.usable_until.left_ms(now)).collect();
                    left.sort_unstable();
                    prop_assert_eq!(started.len(), left.len().min(most));
                    for (id, left) in started.iter().zip(&left) {
                        let listed = list.iter_mut().find(|listed| listed.id == *id).unwrap();
                        prop_assert_eq!(listed.usable_until.left_ms(now), *left, "the soonest end first");
                        prop_assert!(listed.ready && !listed.started);
                        listed.started = true;
                    }
                }
                Step::Wait { ms } => now = Now { unix_ms: now.unix_ms + ms, steady_ms: now.steady_ms + ms },
                Step::WallClock { by } => now.unix_ms = now.unix_ms.checked_add_signed(by).unwrap(),
            }
            prop_assert_eq!(schedule.len(), list.len());
            prop_assert!(schedule.waiting.len() + schedule.ready.len() <= 2 * 15 + LEFT_OVER + 10);
            let rates = list.iter().fold(Rate::default(), |sum, _| sum.plus(Rate::once_in_ms(1)));
            prop_assert_eq!(schedule.steady(), rates);
        }
    }
}
