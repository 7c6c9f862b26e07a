//! Stand-ins for the clouds that destinations are in.

pub mod assertion;
pub mod authority;
pub mod aws;
pub mod azure;
pub mod gcp;
pub mod issuer;
pub mod lie;
pub mod oauth;
pub mod platform;
pub mod random;
#[cfg(test)]
mod rehearsal;
pub mod reply;
pub mod seen;
pub mod switches;
