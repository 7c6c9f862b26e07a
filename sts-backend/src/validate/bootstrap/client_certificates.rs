//! The TLS under a connection manager whose routes know workloads by their certificates.

use filter_core::config::{Config, RouteMode, SubjectSource};

use super::{At, MANAGER, Report};

const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// Checks that who reaches `manager` has shown a certificate, where a route of `config` takes it for the subject.
pub(super) fn check(root: &At<'_>, manager: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let certified = |mode: &RouteMode| match mode {
        RouteMode::Exchange(route) => *route.subject() == SubjectSource::PeerCertificate,
        RouteMode::Untouched => false,
    };
    if !config.routes().any(|(_, mode)| certified(mode)) {
        return;
    }
    for chain in chains(root).filter(|chain| chain.all_of(MANAGER).iter().any(|other| other.path == manager.path)) {
        let tls = chain.follow("transport_socket.typed_config");
        let required = tls.get("require_client_certificate");
        if tls.message() != TLS || !required.is_true() {
            let remedy = "a route has `\"subject\": \"peer_certificate\"`: without one every request on it is refused";
            report.wrong(&required, required.shown(), format!("`true`, in a `{TLS}`"), remedy);
        }
    }
}

fn chains<'v>(root: &At<'v>) -> impl Iterator<Item = At<'v>> {
    root.follow("static_resources.listeners").items().into_iter().flat_map(|listener| {
        let mut chains = listener.get("filter_chains").items();
        chains.push(listener.get("default_filter_chain"));
        chains
    })
}
