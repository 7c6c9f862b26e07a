//! Spreading moments, so that what happened together does not happen together again.
//!
//! None of this keeps a secret: it takes the host's entropy and only has to differ between workers and calls.

/// A number from `low` to `high`, both included, chosen by `entropy`. `low` where `high` is less.
pub fn between(entropy: u64, low: u64, high: u64) -> u64 {
    let count = u128::from(high.saturating_sub(low)).saturating_add(1);
    let share = u128::from(entropy).saturating_mul(count) >> 64;
    // `share` is at most `high - low`.
    low.saturating_add(u64::try_from(share).unwrap_or(0))
}

/// A row of numbers out of one seed (SplitMix64; Steele, Lea and Flood, 2014), for parts that need several and are given
/// entropy once.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// The row that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Its next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_are_reached_and_the_middle_is_in_the_middle() {
        assert_eq!(between(0, 3, 9), 3);
        assert_eq!(between(u64::MAX, 3, 9), 9);
        assert_eq!(between(u64::MAX / 2, 0, 100), 50);
        assert_eq!(between(u64::MAX, 0, u64::MAX), u64::MAX);
        assert_eq!(between(77, 5, 5), 5);
        assert_eq!(between(77, 5, 4), 5);
    }

    #[test]
    fn it_is_the_published_generator() {
        let mut jitter = Jitter::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| jitter.draw()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    proptest! {
        #[test]
        fn a_number_stays_between_its_ends(entropy: u64, low: u64, span: u64) {
            let high = low.saturating_add(span);
            prop_assert!((low..=high).contains(&between(entropy, low, high)));
        }
    }
}
