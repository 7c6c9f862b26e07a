//! The connection manager around the filter.

use super::{At, Report};

/// Kinds of tunnel in which a request's credential would open something the filter never sees.
const TUNNELS: [&str; 3] = ["CONNECT", "CONNECT-UDP", "h2c"];

pub(super) fn check(manager: &At<'_>, report: &mut Report<'_>) {
    let idle = manager.get("stream_idle_timeout");
    if !idle.seconds().is_some_and(|seconds| seconds > 0.0) {
        let remedy = "a request that waits in a filter VM that died ends by this timeout and by nothing else";
        report.wrong(&idle, idle.shown(), "a duration greater than 0, as `20s`", remedy);
    }
    check_trust(manager, report);
    check_tunnels(manager, report);
    check_upgrades(manager, "say `enabled: false` here, and permit it on the untouched route that needs it", report);
}

/// Callers that Envoy takes for internal may send `x-envoy-retry-on`, and with it have a token sent twice.
fn check_trust(manager: &At<'_>, report: &mut Report<'_>) {
    let remedy = "callers could have themselves taken for internal, and then ask for retries and timeouts of their own";
    let remote = manager.get("use_remote_address");
    if !remote.is_true() {
        report.wrong(&remote, remote.shown(), "`true`", remedy);
    }
    let internal = manager.follow("internal_address_config.cidr_ranges");
    if !internal.is_filled() {
        let expected = "the addresses of proxies before this one, or an address that nobody has";
        report.wrong(&internal, internal.shown(), expected, remedy);
    }
}

/// `upgrade_configs` at `at`: no tunnels.
pub(super) fn check_tunnels(at: &At<'_>, report: &mut Report<'_>) {
    for upgrade in at.get("upgrade_configs").items() {
        let kind = upgrade.get("upgrade_type");
        if is_tunnel(&kind) && is_enabled(&upgrade) {
            let remedy = "what is sent through a tunnel never passes the filter: remove it";
            report.wrong(&kind, kind.shown(), "no CONNECT, CONNECT-UDP or h2c beside the filter", remedy);
        }
    }
}

/// `upgrade_configs` at `at`, where exchange routes are under it: no other upgrade either.
pub(super) fn check_upgrades(at: &At<'_>, remedy: &str, report: &mut Report<'_>) {
    for upgrade in at.get("upgrade_configs").items() {
        let kind = upgrade.get("upgrade_type");
        if is_enabled(&upgrade) && !is_tunnel(&kind) {
            report.wrong(&kind, kind.shown(), "no upgrade where tokens are exchanged", remedy);
        }
    }
}

fn is_tunnel(kind: &At<'_>) -> bool {
    kind.text().is_some_and(|kind| TUNNELS.iter().any(|tunnel| tunnel.eq_ignore_ascii_case(kind)))
}

fn is_enabled(upgrade: &At<'_>) -> bool {
    !upgrade.get("enabled").exists() || upgrade.get("enabled").is_true()
}
