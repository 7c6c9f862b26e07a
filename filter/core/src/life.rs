//! How long an issued token is sent, and when it is renewed: arithmetic on what the STS said and what the route wants.
//!
//! INVARIANT: a life only shrinks. It is counted from the moment the exchange was **asked for** (the STS counts from a later
//! one), it ends with the subject token's own, and margins only take from it. A credential that the STS lends for less than it
//! lives may be lent again and live on, but never beyond its own end, and that end only shrinks.

use serde::Deserialize;
use serde_json::Number;
use thiserror::Error;
use token::{base64url, jws::MAX_TOKEN_LENGTH};

use crate::{
    breaker::LONGEST_WAIT_MS,
    jitter::between,
    time::{Deadline, Now},
};

/// What a route wants of the lives of its tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// What clocks may differ by, and the way to the destination may take.
    pub expiry_margin_ms: u64,
    /// How long the destination may take: a token should live as long as the call that carries it.
    pub route_timeout_ms: u64,
    /// How long an answer of the STS is waited for.
    pub sts_timeout_ms: u64,
    /// For how long the route promises to go on without the STS.
    pub survive_outage_ms: Option<u64>,
}

/// What is made of a life: how much of it is used, and when in it the token is renewed. All from the moment of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// When the token was last fit to be sent.
    pub usable_ms: u64,
    /// The renewal comes between these two, anywhere.
    pub earliest_refresh_ms: u64,
    pub latest_refresh_ms: u64,
}

impl Upkeep {
    fn margin_ms(self) -> u64 {
        self.expiry_margin_ms.saturating_add(self.route_timeout_ms)
    }

    /// The plan for a life of `life_ms`. `None`: there is nothing to use.
    ///
    /// Without a promise the renewal comes after 75 % of the usable life, earlier or later by 5 % of it. With one it comes so
    /// early that after the outage there is time left in which all tokens can be renewed without a rush: a tenth of the
    /// outage, and no less than it takes to notice that the STS is back; it is only ever moved to be earlier, by up to a
    /// fifth. It never comes before a tenth of the life has gone, less that fifth: whether a promise that asks for more can
    /// be kept, [`Self::keeps_promise`] tells.
    pub fn plan(self, life_ms: u64) -> Option<Plan> {
        let margin = self.margin_ms().min(life_ms / 10);
        let usable_ms = life_ms.checked_sub(margin).filter(|usable| *usable > 0)?;
        let usual = usable_ms.saturating_sub(usable_ms / 4);
        let (earliest_refresh_ms, latest_refresh_ms) = match self.survive_outage_ms {
            None => {
                let spread = usable_ms / 20;
                (usual.saturating_sub(spread), usual.saturating_add(spread))
            }
            Some(outage) => {
                let promised = usable_ms.saturating_sub(outage).saturating_sub((outage / 10).max(self.recovery_ms()));
                let latest = promised.max(life_ms / 10).min(usual);
                (latest.saturating_sub(latest / 5), latest)
            }
        };
        Some(Plan { usable_ms, earliest_refresh_ms, latest_refresh_ms })
    }

    /// Whether tokens that live for `life_ms` can keep the route's promise, wherever in their lives the outage begins. True
    /// where nothing is promised.
    pub fn keeps_promise(self, life_ms: u64) -> bool {
        let Some(outage) = self.survive_outage_ms else { return true };
        let survives_ms = self.plan(life_ms).map_or(0, Plan::survives_ms);
        survives_ms >= outage.saturating_add(self.recovery_ms())
    }

    /// What it takes after an outage until renewals come at their full rate: the breaker's wait, and before it a last probe
    /// that was asked just too early.
    fn recovery_ms(self) -> u64 {
        self.sts_timeout_ms.saturating_add(LONGEST_WAIT_MS).saturating_add(RAMP_UP_MS)
    }
}

impl Plan {
    /// The mean time from asking for a token to asking for the next.
    pub fn interval_ms(self) -> u64 {
        let apart = self.latest_refresh_ms.saturating_sub(self.earliest_refresh_ms);
        self.earliest_refresh_ms.saturating_add(apart / 2).max(1)
    }

    /// What a token in use costs: token requests a minute.
    pub fn price_per_minute(self) -> f64 {
        60_000.0 / self.interval_ms() as f64
    }

    /// The range for the first token of a key. Tokens that were asked for together, as after a start, would otherwise end
    /// together and have to be renewed faster than [`crate::refresh::Budget`] permits: so the first renewals are drawn from
    /// the whole time in which that is possible, and the keys stay apart from then on.
    fn first_refresh_ms(self) -> (u64, u64) {
        (self.earliest_refresh_ms / 3, self.latest_refresh_ms)
    }

    /// For how long calls go on without the STS, if it goes away at the worst moment: just before the latest renewal.
    pub fn survives_ms(self) -> u64 {
        self.usable_ms.saturating_sub(self.latest_refresh_ms)
    }
}

/// What is known of an issued token's life.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// When the exchange was asked for.
    pub asked: Now,
    /// `expires_in` of the answer (RFC 8693, section 2.2.1), in seconds.
    pub expires_in_s: u64,
    /// `exp` of the subject token, in seconds since the Unix epoch, where it can be read: see [`subject_exp`].
    pub subject_exp: Option<u64>,
    /// When the credential itself ends at its provider, where it is lent: the soonest end that was ever said of it.
    pub lent_until: Option<Deadline>,
    pub came: Came,
}

/// How a token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// For a request that waited: the key had none.
    First,
    /// Ahead of need, in place of another.
    Renewed,
    /// It is the one that was held already, until this moment. That the STS says it once more does not make it live longer.
    Same { until: Deadline },
    /// It is the one that was held already, and it is lent once more.
    Again,
}

/// The life of a token that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// From here on it is not sent.
    pub usable_until: Deadline,
    /// When to ask for the next one. `None`: there is no time left for that.
    pub refresh_at: Option<Deadline>,
    /// The mean time between two renewals of a key with such tokens.
    pub interval_ms: u64,
}

/// Why a token cannot be used.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoLife {
    #[error("the token has no life (`expires_in` is 0)")]
    Zero,
    #[error("the subject token ended before the token could be used")]
    SubjectEnded,
    #[error("the credential had ended before it was lent again")]
    LentEnded,
    #[error("the token had ended when it arrived")]
    Ended,
}

impl Life {
    /// The life of a token that arrived at `now`.
    ///
    /// An STS may answer with the token it gave before, or with one whose renewal is due already. Then the next try waits for
    /// half of what is left, so that there are only as many tries as a life can be halved.
    ///
    /// # Errors
    /// [`NoLife`]: it may not be sent at all.
    pub fn new(terms: Terms, upkeep: Upkeep, now: Now, entropy: u64) -> Result<Self, NoLife> {
        let said = terms.expires_in_s.saturating_mul(1000);
        let subject = terms.subject_exp.map(|exp| exp.saturating_mul(1000).saturating_sub(terms.asked.unix_ms));
        let lent = terms.lent_until.map(|end| end.left_ms(terms.asked));
        let life_ms = said.min(subject.unwrap_or(u64::MAX)).min(lent.unwrap_or(u64::MAX));
        let plan = upkeep.plan(life_ms).ok_or(match (said, lent) {
            (0, _) => NoLife::Zero,
            (_, Some(0)) => NoLife::LentEnded,
            _ => NoLife::SubjectEnded,
        })?;
        let end = terms.asked.after(plan.usable_ms);
        let (usable_until, planned) = match terms.came {
            Came::First => (end, Some(plan.first_refresh_ms())),
            Came::Renewed | Came::Again => (end, Some((plan.earliest_refresh_ms, plan.latest_refresh_ms))),
            Came::Same { until } => (end.or_sooner(until), None),
        };
        if usable_until.passed(now) {
            return Err(NoLife::Ended);
        }
        // Of a credential that is lent again and again there is less left each time.
        let least_wait_ms = if terms.came == Came::Again { LEAST_WAIT_MS } else { 1 };
        let refresh_at = planned
            .map(|(earliest, latest)| terms.asked.after(between(entropy, earliest, latest)))
            .filter(|planned| planned.left_ms(now) >= least_wait_ms)
            .or_else(|| half_way(usable_until, now, u64::MAX, LEAST_WAIT_MS));
        Ok(Self { usable_until, refresh_at, interval_ms: plan.interval_ms() })
    }

    /// The life of a token that another worker has asked for and may be sent until `usable_until`.
    ///
    /// # Errors
    /// [`NoLife::Ended`].
    pub fn adopted(asked: Now, usable_until: Deadline, upkeep: Upkeep, now: Now, entropy: u64) -> Result<Self, NoLife> {
        if usable_until.passed(now) {
            return Err(NoLife::Ended);
        }
        // What the margin has taken is added again: it was all of it, or a tenth of the life.
        let (usable_ms, margin_ms) = (usable_until.left_ms(asked), upkeep.margin_ms());
        let life_ms = usable_ms.saturating_add(margin_ms.min(usable_ms.div_ceil(9)));
        let plan = upkeep.plan(life_ms).ok_or(NoLife::Ended)?;
        let refresh_at = Some(asked.after(between(entropy, plan.earliest_refresh_ms, plan.latest_refresh_ms)))
            .filter(|planned| !planned.passed(now))
            .or_else(|| half_way(usable_until, now, u64::MAX, LEAST_WAIT_MS));
        Ok(Self { usable_until, refresh_at, interval_ms: plan.interval_ms() })
    }
}

/// When to try again after `failures` renewals in a row that brought no answer (1: the first). The waits double from one
/// second to 15, each shortened by up to a half; near the end of the life they become halves of what is left, so that the
/// last second is never waited for. `None`: no time is left.
pub fn retry_at(failures: u32, usable_until: Deadline, now: Now, entropy: u64) -> Option<Deadline> {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    let longest = LEAST_WAIT_MS.saturating_mul(doubled.max(1)).min(LONGEST_RETRY_MS);
    half_way(usable_until, now, between(entropy, longest / 2, longest), LEAST_RETRY_MS)
}

/// Half way to `until`, but in at most `most_ms` and at least `least_ms`, and before `until` or not at all.
fn half_way(until: Deadline, now: Now, most_ms: u64, least_ms: u64) -> Option<Deadline> {
    let left = until.left_ms(now);
    let wait = (left / 2).min(most_ms).max(least_ms);
    (wait < left).then(|| now.after(wait))
}

/// `exp` of a token that is a compact JWS with a JSON payload (RFC 7519, sections 3.1 and 4.1.4), in whole seconds since the
/// Unix epoch.
///
/// Nothing is verified: who sends the token can write there what it likes. So this may only ever shorten a life, of a token
/// that only its sender will get. Whatever cannot be read is `None`, and then the STS's word stands alone.
pub fn subject_exp(token: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Ends {
        exp: Number,
    }
    if token.len() > MAX_TOKEN_LENGTH {
        return None;
    }
    let (signing_input, _) = token.rsplit_once('.')?;
    let (_, payload) = signing_input.split_once('.')?;
    let payload = base64url::decode(payload).ok()?;
    let Ends { exp } = serde_json::from_slice(&payload).ok()?;
    // A fraction is allowed, and what lies before the epoch is over. Casts from floating point saturate.
    exp.as_u64().or_else(|| exp.as_f64().map(|seconds| seconds as u64))
}

/// How long the breaker's ramp holds renewals below their full rate.
const RAMP_UP_MS: u64 = 3_000;
/// Tries that change nothing are at least this far apart.
const LEAST_WAIT_MS: u64 = 1_000;
/// The same for tries after a failure: a token that lives for seconds must not lose its only second try.
const LEAST_RETRY_MS: u64 = 250;
const LONGEST_RETRY_MS: u64 = 15_000;

#[cfg(test)]
mod tests;
