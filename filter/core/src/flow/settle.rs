//! How an exchange ends: what is remembered of it, and what is told to everyone who waited.

use std::{rc::Rc, sync::Arc};

use token::reason::Reason;

use super::{Delivery, Flow, Forward, Outcome, Refused, check};
use crate::{
    breaker::Breaker,
    cache::Ticket,
    config::ExchangeRoute,
    issued::Issued,
    jitter::between,
    pending::{Exchange, Purpose, Waiter},
    refusal::Refusal,
    reply::CallResult,
    time::{Deadline, Now},
};

/// What an answer brought.
pub struct Settled {
    pub route: Arc<ExchangeRoute>,
    /// The route's place among the configured ones.
    pub index: usize,
    /// What may be written down about the exchange's key.
    pub fingerprint: String,
    pub result: CallResult,
    /// Whether it was asked for to replace a token in use.
    pub renewal: bool,
    /// From asking to the answer; `None` if this worker did not ask.
    pub took_ms: Option<u64>,
    pub deliveries: Vec<Delivery>,
}

/// A credential, until when it is sent, and where it is held, if it is.
pub(super) type Got = (Rc<Issued>, Deadline, Option<Ticket>);

type Judged = Result<(Rc<Issued>, Deadline), Rc<Refusal>>;

impl Flow {
    /// Nobody wants it any more.
    pub(super) fn give_up(&mut self, id: u64, now: Now) {
        if let Some(exchange) = self.pending.take(id) {
            self.end_source(&exchange, false, now);
        }
    }

    pub(super) fn refused(&mut self, exchange: &Exchange, refusal: Rc<Refusal>, now: Now) -> Rc<Refusal> {
        let until = self.remembered_until(&refusal, now);
        self.after_refusal(exchange, &refusal, until, now);
        refusal
    }

    pub(super) fn after_refusal(&mut self, exchange: &Exchange, refusal: &Rc<Refusal>, until: Deadline, now: Now) {
        if let Purpose::Renewal(_) = exchange.purpose {
            if refusal.is_final() {
                self.unplan(&exchange.key);
            } else {
                self.renewal_failed(&exchange.key, now);
            }
        }
        self.cache.keep_refusal(exchange.key.clone(), Rc::clone(refusal), until, now);
    }

    /// Until when a refusal stands for the requests that follow: what was said of the request for one to five seconds, that
    /// the STS is not there for a quarter to three quarters of one. The spread is there so that clients do not come back all
    /// at once.
    pub(super) fn remembered_until(&mut self, refusal: &Refusal, now: Now) -> Deadline {
        let (least, most) = if refusal.is_final() { REFUSED_MS } else { UNAVAILABLE_MS };
        now.after(between(self.jitter.draw(), least, most))
    }

    /// Says when to come back, where that may help: not all at the same time.
    pub(super) fn spread(&mut self, refusal: Refusal) -> Refusal {
        if refusal.is_final() { refusal } else { refusal.retry_after(Breaker::retry_after_s(self.jitter.draw())) }
    }

    pub(super) fn end_source(&mut self, exchange: &Exchange, refused: bool, now: Now) {
        if let Purpose::Miss(source) = &exchange.purpose {
            self.sources.ended(source, refused, now);
        }
    }

    pub(super) fn settle(
        &mut self,
        exchange: Exchange,
        judged: Result<Got, Rc<Refusal>>,
        result: CallResult,
        asked: Option<Now>,
        now: Now,
    ) -> Settled {
        // An STS in trouble of its own is not the source's doing. Nor is a provider that refuses: the STS believed and permitted
        // what the source sent, and remembers the refusal. Were it counted, one provider would close the routes of all others.
        let refused = judged
            .as_ref()
            .is_err_and(|refusal| refusal.is_final() && refusal.reason() != Some(Reason::ProviderRefused));
        self.end_source(&exchange, refused, now);
        let (route, index, key) = (Arc::clone(&exchange.route), exchange.index, exchange.key.clone());
        let renewal = matches!(exchange.purpose, Purpose::Renewal(_));
        let took_ms = asked.map(|asked| now.steady_ms.saturating_sub(asked.steady_ms));
        let ticket = judged.as_ref().ok().and_then(|(_, _, ticket)| *ticket);
        let judged: Judged = judged.map(|(issued, until, _)| (issued, until));
        let mut deliveries = Vec::with_capacity(exchange.waiting());
        for waiter in exchange.into_waiters() {
            let delivery = deliver(waiter, &judged, (&route, index), asked.is_some());
            if delivery.verdict.is_ok() {
                self.note_sent(delivery.stream, ticket);
                self.mark_used(ticket.filter(|_| renewal));
            }
            deliveries.extend(self.with_body(delivery));
        }
        Settled { fingerprint: key.fingerprint(), route, index, result, renewal, took_ms, deliveries }
    }

    /// What there is to tell now: nothing where a body is still being read.
    fn with_body(&mut self, Delivery { stream, verdict }: Delivery) -> Option<Delivery> {
        let verdict = match verdict {
            Ok(forward) => Ok(self.bodies.deliver(stream, forward)?),
            Err(refused) => {
                self.bodies.forget(stream);
                Err(refused)
            }
        };
        Some(Delivery { stream, verdict })
    }

    /// Tells those who have waited for too long.
    pub(super) fn tell_impatient(&mut self, now: Now) -> Vec<Settled> {
        let mut settled = Vec::new();
        for (id, waiters) in self.pending.impatient(now) {
            let refusal = Refusal::new(Reason::StsUnavailable).detail("the token service did not answer in time");
            let judged = Err(Rc::new(self.spread(refusal)));
            let Some(exchange) = self.pending.get_mut(id) else { continue };
            let (route, index) = (Arc::clone(&exchange.route), exchange.index);
            waiters.iter().for_each(|waiter| self.bodies.forget(waiter.stream));
            let deliveries = waiters.into_iter().map(|waiter| deliver(waiter, &judged, (&route, index), false));
            settled.push(Settled {
                fingerprint: exchange.key.fingerprint(),
                deliveries: deliveries.collect(),
                route,
                index,
                result: CallResult::Unavailable,
                renewal: false,
                took_ms: None,
            });
        }
        settled
    }
}

fn deliver(
    waiter: Waiter,
    judged: &Judged,
    (route, index): (&Arc<ExchangeRoute>, usize),
    asked_here: bool,
) -> Delivery {
    let outcome = match (asked_here, waiter.first) {
        (true, true) => Outcome::Miss,
        (true, false) => Outcome::Coalesced,
        (false, _) => Outcome::Shared,
    };
    let verdict = match judged {
        Ok((issued, until)) => check(issued, &waiter.method, &waiter.path).map(|()| (Rc::clone(issued), *until)),
        Err(refusal) => Err(Rc::clone(refusal)),
    };
    let route = Arc::clone(route);
    let verdict = match verdict {
        Ok((issued, until)) => Ok(Forward { route, index, issued, until, outcome, body_sha256: None }),
        Err(refusal) => Err(Refused { route: Some(route), refusal }),
    };
    Delivery { stream: waiter.stream, verdict }
}

/// How long what was said of a request stands.
const REFUSED_MS: (u64, u64) = (1_000, 5_000);
/// How long it stands that the STS could not be asked.
const UNAVAILABLE_MS: (u64, u64) = (250, 750);
