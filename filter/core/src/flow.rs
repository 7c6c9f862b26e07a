//! The order of things for one worker: a request and a time in, a [`Step`] out; an answer and a time in, one
//! [`Delivery`] for everyone who waited for it.

use std::{rc::Rc, sync::Arc};

use token::{
    constraint::{self, RequestFacts},
    message::{ExchangeRequest, RequestContext},
    reason::Reason,
};

use crate::{
    cache::{Cache, Issued, Known, usable_ms},
    config::{Config, ExchangeRoute, RouteMode},
    credential,
    key::{Key, Probe, Subject},
    pending::{Exchange, Joined, Pending, Waiter},
    refusal::Refusal,
    reply::{self, Answer, CallResult},
    request::{self, Edit, Headers, Reading, check_form, removals},
    time::Now,
};

/// What one worker knows and waits for.
pub struct Flow {
    config: Arc<Config>,
    cache: Cache,
    pending: Pending,
}

/// What to do with a request. INVARIANT: the edits come first, whatever the verdict.
pub struct Step<'h> {
    pub edits: Vec<Edit<'h>>,
    pub verdict: Verdict,
}

/// What to do after the edits.
pub enum Verdict {
    /// The route is `untouched`: the request goes on.
    Pass,
    /// Write the credential, see where the request would go now, and let it go on.
    Forward(Forward),
    Refuse(Refused),
    /// Hold the request; a [`Delivery`] will come.
    Park(Parked),
}

/// A request that has its credential.
pub struct Forward {
    pub route: Arc<ExchangeRoute>,
    pub issued: Rc<Issued>,
    /// For whom the credential was issued.
    pub key: Key,
    pub outcome: Outcome,
}

/// A request that waits.
pub struct Parked {
    pub route: Arc<ExchangeRoute>,
    /// For whom the credential is asked.
    pub key: Key,
    /// Whether an exchange has to be started for it.
    pub start: bool,
}

/// A request that is refused.
#[derive(Debug)]
pub struct Refused {
    /// `None`: the route is not configured.
    pub route: Option<Arc<ExchangeRoute>>,
    pub refusal: Rc<Refusal>,
}

/// How a request came by its credential, for the statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Hit,
    /// The STS was asked for it.
    Miss,
    /// It shared an answer that another had asked for.
    Coalesced,
    Refused,
    Untouched,
}

impl Outcome {
    /// The name in the statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
            Self::Refused => "refused",
            Self::Untouched => "untouched",
        }
    }
}

/// An exchange to be asked for now.
pub struct Ask {
    pub id: u64,
    pub request: ExchangeRequest,
    pub traceparent: Option<String>,
}

/// What an answer brought.
pub struct Settled {
    pub route: Arc<ExchangeRoute>,
    /// What may be written down about the exchange's key.
    pub fingerprint: String,
    pub result: CallResult,
    /// From asking to the answer; `None` if the STS was never asked.
    pub took_ms: Option<u64>,
    pub deliveries: Vec<Delivery>,
}

/// What becomes of one waiting request.
pub struct Delivery {
    pub stream: u32,
    pub verdict: Result<Forward, Refused>,
}

impl Flow {
    /// A worker's flow, knowing nothing yet.
    pub fn new(config: Arc<Config>) -> Self {
        let limits = config.limits();
        Self { cache: Cache::new(limits), pending: Pending::new(limits), config }
    }

    /// Decides on the request of `stream`. `route` is what identifies the route that Envoy chose, if anything does.
    pub fn on_request<'h>(&mut self, stream: u32, route: Option<&[u8]>, headers: &'h Headers, now: Now) -> Step<'h> {
        let name = route.and_then(|name| str::from_utf8(name).ok());
        match name.and_then(|name| self.config.route(name)) {
            Some(RouteMode::Exchange(route)) => {
                let route = Arc::clone(route);
                self.on_exchange_request(stream, &route, headers, now)
            }
            Some(RouteMode::Untouched) => Step { edits: removals(headers, credential::is_own), verdict: Verdict::Pass },
            None => {
                let refusal =
                    Rc::new(Refusal::new(Reason::RouteUnknown).claim("route").got(name.unwrap_or("no route")));
                let verdict = Verdict::Refuse(Refused { route: None, refusal });
                Step { edits: removals(headers, credential::is_removed), verdict }
            }
        }
    }

    fn on_exchange_request<'h>(
        &mut self,
        stream: u32,
        route: &Arc<ExchangeRoute>,
        headers: &'h Headers,
        now: Now,
    ) -> Step<'h> {
        let mut reading = Reading::new(headers, route);
        let verdict = self
            .decide(stream, route, &reading, headers, now)
            .unwrap_or_else(|refusal| Verdict::Refuse(Refused { route: Some(Arc::clone(route)), refusal }));
        // Writing the issued credential over the native one is the removal; in all other cases it is removed here.
        let overwritten = matches!(verdict, Verdict::Forward(_)) && route.subject_header() == route.injected_header();
        if !overwritten && let Some(name) = reading.subject_header_name() {
            reading.edits.push(Edit::Remove(name));
        }
        Step { edits: reading.edits, verdict }
    }

    fn decide(
        &mut self,
        stream: u32,
        route: &Arc<ExchangeRoute>,
        reading: &Reading<'_>,
        headers: &Headers,
        now: Now,
    ) -> Result<Verdict, Rc<Refusal>> {
        reading.refuse_tunnels()?;
        let token = reading.subject_token(headers, route)?;
        let probe =
            Probe::new(route.facts(), Subject::Token(token)).ok_or_else(|| request::missing(route.subject_header()))?;
        match self.cache.look_up(probe, now) {
            (Known::Issued(issued), Some(key)) => {
                check(&issued, reading.method, reading.path.as_str())?;
                let route = Arc::clone(route);
                return Ok(Verdict::Forward(Forward { route, issued, key, outcome: Outcome::Hit }));
            }
            (Known::Refused(refusal), _) => return Err(refusal),
            _ => {}
        }
        check_form(token, route)?;
        let (method, path) = (reading.method.to_owned(), reading.path.as_str().to_owned());
        let waiter = Waiter { stream, method, path, first: false };
        let open = || (Arc::clone(route), reading.traceparent.map(str::to_owned));
        let patience = self.config.sts().timeout_ms.saturating_add(GRACE_MS);
        match self.pending.join(probe, waiter, open, now, patience) {
            Ok((joined, key)) => {
                Ok(Verdict::Park(Parked { route: Arc::clone(route), key, start: joined == Joined::First }))
            }
            Err(_) => Err(Rc::new(Refusal::new(Reason::FilterOverloaded))),
        }
    }

    /// The next exchange to ask for; it counts as asked at `now`.
    pub fn next_ask(&mut self, now: Now) -> Option<Ask> {
        let (id, exchange) = self.pending.start(now)?;
        let facts = exchange.key.facts();
        let context = RequestContext {
            actor: Some(facts.actor.clone()),
            listener: Some(facts.listener.clone()),
            route: Some(facts.route.clone()),
        };
        let request = ExchangeRequest {
            subject_token: exchange.key.subject_token().clone(),
            subject_token_type: facts.subject_token_type.urn().to_owned(),
            actor_token: None,
            actor_token_type: None,
            resource: facts.resource.iter().cloned().collect(),
            audience: facts.audience.iter().cloned().collect(),
            scope: facts.scope.clone(),
            requested_token_type: Some(facts.requested_token_type.urn().to_owned()),
            request_context: serde_json::to_string(&context).ok(),
        };
        Some(Ask { id, request, traceparent: exchange.traceparent.clone() })
    }

    /// Takes the answer to exchange `id`. `None`: the exchange was given up before.
    pub fn on_answer(&mut self, id: u64, answer: Answer<'_>, now: Now) -> Option<Settled> {
        let exchange = self.pending.take(id)?;
        let judged = reply::judge(answer, &exchange.route, exchange.key.subject_token());
        let result = reply::call_result(&judged);
        let asked = exchange.asked.unwrap_or(now);
        let judged = match judged {
            Ok(accepted) => {
                let until = asked.after(usable_ms(accepted.expires_in, self.config.expiry_margin_ms()));
                if until.passed(now) {
                    Err(Rc::new(Refusal::new(Reason::StsReplyInvalid).detail("the token had ended when it arrived")))
                } else {
                    self.cache.keep(exchange.key.clone(), Rc::clone(&accepted.issued), until, now);
                    Ok(accepted.issued)
                }
            }
            Err(refusal) => {
                let refusal = Rc::new(refusal);
                if refusal.is_final() {
                    self.cache.keep_refusal(exchange.key.clone(), Rc::clone(&refusal), now);
                }
                Err(refusal)
            }
        };
        Some(settle(exchange, judged, result, now))
    }

    /// Gives up every exchange whose time is over.
    pub fn on_tick(&mut self, now: Now) -> Vec<Settled> {
        let overdue = self.pending.overdue(now);
        overdue.into_iter().filter_map(|id| self.on_answer(id, NO_ANSWER, now)).collect()
    }

    /// The destination answered 401 to a request that carried `sent`: exactly that token is not used again. Whoever asks
    /// next gets another, or the STS's refusal; this request is not repeated.
    pub fn on_unauthorized(&mut self, key: &Key, sent: &Rc<Issued>) {
        self.cache.forget(key, sent);
    }

    /// Forgets a request whose stream has ended.
    pub fn on_stream_end(&mut self, stream: u32) {
        self.pending.forget(stream);
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

/// What it means that no answer came.
pub const NO_ANSWER: Answer<'static> = Answer { status: None, decision_id: None, body: &[] };

fn settle(exchange: Exchange, judged: Result<Rc<Issued>, Rc<Refusal>>, result: CallResult, now: Now) -> Settled {
    let route = Arc::clone(&exchange.route);
    let key = exchange.key.clone();
    let took_ms = exchange.asked.map(|asked| now.steady_ms.saturating_sub(asked.steady_ms));
    let deliver = |waiter: Waiter| {
        let verdict = match &judged {
            Ok(issued) => check(issued, &waiter.method, &waiter.path).map(|()| Rc::clone(issued)),
            Err(refusal) => Err(Rc::clone(refusal)),
        };
        let outcome = if waiter.first { Outcome::Miss } else { Outcome::Coalesced };
        let verdict = match verdict {
            Ok(issued) => Ok(Forward { route: Arc::clone(&route), issued, key: key.clone(), outcome }),
            Err(refusal) => Err(Refused { route: Some(Arc::clone(&route)), refusal }),
        };
        Delivery { stream: waiter.stream, verdict }
    };
    let deliveries = exchange.into_waiters().map(deliver).collect();
    Settled { fingerprint: key.fingerprint(), route, result, took_ms, deliveries }
}

fn check(issued: &Issued, method: &str, path: &str) -> Result<(), Rc<Refusal>> {
    constraint::check(&issued.constraints, RequestFacts { method, path }).map_err(|reason| {
        let got = if reason == Reason::MethodRefused { method } else { path.split('?').next().unwrap_or_default() };
        Rc::new(Refusal::new(reason).got(got))
    })
}

/// How much later than the call's own timeout a wait ends: then the answer will not come at all.
const GRACE_MS: u64 = 100;

#[cfg(test)]
mod tests;
