//! The whole path on one machine: real Envoy, the real filter, the real STS, and stand-ins for what lies outside.
//!
//! A [`topology::Topology`] builds what it needs, makes its own CA, starts everything on loopback and always stops it. The
//! configuration files are those of `envoy/` and `tests/topology/`, the ones the containers run too; only addresses and file
//! paths are rewritten. The end-to-end tests, the demo and the bench all stand on it.

pub mod artefact;
pub mod asked;
pub mod aws;
pub mod bootstrap;
pub mod client;
pub mod clock;
pub mod clouds;
pub mod container;
pub mod demo;
pub mod edge;
pub mod edge_only;
pub mod envoy;
pub mod federation;
pub mod issued_token;
pub mod judge;
pub mod load;
pub mod moto;
pub mod native_token;
pub mod pki;
pub mod port;
pub mod process;
pub mod python;
pub mod s3s_fs;
pub mod scripted_sts;
pub mod server;
pub mod stand_in;
pub mod sts;
pub mod topology;
pub mod upstream;
pub mod wait;
pub mod wire;
pub mod workspace;

/// What went wrong, in words for whoever runs the tests or the demo.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A result with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
