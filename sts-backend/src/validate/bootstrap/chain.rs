//! The HTTP filters around ours: what compares Envoy's choice of route with the filter's, and who could change the choice.

use filter_core::config::RouteCheck;

use super::{At, Report, same_choice};

/// Filters that change no header of a request and never have its route chosen again.
const HARMLESS: [&str; 8] = [
    "envoy.extensions.filters.http.admission_control.v3.AdmissionControl",
    "envoy.extensions.filters.http.bandwidth_limit.v3.BandwidthLimit",
    "envoy.extensions.filters.http.cors.v3.Cors",
    "envoy.extensions.filters.http.fault.v3.HTTPFault",
    "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
    "envoy.extensions.filters.http.health_check.v3.HealthCheck",
    "envoy.extensions.filters.http.rbac.v3.RBAC",
    "envoy.extensions.filters.http.router.v3.Router",
];

/// The filters of a connection manager, ours in the middle.
pub(super) struct Chain<'c, 'v> {
    before: &'c [At<'v>],
    pub ours: &'c At<'v>,
    behind: &'c [At<'v>],
}

impl<'c, 'v> Chain<'c, 'v> {
    /// The chain around the first of `filters` for which `is_ours` holds.
    pub fn around(filters: &'c [At<'v>], is_ours: impl Fn(&At<'v>) -> bool) -> Option<Self> {
        let (before, rest) = filters.split_at(filters.iter().position(is_ours)?);
        let (ours, behind) = rest.split_first()?;
        Some(Self { before, ours, behind })
    }

    /// The filters that no route may have settings of its own for: with them it could switch off what guards it.
    pub fn guards(&self, route_check: RouteCheck) -> Vec<&'v str> {
        let next = self.behind.first().filter(|_| route_check == RouteCheck::FilterState);
        std::iter::once(self.ours).chain(next).filter_map(|filter| filter.get("name").text()).collect()
    }

    /// Checks what is behind ours, and where nothing compares the choices of route, what is in front of it too.
    pub fn check(&self, route_check: RouteCheck, report: &mut Report<'_>) {
        match route_check {
            RouteCheck::FilterState => match self.behind.first() {
                Some(next) => same_choice::check(next, report),
                None => same_choice::check(&self.ours.get("next"), report),
            },
            RouteCheck::Validated => {
                for filter in self.behind.iter().filter(|filter| same_choice::reads_notes(filter)) {
                    let remedy = "with `route_check` \"validated\" the filter notes nothing, and this would refuse every request";
                    report.wrong(filter, filter.get("name").shown(), "no check of what the filter noted", remedy);
                }
                for filter in self.before {
                    let remedy = "the route is chosen again by what it changed only once the filter writes: with \
                                  `route_check` \"validated\" nothing would notice";
                    check_harmless(filter, remedy, report);
                }
            }
        }
        let skipped = usize::from(route_check == RouteCheck::FilterState);
        for filter in self.behind.iter().skip(skipped) {
            check_harmless(
                filter,
                "behind the filter it could have another route chosen for the exchanged token",
                report,
            );
        }
    }
}

fn check_harmless(filter: &At<'_>, remedy: &str, report: &mut Report<'_>) {
    let config = filter.get("typed_config");
    if !HARMLESS.contains(&config.message()) {
        let names = HARMLESS.map(|message| message.rsplit('.').next().unwrap_or(message)).join(", ");
        let expected = format!("a filter that is known to change no header and no route: {names}");
        report.wrong(filter, filter.get("name").shown(), expected, remedy);
    }
}
