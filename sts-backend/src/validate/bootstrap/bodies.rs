//! Bodies that the filter reads to sign them: whether Envoy lets it, and whether they fit.

use filter_core::config::{Config, RouteMode};

use super::{At, MANAGER, Report};

/// What a listener buffers that says nothing (`Listener.per_connection_buffer_limit_bytes`).
const ENVOYS_BUFFER_BYTES: u64 = 1 << 20;

/// Checks that `plugin` may go on reading while it holds a request's headers where `config` says so, and nowhere else.
pub(super) fn check_flag(plugin: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let held = plugin.get("allow_on_headers_stop_iteration");
    match (held.is_true() || held.get("value").is_true(), config.reads_bodies()) {
        (true, false) => {
            let expected =
                "`allow_on_headers_stop_iteration` absent or false, or `reads_bodies` in the filter's configuration";
            let remedy = "with it a parked request that has a body goes upstream with its native token: remove it";
            report.wrong(&held, held.shown(), expected, remedy);
        }
        (false, true) => {
            let expected = "`true`, since the filter's configuration says `reads_bodies`";
            let remedy = "no body that is to be signed would reach the filter: add it, or take `reads_bodies` out";
            report.wrong(&held, held.shown(), expected, remedy);
        }
        _ => {}
    }
}

/// Checks that the listener of `manager` holds bodies as long as the routes of `config` want them read.
pub(super) fn check_buffers(root: &At<'_>, manager: &At<'_>, config: &Config, report: &mut Report<'_>) {
    let longest = config.routes().filter_map(|(name, mode)| match mode {
        RouteMode::Exchange(route) if route.reads_bodies() => Some((route.sigv4()?.max_body_bytes, name)),
        _ => None,
    });
    let Some((wanted, route)) = longest.max() else { return };
    let is_around = |listener: &At<'_>| listener.all_of(MANAGER).iter().any(|other| other.path == manager.path);
    for listener in root.follow("static_resources.listeners").items().into_iter().filter(is_around) {
        let limit = listener.get("per_connection_buffer_limit_bytes");
        let (found, bytes) = match limit.exists() {
            true => (limit.shown(), limit.number()),
            false => ("nothing, which means 1 MiB".to_owned(), Some(ENVOYS_BUFFER_BYTES)),
        };
        if bytes.is_none_or(|bytes| bytes < wanted) {
            let expected = format!("{wanted} or more, which is `max_body_bytes` of route `{route}`");
            report.wrong(
                &limit,
                found,
                expected,
                "Envoy would refuse longer bodies than it buffers: raise this, or lower that",
            );
        }
    }
}
