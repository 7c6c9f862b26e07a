//! A token bucket that books ahead (the generic cell rate algorithm, ITU-T I.371): who has to wait is told how long, and
//! stands in line.
//!
//! INVARIANT: over any stretch of time no more is given than the rate gives in that time and one burst.

use std::time::{Duration, Instant};

/// The bucket.
#[derive(Debug)]
pub struct Bucket {
    interval: Duration,
    /// How far ahead of its time a place may be taken.
    tolerance: Duration,
    /// When the next place is due; `None` before the first.
    due: Option<Instant>,
}

impl Bucket {
    /// `per_second` in the long run, `burst` at once. None of the two is 0.
    pub fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, tolerance: interval.saturating_mul(burst.saturating_sub(1)), due: None }
    }

    /// Takes a place that comes within `longest`, and says how long to wait for it. Where none does, none is taken, and the
    /// error says how long it would have been.
    pub fn take(&mut self, longest: Duration, now: Instant) -> Result<Duration, Duration> {
        let due = self.due.map_or(now, |due| due.max(now));
        let wait = due.saturating_duration_since(now).saturating_sub(self.tolerance);
        if wait > longest {
            return Err(wait);
        }
        self.due = Some(due + self.interval);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_given_at_once_and_then_the_rate() {
        let (mut bucket, now) = (Bucket::new(10, 3), Instant::now());
        let waits: Vec<_> = (0..6).map(|_| bucket.take(ONE, now).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        // What was booked is taken: after a second it is as at the start, and no more.
        let later = now + Duration::from_millis(1_000);
        let waits: Vec<_> = (0..4).map(|_| bucket.take(ONE, later).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }

    #[test]
    fn who_cannot_wait_takes_nothing() {
        let (mut bucket, now) = (Bucket::new(1, 1), Instant::now());
        assert_eq!(bucket.take(Duration::ZERO, now), Ok(Duration::ZERO));
        for _ in 0..5 {
            assert_eq!(bucket.take(Duration::from_millis(999), now), Err(ONE));
        }
        assert_eq!(bucket.take(Duration::ZERO, now + ONE), Ok(Duration::ZERO));
    }

    #[test]
    fn over_any_stretch_no_more_is_given_than_rate_and_burst() {
        let (mut bucket, start) = (Bucket::new(20, 5), Instant::now());
        let mut given = Vec::new();
        for step in 0..4_000_u32 {
            // Rushes and pauses.
            let at = start + Duration::from_millis(u64::from(step / 400) * 700 + u64::from(step % 400));
            if let Ok(wait) = bucket.take(Duration::from_millis(u64::from(step % 90)), at) {
                given.push(at + wait);
            }
        }
        given.sort_unstable();
        assert!(given.len() > 100, "{}", given.len());
        for first in 0..given.len() {
            for last in first..given.len() {
                let seconds = (given[last] - given[first]).as_secs_f64();
                assert!((last - first + 1) as f64 <= seconds * 20.0 + 5.0 + 1e-6, "{first} to {last}");
            }
        }
    }
}
