//! The plugin configuration: JSON in, checked settings out. What is wrong is named by path, finding and expectation.

use std::collections::HashMap;

use token::{json, spiffe::SpiffeId};

mod form;
mod node;
mod route;
mod use_settings;

pub use node::ConfigError;
use node::{Members, Node, ROOT};
use route::Inherited;
pub use route::{ExchangeRoute, Injection, RouteMode, SubjectSource};
use use_settings::UseSettings;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    listener: String,
    identify_routes_by: RouteIdentification,
    route_check: RouteCheck,
    sts: StsSettings,
    defaults: UseSettings,
    limits: Limits,
    routes: HashMap<String, RouteMode>,
}

/// By what the route that Envoy chose is found in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteIdentification {
    /// Envoy's `name` of the route.
    RouteName,
    /// A text in the route's metadata.
    RouteMetadata { namespace: String, key: String },
}

/// What holds Envoy to the choice of route that the filter decided for, though writing a header makes it choose again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteCheck {
    /// The filter notes its choice in the stream's filter state, and Envoy's RBAC filter behind it compares.
    FilterState,
    /// `cloakroom validate` has proven that nothing the filter writes or removes can change the choice, and that every route
    /// leads to its own `clusters` only: nothing is noted or compared.
    Validated,
}

/// How the STS is reached, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsSettings {
    /// Envoy's cluster.
    pub cluster: String,
    /// `:authority` of the call.
    pub authority: String,
    /// Path of the token endpoint.
    pub path: String,
    /// How long an answer is waited for.
    pub timeout_ms: u64,
    /// The SPIFFE ID in the certificate that the cluster presents.
    pub actor: String,
}

/// The bounds of what one worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Issued tokens; remembered refusals have as many places of their own.
    pub cached_tokens: usize,
    /// Bytes of keys and issued tokens; remembered refusals have as many of their own.
    pub cached_bytes: usize,
    /// Exchanges under way.
    pub pending_exchanges: usize,
    /// Requests that wait, over all exchanges.
    pub waiting_requests: usize,
    /// Requests that wait for one exchange.
    pub waiting_per_exchange: usize,
    /// Exchanges under way for one source address.
    pub pending_per_source: usize,
    /// Places for issued tokens that all workers share; 0: workers share nothing.
    pub shared_tokens: usize,
    /// Places for the leases by which one worker asks for all.
    pub shared_leases: usize,
    /// Places for remembered refusals that all workers share.
    pub shared_refusals: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cached_tokens: 10_000,
            cached_bytes: 64 * 1024 * 1024,
            pending_exchanges: 1_000,
            waiting_requests: 10_000,
            waiting_per_exchange: 5_000,
            pending_per_source: 500,
            shared_tokens: 4_096,
            shared_leases: 1_024,
            shared_refusals: 1_024,
        }
    }
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let map = json::parse_object(json).map_err(|error| ConfigError {
            path: ROOT.to_owned(),
            found: format!("text that cannot be read ({error})"),
            expected: "one JSON object in which no key stands twice".to_owned(),
        })?;
        let value = map.into();
        let document = Node::new(ROOT, &value);
        let members = document.members(&[
            "version",
            "listener",
            "identify_routes_by",
            "route_check",
            "sts",
            "defaults",
            "limits",
            "routes",
        ])?;
        members.required("version", "1")?.number(1, 1)?;
        let listener = name(&members, "listener")?;
        let identify_routes_by = match members.optional("identify_routes_by") {
            None => RouteIdentification::RouteName,
            Some(node) => RouteIdentification::read(&node)?,
        };
        let route_check = match members.optional("route_check") {
            None => RouteCheck::FilterState,
            Some(node) => RouteCheck::read(&node)?,
        };
        let sts = StsSettings::read(&members.required("sts", "an object that says how the STS is reached")?)?;
        let defaults = match members.optional("defaults") {
            None => UseSettings::default(),
            Some(node) => UseSettings::default().overridden(&node.members(&UseSettings::KEYS)?)?,
        };
        let limits = members.optional("limits").map_or(Ok(Limits::default()), |node| Limits::read(&node))?;
        let inherited = Inherited { listener: &listener, actor: &sts.actor, defaults };
        let routes = read_routes(&members.required("routes", ROUTES)?, &inherited)?;
        Ok(Self { listener, identify_routes_by, route_check, sts, defaults, limits, routes })
    }

    /// The filter's name for its listener.
    pub fn listener(&self) -> &str {
        &self.listener
    }

    /// By what routes are identified.
    pub fn identify_routes_by(&self) -> &RouteIdentification {
        &self.identify_routes_by
    }

    /// What holds Envoy to the choice of route.
    pub fn route_check(&self) -> RouteCheck {
        self.route_check
    }

    /// How the STS is reached.
    pub fn sts(&self) -> &StsSettings {
        &self.sts
    }

    /// How long before its end a token is no longer sent, in milliseconds, on routes that do not say otherwise.
    pub fn expiry_margin_ms(&self) -> u64 {
        self.defaults.expiry_margin_seconds.saturating_mul(1000)
    }

    /// What one worker may hold.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What the route wants; `None` if no route of that name is configured.
    pub fn route(&self, name: &str) -> Option<&RouteMode> {
        self.routes.get(name)
    }

    /// Every route, in no order.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &RouteMode)> {
        self.routes.iter().map(|(name, mode)| (name.as_str(), mode))
    }
}

fn read_routes(node: &Node<'_>, inherited: &Inherited<'_>) -> Result<HashMap<String, RouteMode>, ConfigError> {
    let entries = node.entries(ROUTES)?;
    if entries.is_empty() {
        return Err(node.refuse("at least one route"));
    }
    let mut routes = HashMap::with_capacity(entries.len());
    for (name, node) in entries {
        if !form::is_name(name) {
            return Err(node.refuse_finding("a route of that name", format_args!("a name of {NAME}")));
        }
        routes.insert(name.to_owned(), RouteMode::read(name, &node, inherited)?);
    }
    Ok(routes)
}

impl RouteIdentification {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "\"route_name\" or {\"route_metadata\": {\"namespace\": ..., \"key\": ...}}";
        match node.choice(EXPECTED)? {
            ("route_name", None) => Ok(Self::RouteName),
            ("route_metadata", Some(settings)) => {
                let members = settings.members(&["namespace", "key"])?;
                Ok(Self::RouteMetadata { namespace: name(&members, "namespace")?, key: name(&members, "key")? })
            }
            _ => Err(node.refuse(EXPECTED)),
        }
    }
}

impl RouteCheck {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "\"filter_state\" or \"validated\"";
        match node.choice(EXPECTED)? {
            ("filter_state", None) => Ok(Self::FilterState),
            ("validated", None) => Ok(Self::Validated),
            _ => Err(node.refuse(EXPECTED)),
        }
    }
}

impl StsSettings {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        const ACTOR: &str = "the SPIFFE ID in the proxy's certificate, as `spiffe://trust.domain/path`";
        let members = node.members(&["cluster", "authority", "path", "timeout_ms", "actor"])?;
        let path =
            members.optional("path").map(|node| node.text(form::is_path, "a path that begins with `/`, no query"));
        let timeout_ms = members.optional("timeout_ms").map(|node| node.number(10, 10_000));
        Ok(Self {
            cluster: name(&members, "cluster")?,
            authority: name(&members, "authority")?,
            path: path.transpose()?.unwrap_or_else(|| "/oauth2/token".to_owned()),
            timeout_ms: timeout_ms.transpose()?.unwrap_or(750),
            actor: members.required("actor", ACTOR)?.text(|text| SpiffeId::parse(text).is_ok(), ACTOR)?,
        })
    }
}

impl Limits {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        let members = node.members(&[
            "cached_tokens",
            "cached_bytes",
            "pending_exchanges",
            "waiting_requests",
            "waiting_per_exchange",
            "pending_per_source",
            "shared_tokens",
            "shared_leases",
            "shared_refusals",
        ])?;
        let default = Self::default();
        let between = |key, default, least, most| match members.optional(key) {
            None => Ok(default),
            Some(node) => node.number(least, most).map(|number| usize::try_from(number).unwrap_or(default)),
        };
        let bound = |key, default, most| between(key, default, 1, most);
        Ok(Self {
            cached_tokens: bound("cached_tokens", default.cached_tokens, 1_000_000)?,
            cached_bytes: bound("cached_bytes", default.cached_bytes, 1024 * 1024 * 1024)?,
            pending_exchanges: bound("pending_exchanges", default.pending_exchanges, 100_000)?,
            waiting_requests: bound("waiting_requests", default.waiting_requests, 100_000)?,
            waiting_per_exchange: bound("waiting_per_exchange", default.waiting_per_exchange, 100_000)?,
            pending_per_source: bound("pending_per_source", default.pending_per_source, 100_000)?,
            shared_tokens: between("shared_tokens", default.shared_tokens, 0, 65_536)?,
            shared_leases: bound("shared_leases", default.shared_leases, 65_536)?,
            shared_refusals: bound("shared_refusals", default.shared_refusals, 65_536)?,
        })
    }
}

fn name(members: &Members<'_>, key: &str) -> Result<String, ConfigError> {
    members.required(key, NAME)?.text(form::is_name, NAME)
}

const NAME: &str = "1 to 255 visible ASCII characters without `;`, `=` and `\"`";
const ROUTES: &str = "an object from route name to \"untouched\" or {\"exchange\": {...}}";

#[cfg(test)]
mod tests;
