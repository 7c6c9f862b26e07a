//! For whom: the workload's platform identity, verified and named.

pub mod assertion;
mod audience;
mod aws_request;
mod claims;
#[cfg(test)]
pub(crate) mod fake_issuer;
pub(crate) mod inquiry;
pub(crate) mod introspection;
mod jwks;
pub mod name;
mod preset;
mod shared_audience;
pub mod source;
mod sources;
mod subject;
pub(crate) mod token_review;
mod validity;

pub use aws_request::{AwsRequestSettings, EndpointSettings};
pub(crate) use inquiry::is_json;
pub use inquiry::{ServerSettings, credential::Credential};
pub use introspection::IntrospectionSettings;
pub use jwks::IssuerReadiness;
pub use preset::{
    Platform,
    github::{self, GithubJobs},
    google_service_account,
    oidc::OidcClaims,
};
pub(crate) use preset::{entra, managed};
pub use shared_audience::user_of as user_of_audience;
pub use source::{JwksSettings, Preset, SourceError, SourceSettings, check_all as check_sources};
pub use sources::Sources;
pub use subject::VerifiedSubject;
