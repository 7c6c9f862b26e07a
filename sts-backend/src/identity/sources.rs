//! The trust sources of one configuration.

use super::{SourceError, SourceSettings};

/// The trust sources of one configuration, with their key caches.
pub struct Sources;

/// Whether one issuer's keys are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerReadiness {
    /// The source's name.
    pub source: String,
    /// The issuer.
    pub issuer: String,
    /// Whether tokens of this issuer can be verified now.
    pub ready: bool,
    /// How many keys are held.
    pub keys: usize,
    /// When they were fetched, in seconds since the epoch.
    pub fetched_at: Option<u64>,
    /// Why the last fetch failed, where it did.
    pub error: Option<String>,
}

impl Sources {
    /// Checks the settings and makes the caches, taking over from `previous` those whose settings are the same. Fetches
    /// nothing: see [`Sources::keep_fresh`].
    pub fn new(
        _settings: Vec<SourceSettings>,
        _trust_domain: &str,
        _previous: Option<&Self>,
    ) -> Result<Self, SourceError> {
        Ok(Self)
    }

    /// Starts a task for each issuer that keeps its keys fresh; the tasks end when the caches are dropped. Needs a
    /// running Tokio runtime. A second call starts nothing twice.
    pub fn keep_fresh(&self) {}

    /// How each issuer stands at `now`.
    pub fn readiness(&self, _now: u64) -> Vec<IssuerReadiness> {
        Vec::new()
    }
}
