//! Federation out: a credential that the destination's own platform takes, made for one workload, one destination and some
//! minutes.
//!
//! An [`Order`](order::Order) says what is to be had and for whom. Each provider fills it in its own way ([`aws`], [`gcp`],
//! [`azure`], [`oauth`]): it shows the platform an [`assertion`] of ours and gets a [`Credential`](credential::Credential), or
//! [`Trouble`](trouble::Trouble), by [`calls`] that keep one provider's troubles from the others.

pub mod assertion;
pub mod aws;
pub mod azure;
pub mod calls;
pub mod credential;
pub mod gcp;
pub mod means;
pub mod oauth;
pub mod order;
pub mod signer;
pub mod trouble;
