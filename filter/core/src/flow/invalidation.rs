//! What the destination says of a token, and what may not travel behind a request.

use super::{Flow, Route};
use crate::{
    config::RouteMode,
    credential, forwarded_certificate,
    pending::State,
    request::{self, Headers},
    shared::Host,
    strikes::Consequence,
    time::Now,
};

impl Flow {
    /// The destination answered 401 to the request of `stream`. Exactly the token that it went with is not used again, by no
    /// worker; whoever asks next gets another, or the STS's refusal. The request is not repeated.
    pub fn on_unauthorized(&mut self, host: &mut dyn Host, stream: u32, now: Now) {
        // A token that has been replaced since is not held any more, and its ticket leads nowhere.
        let Some(ticket) = self.sent.with(stream) else { return };
        let Some((key, entry)) = self.cache.entry(ticket) else { return };
        let (key, issued) = (key.clone(), std::rc::Rc::clone(&entry.issued));
        if self.strikes.on_unauthorized(&key, now) == Consequence::Keep {
            return;
        }
        self.schedule.remove(ticket.to_id());
        self.cache.forget(ticket);
        if let Some(shared) = self.shared.as_ref().filter(|_| key.is_shareable()) {
            shared.invalidate(host, &key, Some(&issued.credential), now);
        }
        // What the STS was asked for before this may be the same token. What it is asked for from now on is another.
        if let Some(exchange) = self.pending.of_key(&key)
            && matches!(exchange.state, State::Asked(_))
        {
            exchange.invalidated = true;
        }
    }

    /// The trailers of the stream's request that must not go on. `route` identifies its route.
    pub fn trailer_removals<'t>(&self, stream: u32, route: Option<&[u8]>, trailers: &Headers<'t>) -> Vec<&'t str> {
        let mut removed = match route.and_then(|name| self.routes.get(name)) {
            Some(Route { mode: RouteMode::Exchange(route), .. }) => {
                let sent = self.sent.with(stream).and_then(|ticket| self.cache.key(ticket));
                let subject = self.pending.key_of(stream).or(sent).map(crate::key::Key::subject);
                request::trailer_removals(trailers, route, subject)
            }
            Some(Route { mode: RouteMode::Untouched, .. }) => {
                trailers.iter().filter(|(name, _)| credential::is_own(name)).map(|(name, _)| *name).collect::<Vec<_>>()
            }
            None => trailers.iter().map(|(name, _)| *name).collect(),
        };
        if self.reads_forwarded_certificates {
            for (name, _) in trailers.iter().filter(|(name, _)| forwarded_certificate::is_named(name)) {
                if !removed.contains(name) {
                    removed.push(name);
                }
            }
        }
        removed
    }
}
