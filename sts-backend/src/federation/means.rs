//! What a provider is filled in with.

use super::{assertion::Signer, calls::Calls};

/// The means of one provider.
#[derive(Clone, Copy)]
pub struct Means<'m> {
    pub calls: &'m Calls,
    pub signer: &'m dyn Signer,
    /// The trust domain of our names.
    pub trust_domain: &'m str,
}
