//! Route tables.

use serde_json::{Map, Value, json};

/// A route table of Envoy, all of whose routes lead to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routes {
    pub shape: Shape,
    /// At most 100,000.
    pub count: usize,
}

/// How Envoy finds a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One virtual host with a list of path prefixes, which Envoy tries one after another.
    Prefixes,
    /// One virtual host per route, which Envoy finds by a hash of the name.
    Hosts,
}

impl Routes {
    pub const ONE: Self = Self { shape: Shape::Prefixes, count: 1 };

    pub fn name(&self) -> String {
        let shape = match self.shape {
            Shape::Prefixes => "prefixes",
            Shape::Hosts => "hosts",
        };
        format!("{}_{shape}", self.count)
    }

    pub fn title(&self) -> String {
        match (self.count, self.shape) {
            (1, _) => "1 route".into(),
            (count, Shape::Prefixes) => format!("{count} routes, a list of prefixes"),
            (count, Shape::Hosts) => format!("{count} routes, a virtual host each"),
        }
    }

    /// The host that leads to a route.
    pub fn host(&self, route: usize) -> String {
        match self.shape {
            Shape::Prefixes => "edge.test".into(),
            Shape::Hosts => format!("h{route:05}.test"),
        }
    }

    /// A path that leads to a route; the caller's number is its last segment.
    pub fn path(&self, route: usize, caller: usize) -> String {
        format!("/r{route:05}/{caller:06}")
    }

    /// The virtual hosts of Envoy's route configuration.
    pub fn virtual_hosts(&self) -> Vec<Value> {
        let route = |number: usize| {
            json!({
                "name": name(number),
                "match": {"prefix": format!("/r{number:05}/")},
                "route": {"cluster": "service"}
            })
        };
        match self.shape {
            Shape::Prefixes => {
                let routes: Vec<_> = (0..self.count).map(route).collect();
                vec![json!({"name": "all", "domains": ["*"], "routes": routes})]
            }
            Shape::Hosts => (0..self.count)
                .map(|number| json!({"name": name(number), "domains": [self.host(number)], "routes": [route(number)]}))
                .collect(),
        }
    }

    /// The filter's settings for every route.
    pub fn settings(&self) -> Value {
        let setting = |number| {
            let setting = json!({"exchange": {
                "resource": "https://reports.gcp.cloakroom.test", "scope": "reports.read", "clusters": ["service"]
            }});
            (name(number), setting)
        };
        Value::Object((0..self.count).map(setting).collect::<Map<_, _>>())
    }
}

fn name(number: usize) -> String {
    format!("route-{number:05}")
}
