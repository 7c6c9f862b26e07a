//! For whom: the workload's platform identity, verified and named.

mod address;
mod claims;
#[cfg(test)]
pub(crate) mod fake_issuer;
mod fetch;
mod jwks;
pub mod name;
mod preset;
pub mod source;
mod sources;
mod subject;
mod validity;

pub use jwks::IssuerReadiness;
pub use preset::Platform;
pub use source::{JwksSettings, Preset, SourceError, SourceSettings};
pub use sources::Sources;
pub use subject::VerifiedSubject;
