//! One token exchange (RFC 8693), from the request's bytes to what may be released.

use std::{collections::BTreeSet, sync::Arc};

use token::{message::ExchangeResponse, reason::Reason, spiffe::SpiffeId};

use crate::{
    actor::Caller, audit::Audit, identity::Sources, keys::SigningKeys, policy::Policy, refusal::Refusal,
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
    /// Whom we believe.
    pub sources: Arc<Sources>,
    /// The destinations.
    pub targets: Targets,
    /// The policies.
    pub policy: Policy,
}

/// The exchange of one configuration.
pub struct Exchange {
    #[allow(dead_code, reason = "filled in by the next commit")]
    settings: ExchangeSettings,
}

/// A recorded grant: the only thing that can become a successful answer.
#[derive(Debug)]
pub struct Released {
    response: ExchangeResponse,
    decision_id: String,
}

/// A recorded refusal.
#[derive(Debug)]
pub struct Refused {
    refusal: Refusal,
    decision_id: String,
}

impl Released {
    /// What the caller gets.
    pub fn response(&self) -> &ExchangeResponse {
        &self.response
    }

    /// The decision's name in the record.
    pub fn decision_id(&self) -> &str {
        &self.decision_id
    }
}

impl Refused {
    /// Why.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The decision's name in the record.
    pub fn decision_id(&self) -> &str {
        &self.decision_id
    }
}

impl Exchange {
    /// An exchange that signs with `keys` and records in `audit`.
    pub fn new(settings: ExchangeSettings, _keys: Arc<SigningKeys>, _audit: Audit) -> Self {
        Self { settings }
    }

    /// Answers one request. `form` is its body, `protocol` the value of `x-cloakroom-protocol`, `now` the time in seconds
    /// since the epoch.
    pub async fn exchange(
        &self,
        _caller: &Caller,
        _form: &[u8],
        _protocol: Option<&str>,
        _now: u64,
    ) -> Result<Released, Refused> {
        let refusal = Refusal::new(Reason::Overloaded, "not serving yet");
        Err(Refused { refusal, decision_id: String::new() })
    }
}
