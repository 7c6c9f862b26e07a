//! What the callbacks of one configuration share in one VM, and the carrying out of verdicts.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
};

use filter_core::{
    config::{Config, RouteCheck, RouteIdentification},
    flow::{Delivery, Flow, Forward, Outcome, Refused, Settled},
    inject::{self, Writes},
    refusal::Refusal,
    reply::CallResult,
    request::{Edit, Headers},
    time::Now,
};
use token::reason::Reason;

use crate::{
    abi::{HostBytes, Status},
    host::{self, HeaderBytes},
    metrics::Metrics,
};

/// One configuration's state in one VM. Nothing keeps a borrow over a call to Envoy that could come back here.
pub struct Worker {
    /// The root context: the calls to the STS are made in its name, so that none ends with the client that was first to need
    /// it.
    pub root: u32,
    pub flow: RefCell<Flow>,
    pub metrics: RefCell<Metrics>,
    /// Envoy's numbers of the calls under way, and which exchange each is for.
    pub calls: RefCell<HashMap<u32, u64>>,
    /// The request that is being decided on, and what came for it meanwhile.
    deciding: RefCell<Option<Deciding>>,
    /// Requests that were refused but could not be answered. They stay where they are until Envoy ends them.
    stuck: RefCell<HashSet<u32>>,
    /// With NUL between its parts, as Envoy wants it.
    route_property: String,
    knows_routes_by_name: bool,
    notes_choice: bool,
    /// Whether there are bodies that are read.
    pub reads_bodies: bool,
}

struct Deciding {
    stream: u32,
    came: Option<Result<(), Refused>>,
}

impl Worker {
    /// The state for a configuration.
    pub fn new(root: u32, config: &Arc<Config>, flow: Flow) -> Self {
        let route_property = match config.identify_routes_by() {
            RouteIdentification::RouteName => ROUTE_NAME.to_owned(),
            RouteIdentification::RouteMetadata { namespace, key } => {
                ["xds", "route_metadata", "filter_metadata", namespace, key].join("\0")
            }
        };
        Self {
            root,
            metrics: RefCell::new(Metrics::new(flow.route_names())),
            flow: RefCell::new(flow),
            calls: RefCell::default(),
            deciding: RefCell::default(),
            stuck: RefCell::default(),
            knows_routes_by_name: route_property == ROUTE_NAME,
            route_property,
            notes_choice: config.route_check() == RouteCheck::FilterState,
            reads_bodies: config.reads_bodies(),
        }
    }

    /// What identifies the route that Envoy chose for the current request.
    pub fn route(&self) -> Result<Option<HostBytes>, Status> {
        host::property(&self.route_property)
    }

    /// Counts a request that was let through.
    pub fn count(&self, route: usize, outcome: Outcome) {
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.request(route, outcome);
        }
    }

    /// Notes what Envoy has chosen for a request that is known as one of `route`, for the filter that checks it: see
    /// [`Choice`].
    pub fn note_choice(&self, route: &[u8]) -> Result<(), Status> {
        if self.notes_choice { self.choice(route)?.note() } else { Ok(()) }
    }

    /// Writes the credential into the current request, whose headers have lost what must not go on.
    ///
    /// # Errors
    /// The refusal, as of [`Self::write`].
    pub fn write_into_current(&self, forward: &Forward) -> Result<(), Refused> {
        if !inject::depends_on_headers(&forward.route) {
            return self.write(forward, &[], &[], NO_TIME);
        }
        let broken = |_: Status| {
            let refusal = Refusal::new(Reason::FilterOverloaded).detail("the request cannot be read");
            Refused { route: Some(Arc::clone(&forward.route)), refusal: Rc::new(refusal) }
        };
        let bytes = HeaderBytes::of_request().map_err(broken)?;
        self.write(forward, &bytes.pairs().map_err(broken)?, &[], host::now())
    }

    /// Writes the credential, if the request goes where the route allows. `headers` are those of the request before `edits`
    /// were made.
    ///
    /// # Errors
    /// The refusal, when it does not.
    pub fn write(&self, forward: &Forward, headers: &Headers<'_>, edits: &[Edit<'_>], now: Now) -> Result<(), Refused> {
        let route = &forward.route;
        let refuse = |refusal| Refused { route: Some(route.clone()), refusal: Rc::new(refusal) };
        let broken = |_| refuse(Refusal::new(Reason::FilterOverloaded).detail("the credential could not be written"));
        let writes = inject::writes(forward, headers, edits, now).map_err(refuse)?;
        if self.notes_choice {
            let choice = self
                .choice(route.name().as_bytes())
                .map_err(|_| refuse(Refusal::new(Reason::ClusterRefused).claim("cluster")))?;
            if !route.permits_cluster(&choice.cluster) {
                let cluster = String::from_utf8_lossy(&choice.cluster).into_owned();
                log::warn!("route {} leads to the cluster {cluster:?}, which it does not name", route.name());
                return Err(refuse(Refusal::new(Reason::ClusterRefused).claim("cluster").got(&cluster)));
            }
            choice.note().map_err(broken)?;
        }
        match &writes {
            Writes::One(name, value) => host::set_request_header(name, value.expose()),
            Writes::Several(writes) => {
                writes.iter().try_for_each(|(name, value)| host::set_request_header(name, value.expose()))
            }
        }
        .map_err(broken)?;
        self.count(forward.index, forward.outcome);
        Ok(())
    }

    /// Answers the current request with a refusal. If even that fails the request stays where it is: it never goes on.
    pub fn refuse(&self, stream: u32, refused: &Refused) {
        let refusal = &refused.refusal;
        let route = refused.route.as_ref().map_or("unknown", |route| route.name());
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.refusal(route, refusal.metric_code());
        }
        log::debug!("route {route} refused: {}", refusal.code());
        if !respond(refusal)
            && let Ok(mut stuck) = self.stuck.try_borrow_mut()
        {
            // What is not remembered here is let go by nobody: a VM that holds so many has ceased to be of use.
            if stuck.len() < MOST_STUCK {
                stuck.insert(stream);
            }
        }
    }

    /// Whether the request neither waits nor was refused. If that cannot be known, it may not.
    pub fn may_go_on(&self, stream: u32) -> bool {
        let (Ok(flow), Ok(stuck)) = (self.flow.try_borrow(), self.stuck.try_borrow()) else { return false };
        !flow.is_waiting(stream) && !stuck.contains(&stream) && stuck.len() < MOST_STUCK
    }

    /// Carries out what an answer brought, for everyone who waited.
    pub fn settle(&self, settled: Settled) {
        if let Ok(mut metrics) = self.metrics.try_borrow_mut() {
            metrics.settled(&settled);
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

    /// Does `work`, which may bring an answer for `stream`, the very request that is being decided on: that is returned and not
    /// carried out, for a request cannot be let go on by a call before it is held.
    pub fn while_deciding(&self, stream: u32, work: impl FnOnce()) -> Option<Result<(), Refused>> {
        self.deciding.replace(Some(Deciding { stream, came: None }));
        work();
        // The calls that follow in this callback are the request's own again.
        _ = crate::abi::set_effective_context(stream);
        self.deciding.take().and_then(|deciding| deciding.came)
    }

    /// Puts aside what has come for the request that is being decided on; hands back what is another's.
    fn put_aside(&self, stream: u32, verdict: Result<(), Refused>) -> Option<Result<(), Refused>> {
        match self.deciding.try_borrow_mut() {
            Ok(mut deciding) => match deciding.as_mut() {
                Some(current) if current.stream == stream => {
                    current.came = Some(verdict);
                    None
                }
                _ => Some(verdict),
            },
            Err(_) => Some(verdict),
        }
    }

    /// Carries out what has become of a request that waited.
    pub fn deliver(&self, delivery: Delivery) {
        // The client may have gone; then there is no such stream, and nothing to do.
        if crate::abi::set_effective_context(delivery.stream).is_err() {
            return;
        }
        let written = delivery.verdict.and_then(|forward| self.write_into_current(&forward));
        match self.put_aside(delivery.stream, written) {
            None => {}
            Some(Ok(())) => _ = crate::abi::continue_request(),
            Some(Err(refused)) => self.refuse(delivery.stream, &refused),
        }
    }

    fn choice(&self, route: &[u8]) -> Result<Choice, Status> {
        let read = |path| host::property(path).map(|value| value.map(|value| value.to_vec()).unwrap_or_default());
        // Where routes are known by Envoy's name for them it need not be read again.
        let route = if self.knows_routes_by_name { route.to_vec() } else { read(ROUTE_NAME)? };
        Ok(Choice { route, cluster: read(CLUSTER_NAME)? })
    }
}

/// The route and cluster that Envoy has chosen for the current request; what has no name is empty.
///
/// Writing a header makes Envoy choose again, and it does so only when the next native filter asks for the route: what this
/// module can read stays what it was. So the choice is noted in the stream's filter state, and Envoy's own RBAC filter,
/// which stands behind this one, refuses a request for which it now chooses otherwise.
struct Choice {
    route: Vec<u8>,
    cluster: Vec<u8>,
}

impl Choice {
    /// Notes it for the filter that checks it.
    fn note(&self) -> Result<(), Status> {
        host::set_filter_state(CHOSEN_ROUTE, &self.route)?;
        // A direct response has no cluster, and nothing to compare later; no credential is ever written on its way.
        if self.cluster.is_empty() {
            return Ok(());
        }
        host::set_filter_state(CHOSEN_CLUSTER, &self.cluster)
    }
}

/// Where the time is of no account, and reading the clocks would cost a call.
const NO_TIME: Now = Now { unix_ms: u64::MAX, steady_ms: u64::MAX };

const ROUTE_NAME: &str = "xds\0route_name";
const CLUSTER_NAME: &str = "xds\0cluster_name";

/// The filter states, which Envoy puts under its prefix `wasm.`.
const CHOSEN_ROUTE: &str = "cloakroom_route";
const CHOSEN_CLUSTER: &str = "cloakroom_cluster";

/// Requests that could not be answered are remembered up to this number; beyond it no body goes on at all.
const MOST_STUCK: usize = 1_000;

/// Makes the changes to the current request.
pub fn apply(edits: &[Edit<'_>]) -> Result<(), Status> {
    edits.iter().try_for_each(|edit| match edit {
        Edit::Remove(name) => host::remove_request_header(name),
        Edit::SetPath(path) => host::set_request_header(":path", path),
    })
}

/// Answers the current request with a refusal, uncounted. Whether that could be done.
pub fn respond(refusal: &Refusal) -> bool {
    let id = host::random_id().unwrap_or_else(|_| "none".to_owned());
    host::respond(&refusal.to_response(&id))
        .inspect_err(|status| log::warn!("a refusal could not be sent ({status:?})"))
        .is_ok()
}
