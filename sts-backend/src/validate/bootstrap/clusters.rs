//! The clusters that tokens go to: the destinations', and the STS's own.

use std::collections::BTreeMap;

use filter_core::config::Config;

use super::{At, Report, upstream};

/// Kinds of cluster that let the request or the answer say where it goes.
const ELSEWHERE: [&str; 3] =
    ["envoy.clusters.dynamic_forward_proxy", "envoy.clusters.aggregate", "envoy.cluster.original_dst"];

const UPSTREAM_TLS: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// The clusters of a bootstrap, by name.
pub(super) struct Clusters<'v> {
    by_name: BTreeMap<&'v str, At<'v>>,
    delivered: bool,
    root: At<'v>,
}

impl<'v> Clusters<'v> {
    pub fn of(root: &At<'v>) -> Self {
        let list = root.follow("static_resources.clusters").items();
        Self {
            by_name: list.into_iter().filter_map(|cluster| Some((cluster.get("name").text()?, cluster))).collect(),
            delivered: root.follow("dynamic_resources.cds_config").exists(),
            root: root.get("static_resources"),
        }
    }

    /// A cluster that exchanged tokens go to: where it leads must be written in it. Says whether it is in the file.
    pub fn check_destination(&self, name: &str, report: &mut Report<'_>) -> bool {
        let cluster = self.by_name.get(name);
        if let Some(cluster) = cluster {
            check_leads_where_it_says(cluster, report);
        }
        cluster.is_some()
    }

    /// A cluster that requests go to which must leave as the filter has made them.
    pub fn check_unchanged(&self, name: &str, report: &mut Report<'_>) {
        if let Some(cluster) = self.by_name.get(name) {
            upstream::check_cluster(cluster, report);
        }
    }

    /// The cluster that native tokens go to.
    pub fn check_sts(&self, config: &Config, filter: &At<'_>, report: &mut Report<'_>) {
        let name = config.sts().cluster.as_str();
        let Some(cluster) = self.by_name.get(name) else {
            let at = if self.delivered { filter } else { &self.root };
            let found = format!("no cluster `{name}`, which the filter's `sts.cluster` names");
            let remedy = "native tokens go there, so it has to be seen to be safe";
            report.wrong(at, found, "the STS's cluster in the file", remedy);
            return;
        };
        check_leads_where_it_says(cluster, report);
        check_connect_timeout(cluster, config.sts().timeout_ms, report);
        check_transport(cluster, report);
    }
}

fn check_leads_where_it_says(cluster: &At<'_>, report: &mut Report<'_>) {
    let remedy = "who sends the request, or answers it, would decide where the token goes";
    let kind = cluster.get("type");
    if kind.text() == Some("ORIGINAL_DST") {
        report.wrong(&kind, kind.shown(), "a cluster whose endpoints are its own", remedy);
    }
    let custom = cluster.follow("cluster_type.name");
    let message = cluster.follow("cluster_type.typed_config");
    let elsewhere = custom.text().is_some_and(|name| ELSEWHERE.contains(&name))
        || ELSEWHERE.iter().any(|name| message.message().contains(name.trim_start_matches("envoy.")));
    if elsewhere {
        report.wrong(&custom, custom.shown(), "a cluster whose endpoints are its own", remedy);
    }
}

fn check_connect_timeout(cluster: &At<'_>, timeout_ms: u64, report: &mut Report<'_>) {
    let connect = cluster.get("connect_timeout");
    let most = timeout_ms as f64 / 1_000.0;
    if !connect.seconds().is_some_and(|seconds| seconds > 0.0 && seconds <= most) {
        let expected = format!("a duration up to the filter's `sts.timeout_ms`, {most}s");
        report.wrong(&connect, connect.shown(), expected, "a dead STS would be waited for longer than a call may take");
    }
}

fn check_transport(cluster: &At<'_>, report: &mut Report<'_>) {
    let matches = cluster.get("transport_socket_matches");
    if matches.is_filled() {
        let remedy = "by it an endpoint could be reached with other TLS than the cluster's";
        report.wrong(&matches, matches.shown(), "one transport socket for the STS", remedy);
    }
    let tls = cluster.follow("transport_socket.typed_config");
    if tls.message() != UPSTREAM_TLS {
        let remedy = "native tokens would travel in the clear";
        report.wrong(&cluster.get("transport_socket"), "no TLS", format!("`{UPSTREAM_TLS}`"), remedy);
        return;
    }
    let common = tls.get("common_tls_context");
    let own = common.either(&[
        "tls_certificate_sds_secret_configs",
        "tls_certificate_provider_instance",
        "tls_certificate_certificate_provider_instance",
        "tls_certificates",
    ]);
    if !own.is_filled() {
        let remedy = "the certificate is how the STS knows which proxy asks";
        report.wrong(&own, own.shown(), "a client certificate", remedy);
    }
    check_validation(&common, report);
}

fn check_validation(common: &At<'_>, report: &mut Report<'_>) {
    let combined = common.get("combined_validation_context");
    let context =
        if combined.exists() { combined.get("default_validation_context") } else { common.get("validation_context") };
    let anchors = context.either(&["ca_certificate_provider_instance", "system_root_certs", "trusted_ca"]);
    if !anchors.exists() && !combined.get("validation_context_sds_secret_config").exists() {
        let remedy = "without it any server's certificate is taken";
        report.wrong(&anchors, anchors.shown(), "the CA of the STS's certificate", remedy);
    }
    let names = context.either(&["match_subject_alt_names", "match_typed_subject_alt_names"]);
    if !names.is_filled() {
        let remedy = "a certificate of the right CA is not enough: pin the STS's own name";
        report.wrong(&names, names.shown(), "`match_typed_subject_alt_names` with the STS's name", remedy);
    }
}
