//! For whom: the workload's platform identity, verified and named.

pub mod source;
mod sources;

pub use source::{JwksSettings, Preset, SourceError, SourceSettings};
pub use sources::{IssuerReadiness, Sources};
