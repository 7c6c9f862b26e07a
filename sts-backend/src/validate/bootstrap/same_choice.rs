//! The RBAC filter by which Envoy itself refuses a request for which it would now choose another route than the filter
//! decided for. `filter/README.md` documents it; what is compared here is that document, in JSON.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::{At, Report};

const RBAC: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";

/// The condition under which a request passes:
/// `bytes(xds.route_name) == filter_state["wasm.cloakroom_route"]`, and the same of the cluster where one was noted.
static CONDITION: LazyLock<Value> = LazyLock::new(|| {
    let same = |property: &str, note: &str| {
        call(
            "_==_",
            &json!([call("bytes", &json!([select_xds(property)])), call("_[_]", &json!([notes(), text(note)]))]),
        )
    };
    let noted = call("@in", &json!([text(CLUSTER_NOTE), notes()]));
    let same_cluster = call("_||_", &json!([call("!_", &json!([noted])), same("cluster_name", CLUSTER_NOTE)]));
    call("_&&_", &json!([same("route_name", ROUTE_NOTE), same_cluster]))
});

const ROUTE_NOTE: &str = "wasm.cloakroom_route";
const CLUSTER_NOTE: &str = "wasm.cloakroom_cluster";

/// Whether `filter` lets requests pass by what our filter notes.
pub(super) fn reads_notes(filter: &At<'_>) -> bool {
    filter.get("typed_config").message() == RBAC && filter.mentions(ROUTE_NOTE)
}

/// Demands that `filter`, directly behind ours, is the documented one.
pub(super) fn check(filter: &At<'_>, report: &mut Report<'_>) {
    let expected = "the RBAC filter of `filter/README.md` directly behind the filter";
    let remedy =
        "after the swap Envoy chooses the route again, and nothing else compares the two choices: copy it from there";
    let config = filter.get("typed_config");
    if config.message() != RBAC {
        report.wrong(filter, filter.get("name").shown(), expected, remedy);
        return;
    }
    for member in ["disabled", "is_optional"] {
        if filter.get(member).is_true() {
            report.wrong(&filter.get(member), "`true`", "the check on every request of this listener", remedy);
        }
    }
    let rules = config.get("rules");
    let odd = other_member(&config, &["@type", "rules", "rules_stat_prefix"])
        .or_else(|| other_member(&rules, &["action", "policies"]));
    if let Some(other) = odd {
        report.wrong(&other, other.shown(), expected, remedy);
    }
    let action = rules.get("action");
    if action.exists() && action.text() != Some("ALLOW") {
        report.wrong(&action, action.shown(), "`ALLOW`", remedy);
    }
    let any = json!([{ "any": true }]);
    let policy = json!({ "permissions": any, "principals": any, "condition": *CONDITION });
    match rules.get("policies").members().as_slice() {
        [(_, only)] if only.is(&policy) => {}
        [(_, only)] => report.wrong(only, "another policy", expected, remedy),
        several => report.wrong(&rules.get("policies"), format!("{} policies", several.len()), expected, remedy),
    }
}

/// A member that is none of `known`.
fn other_member<'v>(at: &At<'v>, known: &[&str]) -> Option<At<'v>> {
    at.fields().into_iter().find(|(name, _)| !known.contains(&name.as_ref())).map(|(_, member)| member)
}

fn call(function: &str, args: &Value) -> Value {
    json!({ "call_expr": { "function": function, "args": args } })
}

fn text(text: &str) -> Value {
    json!({ "const_expr": { "string_value": text } })
}

fn notes() -> Value {
    json!({ "ident_expr": { "name": "filter_state" } })
}

fn select_xds(field: &str) -> Value {
    json!({ "select_expr": { "operand": { "ident_expr": { "name": "xds" } }, "field": field } })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{document, finding};

    #[test]
    fn the_documented_filter_is_the_one_that_is_demanded() {
        let readme = include_str!("../../../../filter/README.md");
        let (_, rest) = readme.split_once("```yaml\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        let (filters, lines): (Value, _) = document::parse(Path::new("README.md"), text).unwrap();
        let filter = At::root(&filters[0]);
        let mut report = Report::new(Path::new("README.md"), &lines);
        check(&filter, &mut report);
        assert_eq!(finding::lines(&report.findings), "");
        assert!(reads_notes(&filter));
    }
}
