//! The matching lines for the edge: the filter's route, and Envoy's route and cluster.

use super::{
    plan::Asked,
    template::{Filled, Fillings, fill},
    tree::{Language, Tree},
};

/// Where the destination is, and how it is called.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// By what callers of the STS ask for it.
    pub resource: String,
    /// The host that is called, on port 443.
    pub host: String,
    /// What the prefix of the route becomes on the way.
    pub path: String,
    /// How the credential is put into the request, if not as a bearer token.
    pub inject: Option<Tree>,
}

impl Edge {
    /// The prefix by which workloads reach the destination at the edge.
    pub fn prefix(name: &str) -> String {
        format!("/{name}/")
    }

    /// The route in the filter's configuration.
    pub fn filter_route(&self, asked: &Asked) -> Filled {
        let mut members = vec![("resource", Tree::text(&self.resource)), ("scope", Tree::text(asked.scope()))];
        members.extend(self.inject.clone().map(|inject| ("inject", inject)));
        members.push(("clusters", Tree::texts([&asked.name])));
        let route = Tree::object([("exchange", Tree::object(members))]);
        let routes = Tree::object([("routes", Tree::object([(asked.name.as_str(), route)]))]);
        fill(Language::Json, "{{routes}}\n", &Fillings::default().and("routes", routes))
    }

    /// Envoy's route and cluster.
    pub fn envoy(&self, asked: &Asked) -> Filled {
        let fillings = Fillings::default()
            .and("name", &asked.name)
            .and("prefix", &Self::prefix(&asked.name))
            .and("host", &self.host)
            .and("path", &self.path);
        fill(Language::Yaml, include_str!("templates/envoy.yaml"), &fillings)
    }
}
