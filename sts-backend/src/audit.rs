//! The record: nothing is released before it is written, and every refusal is written too.

use std::sync::Arc;

use token::{message::ExchangeResponse, reason::Reason};

use self::leaf::Leaf;
use crate::{issued::Issued, refusal::Refusal, store::Store};

pub mod leaf;
mod trail;

pub(crate) use trail::Trail;

/// Writes the record.
#[derive(Clone)]
pub struct Audit {
    store: Arc<dyn Store>,
}

/// A recorded grant: the only thing that can become a successful answer. Made by [`Audit`] alone.
#[derive(Debug)]
pub struct Released {
    response: ExchangeResponse,
    issued: Issued,
    decision_id: String,
}

/// A recorded refusal, or one for want of a record. Made by [`Audit`] alone.
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

    /// The token, or the credential on loan.
    pub fn issued(&self) -> &Issued {
        &self.issued
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

impl Audit {
    /// A record in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Records a grant, and only then lets its token go.
    pub(crate) async fn release(&self, issued: Issued, trail: Trail) -> Result<Released, Refused> {
        let leaf = trail.granted(&issued);
        let decision_id = leaf.decision_id.clone();
        match self.write(&leaf).await {
            Ok(()) => {
                log(&leaf);
                Ok(Released { response: issued.response(), issued, decision_id })
            }
            Err(refusal) => Err(Refused { refusal, decision_id }),
        }
    }

    /// Records a refusal. Where that fails the caller hears of it instead: a refusal nobody can look up helps nobody.
    pub(crate) async fn refuse(&self, refusal: Refusal, trail: Trail) -> Refused {
        let leaf = trail.refused(&refusal);
        let decision_id = leaf.decision_id.clone();
        match self.write(&leaf).await {
            Ok(()) => {
                log(&leaf);
                Refused { refusal, decision_id }
            }
            Err(unrecorded) => Refused { refusal: unrecorded, decision_id },
        }
    }

    async fn write(&self, leaf: &Leaf) -> Result<(), Refusal> {
        let unavailable = |cause: String| {
            tracing::error!(decision_id = leaf.decision_id, cause, "a decision could not be recorded");
            Refusal::new(Reason::RecordUnavailable, "the decision could not be recorded, so nothing is released")
                .claim("record")
                .got(cause)
                .wanted("a store that writes")
        };
        let bytes = leaf.to_bytes().map_err(|error| unavailable(error.to_string()))?;
        self.store.append(bytes).await.map(|_| ()).map_err(|error| unavailable(error.to_string()))
    }
}

/// One line for each decision. It holds what the record holds: digests, never tokens.
fn log(leaf: &Leaf) {
    tracing::info!(
        decision_id = leaf.decision_id,
        outcome = ?leaf.outcome,
        reason = leaf.reason,
        actor = leaf.actor,
        subject = leaf.subject,
        target = leaf.target,
        provider = leaf.provider,
        policy = leaf.policy,
        jti = leaf.jti,
        reissued = leaf.reissued.then_some(true),
        subject_token_sha256 = leaf.subject_token_sha256,
        claim = leaf.claim,
        got = leaf.got,
        wanted = leaf.wanted,
        "decided"
    );
}
