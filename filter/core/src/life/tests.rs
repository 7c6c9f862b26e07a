use proptest::prelude::*;

use super::*;

const HOUR_MS: u64 = 3_600_000;

const START: Now = Now { unix_ms: 1_800_000_000_000, steady_ms: 7_000_000 };

fn later(now: Now, ms: u64) -> Now {
    Now { unix_ms: now.unix_ms + ms, steady_ms: now.steady_ms + ms }
}

fn terms(expires_in_s: u64) -> Terms {
    Terms { asked: START, expires_in_s, subject_exp: None, lent_until: None, came: Came::Renewed }
}

fn upkeep(margin_s: u64, timeout_s: u64, outage_s: Option<u64>) -> Upkeep {
    Upkeep {
        expiry_margin_ms: margin_s * 1_000,
        route_timeout_ms: timeout_s * 1_000,
        sts_timeout_ms: 2_000,
        survive_outage_ms: outage_s.map(|seconds| seconds * 1_000),
    }
}

fn usable_ms(terms: Terms, upkeep: Upkeep) -> u64 {
    Life::new(terms, upkeep, START, 0).unwrap().usable_until.left_ms(START)
}

#[test]
fn margins_are_capped_by_the_life() {
    for (life, margin, timeout, usable) in [
        (60, 5, 0, 55_000),
        (60, 5, 15, 54_000),
        (300, 5, 15, 280_000),
        (300, 5, 0, 295_000),
        (50, 5, 0, 45_000),
        (20, 5, 0, 18_000),
        (1, 5, 15, 900),
        (60, 0, 0, 60_000),
    ] {
        assert_eq!(usable_ms(terms(life), upkeep(margin, timeout, None)), usable, "{life} s");
    }
    let endless = Upkeep { expiry_margin_ms: u64::MAX, route_timeout_ms: u64::MAX, ..Upkeep::default() };
    assert_eq!(endless.plan(u64::MAX).unwrap().usable_ms, u64::MAX - u64::MAX / 10);
}

#[test]
fn the_subject_token_s_end_shortens_a_life_and_never_lengthens_it() {
    let exp = START.unix_ms / 1_000 + 40;
    let with = |expires_in_s| Terms { subject_exp: Some(exp), ..terms(expires_in_s) };
    assert_eq!(usable_ms(with(60), upkeep(2, 0, None)), 38_000);
    assert_eq!(usable_ms(with(30), upkeep(2, 0, None)), 28_000);
    let ended = Terms { subject_exp: Some(START.unix_ms / 1_000), ..terms(60) };
    assert_eq!(Life::new(ended, Upkeep::default(), START, 0), Err(NoLife::SubjectEnded));
    let long_ago = Terms { subject_exp: Some(0), ..terms(60) };
    assert_eq!(Life::new(long_ago, Upkeep::default(), START, 0), Err(NoLife::SubjectEnded));
}

#[test]
fn a_token_without_life_or_with_one_that_is_over_is_not_used() {
    assert_eq!(Life::new(terms(0), Upkeep::default(), START, 0), Err(NoLife::Zero));
    assert_eq!(Life::new(terms(10), upkeep(1, 0, None), later(START, 9_000), 0), Err(NoLife::Ended));
    assert!(Life::new(terms(10), upkeep(1, 0, None), later(START, 8_999), 0).is_ok());
    for step in [HOUR_MS, 5 * HOUR_MS] {
        let forth = Now { unix_ms: START.unix_ms + step, steady_ms: START.steady_ms + 100 };
        assert_eq!(Life::new(terms(300), Upkeep::default(), forth, 0), Err(NoLife::Ended));
        let back = Now { unix_ms: START.unix_ms - step, steady_ms: START.steady_ms + 300_000 };
        assert_eq!(Life::new(terms(300), Upkeep::default(), back, 0), Err(NoLife::Ended));
    }
}

#[test]
fn the_renewal_comes_at_three_quarters_give_or_take_a_twentieth() {
    let at = |entropy| Life::new(terms(300), Upkeep::default(), START, entropy).unwrap().refresh_at.unwrap();
    assert_eq!(at(0), START.after(210_000));
    assert_eq!(at(u64::MAX / 2), START.after(225_000));
    assert_eq!(at(u64::MAX), START.after(240_000));
    let short = upkeep(5, 15, None).plan(3_000).unwrap();
    assert_eq!(short, Plan { usable_ms: 2_700, earliest_refresh_ms: 1_890, latest_refresh_ms: 2_160 });
}

#[test]
fn the_first_renewals_of_keys_that_came_together_are_far_apart() {
    let first = Terms { came: Came::First, ..terms(300) };
    let at = |entropy| Life::new(first, Upkeep::default(), START, entropy).unwrap().refresh_at.unwrap();
    assert_eq!((at(0), at(u64::MAX)), (START.after(70_000), START.after(240_000)));
    // Not faster than one and a half times the steady rate, whatever the life.
    for (life, outage) in [(3_000, None), (60_000, None), (300_000, None), (3_600_000, Some(600_000))] {
        let plan = Upkeep { survive_outage_ms: outage, ..upkeep(5, 5, None) }.plan(life).unwrap();
        let (earliest, latest) = plan.first_refresh_ms();
        assert!((latest - earliest) * 3 > plan.interval_ms() * 2, "{life}");
    }
}

#[test]
fn a_promise_is_kept_and_has_its_price() {
    let usual = upkeep(5, 5, None).plan(300_000).unwrap();
    assert!((usual.price_per_minute() - 0.276).abs() < 0.001);
    assert_eq!(usual.survives_ms(), 58_000);

    // 290 usable, less 240, less a tenth of 240, would be 26: the tenth of the life comes first.
    let four_minutes = upkeep(5, 5, Some(240)).plan(300_000).unwrap();
    assert_eq!((four_minutes.earliest_refresh_ms, four_minutes.latest_refresh_ms), (24_000, 30_000));
    assert_eq!(four_minutes.survives_ms(), 260_000);
    assert!((four_minutes.price_per_minute() - 2.222).abs() < 0.001);

    assert!(upkeep(5, 5, Some(240)).keeps_promise(300_000));

    let two_minutes = upkeep(5, 5, Some(120)).plan(300_000).unwrap();
    assert_eq!((two_minutes.earliest_refresh_ms, two_minutes.latest_refresh_ms), (126_400, 158_000));

    let impossible = upkeep(5, 5, Some(240)).plan(60_000).unwrap();
    assert_eq!(impossible.latest_refresh_ms, 6_000);
    assert_eq!(impossible.survives_ms(), 48_000, "what `validate` can say about it");
    assert!(!upkeep(5, 5, Some(240)).keeps_promise(60_000));
    assert!(upkeep(5, 5, Some(38)).keeps_promise(60_000));
    assert!(!upkeep(5, 5, Some(39)).keeps_promise(60_000), "ten seconds until renewals are at their full rate");
    assert!(!upkeep(5, 5, Some(0)).keeps_promise(0));
    assert!(upkeep(5, 5, None).keeps_promise(1_000));

    let nothing = upkeep(5, 5, Some(0)).plan(300_000).unwrap();
    assert_eq!(nothing.latest_refresh_ms, 217_500, "no promise makes a renewal late");
}

#[test]
fn the_same_token_again_is_tried_at_halves_of_what_is_left() {
    let upkeep = Upkeep::default();
    let held = Life::new(terms(300), upkeep, START, 0).unwrap();
    let (mut now, mut tries) = (START, 0);
    let mut next = held.refresh_at;
    while let Some(at) = next {
        now = later(now, at.left_ms(now));
        tries += 1;
        // The STS has given the same token, and says that it lives for 300 seconds from now.
        let again = Terms { asked: now, came: Came::Same { until: held.usable_until }, ..terms(300) };
        let life = Life::new(again, upkeep, now, 0).unwrap();
        assert_eq!(life.usable_until, held.usable_until, "it does not live longer for that");
        next = life.refresh_at;
        assert!(next.is_none_or(|at| at.left_ms(now) >= 1_000));
    }
    assert!((4..=9).contains(&tries), "{tries}");
}

#[test]
fn what_is_lent_again_lives_on_to_its_own_end_and_is_asked_for_less_and_less() {
    // A credential of a quarter of an hour, lent for five minutes at most.
    let own_end = START.after(900_000);
    let upkeep = upkeep(5, 15, None);
    let (mut now, mut ends, mut asked) = (START, Vec::new(), 0);
    loop {
        asked += 1;
        let left_s = own_end.left_ms(now) / 1_000;
        let again = if asked == 1 { Came::First } else { Came::Again };
        let lent = Terms { asked: now, lent_until: Some(own_end), came: again, ..terms(left_s.min(300)) };
        let life = Life::new(lent, upkeep, now, u64::MAX).unwrap();
        assert!(own_end.left_ms(now) > life.usable_until.left_ms(now));
        ends.push(life.usable_until.left_ms(START));
        let Some(at) = life.refresh_at else { break };
        assert!(at.left_ms(now) >= 1_000);
        now = later(now, at.left_ms(now));
    }
    assert!(ends.is_sorted() && ends[0] == 280_000 && *ends.last().unwrap() > 898_000, "{ends:?}");
    assert!((5..12).contains(&asked), "{asked}");
    let ended = Terms { lent_until: Some(START.after(0)), came: Came::Again, ..terms(60) };
    assert_eq!(Life::new(ended, upkeep, START, 0), Err(NoLife::LentEnded));
    let shorter = Terms { lent_until: Some(START.after(40_000)), came: Came::Again, ..terms(60) };
    assert_eq!(usable_ms(shorter, Upkeep::default()), 40_000);
}

#[test]
fn a_token_that_comes_almost_at_its_end_is_no_reason_to_ask_again_and_again() {
    // Asked for 250 s ago: an answer that took that long, or a `same` token from the STS's own cache.
    let now = later(START, 250_000);
    let life = Life::new(terms(300), Upkeep::default(), now, 0).unwrap();
    assert_eq!(life.refresh_at, Some(now.after(25_000)));
    let late = later(START, 299_000);
    assert_eq!(Life::new(terms(300), Upkeep::default(), late, 0).unwrap().refresh_at, None);
}

#[test]
fn retries_double_and_stay_within_the_life() {
    let until = START.after(3_000_000);
    let longest = |failures| retry_at(failures, until, START, u64::MAX).unwrap().left_ms(START);
    assert_eq!([1, 2, 3, 4, 5, 6].map(longest), [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    assert_eq!(longest(0), 1_000);
    assert_eq!(longest(64), 15_000);
    assert_eq!(longest(u32::MAX), 15_000);
    assert_eq!(retry_at(5, until, START, 0).unwrap().left_ms(START), 7_500);
    assert_eq!(retry_at(9, START.after(4_000), START, u64::MAX), Some(START.after(2_000)), "one more try");
    assert_eq!(retry_at(1, START.after(675), START, u64::MAX), Some(START.after(337)), "a token of three seconds");
    assert_eq!(retry_at(1, START.after(250), START, 0), None);
}

#[test]
fn exp_is_read_from_what_looks_like_a_token() {
    let token = |payload: &str| format!("e30.{}.c2ln", base64url::encode(payload));
    for (payload, exp) in [
        (r#"{"exp":1800000000}"#, Some(1_800_000_000)),
        (r#"{"sub":"a","exp":1800000000.9,"nested":{"exp":[1]}}"#, Some(1_800_000_000)),
        (r#"{"exp":1.8e9}"#, Some(1_800_000_000)),
        (r#"{"exp":-1}"#, Some(0)),
        (r#"{"exp":1e300}"#, Some(u64::MAX)),
        (r#"{"exp":18446744073709551615}"#, Some(u64::MAX)),
        (r#"{"exp":"1800000000"}"#, None),
        (r#"{"exp":1,"exp":2}"#, None),
        (r#"{"exp":null}"#, None),
        (r#"{}"#, None),
        ("[]", None),
        ("", None),
    ] {
        assert_eq!(subject_exp(&token(payload)), exp, "{payload}");
    }
    let whole = token(r#"{"exp":1800000000}"#);
    for form in
        ["", ".", "..", "a.b", "opaque", &whole.replace("e30.", ""), &format!("{whole}.x"), &format!("{whole}=")]
    {
        assert_eq!(subject_exp(form), if form.ends_with('=') { Some(1_800_000_000) } else { None }, "{form}");
    }
    let long = token(&format!(r#"{{"exp":1800000000,"x":"{}"}}"#, "x".repeat(MAX_TOKEN_LENGTH)));
    assert_eq!(subject_exp(&long), None);
    let deep = token(&format!(r#"{{"x":{}}}"#, "[".repeat(10_000)));
    assert_eq!(subject_exp(&deep), None);
}

proptest! {
    #[test]
    fn reading_exp_never_panics(token in "\\PC{0,80}", payload in "[{}\\[\\]\":,a-z0-9.e-]{0,60}") {
        subject_exp(&token);
        subject_exp(&format!("e30.{}.x", base64url::encode(payload)));
    }

    #[test]
    fn a_plan_is_in_order_and_never_longer_than_the_life(life: u64, margin: u64, timeout: u64, outage: Option<u64>) {
        let upkeep = Upkeep {
            expiry_margin_ms: margin, route_timeout_ms: timeout, sts_timeout_ms: 2_000, survive_outage_ms: outage,
        };
        match upkeep.plan(life) {
            None => prop_assert_eq!(life, 0),
            Some(plan) => {
                prop_assert!(plan.usable_ms <= life && plan.usable_ms >= life - life / 10);
                prop_assert!(plan.earliest_refresh_ms <= plan.latest_refresh_ms);
                prop_assert!(plan.latest_refresh_ms <= plan.usable_ms);
                prop_assert!(plan.price_per_minute().is_finite());
                let mean = plan.interval_ms();
                prop_assert!(mean >= plan.earliest_refresh_ms && mean <= plan.latest_refresh_ms.max(1));
                if let Some(outage) = outage {
                    prop_assert!(upkeep.keeps_promise(life) || plan.latest_refresh_ms == life / 10);
                    prop_assert!(!upkeep.keeps_promise(life) || plan.survives_ms() > outage);
                }
            }
        }
    }

    #[test]
    fn whatever_is_said_and_whenever_it_comes_the_dates_are_in_order(
        expires_in_s in prop_oneof![0..400u64, any::<u64>()],
        subject in prop::option::of(prop_oneof![(1_799_999_900..1_800_000_500u64), any::<u64>()]),
        came in prop_oneof![
            Just(Came::First),
            Just(Came::Renewed),
            (0..400_000u64).prop_map(|ms| Came::Same { until: START.after(ms) }),
            Just(Came::Again),
        ],
        lent in prop::option::of((0..400_000u64, -100_000..100_000i64)),
        margin in 0..40_000u64,
        outage in prop::option::of(0..400_000u64),
        took in 0..400_000u64,
        step in prop_oneof![Just(0i64), -36_000_000..36_000_000i64],
        entropy: u64,
    ) {
        let now = Now {
            unix_ms: (START.unix_ms + took).checked_add_signed(step).unwrap(),
            steady_ms: START.steady_ms + took,
        };
        // The credential's own end, as it was worked out before one of the clocks was set.
        let lent_until = lent.map(|(ms, step)| {
            Now { unix_ms: START.unix_ms.checked_add_signed(step).unwrap(), ..START }.after(ms)
        });
        let terms = Terms { subject_exp: subject, lent_until, came, ..terms(expires_in_s) };
        let upkeep = Upkeep { expiry_margin_ms: margin, survive_outage_ms: outage, ..Upkeep::default() };
        let Ok(life) = Life::new(terms, upkeep, now, entropy) else { return Ok(()) };
        prop_assert!(!life.usable_until.passed(now));
        prop_assert!(life.usable_until.left_steadily_ms(now) <= expires_in_s.saturating_mul(1_000));
        if let Some(exp) = subject {
            let at_exp = Now { unix_ms: exp.saturating_mul(1_000), steady_ms: START.steady_ms };
            prop_assert!(life.usable_until.passed(at_exp), "never past the subject token's end");
        }
        if let Some(end) = lent_until {
            let (used, end) = (life.usable_until.reading(), end.reading());
            prop_assert!(used.unix_ms <= end.unix_ms && used.steady_ms <= end.steady_ms, "never past its own end");
        }
        if let Some(at) = life.refresh_at {
            prop_assert!(!at.passed(now));
            prop_assert!(at.left_ms(now) <= life.usable_until.left_ms(now));
        }
    }

    #[test]
    fn failures_over_a_life_are_tried_a_bounded_number_of_times_and_once_at_least(left in 1_000..600_000u64, seed: u64) {
        let until = START.after(left);
        let (mut now, mut failures, mut jitter) = (START, 1, crate::jitter::Jitter::new(seed));
        while let Some(at) = retry_at(failures, until, now, jitter.draw()) {
            prop_assert!(!at.passed(now));
            now = later(now, at.left_ms(now));
            prop_assert!(!until.passed(now));
            failures += 1;
        }
        prop_assert!(failures > 1);
        prop_assert!(u64::from(failures) <= 16 + left / 7_500);
    }
}
