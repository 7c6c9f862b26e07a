//! An edge that signs: boto3 has keys that open nothing and its workload's native token, the edge has the real keys.

use std::{net::SocketAddr, path::Path};

use harness::{
    Result,
    edge_only::{self, EdgeOnly, Plan, http},
    native_token::native_token,
    pki::Pki,
};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;

use super::{REGION, settings, with};

/// An edge with one route, before a judge.
pub struct Gateway {
    pub edge: EdgeOnly,
    path: &'static str,
    ca: Option<String>,
}

/// How it is to be.
pub struct Signing<'s> {
    pub service: &'static str,
    pub payload: &'static str,
    pub place: Place,
    /// With a certificate, made in this folder: boto3 sends bodies in another form over TLS.
    pub tls: Option<&'s Path>,
    /// What happens to Envoy's route besides, which the filter is not told of.
    pub untold: Value,
}

/// What becomes of the host and the path on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Nothing: both are signed as they were sent.
    Kept,
    /// A prefix is cut off, the host is AWS's, and the filter is told of it.
    Rewritten,
}

impl Signing<'_> {
    /// Starts it; its STS lends these keys.
    pub async fn start(self, judge: SocketAddr, keys: AwsKeys) -> Result<Gateway> {
        let Self { service, payload, place, tls, untold } = self;
        let (prefix, path, rewritten) = match place {
            Place::Kept => ("/", "", json!({})),
            // The slash at the end: a call to the service as a whole has no path of its own.
            Place::Rewritten => ("/aws/", "/aws/", json!({"host": format!("{service}.{REGION}.amazonaws.com")})),
        };
        let mut sigv4 = with(&json!({"service": service, "region": REGION, "payload": payload}), rewritten);
        let mut rewrite = json!({});
        if place == Place::Rewritten {
            sigv4["prefix_rewrite"] = json!({"match": prefix, "to": "/"});
            rewrite = json!({"prefix_rewrite": "/", "host_rewrite_literal": sigv4["host"]});
        }
        let reads = payload == "hash";
        let plan = Plan::default().service(judge).plugin(move |plugin| {
            plugin["reads_bodies"] = json!(reads);
            let exchange = edge_only::route(plugin, "reports");
            exchange["subject"] = json!({"header": {"name": "x-amz-security-token"}});
            exchange["inject"] = json!({ "sigv4": sigv4 });
        });
        let (pki, ca) = match tls {
            Some(folder) => (Some(Pki::create(folder)?), Some(Pki::at(folder).ca().to_string_lossy().into_owned())),
            None => (None, None),
        };
        let plan = plan.bootstrap(move |bootstrap| {
            let manager = http(bootstrap);
            // A name with two slashes is another name than one with one.
            manager["merge_slashes"] = json!(false);
            manager["http_filters"][0]["typed_config"]["config"]["allow_on_headers_stop_iteration"] = json!(reads);
            let route = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0];
            route["match"] = json!({ "prefix": prefix });
            route["route"] = with(&with(&route["route"], rewrite.clone()), untold.clone());
            if let Some(pki) = &pki {
                bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["transport_socket"] = shown(pki);
            }
        });
        let edge = plan.start().await?;
        edge.sts.lend(keys);
        Ok(Gateway { edge, path, ca })
    }
}

impl Default for Signing<'_> {
    fn default() -> Self {
        Self { service: "s3", payload: "reuse", place: Place::Rewritten, tls: None, untold: json!({}) }
    }
}

impl Gateway {
    /// What boto3 does there, as a workload without keys: its native token stands where a session token would.
    pub fn settings(&self, task: &str, bucket: &str) -> Value {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}{}", self.edge.edge.address(), self.path);
        let settings = settings(task, endpoint, ["placeholder", "placeholder", &native_token("payments-api", 0)]);
        with(&settings, json!({"bucket": bucket, "ca": self.ca}))
    }

    /// How often the STS was asked.
    pub fn exchanges(&self) -> usize {
        self.edge.sts.calls().len()
    }
}

/// The certificate that the listener shows.
fn shown(pki: &Pki) -> Value {
    let party = "clouds";
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {"tls_certificates": [{
                "certificate_chain": {"filename": pki.certificate(party)},
                "private_key": {"filename": pki.key(party)}
            }]}
        }
    })
}
