//! From every cloud to every cloud: a workload shows the token of its own, and the destination's cloud sees a credential of
//! its own making, for that workload, that one place and those few permissions.

/// Buckets, tables and queues at AWS.
mod aws;

/// Containers at Azure.
mod azure;

/// Several roles, several servers.
mod chains;

/// The files of it all.
mod files;

/// Buckets and services at Google.
mod gcp;

/// Calls, and what must be true of each.
mod matrix;

/// Less than a destination has.
mod narrowing;

/// A partner's API.
mod partner;

/// Kinds of credentials that do not fit.
mod token_types;
