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
    check_upgrades(manager, report);
}

/// `upgrade_configs` at `at`: no tunnels.
pub(super) fn check_upgrades(at: &At<'_>, report: &mut Report<'_>) {
    for upgrade in at.get("upgrade_configs").items() {
        let kind = upgrade.get("upgrade_type");
        let tunnel = kind.text().is_some_and(|kind| TUNNELS.iter().any(|tunnel| tunnel.eq_ignore_ascii_case(kind)));
        let enabled = !upgrade.get("enabled").exists() || upgrade.get("enabled").is_true();
        if tunnel && enabled {
            let remedy = "what is sent through a tunnel never passes the filter: remove it";
            report.wrong(&kind, kind.shown(), "no CONNECT, CONNECT-UDP or h2c beside the filter", remedy);
        }
    }
}
