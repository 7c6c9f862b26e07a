//! Time as the host reads it: two clocks, because each of them lies in its own way.
//!
//! The wall clock can be set back, and would then let a token live on; the steady clock may stand still while a machine is
//! suspended, and would then do the same. A life ends when either of them says so.

/// One reading of both clocks, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Since the Unix epoch.
    pub unix_ms: u64,
    /// Since some fixed moment; never goes back.
    pub steady_ms: u64,
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    unix_ms: u64,
    steady_ms: u64,
}

impl Now {
    /// The moment `ms` milliseconds from now.
    pub fn after(self, ms: u64) -> Deadline {
        Deadline { unix_ms: self.unix_ms.saturating_add(ms), steady_ms: self.steady_ms.saturating_add(ms) }
    }

    /// By how much the wall clock is ahead of the steady one. It changes only when one of them jumps.
    pub fn offset_ms(self) -> i128 {
        i128::from(self.unix_ms).saturating_sub(i128::from(self.steady_ms))
    }
}

impl Deadline {
    /// Whether the moment has come, by either clock.
    pub fn passed(self, now: Now) -> bool {
        now.unix_ms >= self.unix_ms || now.steady_ms >= self.steady_ms
    }

    /// What the two clocks show at that moment, for where it is stored as numbers; `reading().after(0)` leads back.
    pub fn reading(self) -> Now {
        Now { unix_ms: self.unix_ms, steady_ms: self.steady_ms }
    }

    /// Whether the moment has come by the steady clock: for waits, which a step of the wall clock must not cut short.
    pub fn passed_steadily(self, now: Now) -> bool {
        now.steady_ms >= self.steady_ms
    }

    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn later(self, ms: u64) -> Self {
        Self { unix_ms: self.unix_ms.saturating_add(ms), steady_ms: self.steady_ms.saturating_add(ms) }
    }

    /// How many milliseconds are left, by the clock that leaves fewer; 0 once it has passed.
    pub fn left_ms(self, now: Now) -> u64 {
        self.left_steadily_ms(now).min(self.unix_ms.saturating_sub(now.unix_ms))
    }

    /// How many milliseconds are left by the steady clock.
    pub fn left_steadily_ms(self, now: Now) -> u64 {
        self.steady_ms.saturating_sub(now.steady_ms)
    }

    /// The moment at which the first of the two comes, by each clock.
    #[must_use]
    pub fn or_sooner(self, other: Self) -> Self {
        Self { unix_ms: self.unix_ms.min(other.unix_ms), steady_ms: self.steady_ms.min(other.steady_ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_ends_when_either_clock_says_so() {
        let start = Now { unix_ms: 1_000_000, steady_ms: 500 };
        let end = start.after(3_000);
        assert!(!end.passed(Now { unix_ms: 1_002_999, steady_ms: 3_499 }));
        assert!(end.passed(Now { unix_ms: 1_003_000, steady_ms: 600 }), "the wall clock was set forward");
        assert!(end.passed(Now { unix_ms: 10, steady_ms: 3_500 }), "the wall clock was set back");
        assert!(!end.passed_steadily(Now { unix_ms: u64::MAX, steady_ms: 600 }));
    }

    #[test]
    fn what_is_left_is_what_the_stricter_clock_leaves() {
        let start = Now { unix_ms: 1_000_000, steady_ms: 500 };
        let end = start.after(3_000);
        assert_eq!(end.left_ms(start), 3_000);
        assert_eq!(end.left_ms(Now { unix_ms: 1_002_999, steady_ms: 600 }), 1, "the wall clock was set forward");
        assert_eq!(end.left_ms(Now { unix_ms: 10, steady_ms: 3_400 }), 100, "the wall clock was set back");
        assert_eq!(end.left_ms(Now { unix_ms: u64::MAX, steady_ms: 500 }), 0);
        assert_eq!(end.left_steadily_ms(Now { unix_ms: u64::MAX, steady_ms: 600 }), 2_900);
        for ms in [0, 1, 2_999, 3_000, 3_001] {
            let now = Now { unix_ms: start.unix_ms + ms, steady_ms: start.steady_ms + ms };
            assert_eq!(end.left_ms(now) == 0, end.passed(now));
        }
    }

    #[test]
    fn the_sooner_of_two_moments_is_sooner_by_each_clock() {
        let start = Now { unix_ms: 1_000_000, steady_ms: 500 };
        let stepped = Now { unix_ms: 2_000_000, steady_ms: 600 };
        let sooner = start.after(3_000).or_sooner(stepped.after(1_000));
        assert_eq!(sooner, Deadline { unix_ms: 1_003_000, steady_ms: 1_600 });
        assert_eq!(sooner, stepped.after(1_000).or_sooner(start.after(3_000)));
        assert_eq!(start.after(3_000), start.after(1_000).later(2_000));
    }

    #[test]
    fn the_offset_of_the_clocks_tells_a_jump_from_the_passing_of_time() {
        let start = Now { unix_ms: 1_000_000, steady_ms: 500 };
        assert_eq!(start.offset_ms(), Now { unix_ms: 1_700_000, steady_ms: 700_500 }.offset_ms());
        assert_ne!(start.offset_ms(), Now { unix_ms: 0, steady_ms: u64::MAX }.offset_ms());
    }
}
