//! For whom: the workload's platform identity, verified and named.

mod address;
mod aws_request;
mod claims;
#[cfg(test)]
pub(crate) mod fake_issuer;
mod fetch;
mod jwks;
pub mod name;
mod preset;
mod shared_audience;
pub mod source;
mod sources;
mod subject;
mod validity;

pub use aws_request::{AwsRequestSettings, EndpointSettings};
pub use jwks::IssuerReadiness;
pub use preset::Platform;
pub use shared_audience::user_of as user_of_audience;
pub use source::{JwksSettings, Preset, SourceError, SourceSettings, check_all as check_sources};
pub use sources::Sources;
pub use subject::VerifiedSubject;
