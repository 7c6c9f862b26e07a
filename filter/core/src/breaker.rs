//! A circuit breaker for the STS, one per worker: who does not answer is left alone, asked again by one call at a time, and
//! after its return by a few more each second.
//!
//! It opens after [`FAILURES_IN_A_ROW`], or when more than half of at least [`FEWEST_IN_WINDOW`] calls of one second failed.
//! What counts is whether the STS **answered**: a refusal is an answer. Timeouts, refused connections and 5xx are none.

use crate::{
    bucket::Rate,
    jitter::{Jitter, between},
    time::{Deadline, Now},
};

mod window;

use window::Window;

/// The breaker.
pub struct Breaker {
    state: State,
    /// Counts the changes of state, so that a call from before one says nothing after it.
    generation: u64,
    /// How often it has opened without a quiet ramp in between.
    openings_in_a_row: u32,
    in_a_row: u32,
    window: Window,
    ramp: Option<Ramp>,
    probe_timeout_ms: u64,
    jitter: Jitter,
}

enum State {
    Closed,
    Open {
        until: Deadline,
    },
    /// One probe is under way.
    HalfOpen {
        probe_ends: Deadline,
    },
}

/// What the breaker is doing, for the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    Closed,
    /// Closed, but not long ago: renewals are let through in growing numbers.
    Recovering,
    Open,
    HalfOpen,
}

impl Circuit {
    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Recovering => "recovering",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A call that may be made. It has to be reported, or at least given up: see [`Breaker::report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    probe: bool,
}

impl Ticket {
    /// Whether the call is the one by which the breaker finds out if the STS is back.
    pub fn is_probe(self) -> bool {
        self.probe
    }
}

/// The call may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The earliest moment at which it is of any use to ask again.
    pub retry_after_ms: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The STS answered, be it with a refusal.
    Answered,
    /// It did not, or with a 5xx.
    Unavailable,
}

/// Calls that had been let through in the current second of the ramp.
struct Ramp {
    since: Now,
    second: u32,
    refreshes: u32,
    misses: u32,
}

impl Breaker {
    /// A closed one. A probe that was not reported for `probe_timeout_ms` counts as failed; it should be a little more than a
    /// call's own timeout. `seed` spreads the waits of different workers.
    pub fn new(probe_timeout_ms: u64, seed: u64) -> Self {
        Self {
            state: State::Closed,
            generation: 0,
            openings_in_a_row: 0,
            in_a_row: 0,
            window: Window::default(),
            ramp: None,
            probe_timeout_ms,
            jitter: Jitter::new(seed),
        }
    }

    /// Whether a call may be made that a request waits for. While the STS is there it may: only a rush of thousands just after
    /// an outage is held back.
    ///
    /// # Errors
    /// [`Held`]: refuse the request, do not let it wait.
    pub fn admit(&mut self, now: Now) -> Result<Ticket, Held> {
        self.admit_as(Purpose::Miss, MISSES_IN_FIRST_SECOND, now)
    }

    /// Whether a call may be made ahead of need. After an outage these are let through in growing numbers: in the first second
    /// a quarter of `steady`, the rate at which they come when all goes well (see [`crate::refresh::Schedule::steady`]), or 16.
    ///
    /// # Errors
    /// [`Held`]: what is there is still good; try later.
    pub fn admit_refresh(&mut self, steady: Rate, now: Now) -> Result<Ticket, Held> {
        self.admit_as(Purpose::Refresh, refreshes_in_first_second(steady), now)
    }

    /// How many calls ahead of need [`Self::admit_refresh`] would let through now.
    pub fn room_for_refreshes(&mut self, steady: Rate, now: Now) -> usize {
        self.look(now);
        match &self.state {
            State::Closed => {
                let room = |ramp: &Ramp| ramp.most(refreshes_in_first_second(steady)).saturating_sub(ramp.refreshes);
                self.ramp.as_ref().map_or(usize::MAX, |ramp| usize::try_from(room(ramp)).unwrap_or(usize::MAX))
            }
            State::Open { until } => usize::from(until.passed_steadily(now)),
            State::HalfOpen { .. } => 0,
        }
    }

    /// Takes how the call of `ticket` ended. A call from before the last change of state says nothing any more.
    pub fn report(&mut self, ticket: Ticket, outcome: Outcome, now: Now) {
        self.look(now);
        if ticket.generation != self.generation {
            return;
        }
        match (ticket.probe, outcome) {
            (true, Outcome::Answered) => self.close(now),
            (true, Outcome::Unavailable) => self.open(now.after(0)),
            (false, Outcome::Answered) => {
                self.in_a_row = 0;
                self.window.count(false, now);
            }
            (false, Outcome::Unavailable) => {
                self.in_a_row = self.in_a_row.saturating_add(1);
                self.window.count(true, now);
                let (calls, failed) = self.window.sums(now);
                let too_many = calls >= FEWEST_IN_WINDOW && failed.saturating_mul(2) > calls;
                if self.in_a_row >= FAILURES_IN_A_ROW || too_many {
                    self.open(now.after(0));
                }
            }
        }
    }

    /// What it is doing.
    pub fn circuit(&mut self, now: Now) -> Circuit {
        self.look(now);
        match self.state {
            State::Closed if self.ramp.is_some() => Circuit::Recovering,
            State::Closed => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// Seconds for `Retry-After` (RFC 9110, section 10.2.3) of a request that is refused because the STS is not there. They
    /// differ, so that the clients come back over a window and not all at once.
    pub fn retry_after_s(entropy: u64) -> u64 {
        between(entropy, 1, LONGEST_RETRY_AFTER_S)
    }

    fn admit_as(&mut self, purpose: Purpose, in_first_second: u32, now: Now) -> Result<Ticket, Held> {
        self.look(now);
        match &self.state {
            State::Closed => self.admit_closed(purpose, in_first_second, now),
            State::Open { until } if until.passed_steadily(now) => {
                self.state = State::HalfOpen { probe_ends: now.after(self.probe_timeout_ms) };
                self.generation = self.generation.wrapping_add(1);
                Ok(Ticket { generation: self.generation, probe: true })
            }
            State::Open { until: next } | State::HalfOpen { probe_ends: next } => {
                Err(Held { retry_after_ms: next.left_steadily_ms(now) })
            }
        }
    }

    fn admit_closed(&mut self, purpose: Purpose, in_first_second: u32, now: Now) -> Result<Ticket, Held> {
        if let Some(ramp) = &mut self.ramp {
            let most = ramp.most(in_first_second);
            let count = match purpose {
                Purpose::Miss => &mut ramp.misses,
                Purpose::Refresh => &mut ramp.refreshes,
            };
            if *count >= most {
                return Err(Held { retry_after_ms: ramp.left_of_second_ms(now) });
            }
            *count = count.saturating_add(1);
        }
        Ok(Ticket { generation: self.generation, probe: false })
    }

    /// Lets time have its effect: a probe that never came back has failed, and a ramp ends.
    fn look(&mut self, now: Now) {
        match &mut self.state {
            State::HalfOpen { probe_ends } if probe_ends.passed_steadily(now) => {
                // It was over then, however long ago that is: the wait counts from there.
                let failed_at = *probe_ends;
                self.open(failed_at);
            }
            State::Closed => {
                if let Some(ramp) = &mut self.ramp
                    && !ramp.advance(now)
                {
                    self.ramp = None;
                    self.openings_in_a_row = 0;
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, since: Deadline) {
        let doubled = FIRST_WAIT_MS.checked_shl(self.openings_in_a_row.min(16)).unwrap_or(LONGEST_WAIT_MS);
        let longest = doubled.min(LONGEST_WAIT_MS);
        let wait = between(self.jitter.draw(), longest.saturating_sub(longest / 4), longest);
        self.openings_in_a_row = self.openings_in_a_row.saturating_add(1);
        self.change(State::Open { until: since.later(wait) });
        self.ramp = None;
    }

    fn close(&mut self, now: Now) {
        self.change(State::Closed);
        self.ramp = Some(Ramp { since: now, second: 0, refreshes: 0, misses: 0 });
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.generation = self.generation.wrapping_add(1);
        self.in_a_row = 0;
        self.window = Window::default();
    }
}

/// What a call is made for.
#[derive(Clone, Copy)]
enum Purpose {
    Miss,
    Refresh,
}

fn refreshes_in_first_second(steady: Rate) -> u32 {
    // The cast saturates.
    REFRESHES_IN_FIRST_SECOND.max((steady.each_second() / 4.0) as u32)
}

impl Ramp {
    /// Goes to the second that `now` is in. False: the ramp is over.
    fn advance(&mut self, now: Now) -> bool {
        let passed = now.steady_ms.saturating_sub(self.since.steady_ms) / 1_000;
        let second = u32::try_from(passed).unwrap_or(u32::MAX);
        if second != self.second {
            (self.second, self.refreshes, self.misses) = (second, 0, 0);
        }
        second < RAMP_SECONDS
    }

    /// How many calls are let through in this second: twice as many as in the one before.
    fn most(&self, in_first_second: u32) -> u32 {
        in_first_second.saturating_mul(1_u32.checked_shl(self.second).unwrap_or(u32::MAX))
    }

    fn left_of_second_ms(&self, now: Now) -> u64 {
        let passed = now.steady_ms.saturating_sub(self.since.steady_ms) % 1_000;
        1_000_u64.saturating_sub(passed)
    }
}

/// So many calls in a row without an answer open the breaker.
pub const FAILURES_IN_A_ROW: u32 = 5;
/// Below so many calls in a second, their shares say nothing.
pub const FEWEST_IN_WINDOW: u32 = 10;
/// How long the breaker is open at first; each time it opens again without a quiet ramp in between, twice as long.
const FIRST_WAIT_MS: u64 = 500;
/// No longer than this, and the answer to a probe, does an STS go unnoticed that is back.
pub const LONGEST_WAIT_MS: u64 = 5_000;
const LONGEST_RETRY_AFTER_S: u64 = 5;
const RAMP_SECONDS: u32 = 10;
/// Renewals can wait, if not for long: from a quarter it is three seconds to more than the steady rate.
const REFRESHES_IN_FIRST_SECOND: u32 = 16;
/// A request waits for each of these, so this bounds only a rush.
const MISSES_IN_FIRST_SECOND: u32 = 1_000;

#[cfg(test)]
mod tests;
