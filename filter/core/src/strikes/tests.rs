use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::key::{Probe, Subject, tests::facts};

fn at(ms: u64) -> Now {
    Now { unix_ms: 1_800_000_000_000, steady_ms: 1_000_000 + ms }
}

fn key(token: &str) -> Key {
    Probe::new(&Arc::new(facts()), Subject::Token(token)).unwrap().to_key()
}

#[test]
fn the_first_token_is_dropped_at_once_and_the_next_is_asked_for_fresh() {
    let mut strikes = Strikes::new(at(0));
    let (key, other) = (key("t"), key("other"));
    assert!(!strikes.ask_fresh(&key));
    assert_eq!(strikes.on_unauthorized(&key, at(0)), Consequence::Drop);
    assert!(strikes.ask_fresh(&key));
    assert!(!strikes.ask_fresh(&other));
    strikes.on_issued(&key);
    assert!(!strikes.ask_fresh(&key));
    assert_eq!(strikes.on_unauthorized(&key, at(10)), Consequence::Keep, "the fresh one is not taken either");
    assert!(!strikes.ask_fresh(&key));
    assert_eq!(strikes.on_unauthorized(&other, at(10)), Consequence::Drop, "each key for itself");
}

#[test]
fn a_destination_that_refuses_every_token_is_given_another_ever_more_rarely() {
    let mut strikes = Strikes::new(at(0));
    let key = key("t");
    let mut drops = Vec::new();
    for ms in (0..400_000).step_by(10) {
        if strikes.on_unauthorized(&key, at(ms)) == Consequence::Drop {
            drops.push(ms / 1_000);
            strikes.on_issued(&key);
        }
    }
    assert_eq!(drops, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]);
}

#[test]
fn a_minute_without_a_401_makes_up_for_everything() {
    let mut strikes = Strikes::new(at(0));
    let key = key("t");
    for ms in [0, 1_000, 3_000, 7_000] {
        assert_eq!(strikes.on_unauthorized(&key, at(ms)), Consequence::Drop);
    }
    assert_eq!(strikes.on_unauthorized(&key, at(10_000)), Consequence::Keep);
    assert_eq!(strikes.on_unauthorized(&key, at(70_000)), Consequence::Drop);
    assert_eq!(strikes.on_unauthorized(&key, at(71_000)), Consequence::Drop, "counted from the start again");
}

#[test]
fn a_destination_that_refuses_everybody_makes_bounded_work() {
    let mut strikes = Strikes::new(at(0));
    let keys: Vec<Key> = (0..10_000).map(|number| key(&format!("t{number}"))).collect();
    let drops = |strikes: &mut Strikes, ms| {
        keys.iter().filter(|key| strikes.on_unauthorized(key, at(ms)) == Consequence::Drop).count()
    };
    assert_eq!(drops(&mut strikes, 0), 512);
    assert_eq!(drops(&mut strikes, 500), 64);
    for second in 1..55 {
        let most = if second == 1 { 128 + 64 } else { 128 + 32 };
        assert!(drops(&mut strikes, second * 1_000) <= most, "{second}");
    }
    assert_eq!(strikes.len(), MOST_KEYS, "what was dropped before does not keep others from it");
    // A minute of silence, and the places are free again.
    assert!(drops(&mut strikes, 120_000) > 0);
    assert!(strikes.len() <= MOST_KEYS);
}

#[test]
fn long_tokens_fill_the_table_by_their_bytes() {
    let mut strikes = Strikes::new(at(0));
    let long = "x".repeat(16_000);
    for number in 0..1_200 {
        _ = strikes.on_unauthorized(&key(&format!("{long}{number}")), at(number * 10));
    }
    assert!(strikes.bytes <= MOST_BYTES);
    assert!((900..1_100).contains(&strikes.len()), "{}", strikes.len());
    _ = strikes.on_unauthorized(&key(&long), at(100_000));
    assert_eq!(strikes.len(), 1);
    assert!(strikes.bytes < 20_000);
}

#[test]
fn a_quiet_key_is_forgotten_by_the_tick() {
    let mut strikes = Strikes::new(at(0));
    _ = strikes.on_unauthorized(&key("t"), at(0));
    strikes.forget_quiet(at(59_999));
    assert_eq!(strikes.len(), 1);
    strikes.forget_quiet(at(60_998));
    assert_eq!(strikes.len(), 1, "it looks once a second");
    strikes.forget_quiet(at(60_999));
    assert!(strikes.is_empty());
    assert!(!strikes.ask_fresh(&key("t")));
    assert_eq!(strikes.bytes, 0);
}

proptest! {
    #[test]
    fn drops_of_a_key_are_ever_further_apart_while_the_401s_go_on(
        steps in prop::collection::vec((0..6u8, 0..20_000u64, any::<bool>()), 1..400),
    ) {
        let mut strikes = Strikes::new(at(0));
        let keys: Vec<Key> = (0..6u8).map(|number| key(&number.to_string())).collect();
        let mut ms = 0;
        let mut last_401 = [None::<u64>; 6];
        let mut drops: [Vec<u64>; 6] = Default::default();
        for (number, wait, issued) in steps {
            ms += wait;
            let place = usize::from(number);
            if last_401[place].is_some_and(|last| ms - last >= 60_000) {
                drops[place].clear();
            }
            let consequence = strikes.on_unauthorized(&keys[place], at(ms));
            last_401[place] = Some(ms);
            let due = match drops[place].as_slice() {
                [] => true,
                [.., last] => ms - last >= (1_000 << (drops[place].len() - 1).min(6)).min(60_000),
            };
            prop_assert_eq!(consequence == Consequence::Drop, due);
            if due {
                drops[place].push(ms);
                prop_assert!(strikes.ask_fresh(&keys[place]));
            }
            if issued {
                strikes.on_issued(&keys[place]);
                prop_assert!(!strikes.ask_fresh(&keys[place]));
            }
        }
    }
}
