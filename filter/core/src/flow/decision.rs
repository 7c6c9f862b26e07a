//! A request that needs a credential: it gets one that is held, waits for one, or is refused.

use std::{rc::Rc, sync::Arc};

use token::{
    constraint::{self, RequestFacts},
    reason::Reason,
};

use super::{Arrival, Flow, Forward, Outcome, Verdict};
use crate::{
    cache::Known,
    config::ExchangeRoute,
    forwarded_certificate, inject,
    issued::Issued,
    key::{Probe, Subject},
    miss_limit::{Limited, Source},
    pending::{Full, Joined, Opening, Purpose, Waiter},
    refusal::Refusal,
    request::{self, Headers, Reading, check_form},
    shared::{Found, Host},
    time::Now,
};

impl Flow {
    pub(super) fn decide(
        &mut self,
        host: &mut dyn Host,
        arrival: Arrival<'_>,
        (route, index): (&Arc<ExchangeRoute>, usize),
        reading: &Reading<'_>,
        headers: &Headers<'_>,
        now: Now,
    ) -> Result<Verdict, Rc<Refusal>> {
        reading.refuse_tunnels()?;
        let reads = inject::check(route, reading, headers, arrival.has_body)?;
        if !reads {
            return self.find(host, arrival, (route, index), reading, headers, now);
        }
        if !self.bodies.has_room() {
            return Err(Rc::new(Refusal::new(Reason::FilterOverloaded)));
        }
        let (verdict, forward) = match self.find(host, arrival, (route, index), reading, headers, now)? {
            Verdict::Forward(forward) => (Verdict::Read, Some(forward)),
            Verdict::Park { start, .. } => (Verdict::Park { start, reads }, None),
            other => return Ok(other),
        };
        self.bodies.hold(arrival.stream, route, forward, now);
        Ok(verdict)
    }

    /// Finds a credential for a request into which it can be put, or has the request wait for it.
    fn find(
        &mut self,
        host: &mut dyn Host,
        arrival: Arrival<'_>,
        (route, index): (&Arc<ExchangeRoute>, usize),
        reading: &Reading<'_>,
        headers: &Headers<'_>,
        now: Now,
    ) -> Result<Verdict, Rc<Refusal>> {
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
        let forward = |issued, until, outcome| {
            let route = Arc::clone(route);
            Verdict::Forward(Forward { route, index, issued, until, outcome, body_sha256: None })
        };
        match self.cache.look_up(probe, now) {
            Known::Issued(_, entry, ticket) => {
                check(&entry.issued, reading.method, reading.path.as_str())?;
                entry.used = true;
                let (issued, until, planned) = (Rc::clone(&entry.issued), entry.life.usable_until, entry.planned);
                let outcome = if entry.failures > 0 { Outcome::Stale } else { Outcome::Hit };
                self.sent.note(stream, ticket);
                if !planned {
                    self.plan_again(ticket, now);
                }
                return Ok(forward(issued, until, outcome));
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
                        return Ok(forward(issued, until, Outcome::Shared));
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
                Ok(Verdict::Park { start: joined == Joined::First, reads: false })
            }
            Err(Full) => Err(Rc::new(Refusal::new(Reason::FilterOverloaded))),
        }
    }
}

pub(super) fn check(issued: &Issued, method: &str, path: &str) -> Result<(), Rc<Refusal>> {
    constraint::check(&issued.constraints, RequestFacts { method, path }).map_err(|reason| {
        let got = if reason == Reason::MethodRefused { method } else { path.split('?').next().unwrap_or_default() };
        Rc::new(Refusal::new(reason).got(got))
    })
}

fn limited(limited: Limited) -> Rc<Refusal> {
    let seconds = limited.retry_after_ms.div_ceil(1000).max(1);
    Rc::new(Refusal::new(Reason::SourceLimited).claim("source").got(limited.limit.name()).retry_after(seconds))
}
