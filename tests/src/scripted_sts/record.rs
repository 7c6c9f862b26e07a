//! What the scripted STS was asked, and when.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// For whom and where: [`crate::issued_token::key`].
    pub key: Arc<str>,
    pub started: Instant,
    /// Whether the caller asked for a token that no cache of ours holds.
    pub no_cache: bool,
    /// `None`: it waits for its answer.
    pub ending: Option<(Ending, Instant)>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// An answer was sent, whatever it said.
    Answered,
    /// The connection ended before.
    Aborted,
}

/// Calls, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Calls(pub Vec<Call>);

/// The record while it is written.
#[derive(Debug, Default)]
pub(super) struct Record(Mutex<Vec<Call>>);

/// A call that waits for its answer. Dropped without one it was aborted.
pub(super) struct UnderWay {
    record: Arc<Record>,
    started: Instant,
    index: usize,
    ending: Ending,
}

impl Record {
    pub(super) fn start(self: &Arc<Self>, key: String, no_cache: bool) -> UnderWay {
        let started = Instant::now();
        let mut calls = self.lock();
        calls.push(Call { key: key.into(), started, no_cache, ending: None });
        UnderWay { record: Arc::clone(self), started, index: calls.len() - 1, ending: Ending::Aborted }
    }

    pub(super) fn calls(&self) -> Calls {
        Calls(self.lock().clone())
    }

    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    pub(super) fn answered(mut self) {
        self.ending = Ending::Answered;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut calls = self.record.lock();
        // After `forget` another call may have this place.
        if let Some(call) = calls.get_mut(self.index).filter(|call| call.started == self.started) {
            call.ending = Some((self.ending, Instant::now()));
        }
    }
}

impl Calls {
    /// Those that began at `start` or later.
    pub fn since(&self, start: Instant) -> Self {
        Self(self.0.iter().filter(|call| call.started >= start).cloned().collect())
    }

    /// Those that began before `end`.
    pub fn before(&self, end: Instant) -> Self {
        Self(self.0.iter().filter(|call| call.started < end).cloned().collect())
    }

    /// Those that ended so.
    pub fn ended(&self, how: Ending) -> Self {
        let so = |call: &&Call| call.ending.is_some_and(|(ending, _)| ending == how);
        Self(self.0.iter().filter(so).cloned().collect())
    }

    /// How many there are for each key.
    pub fn per_key(&self) -> BTreeMap<Arc<str>, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.0 {
            *counts.entry(Arc::clone(&call.key)).or_default() += 1;
        }
        counts
    }

    /// The most that began within any stretch of time of this length.
    pub fn most_within(&self, stretch: Duration) -> usize {
        let mut first = 0;
        let mut most = 0;
        for (last, call) in self.0.iter().enumerate() {
            while self.0[first].started + stretch <= call.started {
                first += 1;
            }
            most = most.max(last - first + 1);
        }
        most
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_per_key_and_stretch() {
        let start = Instant::now();
        let call = |key: &str, ms| Call {
            key: key.into(),
            started: start + Duration::from_millis(ms),
            no_cache: false,
            ending: None,
        };
        let calls = Calls(vec![call("a", 0), call("b", 900), call("a", 1_000), call("a", 1_100), call("b", 5_000)]);
        assert_eq!(calls.most_within(Duration::from_secs(1)), 3);
        assert_eq!(calls.most_within(Duration::from_millis(1_001)), 3);
        assert_eq!(calls.most_within(Duration::from_secs(60)), 5);
        assert_eq!(calls.since(start + Duration::from_secs(1)).len(), 3);
        assert_eq!(calls.per_key()[&Arc::from("a")], 3);
        assert!(Calls::default().most_within(Duration::from_secs(1)) == 0);
    }

    #[test]
    fn a_call_without_an_answer_was_aborted() {
        let record = Arc::new(Record::default());
        let (first, second) = (record.start("a".into(), false), record.start("b".into(), true));
        let third = record.start("c".into(), false);
        second.answered();
        drop(first);
        let endings: Vec<_> = record.calls().0.iter().map(|call| call.ending.map(|(ending, _)| ending)).collect();
        assert_eq!(endings, [Some(Ending::Aborted), Some(Ending::Answered), None]);
        record.forget();
        drop(third);
        assert!(record.calls().is_empty());
    }
}
