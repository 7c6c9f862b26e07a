//! A circuit breaker for one host: who does not answer is left alone, and then asked by one call at a time until it is back.
//!
//! It opens after [`IN_A_ROW`] calls in a row without an answer, or when more than half of at least [`FEWEST`] calls of the last
//! seconds had none. A refusal is an answer.

use std::time::{Duration, Instant};

use super::retries::between;

/// So many calls in a row without an answer open it.
pub const IN_A_ROW: u32 = 5;

/// Below so many calls, their shares say nothing.
pub const FEWEST: u32 = 20;

/// How long calls count for the shares: from one of these to two.
const WINDOW: Duration = Duration::from_secs(5);

/// How long it is open at first, and twice as long each time it opens again before a call besides the probe was answered.
const FIRST: Duration = Duration::from_secs(1);

/// No longer than this, and one probe, does a host go unnoticed that is back.
const LONGEST: Duration = Duration::from_secs(8);

/// The breaker.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// Counts the changes of state: a call from before one says nothing after it.
    generation: u64,
    in_a_row: u32,
    openings: u32,
    window: Window,
    /// A probe that was not reported for so long has failed.
    probe: Duration,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { probe_ends: Instant },
}

/// Leave to make one call. What became of it has to be [reported](Breaker::report).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

impl Breaker {
    /// A closed one for calls that take no longer than `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let probe = timeout.saturating_add(Duration::from_secs(1));
        Self { state: State::Closed, generation: 0, in_a_row: 0, openings: 0, window: Window::default(), probe }
    }

    /// Whether calls are made without question.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// How long calls are still held back, if they are. A look at it takes nobody's turn.
    pub fn held(&self, now: Instant) -> Option<Duration> {
        let (State::Open { until } | State::HalfOpen { probe_ends: until }) = self.state else { return None };
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// Leave for a call; or how long to wait until asking again is of any use. After a wait one call is let through, and the
    /// next not before it is known what became of it.
    pub fn admit(&mut self, now: Instant) -> Result<Ticket, Duration> {
        if self.is_closed() {
            return Ok(Ticket { generation: self.generation, probe: false });
        }
        if let Some(left) = self.held(now) {
            return Err(left);
        }
        self.change(State::HalfOpen { probe_ends: now + self.probe });
        Ok(Ticket { generation: self.generation, probe: true })
    }

    /// Takes whether the call of `ticket` was answered.
    pub fn report(&mut self, ticket: Ticket, answered: bool, entropy: u64, now: Instant) {
        if ticket.generation != self.generation {
            return;
        }
        self.window.count(answered, now);
        match (ticket.probe, answered) {
            (true, true) => self.change(State::Closed),
            (true, false) => self.open(entropy, now),
            (false, true) => {
                self.in_a_row = 0;
                self.openings = 0;
            }
            (false, false) => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                if self.in_a_row >= IN_A_ROW || self.window.is_mostly_failure() {
                    self.open(entropy, now);
                }
            }
        }
    }

    fn open(&mut self, entropy: u64, now: Instant) {
        let doubled = FIRST.saturating_mul(1_u32.checked_shl(self.openings).unwrap_or(u32::MAX));
        let longest = doubled.min(LONGEST);
        self.openings = self.openings.saturating_add(1);
        self.change(State::Open { until: now + between(entropy, longest - longest / 4, longest) });
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
        self.in_a_row = 0;
        self.window = Window::default();
    }
}

/// Calls of the last seconds, and how many of them had no answer.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    current: (u32, u32),
    before: (u32, u32),
}

impl Window {
    fn count(&mut self, answered: bool, now: Instant) {
        let passed = self.since.map_or(WINDOW * 2, |since| now.saturating_duration_since(since));
        if passed >= WINDOW {
            self.before = if passed < WINDOW * 2 { self.current } else { (0, 0) };
            self.current = (0, 0);
            self.since = Some(now);
        }
        self.current.0 += 1;
        self.current.1 += u32::from(!answered);
    }

    fn is_mostly_failure(&self) -> bool {
        let (calls, failed) = (self.current.0 + self.before.0, self.current.1 + self.before.1);
        calls >= FEWEST && failed * 2 > calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    /// A breaker that the given number of failures in a row at `now` has opened.
    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(TIMEOUT);
        for _ in 0..IN_A_ROW {
            let ticket = breaker.admit(now).unwrap();
            breaker.report(ticket, false, 250, now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_not_before() {
        let (mut breaker, now) = (Breaker::new(TIMEOUT), Instant::now());
        for round in 0..10 {
            for failure in 0..IN_A_ROW - 1 {
                let ticket = breaker.admit(now).unwrap();
                breaker.report(ticket, false, 0, now);
                assert!(breaker.is_closed(), "{round} {failure}");
            }
            for _ in 0..=IN_A_ROW {
                let ticket = breaker.admit(now).unwrap();
                breaker.report(ticket, true, 0, now);
            }
        }
        assert_eq!(opened(now).held(now), Some(ms(1_000)));
        assert_eq!(opened(now).admit(now + ms(999)), Err(ms(1)));
    }

    #[test]
    fn it_opens_when_most_calls_fail_though_some_are_answered() {
        let (mut breaker, now) = (Breaker::new(TIMEOUT), Instant::now());
        let mut made = 0;
        while breaker.is_closed() {
            let ticket = breaker.admit(now).unwrap();
            breaker.report(ticket, made % 3 == 0, 0, now + ms(made * 10));
            made += 1;
            assert!(made < 100);
        }
        assert!(made >= u64::from(FEWEST), "{made}");
        // Failures of long ago do not count.
        let mut breaker = Breaker::new(TIMEOUT);
        for number in 0..100 {
            let at = now + ms(number * 1_100);
            let ticket = breaker.admit(at).unwrap();
            breaker.report(ticket, number % 3 == 0, 0, at);
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn one_probe_at_a_time_decides_whether_it_closes() {
        let now = Instant::now();
        let mut breaker = opened(now);
        let later = now + ms(1_000);
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.admit(later), Err(ms(4_000)), "until the probe must have ended");
        breaker.report(probe, true, 0, later + ms(5));
        assert!(breaker.is_closed());
        assert!(breaker.admit(later + ms(5)).is_ok());
    }

    #[test]
    fn a_probe_that_fails_or_never_ends_leaves_it_open_for_longer() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        let mut waits = Vec::new();
        for _ in 0..6 {
            now += breaker.held(now).unwrap();
            let probe = breaker.admit(now).unwrap();
            breaker.report(probe, false, u64::MAX, now);
            waits.push(breaker.held(now).unwrap());
        }
        assert!(waits.is_sorted() && *waits.last().unwrap() <= LONGEST && waits[0] >= ms(1_500), "{waits:?}");
        now += breaker.held(now).unwrap();
        let lost = breaker.admit(now).unwrap();
        assert!(breaker.admit(now + ms(3_999)).is_err());
        let next = breaker.admit(now + ms(4_000)).unwrap();
        breaker.report(lost, true, 0, now + ms(4_001));
        assert!(!breaker.is_closed(), "the lost probe says nothing any more");
        breaker.report(next, true, 0, now + ms(4_002));
        assert!(breaker.is_closed());
    }

    #[test]
    fn once_others_are_answered_again_it_opens_for_the_first_time_again() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for (answered, wait) in [(false, 1_500..=2_000), (true, 750..=1_000)] {
            now += breaker.held(now).unwrap_or_default();
            let probe = breaker.admit(now).unwrap();
            breaker.report(probe, answered, 0, now);
            if answered {
                let ticket = breaker.admit(now).unwrap();
                breaker.report(ticket, true, 0, now);
                for _ in 0..IN_A_ROW {
                    let ticket = breaker.admit(now).unwrap();
                    breaker.report(ticket, false, 0, now);
                }
            }
            assert!(wait.contains(&breaker.held(now).unwrap().as_millis()), "{answered}");
        }
    }

    #[test]
    fn calls_from_before_it_opened_say_nothing() {
        let now = Instant::now();
        let mut breaker = Breaker::new(TIMEOUT);
        let old = breaker.admit(now).unwrap();
        for _ in 0..IN_A_ROW {
            let ticket = breaker.admit(now).unwrap();
            breaker.report(ticket, false, 0, now);
        }
        breaker.report(old, true, 0, now);
        assert!(!breaker.is_closed());
    }
}
