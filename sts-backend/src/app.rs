//! The service as it answers: what is in force, what is in flight, and which paths each listener has.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{Router, routing};

use crate::{
    endpoint::{self, metadata::Metadata},
    exchange::Exchange,
    identity::Sources,
    keys::SigningKeys,
    metrics::Metrics,
    store::Store,
};

/// What one configuration puts in force; a reload replaces it whole.
pub struct InForce {
    pub exchange: Exchange,
    pub sources: Arc<Sources>,
    pub metadata: Metadata,
    /// Exchanges that are worked on at once.
    pub exchanges_in_flight: usize,
    /// Digest of the configuration's text.
    pub configuration_version: String,
    /// Digest of schema and policies.
    pub policy_version: String,
}

/// The service.
pub struct App {
    in_force: ArcSwap<InForce>,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    pub keys: Arc<SigningKeys>,
    pub store: Arc<dyn Store>,
    pub metrics: Metrics,
    /// What time it is, in seconds since the epoch.
    pub clock: fn() -> u64,
}

/// How long a request's body may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl App {
    /// A service with `in_force` in force.
    pub fn new(in_force: InForce, keys: Arc<SigningKeys>, store: Arc<dyn Store>, clock: fn() -> u64) -> Self {
        let mut metrics = Metrics::default();
        metrics.show_providers(in_force.exchange.providers().meters());
        metrics.in_force(&in_force.configuration_version, &in_force.policy_version);
        Self {
            in_force: ArcSwap::from_pointee(in_force),
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            keys,
            store,
            metrics,
            clock,
        }
    }

    /// What is in force. A request takes it once and keeps to it.
    pub fn in_force(&self) -> Arc<InForce> {
        self.in_force.load_full()
    }

    /// Puts another configuration in force for the requests that begin after this.
    pub fn replace(&self, in_force: InForce) {
        self.metrics.in_force(&in_force.configuration_version, &in_force.policy_version);
        self.in_force.store(Arc::new(in_force));
    }

    /// From now on the service says it is not ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// A place among the exchanges in flight, if there is one among `limit`.
    pub fn admit(self: &Arc<Self>, limit: usize) -> Option<Admission> {
        let take = |number: usize| (number < limit).then_some(number + 1);
        let before = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).ok()?;
        self.metrics.in_flight(before + 1);
        Some(Admission(Arc::clone(self)))
    }
}

/// A place among the exchanges in flight, given back when dropped.
pub struct Admission(Arc<App>);

impl Drop for Admission {
    fn drop(&mut self) {
        let before = self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.in_flight(before.saturating_sub(1));
    }
}

/// The paths of the listener that requires client certificates: everything.
pub fn full(app: &Arc<App>) -> Router {
    public(app).merge(operational()).fallback(endpoint::answer::not_found).with_state(Arc::clone(app))
}

/// The paths of the listener without client certificates: exchange, keys and metadata.
pub fn direct(app: &Arc<App>) -> Router {
    public(app).fallback(endpoint::answer::not_found).with_state(Arc::clone(app))
}

/// The paths of the operations listener: health and metrics.
pub fn operations(app: &Arc<App>) -> Router {
    operational().fallback(endpoint::answer::not_found).with_state(Arc::clone(app))
}

/// Where the issuer has a path, everything stands below it too; the metadata of RFC 8414 has the path at its end.
fn public(app: &Arc<App>) -> Router<Arc<App>> {
    let path = app.in_force().metadata.issuer_path().to_owned();
    let router = documents("", &path);
    if path.is_empty() { router } else { router.merge(documents(&path, "")) }
}

fn documents(before: &str, after: &str) -> Router<Arc<App>> {
    let mut router = Router::new()
        .route(
            &format!("{before}{}", endpoint::token::PATH),
            routing::post(endpoint::token::exchange).fallback(endpoint::answer::only_post),
        )
        .route(&format!("{before}{}", endpoint::jwks::PATH), get(endpoint::jwks::jwks))
        .route(&format!("{before}{}", endpoint::metadata::OPENID_PATH), get(endpoint::metadata::openid_configuration))
        .route(&format!("{before}{}", endpoint::metadata::OAUTH_PATH), get(endpoint::metadata::authorization_server));
    if !after.is_empty() {
        router = router.route(
            &format!("{}{after}", endpoint::metadata::OAUTH_PATH),
            get(endpoint::metadata::authorization_server),
        );
    }
    router
}

fn operational() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(endpoint::health::healthz))
        .route("/readyz", get(endpoint::health::readyz))
        .route("/metrics", get(endpoint::health::metrics))
}

fn get<H, T>(handler: H) -> routing::MethodRouter<Arc<App>>
where
    H: axum::handler::Handler<T, Arc<App>>,
    T: 'static,
{
    routing::get(handler).fallback(endpoint::answer::only_get)
}

#[cfg(test)]
mod tests;
