//! One provider at work: what it gave is lent again, what it is asked for is asked once at a time, and what it is busy with or
//! failing at is nobody else's matter.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{Semaphore, watch};

use super::{
    assertion::Signer,
    calls::Calls,
    credential::Credential,
    kept::Kept,
    lane::Lane,
    limits::Limits,
    means::Means,
    meters::{Holder, Look, Meters},
    shelf::{Key, Shelf},
    shortfall::Shortfall,
    trouble::Trouble,
};
use crate::{
    outgoing::{bulkhead::Bulkhead, fetch::Fetcher},
    refusal::quote,
};

/// How old a credential must be, in seconds, before another is asked for because somebody wants none that was kept: a
/// destination that refuses whatever it is shown must not set the pace at which its provider is called.
pub const RENEWABLE_AFTER: u64 = 30;

/// What a provider works with.
pub struct Parts {
    pub name: String,
    pub limits: Limits,
    pub fetcher: Fetcher,
    pub signer: Arc<dyn Signer>,
    /// The trust domain of our names.
    pub trust_domain: String,
    /// For how many keys something is kept.
    pub capacity: usize,
    /// How many callers may wait at a time for credentials that are under way; others come back.
    pub waiting_callers: usize,
    pub meters: Meters,
    /// Where the spread of waits comes from.
    pub entropy: fn() -> u64,
}

/// One provider. It belongs into an [`Arc`]: orders go on while their callers leave.
pub struct Provider {
    parts: Parts,
    lane: Arc<Lane>,
    bulkhead: Bulkhead,
    callers: Semaphore,
    state: Mutex<State>,
}

struct State {
    shelf: Shelf,
    under_way: HashMap<Arc<Key>, watch::Receiver<Progress>>,
}

type Outcome = Result<Arc<Kept>, Trouble>;

/// How far an order has come.
#[derive(Debug)]
enum Progress {
    /// It is being filled; with the trouble in which a call of it ended that is to be repeated.
    Filling(Option<Trouble>),
    Ended(Outcome),
}

/// What one caller wants of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// For how many seconds it would be lent.
    pub life: u64,
    /// Whether one that was kept is of no use to it.
    pub no_cache: bool,
    /// Until when the caller waits.
    pub until: Instant,
    /// In seconds since the epoch.
    pub now: u64,
}

/// A credential to be lent.
#[derive(Clone, Debug)]
pub struct Lent {
    kept: Arc<Kept>,
    first: bool,
}

/// What a look found.
enum Found {
    Kept(Arc<Kept>),
    Trouble(Trouble),
    /// It is being asked for. One that is kept would do, if need be.
    UnderWay(watch::Receiver<Progress>, Option<Arc<Kept>>),
}

impl Provider {
    /// A provider that has not been asked yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { name, limits, meters, capacity, waiting_callers, entropy, .. } = &parts;
        Arc::new(Self {
            lane: Arc::new(Lane::new(name, limits, meters.clone(), *entropy)),
            bulkhead: Bulkhead::new(limits.at_once, limits.at_once.saturating_add(limits.waiting)),
            callers: Semaphore::new(*waiting_callers),
            state: Mutex::new(State { shelf: Shelf::new(*capacity), under_way: HashMap::new() }),
            parts,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// The hosts that have been called.
    pub fn hosts(&self) -> Vec<String> {
        self.lane.hosts()
    }

    /// The credential for `key`: one that is kept, or what the provider gives. A caller that goes away, or does not wait so
    /// long, ends nothing: what comes is there for the next.
    pub async fn lend(self: &Arc<Self>, key: Key, wish: &Wish) -> Result<Lent, Shortfall> {
        let (outcome, fallback) = match self.look(key, wish) {
            Found::Kept(kept) => return Ok(Lent::of(kept)),
            Found::Trouble(trouble) => return Err(Shortfall::Trouble(trouble)),
            Found::UnderWay(receiver, fallback) => (self.wait(receiver, wish.until).await, fallback),
        };
        match (outcome, fallback) {
            (Ok(kept), _) => Ok(Lent::of(kept)),
            (Err(refused @ Shortfall::Trouble(Trouble::Refused { .. })), _) => Err(refused),
            (Err(_), Some(kept)) => Ok(Lent::of(kept)),
            (Err(shortfall), None) => Err(shortfall),
        }
    }

    fn look(self: &Arc<Self>, key: Key, wish: &Wish) -> Found {
        let mut state = self.state();
        let slot = state.shelf.slot(&key);
        let kept = slot.and_then(|slot| slot.kept(wish.now)).cloned();
        let unwanted = |kept: &Arc<Kept>| wish.no_cache && kept.age(wish.now) >= RENEWABLE_AFTER;
        let (found, look) = match kept {
            Some(kept) if !unwanted(&kept) && kept.is_good_for(wish.life, wish.now) => (Found::Kept(kept), Look::Hit),
            kept => match (slot.and_then(|slot| slot.trouble(wish.now)).cloned(), kept) {
                (Some(_), Some(kept)) => (Found::Kept(kept), Look::Hit),
                (Some(trouble), None) => (Found::Trouble(trouble), Look::Remembered),
                (None, kept) => match state.under_way.get(&key) {
                    Some(receiver) => (Found::UnderWay(receiver.clone(), kept), Look::Joined),
                    None => {
                        let look = if kept.is_some() && wish.no_cache { Look::Bypassed } else { Look::Miss };
                        (Found::UnderWay(self.start(&mut state, key, wish.now), kept), look)
                    }
                },
            },
        };
        self.parts.meters.looked(self.name(), look);
        found
    }

    /// Has the order filled, as a task of its own.
    fn start(self: &Arc<Self>, state: &mut State, key: Key, now: u64) -> watch::Receiver<Progress> {
        let key = Arc::new(key);
        let (sender, receiver) = watch::channel(Progress::Filling(None));
        let sender = Arc::new(sender);
        state.under_way.insert(Arc::clone(&key), receiver.clone());
        self.show(state);
        let landing = Landing { provider: Arc::clone(self), key, sender, landed: false };
        tokio::spawn(async move {
            let started = Instant::now();
            let filled = landing.provider.fill(&landing, now, started).await;
            landing.land(filled, now.saturating_add(started.elapsed().as_secs()));
        });
        receiver
    }

    async fn fill(&self, landing: &Landing, now: u64, started: Instant) -> Result<Credential, Trouble> {
        let limits = &self.parts.limits;
        let deadline = started + limits.order_time();
        let filling = async {
            let Some(_turn) = self.bulkhead.turn().await else {
                self.parts.meters.held_back(self.name(), Holder::Queue);
                return Err(Trouble::Unavailable { code: "too many orders wait for it already".to_owned() });
            };
            let sender = Arc::clone(&landing.sender);
            let setback = move |trouble: &Trouble| {
                // That it may only be too early is no reason yet.
                let trouble = Some(trouble.clone()).filter(|trouble| !matches!(trouble, Trouble::NotYet { .. }));
                sender.send_replace(Progress::Filling(trouble));
            };
            let calls = Calls::new(self.parts.fetcher.clone(), limits.of_call());
            let calls = calls.within(Arc::clone(&self.lane), deadline, setback);
            let means = Means { calls: &calls, signer: &*self.parts.signer, trust_domain: &self.parts.trust_domain };
            let Key { way, order } = &*landing.key;
            way.obtain(order, means, now.saturating_add(started.elapsed().as_secs())).await
        };
        match tokio::time::timeout_at(deadline.into(), filling).await {
            Ok(filled) => filled,
            Err(_) => Err(Trouble::Unavailable {
                code: format!("its calls took longer than {:?} together", limits.order_time()),
            }),
        }
    }

    /// What becomes of the order by `until`; who waits no longer is told what keeps it from being filled, as far as is known.
    /// Nobody waits where too many do already.
    async fn wait(&self, mut receiver: watch::Receiver<Progress>, until: Instant) -> Result<Arc<Kept>, Shortfall> {
        let seat = self.callers.try_acquire();
        let until = if seat.is_ok() { until } else { Instant::now() };
        let bug = || Trouble::Unavailable { code: "our own order ended in a bug".to_owned() };
        let ended = receiver.wait_for(|progress| matches!(progress, Progress::Ended(_)));
        if let Ok(Err(_)) = tokio::time::timeout_at(until.into(), ended).await {
            return Err(Shortfall::Trouble(bug()));
        }
        match &*receiver.borrow() {
            Progress::Ended(outcome) => outcome.clone().map_err(Shortfall::Trouble),
            Progress::Filling(setback) => Err(setback.clone().map_or(Shortfall::UnderWay, Shortfall::Trouble)),
        }
    }

    fn show(&self, state: &State) {
        self.parts.meters.holds(self.name(), state.shelf.keys(), state.under_way.len());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    fn of(kept: Arc<Kept>) -> Self {
        Self { first: kept.lend(), kept }
    }

    /// The credential.
    pub fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// Whether nobody had it before.
    pub fn is_first(&self) -> bool {
        self.first
    }
}

/// An order under way. However it ends, also by a bug that panics, it is under way no more.
struct Landing {
    provider: Arc<Provider>,
    key: Arc<Key>,
    sender: Arc<watch::Sender<Progress>>,
    landed: bool,
}

impl Landing {
    fn land(mut self, filled: Result<Credential, Trouble>, now: u64) {
        let outcome = filled.and_then(|credential| Kept::check(credential, now)).map(Arc::new);
        let mut state = self.provider.state();
        match &outcome {
            Ok(kept) => state.shelf.keep(&self.key, Arc::clone(kept), now),
            Err(trouble) => {
                tracing::warn!(
                    provider = self.provider.name(),
                    target = self.key.order.target,
                    subject = %self.key.order.subject,
                    code = quote(trouble),
                    "a provider gave no credential"
                );
                state.shelf.remember(&self.key, trouble, now);
            }
        }
        // In the same breath as it is kept: nobody may find neither.
        state.under_way.remove(&self.key);
        self.provider.show(&state);
        drop(state);
        self.landed = true;
        self.sender.send_replace(Progress::Ended(outcome));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            let mut state = self.provider.state();
            state.under_way.remove(&self.key);
            self.provider.show(&state);
        }
    }
}

#[cfg(test)]
mod tests;
