//! What a worker remembers: issued tokens until their last usable moment, and refusals for a few seconds.

use std::{hash::BuildHasher, rc::Rc};

use token::{constraint::Constraint, secret::Secret};

use crate::{
    config::Limits,
    key::{Key, Probe},
    refusal::Refusal,
    time::{Deadline, Now},
};

mod bounded;

use bounded::Bounded;

/// An issued token, ready to be written.
#[derive(Debug)]
pub struct Issued {
    /// The whole header value, scheme included.
    pub header_value: Secret,
    /// What every use of it has to keep to.
    pub constraints: Vec<Constraint>,
}

/// What is remembered. Refusals have places of their own, so that garbage cannot push out good tokens. That the STS could
/// not be asked is not remembered at all.
pub struct Cache {
    issued: Bounded<Rc<Issued>>,
    refusals: Bounded<Rc<Refusal>>,
}

/// What is known of a key.
pub enum Known {
    Issued(Rc<Issued>),
    Refused(Rc<Refusal>),
    Nothing,
}

impl Cache {
    /// An empty cache.
    pub fn new(limits: Limits) -> Self {
        Self {
            issued: Bounded::new(limits.cached_tokens, limits.cached_bytes),
            refusals: Bounded::new(limits.cached_tokens, limits.cached_bytes),
        }
    }

    /// What is known of `probe` at `now`, with the kept key of an issued token.
    pub fn look_up(&mut self, probe: Probe<'_>, now: Now) -> (Known, Option<Key>) {
        if let Some((key, issued)) = self.issued.get(&probe, now) {
            return (Known::Issued(Rc::clone(issued)), Some(key.clone()));
        }
        match self.refusals.get(&probe, now) {
            Some((_, refusal)) => (Known::Refused(Rc::clone(refusal)), None),
            None => (Known::Nothing, None),
        }
    }

    /// Keeps `issued` until `until`. Without room for it nothing is kept.
    pub fn keep(&mut self, key: Key, issued: Rc<Issued>, until: Deadline, now: Now) {
        self.refusals.remove(&key);
        let size = key.size().saturating_add(issued.header_value.expose().len()).saturating_add(
            // Patterns and methods are short; their number is what counts.
            issued.constraints.len().saturating_mul(512),
        );
        self.issued.insert(key, issued, size, until, now);
    }

    /// Keeps a refusal for one to five seconds; the spread is there so that refused clients do not come back all at once.
    pub fn keep_refusal(&mut self, key: Key, refusal: Rc<Refusal>, now: Now) {
        let spread = self.refusals.hasher().hash_one((now.steady_ms, key.size())) % REFUSAL_SPREAD_MS;
        let until = now.after(LEAST_REFUSAL_MS.saturating_add(spread));
        self.issued.remove(&key);
        let size = key.size().saturating_add(refusal.size());
        self.refusals.insert(key, refusal, size, until, now);
    }

    /// Forgets the issued token of `key` if it is `sent`. Another that has taken its place since stays.
    pub fn forget(&mut self, key: &Key, sent: &Rc<Issued>) {
        self.issued.remove_if(key, |issued| Rc::ptr_eq(issued, sent));
    }

    /// How many issued tokens are held.
    pub fn len(&self) -> usize {
        self.issued.len()
    }

    /// Whether no issued token is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many refusals are held.
    pub fn refusals(&self) -> usize {
        self.refusals.len()
    }
}

/// How long an issued token may be sent, in milliseconds from the moment the exchange was **asked for**: the STS counts the
/// life from a later moment, so this is never too long. The margin is what clocks and the way to the destination may cost;
/// it never takes more than a tenth of the life.
pub fn usable_ms(expires_in_seconds: u64, margin_ms: u64) -> u64 {
    let life = expires_in_seconds.saturating_mul(1000);
    life.saturating_sub(margin_ms.min(life / 10))
}

const LEAST_REFUSAL_MS: u64 = 1_000;
const REFUSAL_SPREAD_MS: u64 = 4_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use token::reason::Reason;

    use super::*;
    use crate::key::{Subject, tests::facts};

    fn at(ms: u64) -> Now {
        Now { unix_ms: 1_800_000_000_000 + ms, steady_ms: ms }
    }

    #[test]
    fn margins_are_capped_by_the_life() {
        assert_eq!(usable_ms(60, 5_000), 55_000);
        assert_eq!(usable_ms(300, 5_000), 295_000);
        assert_eq!(usable_ms(50, 5_000), 45_000);
        assert_eq!(usable_ms(20, 5_000), 18_000);
        assert_eq!(usable_ms(1, 5_000), 900);
        assert_eq!(usable_ms(60, 0), 60_000);
        assert_eq!(usable_ms(u64::MAX, u64::MAX), u64::MAX - u64::MAX / 10);
    }

    #[test]
    fn a_refusal_is_kept_between_one_and_five_seconds() {
        let facts = Arc::new(facts());
        let probe = Probe::new(&facts, Subject::Token("t")).unwrap();
        for start in 0..200 {
            let mut cache = Cache::new(Limits::default());
            cache.keep_refusal(probe.to_key(), Rc::new(Refusal::new(Reason::PolicyDenied)), at(start));
            assert!(matches!(cache.look_up(probe, at(start + 999)).0, Known::Refused(_)));
            assert!(matches!(cache.look_up(probe, at(start + 5_000)).0, Known::Nothing));
        }
    }

    #[test]
    fn only_the_token_that_was_sent_is_forgotten() {
        let facts = Arc::new(facts());
        let probe = Probe::new(&facts, Subject::Token("t")).unwrap();
        let mut cache = Cache::new(Limits::default());
        let token = || Rc::new(Issued { header_value: Secret::new("Bearer x"), constraints: Vec::new() });
        let (old, new) = (token(), token());
        cache.keep(probe.to_key(), Rc::clone(&new), at(0).after(60_000), at(0));
        cache.forget(&probe.to_key(), &old);
        assert!(matches!(cache.look_up(probe, at(1)).0, Known::Issued(_)));
        cache.forget(&probe.to_key(), &new);
        assert!(matches!(cache.look_up(probe, at(1)).0, Known::Nothing));
    }

    #[test]
    fn refusals_do_not_push_out_tokens() {
        let facts = Arc::new(facts());
        let limits = Limits { cached_tokens: 4, ..Limits::default() };
        let mut cache = Cache::new(limits);
        let good = Probe::new(&facts, Subject::Token("good")).unwrap();
        let issued = Rc::new(Issued { header_value: Secret::new("Bearer x"), constraints: Vec::new() });
        cache.keep(good.to_key(), issued, at(0).after(60_000), at(0));
        for garbage in 0..1_000 {
            let text = format!("garbage-{garbage}");
            let probe = Probe::new(&facts, Subject::Token(&text)).unwrap();
            cache.keep_refusal(probe.to_key(), Rc::new(Refusal::new(Reason::SubjectTokenMalformed)), at(1));
        }
        assert!(matches!(cache.look_up(good, at(2)).0, Known::Issued(_)));
        assert_eq!(cache.refusals(), 4);
    }
}
