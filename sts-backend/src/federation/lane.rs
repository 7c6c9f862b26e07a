//! The way to one provider, kept apart from the ways to all others: a rate of calls below the provider's own limit, and a
//! breaker for each of its hosts.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use self::{
    breaker::{Breaker, Ticket},
    bucket::Bucket,
};
use super::{
    limits::Limits,
    meters::{Holder, Meters},
    trouble::Trouble,
};

mod breaker;
mod bucket;
pub(super) mod retries;

/// The longest that a provider's wish to be left alone is kept to. It may be wrong, and nobody could take it back.
const LONGEST_PAUSE: u64 = 60;

/// For how long no calls are made after a provider had no room for one and did not say for how long, in seconds.
const PAUSE: u64 = 1;

/// The most hosts that have a breaker. A provider has one to three, and one for each storage account that targets name.
const MOST_HOSTS: usize = 1024;

/// What the calls to one provider have in common.
pub struct Lane {
    provider: String,
    timeout: Duration,
    state: Mutex<State>,
    meters: Meters,
    /// Where the spread of waits comes from.
    entropy: fn() -> u64,
}

struct State {
    bucket: Bucket,
    paused_until: Option<Instant>,
    breakers: BTreeMap<String, Breaker>,
}

/// Leave to make one call now. What became of it is to be [reported](Pass::ended); one that is dropped says nothing.
pub struct Pass<'l> {
    lane: &'l Lane,
    host: String,
    ticket: Ticket,
    since: Instant,
}

impl Lane {
    /// A lane for `provider` within `limits`.
    pub fn new(provider: &str, limits: &Limits, meters: Meters, entropy: fn() -> u64) -> Self {
        let bucket = Bucket::new(limits.calls_per_second, limits.burst);
        let state = Mutex::new(State { bucket, paused_until: None, breakers: BTreeMap::new() });
        Self { provider: provider.to_owned(), timeout: limits.timeout, state, meters, entropy }
    }

    /// Leave to call `host`, when its turn comes, or why no call is made. That is not to be tried again before the next order.
    pub async fn enter(&self, host: &str, deadline: Instant) -> Result<Pass<'_>, Trouble> {
        let wait = self.book(host, deadline, Instant::now())?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let now = Instant::now();
        let mut state = self.state();
        let breaker = state.breaker(host, self.timeout);
        match breaker.admit(now) {
            Ok(ticket) => {
                self.meters.breaker(&self.provider, host, !breaker.is_closed());
                Ok(Pass { lane: self, host: host.to_owned(), ticket, since: now })
            }
            Err(_) => Err(self.left_alone(host)),
        }
    }

    /// A number nobody can foresee.
    pub fn entropy(&self) -> u64 {
        (self.entropy)()
    }

    /// The hosts that have been called.
    pub fn hosts(&self) -> Vec<String> {
        self.state().breakers.keys().cloned().collect()
    }

    /// How long to wait for a place among the calls.
    fn book(&self, host: &str, deadline: Instant, now: Instant) -> Result<Duration, Trouble> {
        let mut state = self.state();
        if let Some(left) = state.paused_until.map(|until| until.saturating_duration_since(now))
            && !left.is_zero()
        {
            return Err(self.limited("it had no room for our calls a moment ago", left));
        }
        if state.breaker(host, self.timeout).held(now).is_some() {
            return Err(self.left_alone(host));
        }
        // A call that is begun when hardly any time is left would say that the host does not answer.
        let Some(longest) = deadline.saturating_duration_since(now).checked_sub(self.timeout / 2) else {
            return Err(Trouble::Unavailable { code: "no time was left for another call".to_owned() });
        };
        state.bucket.take(longest, now).map_err(|wait| self.limited("our own limit of calls to it is reached", wait))
    }

    fn limited(&self, code: &str, wait: Duration) -> Trouble {
        self.meters.held_back(&self.provider, Holder::Limit);
        Trouble::Throttled { code: code.to_owned(), retry_after: Some(wait.as_secs().saturating_add(1)) }
    }

    fn left_alone(&self, host: &str) -> Trouble {
        self.meters.held_back(&self.provider, Holder::Breaker);
        Trouble::Unavailable { code: format!("`{host}` did not answer of late and is left alone for a moment") }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn breaker(&mut self, host: &str, timeout: Duration) -> &mut Breaker {
        if self.breakers.len() >= MOST_HOSTS && !self.breakers.contains_key(host) {
            self.breakers.pop_first();
        }
        self.breakers.entry(host.to_owned()).or_insert_with(|| Breaker::new(timeout))
    }
}

impl Pass<'_> {
    /// The call has ended, in `trouble` or well.
    pub fn ended(self, trouble: Option<&Trouble>) {
        let (lane, now) = (self.lane, Instant::now());
        lane.meters.call_ended(&lane.provider, trouble, now.saturating_duration_since(self.since));
        let answered = !matches!(trouble, Some(Trouble::Unavailable { .. }));
        let mut state = lane.state();
        if let Some(Trouble::Throttled { retry_after, .. }) = trouble {
            let seconds = retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE);
            let until = now + Duration::from_secs(seconds);
            state.paused_until = Some(state.paused_until.map_or(until, |before| before.max(until)));
        }
        let breaker = state.breaker(&self.host, lane.timeout);
        let before = breaker.is_closed();
        breaker.report(self.ticket, answered, lane.entropy(), now);
        let closed = breaker.is_closed();
        lane.meters.breaker(&lane.provider, &self.host, !closed);
        if before != closed {
            tracing::warn!(
                provider = lane.provider,
                host = self.host,
                closed,
                "the breaker of a provider's host changed"
            );
        }
    }
}

#[cfg(test)]
mod tests;
