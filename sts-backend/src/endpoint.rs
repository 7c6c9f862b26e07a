//! What the service answers over HTTP. Status and OAuth code of a refusal are chosen in [`status`] and nowhere else.

pub mod answer;
pub mod health;
pub mod jwks;
pub mod metadata;
pub mod status;
pub mod token;
