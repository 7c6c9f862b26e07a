//! How one provider behaves, and how often it was asked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::lie::Lie;
use crate::asked::Form;

/// The switches of one provider.
#[derive(Debug, Default)]
pub struct Switches(Mutex<State>);

/// What is to become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It is answered as it deserves.
    Honest,
    /// The provider is asked too much.
    Throttled,
    /// The provider is out of order.
    Outage,
    /// What was set up a moment ago is not known yet where this call arrives.
    Unaware,
    /// It is answered against the contract, if it deserves an answer.
    Lying(Lie),
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    /// The only endpoint in trouble, where not all are.
    endpoint: Option<String>,
    /// Calls per second above which the provider throttles.
    limit: Option<u32>,
    skew: i64,
    keys_unreachable: bool,
    calls: BTreeMap<&'static str, Calls>,
    second: Option<(Instant, u32)>,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Throttle,
    Outage,
    Hang,
    Slow(Duration),
    /// For so many calls.
    Unaware(u32),
    Lie(Lie),
}

#[derive(Clone, Copy, Debug, Default)]
struct Calls {
    all: u64,
    throttled: u64,
}

impl Switches {
    /// Counts a call of `endpoint`, and says what is to become of it. A call that is to hang never gets to know.
    pub async fn enter(&self, endpoint: &'static str) -> Manner {
        let trouble = {
            let mut state = self.lock();
            state.calls.entry(endpoint).or_default().all += 1;
            if state.is_over_its_limit() { Some(Trouble::Throttle) } else { state.trouble_of(endpoint) }
        };
        match trouble {
            None => Manner::Honest,
            Some(Trouble::Throttle) => {
                self.lock().calls.entry(endpoint).or_default().throttled += 1;
                Manner::Throttled
            }
            Some(Trouble::Outage) => Manner::Outage,
            Some(Trouble::Hang) => std::future::pending().await,
            Some(Trouble::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                Manner::Honest
            }
            Some(Trouble::Unaware(_)) => Manner::Unaware,
            Some(Trouble::Lie(lie)) => Manner::Lying(lie),
        }
    }

    /// Counts a call of a service that is asked with what the provider gave out. No trouble reaches those.
    pub fn count(&self, endpoint: &'static str) {
        self.lock().calls.entry(endpoint).or_default().all += 1;
    }

    /// By how many seconds the provider's clock is ahead.
    pub fn skew(&self) -> i64 {
        self.lock().skew
    }

    /// Whether the provider reaches the keys of those it trusts.
    pub fn reaches_keys(&self) -> bool {
        !self.lock().keys_unreachable
    }

    /// Sets what the parameters say.
    ///
    /// # Errors
    /// A parameter that is none, in words.
    pub fn set(&self, parameters: &Form) -> Result<(), String> {
        let mut state = self.lock();
        for (name, value) in parameters.pairs() {
            match name {
                "trouble" => {
                    state.trouble = trouble(value)?;
                    state.endpoint = parameters.get("endpoint").map(str::to_owned);
                }
                "endpoint" => {}
                "limit" => state.limit = Some(number(value)?).filter(|limit| *limit > 0),
                "skew" => state.skew = number(value)?,
                "keys" => state.keys_unreachable = value == "unreachable",
                _ => return Err(format!("unknown switch `{name}`: expected trouble, endpoint, limit, skew or keys")),
            }
        }
        Ok(())
    }

    /// Sets what a query says: `trouble=throttle`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn tell(&self, query: &str) -> Result<(), String> {
        self.set(&Form::parse(query.as_bytes()))
    }

    /// How often an endpoint was called since the last [`Self::forget`].
    pub fn calls(&self, endpoint: &str) -> u64 {
        self.lock().calls.get(endpoint).map_or(0, |calls| calls.all)
    }

    /// How often each endpoint was called, and how many of the calls were throttled.
    pub fn counts(&self) -> Value {
        let calls = &self.lock().calls;
        calls.iter().map(|(name, calls)| (*name, json!({"calls": calls.all, "throttled": calls.throttled}))).collect()
    }

    /// Counts from 0 again.
    pub fn forget(&self) {
        self.lock().calls.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn trouble_of(&mut self, endpoint: &str) -> Option<Trouble> {
        let trouble = self.trouble.filter(|_| self.endpoint.as_deref().is_none_or(|only| only == endpoint))?;
        if let Trouble::Unaware(calls) = trouble {
            self.trouble = calls.checked_sub(1).filter(|left| *left > 0).map(Trouble::Unaware);
        }
        Some(trouble)
    }

    fn is_over_its_limit(&mut self) -> bool {
        let Some(limit) = self.limit else { return false };
        let now = Instant::now();
        let (start, calls) = self.second.filter(|(start, _)| now - *start < SECOND).unwrap_or((now, 0));
        self.second = Some((start, calls + 1));
        calls >= limit
    }
}

fn trouble(text: &str) -> Result<Option<Trouble>, String> {
    Ok(Some(match text.split_once(':').unwrap_or((text, "")) {
        ("none", "") => return Ok(None),
        ("throttle", "") => Trouble::Throttle,
        ("outage", "") => Trouble::Outage,
        ("hang", "") => Trouble::Hang,
        ("slow", delay) => Trouble::Slow(Duration::from_millis(number(delay)?)),
        ("unaware", calls) => Trouble::Unaware(number(calls)?),
        ("lie", lie) => Trouble::Lie(Lie::named(lie)?),
        _ => {
            return Err(format!(
                "`{text}` is no trouble: expected none, throttle, outage, hang, slow:MILLISECONDS, unaware:CALLS or lie:LIE"
            ));
        }
    }))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn trouble_comes_where_it_is_switched_on_and_goes() {
        let switches = Switches::default();
        switches.tell("trouble=outage&endpoint=a").unwrap();
        assert_eq!((switches.enter("a").await, switches.enter("b").await), (Manner::Outage, Manner::Honest));
        switches.tell("trouble=lie:empty").unwrap();
        assert_eq!(switches.enter("b").await, Manner::Lying(Lie::Empty));
        switches.tell("trouble=unaware:2").unwrap();
        for manner in [Manner::Unaware, Manner::Unaware, Manner::Honest] {
            assert_eq!(switches.enter("d").await, manner);
        }
        switches.tell("trouble=hang").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), switches.enter("a")).await.is_err());
        switches.tell("trouble=none&skew=-5&keys=unreachable").unwrap();
        assert_eq!((switches.enter("a").await, switches.skew(), switches.reaches_keys()), (Manner::Honest, -5, false));
        assert_eq!((switches.calls("a"), switches.calls("b"), switches.calls("c")), (3, 2, 0));
        assert!(switches.tell("trouble=other").is_err());
        assert!(switches.tell("other=1").is_err());
    }

    #[tokio::test]
    async fn above_its_limit_a_provider_throttles_and_counts() {
        let switches = Switches::default();
        switches.tell("limit=2").unwrap();
        for manner in [Manner::Honest, Manner::Honest, Manner::Throttled] {
            assert_eq!(switches.enter("a").await, manner);
        }
        assert_eq!(switches.counts(), json!({"a": {"calls": 3, "throttled": 1}}));
    }
}
