//! Asking the STS, and what its answers bring.

use std::{rc::Rc, sync::Arc};

use token::{
    message::{ExchangeRequest, RequestContext},
    reason::Reason,
};

use super::{Flow, GRACE_MS, settle::Settled};
use crate::{
    breaker::{self, Held},
    cache::Entry,
    config::ExchangeRoute,
    issued::Issued,
    life::{Came, Life, Terms, Upkeep, subject_exp},
    pending::{Call, Purpose, State},
    refusal::Refusal,
    reply::{self, Accepted, Answer, CallResult},
    shared::{self, Found, Host, Lease, Published},
    time::Now,
};

/// An exchange to be asked for now.
pub struct Ask {
    pub id: u64,
    pub request: ExchangeRequest,
    pub traceparent: Option<String>,
    /// The STS may not answer from a cache of its own (`cache-control: no-cache`; RFC 9111, section 5.2.1.4).
    pub fresh: bool,
}

/// What is to be done next.
pub enum Next {
    Ask(Ask),
    /// It need not be asked for.
    Settled(Settled),
    Nothing,
}

/// What it means that no answer came.
pub const NO_ANSWER: Answer<'static> = Answer { status: None, decision_id: None, body: &[] };

impl Flow {
    /// What is to be asked for next. An exchange that is handed out counts as asked at `now`.
    pub fn next(&mut self, host: &mut dyn Host, now: Now) -> Next {
        while let Some(id) = self.pending.next_to_start() {
            let Some(exchange) = self.pending.get_mut(id) else { continue };
            if exchange.waiting() == 0 && matches!(exchange.purpose, Purpose::Miss(_)) {
                self.give_up(id, now);
                continue;
            }
            let replacing = match exchange.purpose {
                Purpose::Renewal(asked) => Some(asked),
                Purpose::Miss(_) => None,
            };
            let longest_ms = self.config.sts().timeout_ms.saturating_add(GRACE_MS);
            let lease = match &self.shared {
                Some(_) if !exchange.key.is_shareable() => Lease::Alone,
                Some(shared) => shared.lease(host, &exchange.key, replacing, now, longest_ms),
                None => Lease::Alone,
            };
            let lease = match lease {
                Lease::Held => {
                    self.pending.follow(id);
                    continue;
                }
                Lease::Answered(found) => match self.answered_elsewhere(id, found, now) {
                    Some(settled) => return Next::Settled(settled),
                    None => continue,
                },
                Lease::Taken(ticket) => Some(ticket),
                Lease::Alone => None,
            };
            let next = match self.admit(id, now) {
                Ok(ticket) => self.ask(id, lease, ticket, now).map(Next::Ask),
                Err(held) => self.held_back(host, id, lease, held, now).map(Next::Settled),
            };
            // Where nobody has to be told, those behind it in the queue must not wait for that.
            if let Some(next) = next {
                return next;
            }
        }
        Next::Nothing
    }

    fn admit(&mut self, id: u64, now: Now) -> Result<breaker::Ticket, Held> {
        match self.pending.get_mut(id) {
            // Somebody waits for it: then it is no longer ahead of need.
            Some(exchange) if exchange.waiting() == 0 => self.breaker.admit_refresh(self.schedule.steady(), now),
            _ => self.breaker.admit(now),
        }
    }

    fn ask(&mut self, id: u64, lease: Option<shared::Ticket>, ticket: breaker::Ticket, now: Now) -> Option<Ask> {
        let exchange = self.pending.get_mut(id)?;
        exchange.state = State::Asked(Call { at: now, lease, ticket });
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
        // A renewal wants another token: the one that the STS would repeat is the one that is held. What is lent may be lent again.
        let lent = self.cache.held(&exchange.key).is_some_and(|(held, _)| held.issued.lent_until.is_some());
        let renewal = matches!(exchange.purpose, Purpose::Renewal(_));
        let fresh = renewal && !lent || self.strikes.ask_fresh(&exchange.key);
        Some(Ask { id, request, traceparent: exchange.traceparent.clone(), fresh })
    }

    /// Takes the answer to exchange `id`. `None`: there is nothing to tell anybody; it was given up before, or has to be asked
    /// for anew.
    pub fn on_answer(&mut self, host: &mut dyn Host, id: u64, answer: Answer<'_>, now: Now) -> Option<Settled> {
        let exchange = self.pending.get_mut(id)?;
        let Call { at: asked, lease, ticket } = exchange.end_call()?;
        let judged = reply::judge(answer, &exchange.route, exchange.key.subject_token());
        let outcome =
            if answered(answer.status, &judged) { breaker::Outcome::Answered } else { breaker::Outcome::Unavailable };
        self.breaker.report(ticket, outcome, now);
        let judged = judged.and_then(|accepted| self.entry(id, accepted, asked, now));
        let judged = judged.map_err(|refusal| self.spread(refusal));
        let result = reply::call_result(&judged);
        let invalidated = self.publish(host, id, lease, &judged, now);
        if invalidated && judged.is_ok() {
            return self.ask_anew(id, now);
        }
        let exchange = self.pending.take(id)?;
        let judged = match judged {
            Ok(entry) => {
                let (issued, until) = (Rc::clone(&entry.issued), entry.life.usable_until);
                self.strikes.on_issued(&exchange.key);
                let ticket = self.keep(&exchange.route, exchange.key.clone(), entry, now);
                Ok((issued, until, ticket))
            }
            Err(refusal) => Err(self.refused(&exchange, Rc::new(refusal), now)),
        };
        Some(self.settle(exchange, judged, result, Some(asked), now))
    }

    /// The token as it would be kept.
    fn entry(&mut self, id: u64, accepted: Accepted, asked: Now, now: Now) -> Result<Entry, Refusal> {
        let invalid = || Refusal::new(Reason::StsReplyInvalid).detail("the token had ended when it arrived");
        let exchange = self.pending.get_mut(id).ok_or_else(invalid)?;
        let Accepted { credential, constraints, expires_in, credential_expires_in } = accepted;
        let held = self.cache.held(&exchange.key).map(|(entry, _)| entry);
        let held = held.filter(|held| held.issued.credential == credential);
        let lent_until = credential_expires_in.map(|seconds| asked.after(seconds.saturating_mul(1000)));
        let (came, lent_until) = match (held, lent_until) {
            (Some(held), Some(said)) if let Some(known) = held.issued.lent_until => {
                (Came::Again, Some(said.or_sooner(known)))
            }
            // That it is lent has to be said when it comes, and each time it comes again.
            (Some(held), _) => (Came::Same { until: held.life.usable_until }, None),
            (None, said) if matches!(exchange.purpose, Purpose::Renewal(_)) => (Came::Renewed, said),
            (None, said) => (Came::First, said),
        };
        let subject_exp = subject_exp(exchange.key.subject_token().expose());
        let terms = Terms { asked, expires_in_s: expires_in, subject_exp, lent_until, came };
        let life = Life::new(terms, upkeep(&exchange.route, self.config.sts().timeout_ms), now, self.jitter.draw())
            .map_err(|error| Refusal::new(Reason::StsReplyInvalid).detail(&error.to_string()))?;
        let issued = Rc::new(Issued { credential, constraints, lent_until });
        Ok(Entry { issued, asked, life, used: false, planned: false, failures: 0 })
    }

    /// Tells the other workers. Whether the key was invalidated while the STS was asked.
    fn publish(
        &mut self,
        host: &mut dyn Host,
        id: u64,
        lease: Option<shared::Ticket>,
        judged: &Result<Entry, Refusal>,
        now: Now,
    ) -> bool {
        let until = match judged {
            Ok(_) => now.after(0),
            Err(refusal) => self.remembered_until(refusal, now),
        };
        let here = self.pending.get_mut(id).is_some_and(|exchange| exchange.invalidated);
        let (Some(lease), Some(shared)) = (lease, &self.shared) else { return here };
        let published = match judged {
            Ok(Entry { issued, asked, life, .. }) if !here => {
                Published::Issued { issued, asked: *asked, until: life.usable_until }
            }
            Ok(_) => {
                shared.release(host, lease);
                return true;
            }
            Err(refusal) => Published::Refused { refusal, until },
        };
        shared.publish(host, lease, published, now) == shared::Outcome::Invalidated || here
    }

    /// What came was invalidated on its way. Asked once more, it is given up after a few times.
    fn ask_anew(&mut self, id: u64, now: Now) -> Option<Settled> {
        if self.pending.get_mut(id)?.repeats < MOST_REPEATS {
            self.pending.restart(id);
            return None;
        }
        let refusal =
            Refusal::new(Reason::StsUnavailable).detail("what the token service issued was invalidated at once");
        self.give_refusal(id, refusal, now)
    }

    /// Another worker has asked, and this is what it got.
    fn answered_elsewhere(&mut self, id: u64, found: Found, now: Now) -> Option<Settled> {
        let (refusal, until) = match found {
            Found::Issued { issued, asked, until } => {
                let exchange = self.pending.get_mut(id)?;
                let (route, key) = (Arc::clone(&exchange.route), exchange.key.clone());
                if let Some((issued, ticket)) = self.adopt(&route, key, issued, asked, until, now) {
                    let exchange = self.pending.take(id)?;
                    return Some(self.settle(exchange, Ok((issued, until, ticket)), CallResult::Ok, None, now));
                }
                let refusal = Refusal::new(Reason::StsReplyInvalid).detail("the token had ended when it arrived");
                let until = self.remembered_until(&refusal, now);
                (refusal, until)
            }
            Found::Refused { refusal, until } => (refusal, until),
            Found::Nothing => {
                self.pending.follow(id);
                return None;
            }
        };
        let exchange = self.pending.take(id)?;
        let result = if refusal.is_final() { CallResult::Refused } else { CallResult::Unavailable };
        let refusal = Rc::new(self.spread(refusal));
        self.after_refusal(&exchange, &refusal, until, now);
        let judged = Err(refusal);
        Some(self.settle(exchange, judged, result, None, now))
    }

    /// The breaker lets nobody ask. Who waits is told at once; a renewal is put off.
    fn held_back(
        &mut self,
        host: &mut dyn Host,
        id: u64,
        lease: Option<shared::Ticket>,
        held: Held,
        now: Now,
    ) -> Option<Settled> {
        if let (Some(lease), Some(shared)) = (lease, &self.shared) {
            shared.release(host, lease);
        }
        if self.pending.get_mut(id)?.waiting() == 0 {
            let exchange = self.pending.take(id)?;
            self.put_off(&exchange.key, held.retry_after_ms, now);
            self.end_source(&exchange, false, now);
            return None;
        }
        let refusal = Refusal::new(Reason::StsUnavailable)
            .detail("the token service did not answer of late and is left alone for a moment");
        self.give_refusal(id, refusal, now)
    }

    fn give_refusal(&mut self, id: u64, refusal: Refusal, now: Now) -> Option<Settled> {
        let exchange = self.pending.take(id)?;
        if let Purpose::Renewal(_) = exchange.purpose {
            self.renewal_failed(&exchange.key, now);
        }
        let refusal = Rc::new(self.spread(refusal));
        Some(self.settle(exchange, Err(refusal), CallResult::Unavailable, None, now))
    }
}

/// Whether the STS can be said to work: it answered, and with something else than that it cannot. An answer that is of no use
/// to one route says nothing of the others, nor does one issuer whose keys cannot be had or who cannot be asked, nor one
/// provider in trouble.
fn answered(status: Option<u16>, judged: &Result<Accepted, Refusal>) -> bool {
    use Reason::{
        IssuerKeysUnavailable, Overloaded, ProviderReplyInvalid, ProviderThrottled, ProviderUnavailable,
        RecordUnavailable, ReviewUnavailable, StsUnavailable,
    };
    match judged.as_ref().map_err(Refusal::reason) {
        Ok(_)
        | Err(Some(
            IssuerKeysUnavailable | ReviewUnavailable | ProviderThrottled | ProviderUnavailable | ProviderReplyInvalid,
        )) => true,
        Err(Some(StsUnavailable | Overloaded | RecordUnavailable)) => false,
        Err(_) => status.is_some_and(|status| status < 500),
    }
}

/// What a route wants of the lives of its tokens.
pub(super) fn upkeep(route: &ExchangeRoute, sts_timeout_ms: u64) -> Upkeep {
    Upkeep {
        expiry_margin_ms: route.expiry_margin_ms(),
        route_timeout_ms: route.request_timeout_ms(),
        sts_timeout_ms,
        survive_outage_ms: route.survive_outage_ms(),
    }
}

/// How often an exchange is asked anew because its answer was invalidated on its way.
const MOST_REPEATS: u32 = 2;
