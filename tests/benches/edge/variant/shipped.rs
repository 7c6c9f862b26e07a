//! Cloakroom, as `envoy/egress.yaml` has it, with routes of our own.

use std::{path::Path, sync::LazyLock};

use harness::{
    Result,
    bootstrap::{Document, Placement, documented_check, is_check},
};
use serde_json::{Value, json};

use crate::{
    request::{Form, Traffic},
    s3,
};

/// Whether the RBAC filter ships behind it.
pub fn has_check() -> bool {
    static HAS_CHECK: LazyLock<bool> =
        LazyLock::new(|| Document::read(EGRESS).is_ok_and(|egress| http_filters(&egress).iter().any(is_check)));
    *HAS_CHECK
}

/// What ships.
pub fn filters(wasm: &Path, traffic: &Traffic) -> Result<Vec<Value>> {
    let mut egress = Document::read(EGRESS)?;
    egress.edit_plugin(|settings| set(settings, traffic))?;
    placed(egress, wasm)
}

/// What ships, less the RBAC filter, or, where it ships without, and with it.
pub fn filters_otherwise(wasm: &Path, traffic: &Traffic) -> Result<Vec<Value>> {
    let mut egress = Document::read(EGRESS)?;
    let checked = !has_check();
    egress.edit_plugin(|settings| {
        set(settings, traffic);
        // A filter that trusts `cloakroom validate` notes nothing that the check could compare with.
        if let Some(members) = settings.as_object_mut().filter(|_| checked) {
            members.remove("route_check");
        }
    })?;
    let mut filters = placed(egress, wasm)?;
    if checked {
        filters.push(documented_check()?)
    } else {
        filters.retain(|filter| !is_check(filter))
    }
    Ok(filters)
}

fn set(settings: &mut Value, traffic: &Traffic) {
    let tokens = traffic.tokens.native.len();
    settings["listener"] = json!("egress");
    settings["sts"] = json!({
        "cluster": "sts", "authority": "sts.cloakroom.test", "path": "/oauth2/token", "timeout_ms": 5000,
        "actor": "spiffe://cloakroom.test/edge/egress"
    });
    let mut routes = traffic.routes.settings();
    if traffic.form == Form::S3 {
        let routes = routes.as_object_mut().into_iter().flat_map(|routes| routes.values_mut());
        routes.for_each(|route| s3::sign(&mut route["exchange"]));
    }
    settings["routes"] = routes;
    // The default holds ten thousand.
    if tokens > 10_000 {
        settings["limits"]["cached_tokens"] = json!(2 * tokens);
        settings["limits"]["cached_bytes"] = json!(2 * tokens * 4096);
    }
}

/// All before the router.
fn placed(mut egress: Document, wasm: &Path) -> Result<Vec<Value>> {
    let folder = wasm.parent().unwrap_or(wasm).to_string_lossy().into_owned();
    egress.place(&Placement { folders: vec![("/usr/local/lib/cloakroom", folder)], ..Placement::default() });
    let mut filters = http_filters(&egress);
    match filters.pop() {
        Some(router) if router["name"] == "envoy.filters.http.router" && !filters.is_empty() => Ok(filters),
        _ => Err(format!("{EGRESS} has no HTTP filters that end in the router").into()),
    }
}

fn http_filters(egress: &Document) -> Vec<Value> {
    let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
    egress.0.pointer(filters).and_then(Value::as_array).cloned().unwrap_or_default()
}

const EGRESS: &str = "envoy/egress.yaml";
