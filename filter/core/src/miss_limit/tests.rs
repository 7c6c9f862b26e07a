use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Now {
    Now { unix_ms: 1_800_000_000_000, steady_ms: 1_000_000 + ms }
}

fn source(number: u32) -> Source {
    Source::read(&std::net::Ipv4Addr::from(number).to_string())
}

/// An exchange of `source`, from start to end, if it is admitted.
fn exchange(limit: &mut MissLimit, source: &Source, refused: bool, ms: u64) -> Result<(), Limited> {
    limit.admit(source, at(ms))?;
    limit.started(source, at(ms));
    limit.ended(source, refused, at(ms));
    Ok(())
}

#[test]
fn a_hundred_refused_at_once_then_ten_a_second_and_nobody_else_notices() {
    let mut limit = MissLimit::new(50);
    let (bad, good) = (source(1), source(2));
    let refused = (0..500).filter(|_| exchange(&mut limit, &bad, true, 0).is_ok()).count();
    assert_eq!(refused, 100);
    assert_eq!(limit.admit(&bad, at(0)), Err(Limited { limit: Limit::Refused, retry_after_ms: 100 }));
    assert!((0..500).all(|_| exchange(&mut limit, &good, false, 0).is_ok()));
    let refused = (0..5_000).filter(|ms| exchange(&mut limit, &bad, true, *ms).is_ok()).count();
    assert_eq!(refused, 49);
    assert!(exchange(&mut limit, &bad, false, 20_000).is_ok());
    let refused = (0..500).filter(|_| exchange(&mut limit, &bad, true, 20_000).is_ok()).count();
    assert_eq!(refused, 100, "all is forgiven after a while");
}

#[test]
fn an_exchange_that_succeeds_or_finds_no_sts_costs_nothing() {
    let mut limit = MissLimit::new(50);
    assert!((0..10_000).all(|_| exchange(&mut limit, &source(1), false, 0).is_ok()));
}

#[test]
fn one_source_has_so_many_under_way_and_no_more() {
    let mut limit = MissLimit::new(3);
    let (busy, other) = (source(1), source(2));
    for _ in 0..3 {
        limit.admit(&busy, at(0)).unwrap();
        limit.started(&busy, at(0));
    }
    assert_eq!(limit.admit(&busy, at(0)), Err(Limited { limit: Limit::Pending, retry_after_ms: 1_000 }));
    assert_eq!(limit.admit(&other, at(0)), Ok(()));
    limit.ended(&busy, false, at(1));
    assert_eq!(limit.admit(&busy, at(1)), Ok(()));
}

#[test]
fn refusals_of_what_was_under_way_are_owed() {
    let mut limit = MissLimit::new(200);
    let bad = source(1);
    let admitted = (0..500).take_while(|_| limit.admit(&bad, at(0)).map(|()| limit.started(&bad, at(0))).is_ok());
    assert_eq!(admitted.count(), 200);
    for _ in 0..200 {
        limit.ended(&bad, true, at(0));
    }
    assert_eq!(limit.admit(&bad, at(0)), Err(Limited { limit: Limit::Refused, retry_after_ms: 10_100 }));
    assert!(limit.admit(&bad, at(10_100)).is_ok());
}

#[test]
fn a_crowd_of_sources_does_not_lift_the_limit_of_a_bad_one() {
    let mut limit = MissLimit::new(50);
    let bad = source(0);
    while exchange(&mut limit, &bad, true, 0).is_ok() {}
    // The bad one is silent meanwhile, so it is the one not seen for longest.
    for stranger in 1..3_000 {
        let ms = u64::from(stranger / 40);
        // Each is refused many times itself, but less.
        for _ in 0..stranger % 60 {
            exchange(&mut limit, &source(stranger), true, ms).unwrap();
        }
        exchange(&mut limit, &source(stranger), false, ms).unwrap();
    }
    assert_eq!(limit.len(), MOST_SOURCES);
    assert_eq!(limit.admit(&bad, at(75)).unwrap_err().limit, Limit::Refused);
}

#[test]
fn the_innocent_not_seen_for_longest_is_forgotten_first() {
    let mut limit = MissLimit { most_sources: 3, ..MissLimit::new(50) };
    exchange(&mut limit, &source(1), true, 0).unwrap();
    for (number, ms) in [(2, 1), (3, 2), (2, 3)] {
        exchange(&mut limit, &source(number), false, ms).unwrap();
    }
    exchange(&mut limit, &source(4), false, 4).unwrap();
    let known = |limit: &MissLimit| (1..=4).filter(|number| limit.sources.contains_key(&source(*number))).collect();
    let left: Vec<u32> = known(&limit);
    assert_eq!(left, [1, 2, 4]);
}

#[test]
fn where_all_have_exchanges_under_way_strangers_wait() {
    let mut limit = MissLimit { most_sources: 2, ..MissLimit::new(50) };
    for number in 1..=2 {
        limit.admit(&source(number), at(0)).unwrap();
        limit.started(&source(number), at(0));
    }
    assert_eq!(limit.admit(&source(3), at(0)).unwrap_err().limit, Limit::Sources);
    limit.started(&source(3), at(0));
    limit.ended(&source(3), true, at(0));
    assert_eq!(limit.len(), 2);
    limit.ended(&source(1), false, at(0));
    assert_eq!(limit.admit(&source(3), at(0)), Ok(()));
}

#[derive(Clone, Debug)]
enum Step {
    Start(u32),
    End { which: prop::sample::Index, refused: bool },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..12u32).prop_map(Step::Start),
        5 => (any::<prop::sample::Index>(), prop::bool::weighted(0.8))
            .prop_map(|(which, refused)| Step::End { which, refused }),
        1 => (0..500u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// With a table too small for all: nobody has more under way than it may, and together they are refused no more than what
    /// the places and the evictions allow.
    #[test]
    fn the_bounds_hold_for_any_schedule(steps in prop::collection::vec(step(), 1..800)) {
        let mut limit = MissLimit { most_sources: 8, ..MissLimit::new(5) };
        let mut under_way: Vec<u32> = Vec::new();
        let mut ms = 0;
        let mut refused_of = [0u64; 12];
        let mut forgotten = [0u64; 12];
        for step in steps {
            match step {
                Step::Start(number) => {
                    let before: Vec<u32> =
                        (0..12).filter(|number| limit.sources.contains_key(&source(*number))).collect();
                    if limit.admit(&source(number), at(ms)).is_ok() {
                        limit.started(&source(number), at(ms));
                        under_way.push(number);
                        prop_assert!(limit.sources.contains_key(&source(number)));
                    }
                    for other in before {
                        if !limit.sources.contains_key(&source(other)) {
                            prop_assert!(!under_way.contains(&other), "one with exchanges under way was forgotten");
                            forgotten[other as usize] += 1;
                        }
                    }
                }
                Step::End { which, refused } if !under_way.is_empty() => {
                    let number = under_way.swap_remove(which.index(under_way.len()));
                    limit.ended(&source(number), refused, at(ms));
                    refused_of[number as usize] += u64::from(refused);
                }
                Step::End { .. } => {}
                Step::Wait(wait) => ms += wait,
            }
            prop_assert!(limit.len() <= 8);
            for number in 0..12 {
                let pending = under_way.iter().filter(|other| **other == number).count();
                prop_assert!(pending <= 5);
                let known = limit.sources.get(&source(number)).map_or(0, |entry| entry.pending);
                prop_assert_eq!(usize::try_from(known).unwrap(), pending);
                let most = (100 + 5) * (1 + forgotten[number as usize]) + ms / 100 + 1;
                prop_assert!(refused_of[number as usize] <= most);
            }
        }
    }
}
