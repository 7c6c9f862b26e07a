//! What a connection manager does with certificates of its clients, those that they show and those that they tell of.

use filter_core::{
    config::{Config, RouteMode, SubjectSource},
    forwarded_certificate,
};

use super::{At, MANAGER, Report};

const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

/// What leaves the header as the client has written it, or adds to that.
const PASSED_ON: [&str; 3] = ["ALWAYS_FORWARD_ONLY", "APPEND_FORWARD", "FORWARD_ONLY"];

/// Checks that who reaches `manager` has shown a certificate, where a route of `config` takes it for the subject or believes
/// its owner; and that what clients tell of others' certificates is passed on where it is read, and nowhere else.
pub(super) fn check(root: &At<'_>, manager: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let has = |wanted: fn(&SubjectSource) -> bool| {
        config.routes().any(|(_, mode)| matches!(mode, RouteMode::Exchange(route) if wanted(route.subject())))
    };
    let shown = has(|subject| *subject == SubjectSource::PeerCertificate);
    let told = config.reads_forwarded_certificates();
    check_details(manager, told, report);
    if !shown && !told {
        return;
    }
    for chain in chains(root).filter(|chain| chain.all_of(MANAGER).iter().any(|other| other.path == manager.path)) {
        let tls = chain.follow("transport_socket.typed_config");
        let required = tls.get("require_client_certificate");
        if tls.message() != TLS || !required.is_true() {
            let remedy = if told {
                "a route has `\"forwarded_certificate\"`: without one nobody is the hop, and every request on it is refused"
            } else {
                "a route has `\"subject\": \"peer_certificate\"`: without one every request on it is refused"
            };
            report.wrong(&required, required.shown(), format!("`true`, in a `{TLS}`"), remedy);
        }
        if told && tls.message() == TLS {
            check_authorities(&tls.get("common_tls_context"), report);
        }
    }
}

/// The hop's certificate is verified by Envoy and by nobody else: the STS never sees it.
fn check_authorities(common: &At<'_>, report: &mut Report<'_>) {
    let remedy =
        "a route believes the hop, whom only this proxy verifies: anybody could sign a certificate with its name";
    let combined = common.get("combined_validation_context");
    let context =
        if combined.exists() { combined.get("default_validation_context") } else { common.get("validation_context") };
    let anchors = context.either(&["ca_certificate_provider_instance", "trusted_ca"]);
    let delivered = combined.get("validation_context_sds_secret_config").exists()
        || common.get("validation_context_sds_secret_config").exists();
    if !anchors.exists() && !delivered {
        report.wrong(&anchors, anchors.shown(), "the CA of the hop's certificate", remedy);
    }
    let verification = context.get("trust_chain_verification");
    if verification.exists() && verification.text() != Some("VERIFY_TRUST_CHAIN") {
        report.wrong(&verification, verification.shown(), "`VERIFY_TRUST_CHAIN`", remedy);
    }
}

fn check_details(manager: &At<'_>, told: bool, report: &mut Report<'_>) {
    let details = manager.get("forward_client_cert_details");
    let header = forwarded_certificate::HEADER;
    let passes = |modes: &[&str]| details.text().is_some_and(|mode| modes.contains(&mode));
    if told && !passes(&["ALWAYS_FORWARD_ONLY", "FORWARD_ONLY"]) {
        let remedy = format!(
            "a route reads `{header}` of its hop: otherwise Envoy removes it before the filter, or writes of the hop's own \
             certificate there"
        );
        report.wrong(&details, details.shown(), "`FORWARD_ONLY` or `ALWAYS_FORWARD_ONLY`", &remedy);
    } else if !told && (passes(&PASSED_ON) || (details.exists() && details.text().is_none())) {
        let remedy = format!(
            "no route reads `{header}`, so what clients write there would reach destinations as this edge's word: leave it \
             out, or use `SANITIZE_SET`"
        );
        report.wrong(&details, details.shown(), "`SANITIZE` or `SANITIZE_SET`, by name", &remedy);
    }
}

fn chains<'v>(root: &At<'v>) -> impl Iterator<Item = At<'v>> {
    root.follow("static_resources.listeners").items().into_iter().flat_map(|listener| {
        let mut chains = listener.get("filter_chains").items();
        chains.push(listener.get("default_filter_chain"));
        chains
    })
}
