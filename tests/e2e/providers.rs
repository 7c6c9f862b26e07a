//! The providers of destinations in trouble, and asked by many: what one of them does is told with its reason, is nobody else's
//! matter, and never becomes a credential; and they are asked once for a workload, not once for a request.
//!
//! By default a part runs that takes seconds; all of it, with what was measured, with
//! `CLOAKROOM_WHOLE=1 cargo test --release -p e2e --test e2e providers:: -- --nocapture`.

/// Destinations, workloads without end, and calls.
mod ground;

/// Each provider's own words, and that its routes come back by themselves.
mod codes;

/// Answers that must not become a credential.
mod lies;

/// One provider in trouble, the others under load.
mod neighbours;

/// Calls stay below what was set.
mod limit;

/// Many requests of some workloads.
mod many;

/// Credentials that are lent again, and one that the destination takes no more.
mod lent_again;
