//! What came of load.

use std::{collections::BTreeMap, time::Duration};

use crate::wire::Message;

/// One request and what came of it.
#[derive(Clone, Debug)]
pub struct Answered {
    pub number: u64,
    /// The status; see [`BROKEN`] and [`UNANSWERED`].
    pub status: u16,
    /// When it was sent, from the beginning of the load.
    pub sent: Duration,
    /// From sending it to the end of its answer.
    pub latency: Duration,
    /// The token that the judge saw.
    pub serial: Option<u64>,
    /// Why the filter refused.
    pub reason: Option<Box<str>>,
    /// Whether the answer says when to come back.
    pub retry_after: bool,
}

/// The connection ended before an answer.
pub const BROKEN: u16 = 0;

/// No answer came within the load's patience.
pub const UNANSWERED: u16 = 1;

/// All requests of one load, in the order of their numbers.
#[derive(Clone, Debug)]
pub struct Report {
    pub answers: Vec<Answered>,
    pub took: Duration,
}

impl Answered {
    pub(super) fn new(number: u64, message: &Message) -> Self {
        Self {
            number,
            status: message.status(),
            sent: Duration::ZERO,
            latency: Duration::ZERO,
            serial: message.header("x-serial").and_then(|serial| serial.parse().ok()),
            reason: message.header("x-cloakroom-reason").map(Into::into),
            retry_after: message.header("retry-after").is_some_and(|value| value.parse::<u32>().is_ok_and(|s| s > 0)),
        }
    }

    pub(super) fn broken(number: u64) -> Self {
        let (sent, latency) = (Duration::ZERO, Duration::ZERO);
        Self { number, status: BROKEN, sent, latency, serial: None, reason: None, retry_after: false }
    }

    pub(super) fn unanswered(number: u64) -> Self {
        Self { status: UNANSWERED, ..Self::broken(number) }
    }
}

impl Report {
    pub(super) fn new(mut answers: Vec<Answered>, took: Duration) -> Self {
        answers.sort_unstable_by_key(|answer| answer.number);
        Self { answers, took }
    }

    /// How many had each status.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for answer in &self.answers {
            *statuses.entry(answer.status).or_default() += 1;
        }
        statuses
    }

    /// Those that had another status.
    pub fn not(&self, status: u16) -> Vec<&Answered> {
        self.answers.iter().filter(|answer| answer.status != status).collect()
    }

    /// How many had this status.
    pub fn count(&self, status: u16) -> usize {
        self.answers.iter().filter(|answer| answer.status == status).count()
    }

    /// How many took longer.
    pub fn slower_than(&self, latency: Duration) -> usize {
        self.answers.iter().filter(|answer| answer.latency > latency).count()
    }

    /// The latency that this share of the requests kept to, 1 for the slowest.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut latencies: Vec<_> = self.answers.iter().map(|answer| answer.latency).collect();
        latencies.sort_unstable();
        let last = latencies.len().saturating_sub(1);
        latencies.get((share * last as f64).round() as usize).copied().unwrap_or_default()
    }

    /// Requests per second that were answered.
    pub fn rate(&self) -> f64 {
        self.answers.len() as f64 / self.took.as_secs_f64()
    }
}
