//! The security token service as a library: verifies who asks, decides, mints, records.
//!
//! The order of one exchange is the order of [`exchange`]: who is asking ([`actor`]), for whom ([`identity`]), whether
//! ([`policy`]), the token ([`mint`], or one made before: [`reissue`]) or the loan of what the destination's own platform gives
//! ([`loan`], [`federation`]), the record ([`audit`]). Each step takes the previous step's proof as its argument.
//!
//! Around it: [`config`] is read before anything starts, [`serve`] puts the parts together, [`listener`] and [`tls`] know
//! who is on a connection, [`endpoint`] turns decisions into HTTP, [`reload`] takes over what changes, and [`validate`]
//! checks the files of a deployment without running them.

pub mod actor;
pub mod app;
pub mod audit;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod document;
pub mod endpoint;
pub mod exchange;
pub mod federation;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod identity;
pub mod issued;
pub mod jwt;
pub mod keys;
pub mod listener;
pub mod loan;
pub mod logging;
pub mod metrics;
pub mod mint;
pub mod outgoing;
pub mod permissions;
pub mod policy;
pub mod refusal;
pub mod reissue;
pub mod reload;
pub mod request;
pub mod serve;
pub mod store;
pub mod target;
pub mod tls;
pub mod validate;
pub mod xml;
