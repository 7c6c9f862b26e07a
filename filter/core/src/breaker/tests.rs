use proptest::prelude::*;

use super::*;

fn at(ms: u64) -> Now {
    Now { unix_ms: 1_800_000_000_000 + ms, steady_ms: 1_000_000 + ms }
}

const FEW: Rate = Rate::per_second(10);

fn breaker() -> Breaker {
    Breaker::new(2_000, 7)
}

/// Opens a closed breaker at `ms`.
fn open(breaker: &mut Breaker, ms: u64) {
    for _ in 0..FAILURES_IN_A_ROW {
        let ticket = breaker.admit(at(ms)).unwrap();
        assert!(!ticket.is_probe());
        breaker.report(ticket, Outcome::Unavailable, at(ms));
    }
    assert_eq!(breaker.circuit(at(ms)), Circuit::Open);
}

/// Waits for the next probe from `ms` on; says when it was let through.
fn probe(breaker: &mut Breaker, mut ms: u64) -> (Ticket, u64) {
    loop {
        match breaker.admit(at(ms)) {
            Ok(ticket) => {
                assert!(ticket.is_probe());
                return (ticket, ms);
            }
            Err(held) => {
                assert!(held.retry_after_ms > 0);
                ms += held.retry_after_ms;
            }
        }
    }
}

#[test]
fn five_failures_in_a_row_open_it_and_an_answer_between_them_does_not_let_them() {
    let mut breaker = breaker();
    let pattern =
        [Outcome::Unavailable, Outcome::Unavailable, Outcome::Unavailable, Outcome::Unavailable, Outcome::Answered];
    for (second, outcome) in (1..9).zip(pattern.into_iter().cycle()) {
        let now = at(second * 1_000);
        let ticket = breaker.admit(now).unwrap();
        breaker.report(ticket, outcome, now);
        assert_eq!(breaker.circuit(now), Circuit::Closed);
    }
    let mut breaker = self::breaker();
    open(&mut breaker, 10_000);
    assert!(breaker.admit(at(10_000)).is_err());
    assert!(breaker.admit_refresh(FEW, at(10_000)).is_err());
    assert_eq!(breaker.room_for_refreshes(FEW, at(10_000)), 0);
}

#[test]
fn more_than_half_of_ten_calls_in_a_second_open_it() {
    let report = |failed: &[bool], apart_ms: u64| {
        let mut breaker = breaker();
        let mut ms = 0;
        for failed in failed {
            ms += apart_ms;
            let Ok(ticket) = breaker.admit(at(ms)) else { break };
            breaker.report(ticket, if *failed { Outcome::Unavailable } else { Outcome::Answered }, at(ms));
        }
        breaker.circuit(at(ms))
    };
    let (yes, no) = (true, false);
    assert_eq!(report(&[yes, no, yes, no, yes, no, yes, no, yes, yes], 50), Circuit::Open);
    assert_eq!(report(&[yes, no, yes, no, yes, no, yes, no, no, yes], 50), Circuit::Closed, "half of them");
    assert_eq!(report(&[yes, no, yes, no, yes, no, yes, yes, yes], 50), Circuit::Closed, "nine of them");
    assert_eq!(
        report(&[yes, no, yes, no, yes, no, yes, no, yes, yes], 150),
        Circuit::Closed,
        "over more than a second"
    );
}

#[test]
fn one_probe_at_a_time_and_an_answer_closes() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let (ticket, ms) = probe(&mut breaker, 0);
    assert!((375..=500).contains(&ms), "{ms}");
    assert_eq!(breaker.circuit(at(ms)), Circuit::HalfOpen);
    assert_eq!(breaker.admit(at(ms)), Err(Held { retry_after_ms: 2_000 }));
    assert_eq!(breaker.room_for_refreshes(FEW, at(ms)), 0);
    breaker.report(ticket, Outcome::Answered, at(ms + 20));
    assert_eq!(breaker.circuit(at(ms + 20)), Circuit::Recovering);
    assert!(!breaker.admit(at(ms + 20)).unwrap().is_probe());
    assert_eq!(breaker.circuit(at(ms + 10_020)), Circuit::Closed);
    assert_eq!(breaker.room_for_refreshes(FEW, at(ms + 10_020)), usize::MAX);
}

#[test]
fn each_failed_probe_doubles_the_wait_up_to_five_seconds() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let mut ms = 0;
    for longest in [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000] {
        let (ticket, when) = probe(&mut breaker, ms);
        assert!((longest - longest / 4..=longest).contains(&(when - ms)), "{} of {longest}", when - ms);
        breaker.report(ticket, Outcome::Unavailable, at(when));
        ms = when;
    }
}

#[test]
fn a_probe_that_never_comes_back_has_failed() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let (lost, ms) = probe(&mut breaker, 0);
    assert_eq!(breaker.circuit(at(ms + 1_999)), Circuit::HalfOpen);
    assert_eq!(breaker.circuit(at(ms + 2_000)), Circuit::Open);
    breaker.report(lost, Outcome::Answered, at(ms + 2_001));
    assert_eq!(breaker.circuit(at(ms + 2_001)), Circuit::Open, "too late to say anything");
    let (_, again) = probe(&mut breaker, ms + 2_000);
    assert!(again >= ms + 2_750);
    let mut quiet = breaker;
    assert!(quiet.admit(at(ms + 3_600_000)).unwrap().is_probe(), "nobody asked for an hour: the wait is long over");
}

#[test]
fn calls_from_before_the_outage_do_not_speak_for_the_time_after_it() {
    let mut breaker = breaker();
    let old: Vec<_> = (0..20).map(|_| breaker.admit(at(0)).unwrap()).collect();
    open(&mut breaker, 0);
    for ticket in &old {
        breaker.report(*ticket, Outcome::Answered, at(10));
    }
    assert_eq!(breaker.circuit(at(10)), Circuit::Open);
    let (ticket, ms) = probe(&mut breaker, 0);
    breaker.report(ticket, Outcome::Answered, at(ms));
    for ticket in old {
        breaker.report(ticket, Outcome::Unavailable, at(ms));
    }
    assert_eq!(breaker.circuit(at(ms)), Circuit::Recovering);
}

#[test]
fn after_an_outage_renewals_are_let_through_in_growing_numbers_and_requests_are_not_held_up() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let (ticket, start) = probe(&mut breaker, 0);
    breaker.report(ticket, Outcome::Answered, at(start));
    let mut each_second = Vec::new();
    for second in 0..6 {
        let now = at(start + second * 1_000);
        let room = breaker.room_for_refreshes(FEW, now);
        let let_through = (0..10_000).filter(|_| breaker.admit_refresh(FEW, now).is_ok()).count();
        assert_eq!(let_through, room);
        each_second.push(let_through);
        // A hundred requests a second with nothing in the cache.
        assert!((0..100).all(|_| breaker.admit(now).is_ok()));
    }
    assert_eq!(each_second, [16, 32, 64, 128, 256, 512]);
    assert_eq!(breaker.admit_refresh(FEW, at(start + 5_300)), Err(Held { retry_after_ms: 700 }));
}

#[test]
fn where_many_are_renewed_all_the_time_the_numbers_start_higher() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let (ticket, start) = probe(&mut breaker, 0);
    breaker.report(ticket, Outcome::Answered, at(start));
    let many = Rate::per_second(1_000);
    let room = [0, 1, 2, 3].map(|second| breaker.room_for_refreshes(many, at(start + second * 1_000)));
    assert_eq!(room, [250, 500, 1_000, 2_000]);
}

#[test]
fn a_rush_of_requests_just_after_an_outage_is_bounded() {
    let mut breaker = breaker();
    open(&mut breaker, 0);
    let (ticket, start) = probe(&mut breaker, 0);
    breaker.report(ticket, Outcome::Answered, at(start));
    assert_eq!((0..5_000).filter(|_| breaker.admit(at(start)).is_ok()).count(), 1_000);
    assert!((0..100_000).all(|_| breaker.admit(at(start + 10_000)).is_ok()));
}

#[test]
fn an_sts_that_comes_and_goes_is_left_alone_for_longer_each_time() {
    let mut breaker = breaker();
    let mut ms = 0;
    let mut waits = Vec::new();
    for _ in 0..4 {
        open(&mut breaker, ms);
        let (ticket, when) = probe(&mut breaker, ms);
        waits.push(when - ms);
        breaker.report(ticket, Outcome::Answered, at(when));
        ms = when;
    }
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
    // A quiet ramp makes up for it.
    ms += 10_000;
    open(&mut breaker, ms);
    assert!(probe(&mut breaker, ms).1 - ms <= 500);
}

#[test]
fn refused_clients_are_sent_back_over_a_window() {
    let mut jitter = Jitter::new(3);
    let mut seen = [0; 6];
    for _ in 0..5_000 {
        seen[usize::try_from(Breaker::retry_after_s(jitter.draw())).unwrap()] += 1;
    }
    assert!(seen[0] == 0 && seen[1..].iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Admit { refresh: bool },
    Report { which: prop::sample::Index, answered: bool },
    Wait { ms: u64 },
    WallClock { unix_ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|refresh| Step::Admit { refresh }),
        4 => (any::<prop::sample::Index>(), prop::bool::weighted(0.3))
            .prop_map(|(which, answered)| Step::Report { which, answered }),
        2 => (0..3_000u64).prop_map(|ms| Step::Wait { ms }),
        1 => any::<u64>().prop_map(|unix_ms| Step::WallClock { unix_ms }),
    ]
}

proptest! {
    /// Whatever happens in whatever order: one probe at a time, nothing else while it is not closed, never shut for good.
    #[test]
    fn one_probe_at_most_and_never_shut_for_good(steps in prop::collection::vec(step(), 1..400), seed: u64) {
        let mut breaker = Breaker::new(2_000, seed);
        let mut now = at(0);
        let mut calls: Vec<(Ticket, Now)> = Vec::new();
        for step in steps {
            match step {
                Step::Admit { refresh } => {
                    let before = breaker.circuit(now);
                    let admitted = if refresh { breaker.admit_refresh(FEW, now) } else { breaker.admit(now) };
                    match admitted {
                        Ok(ticket) if ticket.is_probe() => {
                            prop_assert_eq!(before, Circuit::Open);
                            let under_way = calls.iter().filter(|(ticket, asked)| {
                                ticket.is_probe() && now.steady_ms - asked.steady_ms < 2_000
                            });
                            prop_assert_eq!(under_way.count(), 0);
                            calls.push((ticket, now));
                        }
                        Ok(ticket) => {
                            prop_assert!(matches!(before, Circuit::Closed | Circuit::Recovering));
                            calls.push((ticket, now));
                        }
                        Err(held) => {
                            prop_assert!(before != Circuit::Closed, "closed means that nobody is held");
                            prop_assert!((1..=5_000).contains(&held.retry_after_ms));
                        }
                    }
                }
                Step::Report { which, answered } if !calls.is_empty() => {
                    let (ticket, _) = calls.swap_remove(which.index(calls.len()));
                    let outcome = if answered { Outcome::Answered } else { Outcome::Unavailable };
                    breaker.report(ticket, outcome, now);
                }
                Step::Report { .. } => {}
                Step::Wait { ms } => now = Now { unix_ms: now.unix_ms.saturating_add(ms), steady_ms: now.steady_ms + ms },
                Step::WallClock { unix_ms } => now.unix_ms = unix_ms,
            }
        }
        // The STS is back: after one longest wait, and one lost probe with its own, somebody gets through.
        now.steady_ms += 5_000 + 2_000 + 5_000;
        breaker.circuit(now);
        now.steady_ms += 5_000;
        let ticket = breaker.admit(now).unwrap();
        breaker.report(ticket, Outcome::Answered, now);
        prop_assert!(matches!(breaker.circuit(now), Circuit::Closed | Circuit::Recovering));
    }
}
