//! The keys of one issuer: fetched, kept, and fetched again when a token names one that is not there.
//!
//! - Nothing waits for a fetch but the request that needs it: the service starts without keys and says so.
//! - Keys stay fresh for as long as the issuer says, within [`MIN_FRESH`] and [`MAX_FRESH`]; after that they are still used
//!   while new ones are being fetched.
//! - When fetching fails the last good keys count for [`KEEP_STALE`], then none do.
//! - A `kid` that is not there causes a fetch, at most [`BURST`] in [`BURST_WINDOW`] seconds whatever callers send, and one
//!   at a time: those who come meanwhile wait for its outcome.
//! - What its answers say of the time is compared with our clock and shown: tokens fail early or late by that much.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwapOption;
use token::{
    jwk::{JwkSet, PublicKey},
    jws::Header,
};
use tokio::task::AbortHandle;

use crate::outgoing::fetch::Fetcher;

mod bundle;
mod document;

use document::Document;
pub use document::{FetchKeysError, KeyForm, KeySource};

/// The shortest time keys stay fresh, in seconds.
const MIN_FRESH: u64 = 60;

/// The longest, whatever the issuer says: a key it has withdrawn must not be believed for longer.
const MAX_FRESH: u64 = 3600;

/// How long keys stay fresh where the issuer does not say.
const DEFAULT_FRESH: u64 = 600;

/// How long what a file says stays fresh, in seconds: reading it costs next to nothing.
const FILE_FRESH: u64 = 10;

/// How long the last good keys count when fetching fails, in seconds.
const KEEP_STALE: u64 = 24 * 3600;

/// How many fetches may be made within [`BURST_WINDOW`].
const BURST: usize = 3;

/// In seconds.
const BURST_WINDOW: u64 = 15;

/// The longest pause between failed fetches in the background, in seconds.
const MAX_PAUSE: u64 = 60;

/// The keys of one issuer.
pub struct IssuerKeys {
    source: String,
    issuer: String,
    origin: KeySource,
    fetcher: Fetcher,
    held: ArcSwapOption<Held>,
    /// When the latest fetches began; who holds it is fetching.
    recent: tokio::sync::Mutex<VecDeque<u64>>,
    /// How many fetches have ended.
    ended: AtomicU64,
    last_error: Mutex<Option<FetchKeysError>>,
    clock_offset: Mutex<Option<i64>>,
    background: Mutex<Option<AbortHandle>>,
}

struct Held {
    set: JwkSet,
    fetched_at: u64,
    fresh_until: u64,
    sequence: Option<u64>,
}

/// Whether one issuer's keys are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerReadiness {
    /// The source's name.
    pub source: String,
    /// The issuer.
    pub issuer: String,
    /// Whether tokens of this issuer can be verified now.
    pub ready: bool,
    /// How many keys are held.
    pub keys: usize,
    /// When they were fetched, in seconds since the epoch.
    pub fetched_at: Option<u64>,
    /// Why the last fetch failed, where it did.
    pub error: Option<String>,
    /// How many fetches have ended, well or not.
    pub fetches: u64,
    /// How far the issuer's clock was ahead of ours when it last answered, in seconds; behind: below zero.
    pub clock_offset: Option<i64>,
}

/// Why no key was found for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No keys are held, for this reason.
    Unavailable(String),
    /// The issuer's set has no such key.
    Unknown,
    /// The issuer's set has a key of this name, for another algorithm.
    OtherAlgorithm,
}

impl IssuerKeys {
    /// An empty cache.
    pub fn new(source: &str, issuer: &str, origin: impl Into<KeySource>, fetcher: Fetcher) -> Arc<Self> {
        Arc::new(Self {
            source: source.to_owned(),
            issuer: issuer.to_owned(),
            origin: origin.into(),
            fetcher,
            held: ArcSwapOption::empty(),
            recent: tokio::sync::Mutex::default(),
            ended: AtomicU64::new(0),
            last_error: Mutex::default(),
            clock_offset: Mutex::default(),
            background: Mutex::default(),
        })
    }

    /// The key that a token with this header must have been signed with.
    pub async fn find(self: &Arc<Self>, header: &Header, now: u64) -> Result<PublicKey, NoKey> {
        let seen = self.ended.load(Ordering::Acquire);
        match self.look(header, now) {
            Ok((key, fresh)) => {
                if !fresh {
                    self.refresh_aside(now, seen);
                }
                return Ok(key);
            }
            Err(NoKey::OtherAlgorithm) => return Err(NoKey::OtherAlgorithm),
            Err(_) => {}
        }
        // A task of its own: a caller who hangs up does not undo the fetch that others wait for.
        _ = self.refresh_aside(now, seen).await;
        self.look(header, now).map(|(key, _)| key)
    }

    fn look(&self, header: &Header, now: u64) -> Result<(PublicKey, bool), NoKey> {
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| now < held.fetched_at.saturating_add(KEEP_STALE)) else {
            let error =
                self.last_error().map_or_else(|| "no fetch has ended yet".to_owned(), |error| error.to_string());
            return Err(NoKey::Unavailable(error));
        };
        match held.set.find(header.kid.as_deref(), header.algorithm) {
            Some(key) => Ok((key.clone(), now < held.fresh_until)),
            None if header.kid.as_deref().is_some_and(|kid| held.set.has_kid(kid)) => Err(NoKey::OtherAlgorithm),
            None => Err(NoKey::Unknown),
        }
    }

    fn refresh_aside(self: &Arc<Self>, now: u64, seen: u64) -> tokio::task::JoinHandle<()> {
        let keys = Arc::clone(self);
        tokio::spawn(async move { keys.refresh(now, seen).await })
    }

    /// Fetches, unless a fetch has ended since `seen` was read, or too many have begun.
    async fn refresh(&self, now: u64, seen: u64) {
        let mut recent = self.recent.lock().await;
        let limited = recent.len() >= BURST && recent.front().is_some_and(|first| now.abs_diff(*first) < BURST_WINDOW);
        if self.ended.load(Ordering::Acquire) != seen || limited {
            return;
        }
        recent.push_back(now);
        if recent.len() > BURST {
            recent.pop_front();
        }
        let error = match self.fetch(now).await {
            Ok(Document { set, fresh_for, sequence, .. }) => {
                tracing::debug!(source = self.source, keys = set.keys().len(), fresh_for, "issuer keys fetched");
                let fresh_until = now.saturating_add(fresh_for);
                self.held.store(Some(Arc::new(Held { set, fetched_at: now, fresh_until, sequence })));
                None
            }
            Err(error) => {
                tracing::warn!(source = self.source, issuer = self.issuer, %error, "issuer keys could not be fetched");
                Some(error)
            }
        };
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        self.ended.fetch_add(1, Ordering::Release);
    }

    async fn fetch(&self, now: u64) -> Result<Document, FetchKeysError> {
        let begun = Instant::now();
        let document = self.origin.read(&self.fetcher).await?;
        if let Some(date) = document.date {
            let offset = i128::from(date) - i128::from(now.saturating_add(begun.elapsed().as_secs() / 2));
            *self.clock_offset.lock().unwrap_or_else(PoisonError::into_inner) = i64::try_from(offset).ok();
        }
        // An older bundle, replayed, would bring back keys that were withdrawn since.
        let held = self.held.load().as_ref().and_then(|held| held.sequence);
        match held.filter(|held| document.sequence.is_none_or(|got| got < *held)) {
            Some(held) => {
                let got = document.sequence.map_or_else(|| "nothing".to_owned(), |got| got.to_string());
                Err(FetchKeysError::OlderBundle { got, held })
            }
            None => Ok(document),
        }
    }

    /// Starts the task that keeps the keys fresh; it ends with the cache. A second call starts none.
    pub fn keep_fresh(self: &Arc<Self>) {
        let mut background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        if background.is_none() {
            let task = tokio::spawn(keep_fresh(Arc::downgrade(self)));
            *background = Some(task.abort_handle());
        }
    }

    /// How the issuer stands at `now`.
    pub fn readiness(&self, now: u64) -> IssuerReadiness {
        let held = self.held.load();
        let held = held.as_ref().filter(|held| now < held.fetched_at.saturating_add(KEEP_STALE));
        IssuerReadiness {
            source: self.source.clone(),
            issuer: self.issuer.clone(),
            ready: held.is_some(),
            keys: held.map_or(0, |held| held.set.keys().len()),
            fetched_at: held.map(|held| held.fetched_at),
            error: self.last_error().map(|error| error.to_string()),
            fetches: self.ended.load(Ordering::Acquire),
            clock_offset: *self.clock_offset.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn last_error(&self) -> Option<FetchKeysError> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for IssuerKeys {
    fn drop(&mut self) {
        if let Some(task) = self.background.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn keep_fresh(keys: Weak<IssuerKeys>) {
    let mut failures: u32 = 0;
    while let Some(keys) = keys.upgrade() {
        let now = unix_now();
        let fresh_until = || keys.held.load().as_ref().map_or(0, |held| held.fresh_until);
        if fresh_until() <= now {
            keys.refresh(now, keys.ended.load(Ordering::Acquire)).await;
        }
        let left = fresh_until().saturating_sub(unix_now());
        failures = if left > 0 { 0 } else { failures.saturating_add(1) };
        let pause = if left > 0 { left } else { 1_u64.checked_shl(failures).unwrap_or(MAX_PAUSE).min(MAX_PAUSE) };
        drop(keys);
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
