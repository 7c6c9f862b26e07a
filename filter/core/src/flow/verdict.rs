//! What becomes of a request.

use std::{rc::Rc, sync::Arc};

#[cfg(doc)]
use super::Flow;
use crate::{config::ExchangeRoute, issued::Issued, refusal::Refusal, request::Edit, time::Deadline};

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
    /// Hold the request; a [`Delivery`] will come. `start`: an exchange has to be started for it, see [`Flow::next`]. `reads`:
    /// its body has to be read meanwhile, as with `Read`.
    Park {
        start: bool,
        reads: bool,
    },
    /// Hold the request until its body was read, see [`Flow::on_body`]; its credential is there.
    Read,
}

/// A request that has its credential.
pub struct Forward {
    pub route: Arc<ExchangeRoute>,
    /// The route's place among the configured ones, for the statistics.
    pub index: usize,
    pub issued: Rc<Issued>,
    /// From here on the credential is not sent.
    pub until: Deadline,
    pub outcome: Outcome,
    /// SHA-256 of the request's body, where it was read.
    pub body_sha256: Option<[u8; 32]>,
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
