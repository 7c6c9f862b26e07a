//! What time brings: waits that end, tokens to be renewed, and what the workers tell each other.

use std::{rc::Rc, sync::Arc};

use super::{Flow, GRACE_MS, NO_ANSWER, Settled, exchange::upkeep};
use crate::{
    breaker::Circuit,
    cache::{Entry, Ticket},
    config::{ExchangeRoute, RouteMode},
    issued::Issued,
    key::Key,
    life::{Life, retry_at},
    pending::{Opening, Purpose},
    shared::{Contribution, Counts, Host, Shared, Totals},
    time::{Deadline, Now},
};

/// What there is to report of a worker, beyond its single requests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// What all workers hold; for the one worker that reports it.
    pub totals: Option<Totals>,
    /// Whether the breaker has opened since the last report.
    pub opened: bool,
    circuit: Option<Circuit>,
    /// Of what this worker holds, and at which tick that was found out: it is costly.
    soonest_expiry_ms: Option<u64>,
    looked_at: u32,
}

impl Flow {
    /// Shares with the other workers from now on, if the configuration wants it and the host has the means. Whether it does.
    pub fn share(&mut self, host: &mut dyn Host, now: Now) -> bool {
        let limits = self.config.limits();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        if limits.shared_tokens > 0 {
            let counts = Counts {
                tokens: count(limits.shared_tokens),
                refusals: count(limits.shared_refusals),
                lease_sets: count(limits.shared_leases.div_ceil(LEASES_IN_SET)),
                ..Counts::default()
            };
            self.shared = Shared::open(host, counts, now);
        }
        self.shared.is_some()
    }

    /// The name of the queue that has to be registered so that others can wake this worker; `None` if none has to.
    pub fn queue_wanted(&self) -> Option<String> {
        let shared = self.shared.as_ref().filter(|shared| !shared.is_attending())?;
        Some(format!("cloakroom-{}", shared.place()))
    }

    /// Others wake this worker by `queue`.
    pub fn attend(&mut self, queue: u32) {
        if let Some(shared) = &mut self.shared {
            shared.attend(queue);
        }
    }

    /// Another worker knocked. What there is to do comes from [`Flow::next`].
    pub fn on_wake(&mut self) {
        self.pending.look_again();
    }

    /// Does what is due. `memory_bytes` is what the worker has taken in all. What there is to start comes from [`Flow::next`].
    pub fn on_tick(&mut self, host: &mut dyn Host, memory_bytes: u64, now: Now) -> Vec<Settled> {
        self.ticks = self.ticks.wrapping_add(1);
        let longest_ms = self.config.sts().timeout_ms.saturating_add(GRACE_MS);
        let mut settled = Vec::new();
        for id in self.pending.overdue(longest_ms, now) {
            settled.extend(self.on_answer(host, id, NO_ANSWER, now));
        }
        settled.extend(self.tell_impatient(now));
        self.pending.look_again();
        self.strikes.forget_quiet(now);
        self.renew(now);
        self.beat(host, memory_bytes, now);
        settled
    }

    /// Opens an exchange for every token that has to be renewed now.
    fn renew(&mut self, now: Now) {
        let steady = self.schedule.steady();
        // Twice what a tick sees when all goes well, so that this never holds back what the budget permits for long. The cast
        // saturates.
        let tick = (2.0 * steady.each_second() / f64::from(TICKS_A_SECOND)) as usize;
        let most = self.breaker.room_for_refreshes(steady, now).min(tick.max(RENEWALS_A_TICK));
        let cache = &mut self.cache;
        let wanted = |id| {
            let Some((_, entry)) = cache.entry(Ticket::from_id(id)) else { return false };
            entry.planned = entry.used;
            entry.used
        };
        for id in self.schedule.due(now, most, &mut self.budget, wanted) {
            let Some((key, entry)) = self.cache.entry(Ticket::from_id(id)) else { continue };
            let (key, asked) = (key.clone(), entry.asked);
            let Some(route) = self.routes.get(key.facts().route.as_bytes()) else { continue };
            let RouteMode::Exchange(exchange) = &route.mode else { continue };
            let opening = Opening {
                route: Arc::clone(exchange),
                index: route.index,
                traceparent: None,
                purpose: Purpose::Renewal(asked),
            };
            if self.pending.open(key.clone(), opening).is_err() {
                self.put_off(&key, FULL_WAIT_MS, now);
            }
        }
    }

    fn beat(&mut self, host: &mut dyn Host, memory_bytes: u64, now: Now) {
        // It looks at every token in use: once a second, and the more seldom the more there are.
        let pause = self.schedule.len() / LOOKED_AT_IN_A_TICK;
        let pause = u32::try_from(pause).unwrap_or(u32::MAX).saturating_add(TICKS_A_SECOND);
        if self.ticks.wrapping_sub(self.report.looked_at) >= pause {
            (self.report.soonest_expiry_ms, self.report.looked_at) = (self.schedule.soonest_end_ms(now), self.ticks);
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let mine = Contribution {
            entries: count(self.cache.len()),
            bytes: count(self.cache.bytes()),
            memory_bytes,
            soonest_expiry_ms: self.report.soonest_expiry_ms,
        };
        self.report.totals = match &mut self.shared {
            Some(shared) => shared.beat(host, mine, now),
            None => Some(Totals { sum: mine, vms: 1 }),
        };
        let circuit = self.breaker.circuit(now);
        self.report.opened |= circuit == Circuit::Open && self.report.circuit != Some(Circuit::Open);
        self.report.circuit = Some(circuit);
    }

    /// What there is to report since the last time.
    pub fn take_report(&mut self) -> Report {
        let report = self.report;
        self.report.opened = false;
        report
    }

    /// Keeps a token, and plans its renewal.
    pub(super) fn keep(&mut self, route: &ExchangeRoute, key: Key, entry: Entry, now: Now) -> Option<Ticket> {
        self.unplan(&key);
        let life = entry.life;
        let schedule = &mut self.schedule;
        let ticket = self.cache.keep(key, entry, now, |pushed_out| schedule.remove(pushed_out.to_id()))?;
        if route.refresh_ahead()
            && let Some(refresh_at) = life.refresh_at
        {
            self.plan(ticket, refresh_at, life, now);
        } else if let Some((_, entry)) = self.cache.entry(ticket) {
            // There is nothing to plan: so it counts as planned, and no hit asks for it.
            entry.planned = true;
        }
        Some(ticket)
    }

    /// Keeps what another worker has got. `None`: there is nothing left of it.
    pub(super) fn adopt(
        &mut self,
        route: &ExchangeRoute,
        key: Key,
        issued: Issued,
        asked: Now,
        until: Deadline,
        now: Now,
    ) -> Option<(Rc<Issued>, Option<Ticket>)> {
        let life =
            Life::adopted(asked, until, upkeep(route, self.config.sts().timeout_ms), now, self.jitter.draw()).ok()?;
        let issued = Rc::new(issued);
        self.strikes.on_issued(&key);
        let entry = Entry { issued: Rc::clone(&issued), asked, life, used: false, planned: false, failures: 0 };
        Some((issued, self.keep(route, key, entry, now)))
    }

    fn plan(&mut self, ticket: Ticket, refresh_at: Deadline, life: Life, now: Now) {
        let put = self.schedule.put(ticket.to_id(), refresh_at, life.usable_until, life.interval_ms, now);
        if let Some((_, entry)) = self.cache.entry(ticket) {
            entry.planned = put.is_ok();
        }
    }

    /// A token that nobody used when its renewal was due is in use again.
    pub(super) fn plan_again(&mut self, ticket: Ticket, now: Now) {
        if let Some((_, entry)) = self.cache.entry(ticket) {
            let life = entry.life;
            self.plan(ticket, life.refresh_at.unwrap_or_else(|| now.after(0)), life, now);
            // Even if the schedule is full: the next hits must not try again and again.
            if let Some((_, entry)) = self.cache.entry(ticket) {
                entry.planned = true;
            }
        }
    }

    /// The key's token is not renewed any more.
    pub(super) fn unplan(&mut self, key: &Key) {
        if let Some((_, ticket)) = self.cache.held(key) {
            self.schedule.remove(ticket.to_id());
        }
    }

    /// A renewal of the key's token has failed: it is tried again while there is time.
    pub(super) fn renewal_failed(&mut self, key: &Key, now: Now) {
        let entropy = self.jitter.draw();
        let Some((entry, ticket)) = self.cache.held(key) else { return };
        entry.failures = entry.failures.saturating_add(1);
        let (life, again) = (entry.life, retry_at(entry.failures, entry.life.usable_until, now, entropy));
        match again {
            Some(again) => self.plan(ticket, again, life, now),
            None => self.schedule.remove(ticket.to_id()),
        }
    }

    /// A renewal could not be tried; it is, in `wait_ms`.
    pub(super) fn put_off(&mut self, key: &Key, wait_ms: u64, now: Now) {
        let Some((entry, ticket)) = self.cache.held(key) else { return };
        // The breaker keeps it: it did fail, only without having been tried.
        entry.failures = entry.failures.max(1);
        let life = entry.life;
        self.plan(ticket, now.after(wait_ms.max(1)), life, now);
    }
}

/// Leases that have their place in one value: see [`crate::shared`].
const LEASES_IN_SET: usize = 8;
/// So many renewals may start in one tick, however seldom they are; where they are many the budget must not start all that it
/// has saved up at once.
const RENEWALS_A_TICK: usize = 64;
const TICKS_A_SECOND: u32 = 10;
const LOOKED_AT_IN_A_TICK: usize = 1_000;
/// When there was no room for a renewal among the exchanges under way.
const FULL_WAIT_MS: u64 = 500;
