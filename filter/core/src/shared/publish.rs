//! How an answer becomes everybody's.

use super::{
    Host, Published, Shared,
    lease::{Standing, Ticket},
    slots::{Head, Stored},
};
use crate::time::Now;

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the key's answer, and shared if there was room for it.
    Kept,
    /// The key was invalidated while the STS was asked, or it cannot be told whether it was: a token that came must not be
    /// used. Ask again, at most a few times.
    Invalidated,
    /// Another worker took over because this one was slow. The answer is good for those who wait here; it is not shared.
    Lost,
}

impl Shared {
    /// Takes the answer for which `ticket` was taken, shares it, and wakes who waited in other workers. A refusal that is
    /// final also drops the token there was.
    pub fn publish(&self, host: &mut dyn Host, ticket: Ticket, answer: Published<'_>, now: Now) -> Outcome {
        let stored = self.store(host, &ticket, answer, now);
        // Waiters are woken by this, so it comes after the store.
        let outcome = match self.free(host, &ticket) {
            Some(Standing::Held) => Outcome::Kept,
            Some(Standing::TakenOver) => Outcome::Lost,
            Some(Standing::Invalidated) | None => Outcome::Invalidated,
        };
        if outcome == Outcome::Invalidated && stored == Stored::Yes {
            self.tokens.empty(host, &ticket.digest, Some(ticket.id));
        }
        outcome
    }

    fn store(&self, host: &mut dyn Host, ticket: &Ticket, answer: Published<'_>, now: Now) -> Stored {
        let Some(text) = answer.text() else { return Stored::No };
        let (slots, asked, until) = match answer {
            Published::Issued { asked, until, .. } => (&self.tokens, asked, until),
            Published::Refused { until, .. } => (&self.refusals, now, until),
        };
        let head = Head { digest: ticket.digest, ticket: ticket.id, asked, until: until.reading() };
        let held = |host: &mut dyn Host| self.standing(host, ticket) == Some(Standing::Held);
        if matches!(answer, Published::Refused { refusal, .. } if refusal.is_final()) && held(host) {
            self.tokens.empty(host, &ticket.digest, None);
        }
        slots.store(host, &ticket.key, head, &text, now, held)
    }
}
