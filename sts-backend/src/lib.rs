//! The security token service as a library: verifies who asks, decides, mints, records.
//!
//! The order of one exchange is the order of [`exchange`]: who is asking ([`actor`]), for whom ([`identity`]), whether
//! ([`policy`]), the token ([`mint`]), the record ([`audit`]). Each step takes the previous step's proof as its argument.

pub mod actor;
pub mod audit;
pub mod crypto;
pub mod exchange;
pub mod identity;
pub mod keys;
pub mod policy;
pub mod refusal;
pub mod request;
pub mod store;
pub mod target;
