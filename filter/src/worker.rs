//! What the contexts of one worker share, and the carrying out of verdicts.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use filter_core::{
    cache::Issued,
    config::{Config, RouteIdentification},
    flow::{Delivery, Flow, Forward, Outcome, Refused, Settled},
    key::Key,
    refusal::Refusal,
    reply::CallResult,
    request::Edit,
};
use proxy_wasm::types::Status;
use token::reason::Reason;

use crate::{
    host::{self, Clock},
    metrics::{Metrics, UNKNOWN_ROUTE},
};

/// One worker's state. Nothing keeps a borrow over a call to Envoy that could come back here.
pub struct Worker {
    pub flow: RefCell<Flow>,
    pub clock: Clock,
    metrics: RefCell<Metrics>,
    /// Requests that waited and were refused, until their streams end.
    refused: RefCell<HashSet<u32>>,
    /// What requests that waited went on with, until their streams end.
    delivered: RefCell<HashMap<u32, Rc<Issued>>>,
    route_property: Vec<String>,
    knows_routes_by_name: bool,
    queue: u32,
}

impl Worker {
    /// The state for a configuration; `queue` wakes the root context.
    pub fn new(config: &std::sync::Arc<Config>, queue: u32) -> Self {
        let route_property = match config.identify_routes_by() {
            RouteIdentification::RouteName => vec!["xds".to_owned(), "route_name".to_owned()],
            RouteIdentification::RouteMetadata { namespace, key } => {
                let path = ["xds", "route_metadata", "filter_metadata", namespace, key];
                path.map(str::to_owned).to_vec()
            }
        };
        Self {
            flow: RefCell::new(Flow::new(std::sync::Arc::clone(config))),
            clock: Clock::new(),
            metrics: RefCell::default(),
            refused: RefCell::default(),
            delivered: RefCell::default(),
            route_property,
            knows_routes_by_name: *config.identify_routes_by() == RouteIdentification::RouteName,
            queue,
        }
    }

    /// What identifies the route that Envoy chose for the current request.
    pub fn route(&self) -> Result<Option<Vec<u8>>, Status> {
        let path: Vec<&str> = self.route_property.iter().map(String::as_str).collect();
        host::property(&path)
    }

    /// Has the root context start what is to be started. If that fails, its tick does it a little later.
    pub fn wake_root(&self) {
        if let Err(status) = host::wake(self.queue) {
            log::warn!("the queue could not be written ({status:?}); exchanges start by tick");
        }
    }

    /// Counts a request that was let through.
    pub fn count(&self, route: &str, outcome: Outcome) {
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.request(route, outcome);
        }
    }

    /// Sets the gauges.
    pub fn gauge(&self) {
        if let (Ok(mut metrics), Ok(flow)) = (self.metrics.try_borrow_mut(), self.flow.try_borrow()) {
            metrics.entries(flow.cached());
        }
    }

    /// What Envoy has chosen, where the configuration knows the route as `route`.
    pub fn choice(&self, route: &[u8]) -> Result<Choice, Status> {
        let read = |name| host::property(&["xds", name]).map(Option::unwrap_or_default);
        // Where routes are known by Envoy's name for them it need not be read again.
        let route = if self.knows_routes_by_name { route.to_vec() } else { read("route_name")? };
        Ok(Choice { route, cluster: read("cluster_name")? })
    }

    /// Writes the credential, if the request goes where the route allows.
    ///
    /// # Errors
    /// The refusal, when it does not.
    pub fn write(&self, forward: &Forward) -> Result<(), Refused> {
        let route = &forward.route;
        let refuse = |refusal| Refused { route: Some(route.clone()), refusal: Rc::new(refusal) };
        let choice = self
            .choice(route.name().as_bytes())
            .map_err(|_| refuse(Refusal::new(Reason::ClusterRefused).claim("cluster")))?;
        if !route.permits_cluster(&choice.cluster) {
            let cluster = String::from_utf8_lossy(&choice.cluster).into_owned();
            log::warn!("route {} leads to the cluster {cluster:?}, which it does not name", route.name());
            return Err(refuse(Refusal::new(Reason::ClusterRefused).claim("cluster").got(&cluster)));
        }
        let broken = |_| refuse(Refusal::new(Reason::FilterOverloaded).detail("the credential could not be written"));
        choice.note().map_err(broken)?;
        host::set_request_header(route.injected_header(), forward.issued.header_value.expose()).map_err(broken)?;
        self.count(route.name(), forward.outcome);
        Ok(())
    }

    /// Answers the current request with a refusal. If even that fails the request stays where it is: it never goes on.
    pub fn refuse(&self, refused: &Refused) {
        let refusal = &refused.refusal;
        let route = refused.route.as_ref().map_or(UNKNOWN_ROUTE, |route| route.name());
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.request(route, Outcome::Refused);
            metrics.refusal(route, refusal.metric_code());
        }
        log::debug!("route {route} refused: {}", refusal.code());
        respond(refusal);
    }

    /// Carries out what an answer brought, for everyone who waited.
    pub fn settle(&self, settled: Settled) {
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.call(settled.route.name(), settled.result, settled.took_ms);
        }
        log::debug!(
            "route {} exchange sha256:{} {} in {:?} ms for {} requests",
            settled.route.name(),
            settled.fingerprint,
            settled.result.name(),
            settled.took_ms,
            settled.deliveries.len()
        );
        if settled.result == CallResult::Unavailable {
            log::warn!("route {}: the STS could not be asked, or gave an unusable answer", settled.route.name());
        }
        for delivery in settled.deliveries {
            self.deliver(delivery);
        }
    }

    /// Whether the request of an `exchange` route neither waits nor was refused. If that cannot be known, it may not.
    pub fn may_go_on(&self, stream: u32) -> bool {
        let (Ok(flow), Ok(refused)) = (self.flow.try_borrow(), self.refused.try_borrow()) else { return false };
        !flow.is_waiting(stream) && !refused.contains(&stream)
    }

    /// Forgets a request whose stream has ended.
    pub fn on_stream_end(&self, stream: u32) {
        if let Ok(mut flow) = self.flow.try_borrow_mut() {
            flow.on_stream_end(stream);
        }
        if let Ok(mut refused) = self.refused.try_borrow_mut() {
            refused.remove(&stream);
        }
        if let Ok(mut delivered) = self.delivered.try_borrow_mut() {
            delivered.remove(&stream);
        }
    }

    /// The destination has refused what `stream` was sent with: `issued`, or what it was given after it had waited.
    pub fn on_unauthorized(&self, stream: u32, key: &Key, issued: Option<&Rc<Issued>>) {
        let given = self.delivered.try_borrow().ok().and_then(|delivered| delivered.get(&stream).cloned());
        if let (Some(sent), Ok(mut flow)) = (issued.or(given.as_ref()), self.flow.try_borrow_mut()) {
            flow.on_unauthorized(key, sent);
        }
    }

    fn deliver(&self, delivery: Delivery) {
        // A stream that has ended was forgotten in its `on_done`; if Envoy knows it no more there is nothing to do.
        if host::speak_of(delivery.stream).is_err() {
            return;
        }
        let resumed = delivery.verdict.and_then(|forward| {
            self.write(&forward)?;
            if let Ok(mut delivered) = self.delivered.try_borrow_mut() {
                delivered.insert(delivery.stream, Rc::clone(&forward.issued));
            }
            _ = host::resume_request();
            Ok(())
        });
        if let Err(refused) = resumed {
            if let Ok(mut streams) = self.refused.try_borrow_mut() {
                streams.insert(delivery.stream);
            }
            self.refuse(&refused);
        }
    }
}

/// The route and cluster that Envoy has chosen for the current request; what has no name is empty.
///
/// Writing a header makes Envoy choose again, and it does so only when the next native filter asks for the route: what this
/// module can read stays what it was. So the choice is noted in the stream's filter state, and Envoy's own RBAC filter,
/// which stands behind this one, refuses a request for which it now chooses otherwise.
pub struct Choice {
    route: Vec<u8>,
    cluster: Vec<u8>,
}

impl Choice {
    /// Notes it for the filter that checks it.
    pub fn note(&self) -> Result<(), Status> {
        host::set_filter_state(CHOSEN_ROUTE, &self.route)?;
        // A direct response has no cluster, and nothing to compare later; no credential is ever written on its way.
        if self.cluster.is_empty() {
            return Ok(());
        }
        host::set_filter_state(CHOSEN_CLUSTER, &self.cluster)
    }
}

/// The filter states, which Envoy puts under its prefix `wasm.`.
const CHOSEN_ROUTE: &str = "cloakroom_route";
const CHOSEN_CLUSTER: &str = "cloakroom_cluster";

/// Makes the changes to the current request.
pub fn apply(edits: &[Edit<'_>]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove_request_header(name),
        Edit::SetPath(path) => host::set_request_header(":path", path),
    })
}

/// Answers the current request with a refusal, uncounted.
pub fn respond(refusal: &Refusal) {
    let id = host::random_id().unwrap_or_else(|_| "none".to_owned());
    if let Err(status) = host::respond(&refusal.to_response(&id)) {
        log::warn!("a refusal could not be sent ({status:?})");
    }
}
