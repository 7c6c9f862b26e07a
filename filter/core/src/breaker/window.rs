//! How many calls ended in the last second, and how many of them without an answer.

use crate::time::Now;

/// Counts in tenths of a second; what is older than ten of them no longer counts.
#[derive(Default)]
pub(super) struct Window([Slice; SLICES]);

#[derive(Clone, Copy, Default)]
struct Slice {
    /// Which tenth of a second since the steady clock's beginning.
    tenth: u64,
    calls: u32,
    failed: u32,
}

impl Window {
    /// Counts one call that ended now.
    pub(super) fn count(&mut self, failed: bool, now: Now) {
        let tenth = now.steady_ms / SLICE_MS;
        let place = usize::try_from(tenth % COUNT).unwrap_or(0);
        let Some(slice) = self.0.get_mut(place) else { return };
        if slice.tenth != tenth {
            *slice = Slice { tenth, calls: 0, failed: 0 };
        }
        slice.calls = slice.calls.saturating_add(1);
        slice.failed = slice.failed.saturating_add(u32::from(failed));
    }

    /// All calls of the last second, and the failed ones among them.
    pub(super) fn sums(&self, now: Now) -> (u32, u32) {
        let tenth = now.steady_ms / SLICE_MS;
        let recent = self.0.iter().filter(|slice| tenth.saturating_sub(slice.tenth) < COUNT);
        recent.fold((0, 0), |(calls, failed), slice| {
            (slice.calls.saturating_add(calls), slice.failed.saturating_add(failed))
        })
    }
}

const SLICES: usize = 10;
const COUNT: u64 = SLICES as u64;
const SLICE_MS: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_a_second_does_not_count() {
        let at = |steady_ms| Now { unix_ms: 0, steady_ms };
        let mut window = Window::default();
        assert_eq!(window.sums(at(0)), (0, 0));
        for ms in (50_000..50_500).step_by(50) {
            window.count(ms % 100 == 0, at(ms));
        }
        assert_eq!(window.sums(at(50_499)), (10, 5));
        assert_eq!(window.sums(at(50_999)), (10, 5));
        assert_eq!(window.sums(at(51_000)), (8, 4));
        assert_eq!(window.sums(at(51_400)), (0, 0));
        window.count(true, at(60_000));
        assert_eq!(window.sums(at(60_000)), (1, 1));
    }
}
