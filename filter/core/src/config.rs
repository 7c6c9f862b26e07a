//! The plugin configuration: JSON in, checked settings out. What is wrong is named by path, finding and expectation.
//!
//! Each setting is declared once, as a member of an object ([`object`]) or an alternative of a choice ([`choice`]) with its
//! kind ([`kind`]): the reader and the JSON Schema both come from that.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use token::json as strict_json;

mod choice;
mod form;
mod inject;
mod kind;
mod lifetime;
mod limits;
mod member;
mod node;
mod object;
mod route;
mod sts;

use choice::{Alternatives, Choice, Chosen, choice};
pub use inject::{Injection, Payload, PrefixRewrite, SigV4};
use kind::{Entries, Exactly, Flag, Kind};
use lifetime::Lifetime;
pub use limits::Limits;
use member::{or, or_defaults, required};
pub use node::ConfigError;
use node::{Node, ROOT};
use object::{object, settings};
pub use route::{ExchangeRoute, RouteMode, SubjectSource};
use route::{Inherited, WrittenRoute};
pub use sts::StsSettings;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    listener: String,
    identify_routes_by: RouteIdentification,
    route_check: RouteCheck,
    reads_bodies: bool,
    sts: StsSettings,
    lifetime: Lifetime,
    limits: Limits,
    routes: HashMap<String, RouteMode>,
}

settings! {
    /// The configuration of Cloakroom's filter for Envoy.
    struct Document {
        /// The version of this format.
        version: () = required(Exactly(1)),
        /// The filter's name for its listener; policy sees it.
        listener: String = required(form::NAME),
        /// By what the route that Envoy chose is found among `routes`.
        identify_routes_by: RouteIdentification = or(RouteIdentification::RouteName, choice()),
        /// What holds Envoy to the choice of route that the filter decided for.
        route_check: RouteCheck = or(RouteCheck::FilterState, choice()),
        /// Whether the filter reads bodies, which `payload` `"hash"` needs. It may where Envoy's settings of the plugin have
        /// `allow_on_headers_stop_iteration: true`, and there alone.
        reads_bodies: bool = or(false, Flag),
        /// How the STS is reached, and as whom.
        sts: StsSettings = required(object()),
        /// What holds on exchange routes that do not say otherwise.
        defaults: Lifetime = or_defaults(object()),
        /// The bounds of what one worker holds, and of what all share. What is beyond them is refused as
        /// `filter_overloaded`, or leaves the cache.
        limits: Limits = or_defaults(object()),
        /// What is done on each route.
        routes: Vec<(String, WrittenRoute)> = required(ROUTES),
    }
}

const ROUTES: Entries<Chosen<WrittenRoute>> = Entries { name: form::NAME, of: choice(), what: "route" };

/// By what the route that Envoy chose is found in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteIdentification {
    /// Envoy's `name` of the route.
    RouteName,
    /// A text in the route's metadata.
    RouteMetadata { namespace: String, key: String },
}

settings! {
    /// A place in a route's metadata.
    struct MetadataPlace {
        /// The namespace in `filter_metadata`.
        namespace: String = required(form::NAME),
        /// The key in it.
        key: String = required(form::NAME),
    }
}

impl Choice for RouteIdentification {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.word("route_name", "Envoy's `name` of the route.", Self::RouteName);
        listener.object("route_metadata", "A text in the route's metadata.", |MetadataPlace { namespace, key }| {
            Self::RouteMetadata { namespace, key }
        });
    }
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

impl Choice for RouteCheck {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.word(
            "filter_state",
            "The filter notes its choice in the stream's filter state, and Envoy's RBAC filter behind it compares.",
            Self::FilterState,
        );
        listener.word(
            "validated",
            "Nothing is noted or compared: `cloakroom validate --envoy` has proven that nothing the filter writes or \
             removes can change the choice, and that each route leads to its own `clusters` only.",
            Self::Validated,
        );
    }
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let map = strict_json::parse_object(json).map_err(|error| ConfigError {
            path: ROOT.to_owned(),
            found: format!("text that cannot be read ({error})"),
            expected: "one JSON object in which no key stands twice".to_owned(),
        })?;
        object::<Document>().read(&Node::new(ROOT, &map.into())).and_then(Self::new)
    }

    fn new(document: Document) -> Result<Self, ConfigError> {
        let Document {
            version: (),
            listener,
            identify_routes_by,
            route_check,
            reads_bodies,
            sts,
            defaults: lifetime,
            limits,
            routes,
        } = document;
        let inherited = Inherited { listener: &listener, actor: &sts.actor, lifetime, reads_bodies };
        let resolve = |(name, written): (String, _)| Ok((name.clone(), RouteMode::new(name, written, &inherited)?));
        let routes = routes.into_iter().map(resolve).collect::<Result<_, _>>()?;
        Ok(Self { listener, identify_routes_by, route_check, reads_bodies, sts, lifetime, limits, routes })
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

    /// Whether Envoy lets the filter read bodies: it says so by `allow_on_headers_stop_iteration` of the plugin. One must not be
    /// without the other. Where it is said here alone, bodies that are to be read never come; where it is said there alone, a
    /// held request's body could take its headers along.
    pub fn reads_bodies(&self) -> bool {
        self.reads_bodies
    }

    /// How the STS is reached.
    pub fn sts(&self) -> &StsSettings {
        &self.sts
    }

    /// How long before its end a token is no longer sent, in milliseconds, on routes that do not say otherwise.
    pub fn expiry_margin_ms(&self) -> u64 {
        self.lifetime.expiry_margin_seconds.saturating_mul(1000)
    }

    /// What one worker may hold, and what all share.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What the route wants; `None` if no route of that name is configured.
    pub fn route(&self, name: &str) -> Option<&RouteMode> {
        self.routes.get(name)
    }

    /// Whether a route reads `x-forwarded-client-cert`. Then Envoy lets clients send it on every route of the listener.
    pub fn reads_forwarded_certificates(&self) -> bool {
        self.routes.values().any(|mode| match mode {
            RouteMode::Exchange(route) => route.trusted_hop().is_some(),
            RouteMode::Untouched => false,
        })
    }

    /// Every route, in no order.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &RouteMode)> {
        self.routes.iter().map(|(name, mode)| (name.as_str(), mode))
    }
}

/// What [`Config::parse`] reads, as JSON Schema (draft 2020-12). It refuses nothing that is read, save `null`, which the
/// reader takes for an absent member.
pub fn schema() -> Value {
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), json!("Cloakroom's filter for Envoy")),
    ]);
    if let Value::Object(document) = object::<Document>().schema() {
        schema.extend(document);
    }
    schema.into()
}

#[cfg(test)]
mod tests;
