//! One token exchange (RFC 8693), from the request's bytes to what may be released.
//!
//! Each step takes the proof that the step before it gives, and there is no other way to make one:
//!
//! ```text
//! TokenRequest -> VerifiedActor -> VerifiedSubject -> Grant -> Issued -> Released
//! ```
//!
//! `Issued` is a token made for this request, or one made before that says the same ([`reissue`](crate::reissue)); or what the
//! destination's own platform gives, on loan ([`loan`](crate::loan)).

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use token::{reason::Reason, spiffe::SpiffeId};

pub use crate::audit::{Refused, Released};
use crate::{
    actor::{Caller, VerifiedActor},
    audit::{Audit, Trail},
    crypto,
    federation::providers::Providers,
    identity::{Sources, VerifiedSubject, assertion::Assertions},
    issued::{Issued, Origin},
    keys::SigningKeys,
    loan::Loan,
    mint::{Draft, Terms},
    policy::Policy,
    refusal::Refusal,
    reissue::Reissues,
    request::TokenRequest,
    target::Targets,
};

/// What one configuration says of exchanges.
pub struct ExchangeSettings {
    /// `iss` of the tokens.
    pub issuer: String,
    /// The trust domain in which workloads are named.
    pub trust_domain: String,
    /// How long a token lives where policy does not say, in seconds.
    pub default_life: u64,
    /// The same for callers without a client certificate.
    pub direct_default_life: u64,
    /// The registered proxies.
    pub actors: BTreeSet<SpiffeId>,
    /// Whom each of them may vouch for.
    pub assertions: Assertions,
    /// Whom we believe.
    pub sources: Arc<Sources>,
    /// The destinations.
    pub targets: Targets,
    /// The policies.
    pub policy: Policy,
    /// The tokens that may be handed out again.
    pub reissues: Arc<Reissues>,
    /// The providers whose credentials destinations take.
    pub providers: Arc<Providers>,
}

/// A token request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// The body: a form.
    pub form: &'m [u8],
    /// The value of `x-cloakroom-protocol`.
    pub protocol: Option<&'m str>,
    /// Whether its sender wants a token that nobody had before.
    pub no_cache: bool,
    /// When it came: its sender does not wait for ever.
    pub received: Instant,
}

/// The exchange of one configuration.
pub struct Exchange {
    terms: Terms,
    trust_domain: String,
    actors: BTreeSet<SpiffeId>,
    assertions: Assertions,
    sources: Arc<Sources>,
    targets: Targets,
    policy: Policy,
    reissues: Arc<Reissues>,
    providers: Arc<Providers>,
    keys: Arc<SigningKeys>,
    audit: Audit,
}

impl Exchange {
    /// An exchange that signs with `keys` and records in `audit`.
    pub fn new(settings: ExchangeSettings, keys: Arc<SigningKeys>, audit: Audit) -> Self {
        Self {
            terms: Terms {
                issuer: settings.issuer,
                default_life: settings.default_life,
                direct_default_life: settings.direct_default_life,
            },
            trust_domain: settings.trust_domain,
            actors: settings.actors,
            assertions: settings.assertions,
            sources: settings.sources,
            targets: settings.targets,
            policy: settings.policy,
            reissues: settings.reissues,
            providers: settings.providers,
            keys,
            audit,
        }
    }

    /// The tokens that may be handed out again.
    pub fn reissues(&self) -> &Arc<Reissues> {
        &self.reissues
    }

    /// The providers whose credentials destinations take.
    pub fn providers(&self) -> &Arc<Providers> {
        &self.providers
    }

    /// Answers one request. `now` is in seconds since the epoch.
    pub async fn exchange(&self, caller: &Caller, message: Message<'_>, now: u64) -> Result<Released, Refused> {
        // Without randomness there is no token either: the refusal needs no name of its own.
        let decision_id = crypto::random_id();
        let name = decision_id.clone().unwrap_or_else(|_| "unnamed".to_owned());
        let mut trail = Trail::begin(name, caller, self.policy.version(), now);
        let decided = match decision_id {
            Ok(_) => self.decide(&mut trail, caller, message, now).await,
            Err(error) => Err(Refusal::new(Reason::Overloaded, error)),
        };
        match decided {
            Ok(issued) => {
                let released = self.audit.release(issued, trail).await?;
                self.reissues.keep(&released, now);
                Ok(released)
            }
            Err(refusal) => Err(self.audit.refuse(refusal, trail).await),
        }
    }

    async fn decide(
        &self,
        trail: &mut Trail,
        caller: &Caller,
        message: Message<'_>,
        now: u64,
    ) -> Result<Issued, Refusal> {
        let request = TokenRequest::read(message.form, message.protocol, caller)?;
        trail.request(&request);
        let actor = VerifiedActor::verify(caller, &request, &self.actors, &self.trust_domain)?;
        trail.actor(&actor);
        let target = self.targets.choose(request.resource(), request.audience())?;
        trail.target(target);
        let subject = VerifiedSubject::verify(&self.sources, &self.assertions, &actor, &request, now).await?;
        trail.subject(&subject);
        let grant = self.policy.decide(&actor, &subject, target, request.asked()).map_err(|denial| {
            trail.policy(denial.policy, denial.policy_reason);
            denial.refusal
        })?;
        match Loan::of(&grant, request.asked(), &self.terms, now)? {
            Some(loan) => Ok(Issued::lend(loan.take(&self.providers, message.no_cache, message.received).await?)),
            None => {
                let draft = Draft::of(&grant, request.asked(), &self.terms, &self.keys, now)?;
                self.issue(draft, message.no_cache)
            }
        }
    }

    fn issue(&self, draft: Draft, no_cache: bool) -> Result<Issued, Refusal> {
        if !self.reissues.covers(draft.form()) {
            return Issued::mint(draft, Origin::Single, &self.keys);
        }
        if no_cache {
            return Issued::mint(draft, Origin::Renewed, &self.keys);
        }
        match self.reissues.find(&draft) {
            Some(issued) => Ok(issued),
            None => Issued::mint(draft, Origin::Minted, &self.keys),
        }
    }
}

#[cfg(test)]
mod tests;
