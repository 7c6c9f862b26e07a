//! Destinations in clouds: what the STS, its policy, the egress edge and the filter must be told of each.
//!
//! Configurations name the stand-ins as containers are named, `aws-cloud:443`; where they really listen is put in when a
//! topology starts. The edge reaches them by TLS under the names that they have for the world, as it would reach the clouds.

use serde_json::{Value, json};

use crate::{
    Result,
    bootstrap::Document,
    federation::{aws, azure, gcp, oauth},
};

/// A destination in a cloud. Its name is that of its target, its route and its cluster; calls to `/NAME/...` go there as
/// `/...`.
#[derive(Clone, Debug)]
pub struct CloudRoute {
    pub name: String,
    /// Which of [`providers`] opens it.
    pub provider: String,
    /// Under which name the stand-in is known: `aws-cloud`.
    pub cloud: &'static str,
    /// Under which name the service is known to the world.
    pub host: String,
    /// By what it is asked for.
    pub resource: String,
    /// What is opened there.
    pub target: Value,
    pub permissions: Vec<String>,
    /// The scope that the route asks for, where that is not all permissions.
    pub asked: Option<String>,
    pub max_life_seconds: u64,
    /// How the filter puts the credential in; as a header where it is `null`.
    pub inject: Value,
}

impl CloudRoute {
    /// Reading and listing below `team-a/` of a bucket at AWS, signed over what the client says of its bodies.
    pub fn aws_bucket() -> Self {
        let host = format!("reports.s3.{}.amazonaws.com", crate::aws::REGION);
        Self::new("aws-bucket", "aws-prod", "aws-cloud", &host)
            .opening(json!({"bucket": "reports", "prefix": "team-a/"}), &["read", "list"])
            .signed("s3", "reuse")
    }

    /// Reading and writing a table at AWS. The plugin must read bodies for it.
    pub fn aws_table() -> Self {
        let (region, account) = (crate::aws::REGION, aws::Setup::ACCOUNT);
        Self::new("aws-table", "aws-prod", "aws-cloud", &format!("dynamodb.{region}.amazonaws.com"))
            .opening(json!({"table": format!("arn:aws:dynamodb:{region}:{account}:table/orders")}), &["read", "write"])
            .signed("dynamodb", "hash")
    }

    /// Writing to a queue at AWS. The plugin must read bodies for it.
    pub fn aws_queue() -> Self {
        let (region, account) = (crate::aws::REGION, aws::Setup::ACCOUNT);
        Self::new("aws-queue", "aws-prod", "aws-cloud", &format!("sqs.{region}.amazonaws.com"))
            .opening(json!({"queue": format!("arn:aws:sqs:{region}:{account}:jobs")}), &["write"])
            .signed("sqs", "hash")
    }

    /// Reading and listing below `team-a/` of a bucket at Google.
    pub fn gcp_bucket() -> Self {
        Self::new("gcp-bucket", "gcp-prod", "gcp-cloud", "storage.googleapis.com")
            .opening(json!({"bucket": "acme-reports", "prefix": "team-a/"}), &["read", "list"])
    }

    /// A service at Google that wants ID tokens.
    pub fn gcp_service() -> Self {
        let host = gcp::Setup::SERVICE;
        Self::new("gcp-service", "gcp-prod", "gcp-cloud", host)
            .opening(json!({"id_token_audience": format!("https://{host}")}), &[])
    }

    /// Reading and listing a container at Azure, by a shared access signature.
    pub fn azure_container() -> Self {
        let account = azure::Setup::ACCOUNT;
        let mut route =
            Self::new("azure-container", "entra", "azure-cloud", &format!("{account}.blob.core.windows.net"))
                .opening(json!({"account": account, "container": "reports"}), &["read", "list"]);
        route.inject = json!("azure_sas");
        route
    }

    /// Reading at a partner's API.
    pub fn partner_api() -> Self {
        let url = oauth::Partner::API;
        Self::new("partner-api", "partner", "partner-cloud", url.trim_start_matches("https://"))
            .opening(json!({"resource": url}), &[oauth::READ])
    }

    /// One of each cloud, none of which needs bodies to be read.
    pub fn usual() -> Vec<Self> {
        vec![Self::aws_bucket(), Self::gcp_bucket(), Self::gcp_service(), Self::azure_container(), Self::partner_api()]
    }

    /// One that opens nothing yet.
    pub fn new(name: &str, provider: &str, cloud: &'static str, host: &str) -> Self {
        Self {
            name: name.to_owned(),
            provider: provider.to_owned(),
            cloud,
            host: host.to_owned(),
            resource: format!("https://{name}.cloakroom.test"),
            target: json!({}),
            permissions: Vec::new(),
            asked: None,
            max_life_seconds: 300,
            inject: Value::Null,
        }
    }

    /// One that opens this.
    #[must_use]
    pub fn opening(mut self, target: Value, permissions: &[&str]) -> Self {
        self.target = target;
        self.permissions = permissions.iter().map(ToString::to_string).collect();
        self
    }

    /// One whose requests the filter signs.
    #[must_use]
    pub fn signed(mut self, service: &str, payload: &str) -> Self {
        self.inject = json!({"sigv4": {"service": service, "region": crate::aws::REGION, "payload": payload}});
        self.sign_as_it_leaves();
        self
    }

    /// One that asks for this scope and no more.
    #[must_use]
    pub fn asking(mut self, scope: &str) -> Self {
        self.asked = Some(scope.to_owned());
        self
    }

    /// A route of another name, towards another host of the same cloud, for which this one's credential is asked.
    #[must_use]
    pub fn led_astray(&self, name: &str, host: &str) -> Self {
        let mut astray = Self { name: name.to_owned(), host: host.to_owned(), ..self.clone() };
        astray.sign_as_it_leaves();
        astray
    }

    /// The same credential, for a route of another name that asks for another scope.
    #[must_use]
    pub fn narrowed(&self, name: &str, scope: &str) -> Self {
        self.led_astray(name, &self.host).asking(scope)
    }

    /// Tells the filter, where it signs, what the route makes of host and path.
    fn sign_as_it_leaves(&mut self) {
        let rewrite = json!({"match": self.prefix(), "to": "/"});
        if let Some(sigv4) = self.inject.get_mut("sigv4") {
            (sigv4["host"], sigv4["prefix_rewrite"]) = (json!(self.host), rewrite);
        }
    }

    fn prefix(&self) -> String {
        format!("/{}/", self.name)
    }

    /// Adds it to the STS's configuration.
    pub fn add_target(&self, config: &mut Value) {
        let mut target = json!({
            "name": self.name, "resource": self.resource, "provider": self.provider, "target": self.target,
            "max_life_seconds": self.max_life_seconds
        });
        if !self.permissions.is_empty() {
            target["permissions"] = json!(self.permissions);
        }
        push(&mut config["targets"], target);
    }

    /// What the policy says of it: every workload that a proxy may speak for has all of it.
    pub fn policy(&self) -> String {
        let scope = match self.permissions.as_slice() {
            [] => String::new(),
            permissions => format!("@scope(\"{}\")\n", permissions.join(" ")),
        };
        format!(
            "\n@id(\"open-{}\")\n@reason(\"a test of what the cloud takes\")\n{scope}permit (\n  principal is Cloakroom::Workload,\n  \
             action == Cloakroom::Action::\"exchange\",\n  resource == Cloakroom::Target::\"{}\"\n);\n",
            self.name, self.resource
        )
    }

    /// Adds its route and its cluster to the egress edge's bootstrap.
    pub fn add_route(&self, bootstrap: &mut Value) {
        let route = json!({
            "name": self.name,
            "match": {"prefix": self.prefix()},
            "route": {
                "cluster": self.name, "host_rewrite_literal": self.host, "prefix_rewrite": "/", "timeout": "15s"
            }
        });
        let cluster = json!({
            "name": self.name, "type": "STRICT_DNS", "connect_timeout": "1s",
            "per_connection_buffer_limit_bytes": 1_048_576,
            "load_assignment": {"cluster_name": self.name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {
                "socket_address": {"address": self.cloud, "port_value": 443}
            }}}]}]},
            "transport_socket": {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": self.host,
                    "common_tls_context": {"validation_context": {
                        "trusted_ca": {"filename": "/etc/cloakroom/ca.crt"},
                        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": self.host}}]
                    }}
                }
            }
        });
        push(&mut bootstrap["static_resources"]["clusters"], cluster);
        if let Some(routes) = Document::find_in(bootstrap, &|value| value.get("virtual_hosts").is_some()) {
            push(&mut routes["virtual_hosts"][0]["routes"], route);
        }
    }

    /// Adds it to the filter's configuration.
    pub fn add_exchange(&self, plugin: &mut Value) {
        let mut exchange = json!({"resource": self.resource, "clusters": [self.name]});
        let scope = self.asked.clone().unwrap_or_else(|| self.permissions.join(" "));
        if !scope.is_empty() {
            exchange["scope"] = json!(scope);
        }
        if !self.inject.is_null() {
            exchange["inject"] = self.inject.clone();
        }
        plugin["routes"][&self.name] = json!({"exchange": exchange});
    }
}

/// The providers of the STS that the routes name, with the usual accounts behind them.
pub fn providers() -> Vec<Value> {
    let with = |name: &str, kind: &str, settings: Value| {
        let mut provider = json!({"name": name, "ca_file": "/etc/cloakroom/ca.crt", "allow_private_addresses": true});
        provider[kind] = settings;
        provider
    };
    let gcp = gcp::Setup::default();
    vec![
        with(
            "aws-prod",
            "aws",
            json!({
                "role_arn": aws::Setup::default().role_arn("cloakroom"), "region": crate::aws::REGION,
                "endpoint": "https://aws-cloud:443/"
            }),
        ),
        with(
            "gcp-prod",
            "gcp",
            json!({
                "provider": gcp.provider, "service_account": gcp::Setup::SERVICE_ACCOUNT,
                "sts_endpoint": "https://gcp-cloud:443/", "iam_endpoint": "https://gcp-cloud:443/"
            }),
        ),
        with(
            "entra",
            "azure",
            json!({
                "tenant": azure::Setup::TENANT, "client_id": azure::Setup::CLIENT,
                "authority": "https://azure-cloud:443/", "storage_endpoint": "https://azure-cloud:443/"
            }),
        ),
        with(
            "partner",
            "oauth",
            json!({
                "token_endpoint": "https://partner-cloud:443/partner/token", "grant": "token_exchange",
                "audience": oauth::Partner::SERVER
            }),
        ),
    ]
}

/// Checks that every route's provider is there.
pub fn check(routes: &[CloudRoute], providers: &[Value]) -> Result<()> {
    let known = |route: &&CloudRoute| !providers.iter().any(|provider| provider["name"] == route.provider.as_str());
    match routes.iter().find(known) {
        Some(route) => {
            Err(format!("`{}` names the provider `{}`, which is not there", route.name, route.provider).into())
        }
        None => Ok(()),
    }
}

fn push(list: &mut Value, item: Value) {
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_told_of_in_every_place() {
        let mut bootstrap = Document::read("envoy/egress.yaml").unwrap();
        let mut config = Document::read("tests/topology/cloakroom.yaml").unwrap();
        let before = config.0["targets"].as_array().map(Vec::len).unwrap();
        for route in CloudRoute::usual() {
            route.add_route(&mut bootstrap.0);
            bootstrap.edit_plugin(|plugin| route.add_exchange(plugin)).unwrap();
            route.add_target(&mut config.0);
            let routes = Document::find_in(&mut bootstrap.0, &|value| value.get("virtual_hosts").is_some()).unwrap();
            let routes = routes["virtual_hosts"][0]["routes"].as_array().unwrap();
            assert_eq!(routes.last().unwrap()["name"], route.name);
            let clusters = bootstrap.0["static_resources"]["clusters"].as_array().unwrap();
            assert_eq!(clusters.last().unwrap()["transport_socket"]["typed_config"]["sni"], route.host);
            bootstrap
                .edit_plugin(|plugin| assert_eq!(plugin["routes"][&route.name]["exchange"]["clusters"][0], route.name))
                .unwrap();
            assert!(route.policy().contains(&route.resource));
        }
        assert_eq!(config.0["targets"].as_array().map(Vec::len), Some(before + CloudRoute::usual().len()));
    }

    #[test]
    fn every_usual_route_has_its_provider() {
        assert!(check(&CloudRoute::usual(), &providers()).is_ok());
        let stray = CloudRoute::new("x", "nobody", "aws-cloud", "x.test");
        assert!(check(&[stray], &providers()).is_err());
    }
}
