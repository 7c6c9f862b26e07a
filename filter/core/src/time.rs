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
}
