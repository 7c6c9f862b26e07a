//! What is to be had of a provider, and for whom.

use token::{claims::Scope, spiffe::SpiffeId};

/// One order. All of it is in the key under which its credential is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The workload, by its name in our trust domain.
    pub subject: SpiffeId,
    /// The destination's name in configuration.
    pub target: String,
    /// What is to be opened: the destination's permissions, or those of them that policy granted and the request asked for.
    pub permissions: Scope,
    /// How long the credential should live at least, in seconds. Providers with a longer minimum give that.
    pub life: u64,
}
