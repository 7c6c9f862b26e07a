//! The order of things for one worker: a request and a time in, a [`Step`] out; an answer and a time in, one
//! [`Delivery`] for everyone who waited for it.
//!
//! Here is what happens to a request. [`exchange`] asks and takes answers, [`settle`] ends an exchange for everyone who waited,
//! [`upkeep`] does what time brings, and [`invalidation`] what the destination says of a token.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use token::{
    constraint::{self, RequestFacts},
    reason::Reason,
};

use crate::{
    breaker::Breaker,
    cache::{Cache, Issued, Known, Ticket},
    config::{Config, ExchangeRoute, RouteMode},
    credential, forwarded_certificate,
    jitter::Jitter,
    key::{Probe, Subject},
    miss_limit::{Limited, MissLimit, Source},
    pending::{Full, Joined, Opening, Pending, Purpose, Waiter},
    refresh::{Budget, Schedule},
    refusal::Refusal,
    request::{self, Edit, Headers, Reading, check_form, removals},
    sent::Sent,
    shared::{Found, Host, Shared},
    strikes::Strikes,
    time::Now,
};

mod arrival;
mod exchange;
mod invalidation;
mod settle;
mod upkeep;

pub use arrival::{Arrival, Connection};
pub use exchange::{Ask, NO_ANSWER, Next};
pub use settle::Settled;
pub use upkeep::Report;

/// What one worker knows and waits for.
pub struct Flow {
    config: Arc<Config>,
    /// By what identifies them.
    routes: HashMap<Box<[u8]>, Route>,
    cache: Cache,
    pending: Pending,
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

/// What to do with a request. INVARIANT: the edits come first, whatever the verdict.
pub struct Step<'h> {
    pub edits: Vec<Edit<'h>>,
    pub verdict: Verdict,
}

/// What to do after the edits.
pub enum Verdict {
    /// The route is `untouched`: the request goes on.
    Pass {
        route: usize,
    },
    /// Write the credential, see where the request would go now, and let it go on.
    Forward(Forward),
    Refuse(Refused),
    /// Hold the request; a [`Delivery`] will come. `start`: an exchange has to be started for it, see [`Flow::next`].
    Park {
        start: bool,
    },
}

/// A request that has its credential.
pub struct Forward {
    pub route: Arc<ExchangeRoute>,
    /// The route's place among the configured ones, for the statistics.
    pub index: usize,
    pub issued: Rc<Issued>,
    pub outcome: Outcome,
}

/// A request that is refused.
#[derive(Debug)]
pub struct Refused {
    /// `None`: the route is not configured.
    pub route: Option<Arc<ExchangeRoute>>,
    pub refusal: Rc<Refusal>,
}

/// What becomes of one waiting request.
pub struct Delivery {
    pub stream: u32,
    pub verdict: Result<Forward, Refused>,
}

/// How a request came by its credential, for the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Hit,
    /// A hit on a token whose renewal is due, but has failed so far.
    Stale,
    /// The STS was asked for it.
    Miss,
    /// It shared an answer that another request of this worker had asked for.
    Coalesced,
    /// It got what another worker has asked for.
    Shared,
    Refused,
    Untouched,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Hit, Self::Stale, Self::Miss, Self::Coalesced, Self::Shared, Self::Refused, Self::Untouched];

    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Shared => "shared",
            Self::Refused => "refused",
            Self::Untouched => "untouched",
        }
    }
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
                let overwritten =
                    matches!(verdict, Verdict::Forward(_)) && route.subject_header() == route.injected_header();
                if !overwritten && let Some(name) = reading.subject_header_name() {
                    reading.edits.push(Edit::Remove(name));
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

    fn decide(
        &mut self,
        host: &mut dyn Host,
        arrival: Arrival<'_>,
        (route, index): (&Arc<ExchangeRoute>, usize),
        reading: &Reading<'_>,
        headers: &Headers<'_>,
        now: Now,
    ) -> Result<Verdict, Rc<Refusal>> {
        reading.refuse_tunnels()?;
        let certificate;
        let subject = match (route.subject_header(), route.trusted_hop()) {
            (Some(header), _) => Subject::Token(reading.subject_token(headers, route.subject(), header)?),
            (None, Some(hop)) => {
                let peer = arrival.connection.uri();
                Subject::Certificate(forwarded_certificate::read(headers, hop, peer.as_deref())?)
            }
            (None, None) => {
                certificate = arrival.connection.certificate().unwrap_or_default();
                Subject::Certificate(&certificate)
            }
        };
        let probe = Probe::new(route.facts(), subject).ok_or_else(request::uncertified)?;
        let stream = arrival.stream;
        let forward = |issued, outcome| Verdict::Forward(Forward { route: Arc::clone(route), index, issued, outcome });
        match self.cache.look_up(probe, now) {
            Known::Issued(_, entry, ticket) => {
                check(&entry.issued, reading.method, reading.path.as_str())?;
                entry.used = true;
                let (issued, planned) = (Rc::clone(&entry.issued), entry.planned);
                let outcome = if entry.failures > 0 { Outcome::Stale } else { Outcome::Hit };
                self.sent.note(stream, ticket);
                if !planned {
                    self.plan_again(ticket, now);
                }
                return Ok(forward(issued, outcome));
            }
            Known::Refused(refusal) => return Err(refusal),
            Known::Nothing => {}
        }
        if let (Subject::Token(token), Some(header)) = (subject, route.subject_header()) {
            check_form(token, header, route.facts().subject_token_type)?;
        }
        if !self.pending.has(&probe)
            && let Some(shared) = self.shared.as_ref().filter(|_| matches!(subject, Subject::Token(_)))
        {
            let key = probe.to_key();
            match shared.find(host, &key, now) {
                Found::Issued { issued, asked, until } => {
                    if let Some((issued, ticket)) = self.adopt(route, key, issued, asked, until, now) {
                        check(&issued, reading.method, reading.path.as_str())?;
                        self.mark_used(ticket);
                        self.note_sent(stream, ticket);
                        return Ok(forward(issued, Outcome::Shared));
                    }
                }
                Found::Refused { refusal, until } => {
                    let refusal = Rc::new(self.spread(refusal));
                    self.cache.keep_refusal(key, Rc::clone(&refusal), until, now);
                    return Err(refusal);
                }
                Found::Nothing => {}
            }
        }
        self.park(arrival, (route, index), probe, reading, now)
    }

    /// Has a request wait for its credential, if its source may ask for one more.
    fn park(
        &mut self,
        arrival: Arrival<'_>,
        (route, index): (&Arc<ExchangeRoute>, usize),
        probe: Probe<'_>,
        reading: &Reading<'_>,
        now: Now,
    ) -> Result<Verdict, Rc<Refusal>> {
        let (method, path) = (reading.method.to_owned(), reading.path.as_str().to_owned());
        let waiter = Waiter { stream: arrival.stream, method, path, first: false };
        let source = if self.pending.has(&probe) { None } else { Some(Source::read(&arrival.connection.source())) };
        if let Some(source) = &source {
            self.sources.admit(source, now).map_err(limited)?;
        }
        let traceparent = reading.traceparent.map(str::to_owned);
        let purpose = Purpose::Miss(source.clone().unwrap_or_default());
        let open = || Opening { route: Arc::clone(route), index, traceparent, purpose };
        match self.pending.join(probe, waiter, open, now) {
            Ok(joined) => {
                if let (Joined::First, Some(source)) = (joined, &source) {
                    self.sources.started(source, now);
                }
                Ok(Verdict::Park { start: joined == Joined::First })
            }
            Err(Full) => Err(Rc::new(Refusal::new(Reason::FilterOverloaded))),
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

    /// Whether the stream's request waits.
    pub fn is_waiting(&self, stream: u32) -> bool {
        self.pending.is_waiting(stream)
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

fn check(issued: &Issued, method: &str, path: &str) -> Result<(), Rc<Refusal>> {
    constraint::check(&issued.constraints, RequestFacts { method, path }).map_err(|reason| {
        let got = if reason == Reason::MethodRefused { method } else { path.split('?').next().unwrap_or_default() };
        Rc::new(Refusal::new(reason).got(got))
    })
}

fn limited(limited: Limited) -> Rc<Refusal> {
    let seconds = limited.retry_after_ms.div_ceil(1000).max(1);
    Rc::new(Refusal::new(Reason::SourceLimited).claim("source").got(limited.limit.name()).retry_after(seconds))
}

/// How much later than the call's own timeout a wait ends: then the answer will not come at all.
const GRACE_MS: u64 = 50;

#[cfg(test)]
mod tests;
