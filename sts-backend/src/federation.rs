//! Federation out: a credential that the destination's own platform takes, made for one workload, one destination and some
//! minutes.
//!
//! An [`Order`](order::Order) says what is to be had and for whom. Each provider fills it in its own way ([`aws`], [`gcp`],
//! [`azure`], [`oauth`]): it shows the platform an [`assertion`] of ours and gets a [`Credential`](credential::Credential), or
//! [`Trouble`](trouble::Trouble), by [`calls`] that keep one provider's troubles from the others.
//!
//! A [`provider`] is asked once at a time for the same thing, and what it gave is lent again until shortly before its end:
//! providers are called once for a workload and a while, not once for a request.

pub mod assertion;
pub mod aws;
pub mod azure;
pub mod calls;
pub mod credential;
#[cfg(test)]
mod fake;
#[cfg(test)]
pub(crate) mod fake_provider;
pub mod form;
pub mod gcp;
pub mod kept;
mod lane;
pub mod limits;
pub mod means;
pub mod meters;
pub mod moment;
pub mod oauth;
pub mod object_prefix;
pub mod order;
pub mod permission;
pub mod provider;
pub mod providers;
pub mod retry_after;
pub mod shelf;
pub mod shortfall;
pub mod signer;
pub mod trouble;
mod unverified;
pub mod way;
