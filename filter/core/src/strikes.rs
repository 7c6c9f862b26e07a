//! What a 401 of the destination does to a token: it is dropped and another is asked for, fresh from the STS's policy. If that
//! one is refused too, a third will hardly be better, so each further one is waited for longer. A storm of 401s does not
//! become a storm of exchanges.

use std::collections::HashMap;

use crate::{
    bucket::{Allowance, Bucket, Burst, Rate},
    key::{Identity, Key},
    time::Now,
};

/// The keys whose tokens a destination answered with 401 lately.
pub struct Strikes {
    keys: HashMap<Key, Strike>,
    bytes: usize,
    first_drops: Bucket,
    more_drops: Bucket,
    pruned_ms: u64,
}

struct Strike {
    /// How many tokens were dropped.
    drops: u32,
    dropped_ms: u64,
    /// When the last 401 came.
    seen_ms: u64,
    /// Until the next token is kept.
    ask_fresh: bool,
}

/// What to do with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Forget it; the next request asks for another.
    Drop,
    /// Keep it: another was asked for a short while ago and did not help.
    Keep,
}

impl Strikes {
    /// None yet.
    pub fn new(now: Now) -> Self {
        Self {
            keys: HashMap::new(),
            bytes: 0,
            first_drops: Bucket::full(FIRST_DROPS, now),
            more_drops: Bucket::full(MORE_DROPS, now),
            pruned_ms: now.steady_ms,
        }
    }

    /// The destination answered 401 to the token that is **held** for `key`. A late 401 to a token that was dropped or
    /// replaced since says nothing of the one that is held: do not report it.
    ///
    /// The first drop is at once, the next one second after it, then two, four and so on up to sixty. What a key did is
    /// forgotten when no 401 came for a minute. All keys together drop 512 first tokens at once and 128 a second, and a quarter as
    /// many further ones, which help less; and no more than [`MOST_KEYS`] are known. So a destination that refuses everything
    /// makes bounded work. A token that is kept for that lives out its life, unless a later 401 finds room.
    pub fn on_unauthorized(&mut self, key: &Key, now: Now) -> Consequence {
        if let Some(strike) = self.keys.get_mut(key as &dyn Identity) {
            let quiet = strike.is_over(now);
            strike.seen_ms = now.steady_ms;
            if quiet {
                strike.drops = 0;
            }
            let since = now.steady_ms.saturating_sub(strike.dropped_ms);
            let (drops, allowance) = match quiet {
                true => (&mut self.first_drops, FIRST_DROPS),
                false => (&mut self.more_drops, MORE_DROPS),
            };
            if since < pause_ms(strike.drops) || !take(drops, allowance, now) {
                return Consequence::Keep;
            }
            strike.drops = strike.drops.saturating_add(1);
            (strike.dropped_ms, strike.ask_fresh) = (now.steady_ms, true);
            return Consequence::Drop;
        }
        if !self.has_room(key, now) || !take(&mut self.first_drops, FIRST_DROPS, now) {
            return Consequence::Keep;
        }
        self.bytes = self.bytes.saturating_add(key.size());
        let strike = Strike { drops: 1, dropped_ms: now.steady_ms, seen_ms: now.steady_ms, ask_fresh: true };
        self.keys.insert(key.clone(), strike);
        Consequence::Drop
    }

    /// Whether the next exchange for `key` has to tell the STS not to answer from its own cache.
    pub fn ask_fresh(&self, key: &Key) -> bool {
        self.keys.get(key as &dyn Identity).is_some_and(|strike| strike.ask_fresh)
    }

    /// A token was issued for `key` and is held now.
    pub fn on_issued(&mut self, key: &Key) {
        if let Some(strike) = self.keys.get_mut(key as &dyn Identity) {
            strike.ask_fresh = false;
        }
    }

    /// How many keys are known.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Forgets the keys of which no 401 came for a minute, and with them their native tokens. For the host's tick; looks at
    /// all keys, at most once a second.
    pub fn forget_quiet(&mut self, now: Now) {
        if now.steady_ms.saturating_sub(self.pruned_ms) < PRUNE_EVERY_MS {
            return;
        }
        self.pruned_ms = now.steady_ms;
        self.keys.retain(|_, strike| !strike.is_over(now));
        self.bytes = self.keys.keys().map(Key::size).fold(0, usize::saturating_add);
    }

    fn fits(&self, key: &Key) -> bool {
        self.keys.len() < MOST_KEYS && self.bytes.saturating_add(key.size()) <= MOST_BYTES
    }

    fn has_room(&mut self, key: &Key, now: Now) -> bool {
        if !self.fits(key) {
            self.forget_quiet(now);
        }
        self.fits(key)
    }
}

impl Strike {
    fn is_over(&self, now: Now) -> bool {
        now.steady_ms.saturating_sub(self.seen_ms) >= QUIET_MS
    }
}

/// How long after the last of so many drops the next may come.
fn pause_ms(drops: u32) -> u64 {
    match drops.checked_sub(1) {
        None => 0,
        Some(doublings) => {
            FIRST_PAUSE_MS.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX)).min(QUIET_MS)
        }
    }
}

fn take(drops: &mut Bucket, allowance: Allowance, now: Now) -> bool {
    drops.refill(allowance, now);
    drops.take()
}

/// How many keys are known at a time.
pub const MOST_KEYS: usize = 4_096;
/// Native tokens can be long, and a key holds one.
const MOST_BYTES: usize = 16 * 1024 * 1024;
const FIRST_DROPS: Allowance = Allowance { rate: Rate::per_second(128), burst: Burst::of(512) };
const MORE_DROPS: Allowance = Allowance { rate: Rate::per_second(32), burst: Burst::of(128) };
const FIRST_PAUSE_MS: u64 = 1_000;
/// The longest pause, and how long no 401 must come for a key to be forgotten.
const QUIET_MS: u64 = 60_000;
const PRUNE_EVERY_MS: u64 = 1_000;

#[cfg(test)]
mod tests;
