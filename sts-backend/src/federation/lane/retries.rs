//! How often a call is made again, and after what wait.

use std::time::Duration;

use super::PAUSE;
use crate::federation::trouble::Trouble;

/// How often a call is repeated that got no answer.
const UNANSWERED: u32 = 2;
const UNANSWERED_WAIT: Duration = Duration::from_millis(200);

/// How often one is repeated that the provider had no room for.
const THROTTLED: u32 = 1;
const THROTTLED_WAIT: Duration = Duration::from_millis(500);

/// The longest wish of a provider that is waited for. For longer ones the order is given up, and its place with it.
const LONGEST_WISH: Duration = Duration::from_secs(3);

/// How often one is repeated that may only have come too early: what was set up at a provider takes a while to be known
/// everywhere.
const NOT_YET: u32 = 3;
const NOT_YET_WAIT: Duration = Duration::from_secs(1);

/// The repetitions of one call.
#[derive(Debug, Default)]
pub struct Retries {
    unanswered: u32,
    throttled: u32,
    not_yet: u32,
}

impl Retries {
    /// How long to wait before the call is made again; `None`: it is not.
    pub fn after(&mut self, trouble: &Trouble, entropy: u64) -> Option<Duration> {
        let (count, most, wait, wish) = match trouble {
            Trouble::Unavailable { .. } => (&mut self.unanswered, UNANSWERED, UNANSWERED_WAIT, 0),
            Trouble::Throttled { retry_after, .. } => {
                (&mut self.throttled, THROTTLED, THROTTLED_WAIT, retry_after.unwrap_or(PAUSE))
            }
            Trouble::NotYet { .. } => (&mut self.not_yet, NOT_YET, NOT_YET_WAIT, 0),
            Trouble::Refused { .. } | Trouble::Invalid { .. } => return None,
        };
        let wish = Duration::from_secs(wish);
        if *count >= most || wish > LONGEST_WISH {
            return None;
        }
        let longest = wait.saturating_mul(1_u32.checked_shl(*count).unwrap_or(u32::MAX));
        *count += 1;
        // A wish is kept to the second and not undercut; who waits for the same one comes spread over a while after it.
        Some(wish.saturating_add(between(entropy, longest / 2, longest)))
    }
}

/// Some time from `shortest` to `longest`, as `entropy` has it.
pub fn between(entropy: u64, shortest: Duration, longest: Duration) -> Duration {
    let width = u64::try_from(longest.saturating_sub(shortest).as_millis()).unwrap_or(u64::MAX);
    shortest.saturating_add(Duration::from_millis(entropy % width.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(trouble: &Trouble, entropy: u64) -> Vec<u128> {
        let mut retries = Retries::default();
        std::iter::from_fn(|| retries.after(trouble, entropy)).map(|wait| wait.as_millis()).collect()
    }

    fn throttled(retry_after: Option<u64>) -> Trouble {
        Trouble::Throttled { code: "x".into(), retry_after }
    }

    #[test]
    fn what_may_help_is_repeated_a_few_times_after_longer_and_longer_waits() {
        let unavailable = Trouble::Unavailable { code: "x".into() };
        let not_yet = Trouble::NotYet { code: "x".into(), help: "y" };
        assert_eq!(waits(&unavailable, 0), [100, 200]);
        assert_eq!(waits(&unavailable, 100), [200, 300]);
        assert_eq!(waits(&not_yet, 0), [500, 1_000, 2_000]);
        for trouble in [Trouble::Refused { code: "x".into(), help: "y" }, Trouble::Invalid { code: "x".into() }] {
            assert!(!trouble.is_retryable());
            assert_eq!(waits(&trouble, 0), [0_u128; 0]);
        }
    }

    #[test]
    fn a_provider_is_left_alone_for_as_long_as_it_wishes_or_given_up() {
        assert_eq!(waits(&throttled(None), 0), [1_250]);
        assert_eq!(waits(&throttled(Some(2)), 7), [2_257]);
        assert_eq!(waits(&throttled(Some(60)), 0), [0_u128; 0]);
    }

    #[test]
    fn waits_are_spread_and_stay_within_their_bounds() {
        let (low, high) = (Duration::from_millis(100), Duration::from_millis(200));
        let drawn: std::collections::BTreeSet<_> = (0..1_000).map(|entropy| between(entropy, low, high)).collect();
        assert_eq!((drawn.first(), drawn.last(), drawn.len()), (Some(&low), Some(&high), 101));
        assert_eq!(between(u64::MAX, high, low), high);
    }
}
