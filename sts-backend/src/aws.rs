//! What is known of AWS whichever way it is met: as the platform a workload comes from, or as the one it goes to.

pub mod answer;
pub mod partition;
