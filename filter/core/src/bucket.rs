//! A token bucket: how much of something may happen at once, and how fast the right to it comes back.
//!
//! INVARIANT: over any stretch of time no more is taken than the rate gives in that time and one burst, except what is owed.

use crate::time::Now;

/// How often something happens, in billionths per millisecond: fine enough for once in eleven days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// So many times a second.
    pub const fn per_second(times: u32) -> Self {
        // u32::MAX * 10^6 fits.
        Self((times as u64).saturating_mul(WHOLE / 1_000))
    }

    /// Once in so many milliseconds; never not at all.
    pub fn once_in_ms(ms: u64) -> Self {
        Self(WHOLE.checked_div(ms).unwrap_or(WHOLE).max(1))
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left without `other`.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Half as often again.
    #[must_use]
    pub fn and_a_half(self) -> Self {
        Self(self.0.saturating_add(self.0 / 2))
    }

    /// What comes in `ms` milliseconds, as a burst.
    pub fn in_ms(self, ms: u64) -> Burst {
        Burst(i64::try_from(self.0.saturating_mul(ms)).unwrap_or(i64::MAX))
    }

    /// How many times a second.
    pub fn each_second(self) -> f64 {
        // A display value: the low bits do not matter.
        self.0 as f64 / (WHOLE / 1_000) as f64
    }
}

/// How much may happen at once, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Burst(i64);

impl Burst {
    /// So many times.
    pub const fn of(times: u32) -> Self {
        // u32::MAX * 10^9 fits.
        Self((times as i64).saturating_mul(WHOLE as i64))
    }
}

/// What a bucket may hold and gets. It is given to each call because it may change with the load.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    pub rate: Rate,
    pub burst: Burst,
}

/// What is left of an allowance.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    level: i64,
    steady_ms: u64,
}

impl Bucket {
    /// A full one.
    pub fn full(allowance: Allowance, now: Now) -> Self {
        Self { level: allowance.burst.0, steady_ms: now.steady_ms }
    }

    /// Puts in what has come since the last time.
    pub fn refill(&mut self, allowance: Allowance, now: Now) {
        let passed = now.steady_ms.saturating_sub(self.steady_ms);
        self.steady_ms = self.steady_ms.max(now.steady_ms);
        self.level = self.level.saturating_add(allowance.rate.in_ms(passed).0).min(allowance.burst.0);
    }

    /// Takes one, if there is one.
    pub fn take(&mut self) -> bool {
        let there = self.has_one();
        if there {
            self.level = self.level.saturating_sub(WHOLE as i64);
        }
        there
    }

    /// Takes one whether it is there or not. At most a whole burst can be owed.
    pub fn take_or_owe(&mut self, allowance: Allowance) {
        let least = allowance.burst.0.saturating_neg();
        self.level = self.level.saturating_sub(WHOLE as i64).max(least);
    }

    /// Whether there is one to take.
    pub fn has_one(&self) -> bool {
        self.level >= WHOLE as i64
    }

    /// What is missing to a full bucket, in billionths.
    pub fn missing(&self, allowance: Allowance) -> u64 {
        u64::try_from(allowance.burst.0.saturating_sub(self.level)).unwrap_or(0)
    }

    /// How many milliseconds it takes until there is one.
    pub fn wait_ms(&self, rate: Rate) -> u64 {
        let lacking = u64::try_from((WHOLE as i64).saturating_sub(self.level)).unwrap_or(0);
        lacking.div_ceil(rate.0.max(1))
    }
}

/// One, in billionths.
const WHOLE: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Now {
        Now { unix_ms: 1_800_000_000_000, steady_ms: ms }
    }

    const TEN: Allowance = Allowance { rate: Rate::per_second(10), burst: Burst::of(3) };

    #[test]
    fn a_burst_at_once_and_then_the_rate() {
        let mut bucket = Bucket::full(TEN, at(0));
        let taken = (0..10).filter(|_| bucket.take()).count();
        assert_eq!(taken, 3);
        assert_eq!(bucket.wait_ms(TEN.rate), 100);
        bucket.refill(TEN, at(99));
        assert!(!bucket.take());
        assert_eq!(bucket.wait_ms(TEN.rate), 1);
        bucket.refill(TEN, at(100));
        assert_eq!(bucket.wait_ms(TEN.rate), 0);
        assert!(bucket.take());
        bucket.refill(TEN, at(100_000));
        assert_eq!(bucket.missing(TEN), 0);
    }

    #[test]
    fn what_is_owed_is_paid_first_and_is_bounded() {
        let mut bucket = Bucket::full(TEN, at(0));
        for _ in 0..100 {
            bucket.take_or_owe(TEN);
        }
        assert_eq!(bucket.missing(TEN), 6 * WHOLE);
        assert_eq!(bucket.wait_ms(TEN.rate), 400);
    }

    #[test]
    fn a_steady_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::full(TEN, at(1_000));
        while bucket.take() {}
        for _ in 0..100 {
            bucket.refill(TEN, at(0));
            bucket.refill(TEN, at(1_000));
        }
        assert!(!bucket.take());
    }

    #[test]
    fn rates_add_up() {
        let mut sum = Rate::default();
        for _ in 0..1_000 {
            sum = sum.plus(Rate::once_in_ms(20_000));
        }
        assert_eq!(sum, Rate::per_second(50));
        assert_eq!(sum.and_a_half(), Rate::per_second(75));
        assert!((sum.each_second() - 50.0).abs() < 1e-9);
        assert_eq!(sum.less(Rate::per_second(60)), Rate::default());
        assert!(Rate::once_in_ms(u64::MAX) > Rate::default());
        assert_eq!(Rate::once_in_ms(0), Rate::once_in_ms(1));
    }

    proptest! {
        #[test]
        fn no_stretch_of_time_gives_more_than_its_rate_and_a_burst(
            steps in prop::collection::vec((0..400u64, 0..6usize), 1..200),
        ) {
            let mut bucket = Bucket::full(TEN, at(0));
            let (mut now, mut taken) = (0, Vec::new());
            for (wait, tries) in steps {
                now += wait;
                bucket.refill(TEN, at(now));
                taken.extend((0..tries).filter(|_| bucket.take()).map(|_| now));
            }
            for (first, start) in taken.iter().enumerate() {
                for (last, end) in taken.iter().enumerate().skip(first) {
                    prop_assert!(u64::try_from(last - first + 1).unwrap() <= 3 + (end - start) / 100);
                }
            }
        }

        #[test]
        fn nothing_overflows(level: i64, steady_ms: u64, now: u64, rate: u64, burst: i64) {
            let allowance = Allowance { rate: Rate(rate), burst: Burst(burst) };
            let mut bucket = Bucket { level, steady_ms };
            bucket.refill(allowance, at(now));
            bucket.take_or_owe(allowance);
            _ = (bucket.take(), bucket.wait_ms(allowance.rate), bucket.missing(allowance));
        }
    }
}
