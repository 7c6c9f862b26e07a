//! Filters that run after the router has chosen an endpoint: what they change is changed after a request was signed.

use super::{At, Report};

const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";
const CODEC: &str = "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec";
const PROTOCOL: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Checks the routers among the filters of a connection manager.
pub(super) fn check_routers(filters: &[At<'_>], report: &mut Report<'_>) {
    let routers = filters.iter().map(|filter| filter.get("typed_config")).filter(|config| config.message() == ROUTER);
    for router in routers {
        check(&router.get("upstream_http_filters"), report);
    }
}

/// Checks a cluster that such requests go to.
pub(super) fn check_cluster(cluster: &At<'_>, report: &mut Report<'_>) {
    check(&cluster.get("typed_extension_protocol_options").get(PROTOCOL).get("http_filters"), report);
}

fn check(filters: &At<'_>, report: &mut Report<'_>) {
    for filter in filters.items() {
        if filter.get("typed_config").message() != CODEC {
            let remedy = "it sees a request that is signed already, or has its shared access signature: remove it";
            report.wrong(&filter, filter.get("name").shown(), format!("no filter but `{CODEC}`"), remedy);
        }
    }
}
