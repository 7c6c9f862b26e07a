//! The order of things for one worker: a request and a time in, a [`Step`] out; an answer and a time in, one
//! [`Delivery`] for everyone who waited for it.
//!
//! Here is what happens to a request, and in [`decision`] where it needs a credential. [`exchange`] asks and takes answers,
//! [`settle`] ends an exchange for everyone who waited, [`upkeep`] does what time brings, and [`invalidation`] what the
//! destination says of a token. [`bodies`] holds requests until their bodies were read.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use token::reason::Reason;

use crate::{
    breaker::Breaker,
    cache::{Cache, Ticket},
    config::{Config, RouteMode},
    credential, forwarded_certificate,
    inject::{depends_on_headers, overwrites},
    jitter::Jitter,
    miss_limit::MissLimit,
    pending::Pending,
    refresh::{Budget, Schedule},
    refusal::Refusal,
    request::{self, Edit, Headers, Reading, removals},
    sent::Sent,
    shared::{Host, Shared},
    strikes::Strikes,
    time::Now,
};

mod arrival;
mod bodies;
mod decision;
mod exchange;
mod invalidation;
mod settle;
mod upkeep;
mod verdict;

use bodies::Bodies;
use decision::check;

pub use arrival::{Arrival, Connection};
pub use exchange::{Ask, NO_ANSWER, Next};
pub use settle::Settled;
pub use upkeep::Report;
pub use verdict::{Delivery, Forward, Outcome, Refused, Step, Verdict};

/// What one worker knows and waits for.
pub struct Flow {
    config: Arc<Config>,
    /// By what identifies them.
    routes: HashMap<Box<[u8]>, Route>,
    cache: Cache,
    pending: Pending,
    bodies: Bodies,
    sent: Sent,
    breaker: Breaker,
    schedule: Schedule,
    budget: Budget,
    sources: MissLimit,
    strikes: Strikes,
    jitter: Jitter,
    shared: Option<Shared>,
    reads_forwarded_certificates: bool,
    report: Report,
    ticks: u32,
}

struct Route {
    index: usize,
    mode: RouteMode,
}

impl Flow {
    /// A worker's flow, knowing nothing yet. `seed` spreads its waits from those of others.
    pub fn new(config: Arc<Config>, seed: u64, now: Now) -> Self {
        let limits = config.limits();
        let patience_ms = config.sts().timeout_ms.saturating_add(GRACE_MS);
        let mut jitter = Jitter::new(seed);
        let mut names: Vec<_> = config.routes().collect();
        names.sort_unstable_by_key(|(name, _)| *name);
        let routes = names.into_iter().enumerate();
        let routes = routes.map(|(index, (name, mode))| (name.as_bytes().into(), Route { index, mode: mode.clone() }));
        Self {
            routes: routes.collect(),
            cache: Cache::new(limits),
            pending: Pending::new(limits, patience_ms),
            bodies: Bodies::new(limits.waiting_requests),
            sent: Sent::new(),
            breaker: Breaker::new(patience_ms, jitter.draw()),
            schedule: Schedule::new(limits.cached_tokens),
            budget: Budget::new(now),
            sources: MissLimit::new(u32::try_from(limits.pending_per_source).unwrap_or(u32::MAX)),
            strikes: Strikes::new(now),
            jitter,
            shared: None,
            reads_forwarded_certificates: config.reads_forwarded_certificates(),
            report: Report::default(),
            ticks: 0,
            config,
        }
    }

    /// The names of the configured routes. The place of each is its index.
    pub fn route_names(&self) -> Vec<String> {
        let mut routes: Vec<_> = self.routes.iter().map(|(name, route)| (route.index, name)).collect();
        routes.sort_unstable_by_key(|(index, _)| *index);
        routes.into_iter().map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// Decides on a request.
    pub fn on_request<'h>(
        &mut self,
        host: &mut dyn Host,
        arrival: Arrival<'_>,
        headers: &Headers<'h>,
        now: Now,
    ) -> Step<'h> {
        let mut step = self.on_route(host, arrival, headers, now);
        // Where one route reads it Envoy lets it through on all, and behind this edge it would be taken for the edge's word.
        if self.reads_forwarded_certificates {
            step.edits.extend(removals(headers, forwarded_certificate::is_named));
        }
        step
    }

    fn on_route<'h>(&mut self, host: &mut dyn Host, arrival: Arrival<'_>, headers: &Headers<'h>, now: Now) -> Step<'h> {
        match arrival.route.and_then(|name| self.routes.get(name)) {
            Some(Route { index, mode: RouteMode::Exchange(route) }) => {
                let (route, index) = (Arc::clone(route), *index);
                let mut reading = Reading::new(headers, &route);
                let refuse = |refusal| Verdict::Refuse(Refused { route: Some(Arc::clone(&route)), refusal });
                let verdict =
                    self.decide(host, arrival, (&route, index), &reading, headers, now).unwrap_or_else(refuse);
                // Writing the issued credential over the native one is the removal; in all other cases it is removed here.
                let writes = matches!(verdict, Verdict::Forward(_));
                if let Some(name) = reading.subject_header_name().filter(|name| !(writes && overwrites(&route, name))) {
                    reading.edits.push(Edit::Remove(name));
                }
                if writes && depends_on_headers(&route) {
                    let written = |edit: &Edit<'_>| matches!(edit, Edit::Remove(name) if overwrites(&route, name));
                    reading.edits.retain(|edit| !written(edit));
                }
                Step { edits: reading.edits, verdict }
            }
            Some(Route { index, mode: RouteMode::Untouched }) => {
                let verdict = match request::refuse_blind_tunnels(headers) {
                    Ok(()) => Verdict::Pass { route: *index },
                    Err(refusal) => Verdict::Refuse(Refused { route: None, refusal: Rc::new(refusal) }),
                };
                Step { edits: removals(headers, credential::is_own), verdict }
            }
            None => {
                let name = arrival.route.and_then(|name| str::from_utf8(name).ok()).unwrap_or("no route");
                let refusal = Rc::new(Refusal::new(Reason::RouteUnknown).claim("route").got(name));
                let verdict = Verdict::Refuse(Refused { route: None, refusal });
                Step { edits: removals(headers, credential::is_removed), verdict }
            }
        }
    }

    fn note_sent(&mut self, stream: u32, ticket: Option<Ticket>) {
        if let Some(ticket) = ticket {
            self.sent.note(stream, ticket);
        }
    }

    fn mark_used(&mut self, ticket: Option<Ticket>) {
        if let Some((_, entry)) = ticket.and_then(|ticket| self.cache.entry(ticket)) {
            entry.used = true;
        }
    }

    /// Whether the stream's request waits, for its credential or its body.
    pub fn is_waiting(&self, stream: u32) -> bool {
        self.pending.is_waiting(stream) || self.bodies.is_held(stream)
    }

    /// How many issued tokens are held.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// The configuration.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }
}

/// How much later than the call's own timeout a wait ends: then the answer will not come at all.
const GRACE_MS: u64 = 50;

#[cfg(test)]
mod tests;
