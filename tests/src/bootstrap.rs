//! The shipped configuration files, made to run on one machine: only addresses, ports and file paths change.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use serde_json::{Value, json};

use crate::{Result, workspace};

/// Where the files of one topology are, and who listens where.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// What each folder of the containers is here: `/etc/cloakroom`, `/run/cloakroom`, `/var/lib/cloakroom`.
    pub folders: Vec<(&'static str, String)>,
    /// What each `host:port` of the containers is here.
    pub hosts: BTreeMap<&'static str, SocketAddr>,
}

/// A configuration file as data.
#[derive(Clone, Debug)]
pub struct Document(pub Value);

impl Document {
    /// Reads a YAML file of the repository.
    pub fn read(path: &str) -> Result<Self> {
        let text = fs::read_to_string(workspace::root().join(path)).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self(serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))?))
    }

    /// Puts it in its place.
    pub fn place(&mut self, placement: &Placement) {
        place(&mut self.0, placement);
    }

    /// Lets every Envoy listener take a free port of loopback.
    pub fn listen_anywhere(&mut self) {
        for listener in
            self.0.pointer_mut("/static_resources/listeners").and_then(Value::as_array_mut).into_iter().flatten()
        {
            listener["address"] = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        }
    }

    /// Changes the configuration of the filter in it.
    pub fn edit_plugin(&mut self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let text =
            find(&mut self.0, &|value| value.get("configuration").is_some_and(|inner| inner.get("value").is_some()))
                .and_then(|plugin| plugin.pointer_mut("/configuration/value"))
                .ok_or("the bootstrap has no filter with a configuration")?;
        let mut plugin: Value = serde_json::from_str(text.as_str().unwrap_or_default())?;
        edit(&mut plugin);
        *text = json!(plugin.to_string());
        Ok(())
    }

    /// Lets the filter note its choice of route and Envoy's RBAC filter compare it, as the filter's README documents it.
    /// `envoy/egress.yaml` ships with a proof in the place of the comparison.
    pub fn compare_choices(&mut self) -> Result<()> {
        self.edit_plugin(|plugin| plugin["route_check"] = json!("filter_state"))?;
        let filters = find(&mut self.0, &|value| value.get("http_filters").is_some())
            .and_then(|manager| manager["http_filters"].as_array_mut())
            .ok_or("the bootstrap has no HTTP filters")?;
        let ours = filters.iter().position(|filter| filter["name"] == "cloakroom").ok_or("the filter is not there")?;
        filters.insert(ours + 1, documented_check()?);
        Ok(())
    }

    /// The first value within `value` that is wanted.
    pub fn find_in<'v>(value: &'v mut Value, wanted: &dyn Fn(&Value) -> bool) -> Option<&'v mut Value> {
        find(value, wanted)
    }

    /// Writes it as JSON, which both Envoy and the STS read as the YAML it also is.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(fs::write(path, serde_json::to_string_pretty(&self.0)?)?)
    }
}

/// The RBAC filter that compares Envoy's choice of route with the filter's, as the filter's README shows it.
pub fn documented_check() -> Result<Value> {
    let readme = fs::read_to_string(workspace::root().join(README))?;
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks
        .filter_map(|block| serde_saphyr::from_str::<Vec<Value>>(block).ok())
        .flatten()
        .find(is_check)
        .ok_or_else(|| format!("{README} shows no RBAC filter that checks the route").into())
}

/// Whether an HTTP filter is Envoy's RBAC.
pub fn is_check(filter: &Value) -> bool {
    filter["typed_config"]["@type"].as_str().is_some_and(|kind| kind.ends_with(".rbac.v3.RBAC"))
}

const README: &str = "filter/README.md";

fn place(value: &mut Value, placement: &Placement) {
    match value {
        Value::String(text) => {
            for (there, here) in &placement.folders {
                if let Some(rest) = text.strip_prefix(there).filter(|rest| rest.starts_with('/')) {
                    *text = format!("{here}{rest}");
                    return;
                }
            }
            for (there, here) in &placement.hosts {
                *text = text.replace(&format!("//{there}/"), &format!("//{here}/"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| place(item, placement)),
        Value::Object(members) => {
            if let (Some(Value::String(address)), Some(port)) = (members.get("address"), members.get("port_value"))
                && let Some(here) = placement.hosts.get(format!("{address}:{port}").as_str())
            {
                members.insert("address".into(), json!(here.ip().to_string()));
                members.insert("port_value".into(), json!(here.port()));
            }
            members.values_mut().for_each(|member| place(member, placement));
        }
        _ => {}
    }
}

fn find<'v>(value: &'v mut Value, wanted: &dyn Fn(&Value) -> bool) -> Option<&'v mut Value> {
    if wanted(value) {
        return Some(value);
    }
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| find(item, wanted)),
        Value::Object(members) => members.values_mut().find_map(|member| find(member, wanted)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_paths_change() {
        let here = "127.0.0.1:7".parse().unwrap();
        let placement = Placement {
            folders: vec![("/etc/cloakroom", "/x".into())],
            hosts: BTreeMap::from([("sts:8443", here), ("clouds:9443", here)]),
        };
        let mut document = Document(json!({
            "a": {"address": "sts", "port_value": 8443}, "b": "/etc/cloakroom/ca.crt", "c": "https://clouds:9443/aws/keys",
            "d": "sts", "e": "/etc/cloakroom-other/f"
        }));
        document.place(&placement);
        let wanted = json!({
            "a": {"address": "127.0.0.1", "port_value": 7}, "b": "/x/ca.crt", "c": "https://127.0.0.1:7/aws/keys",
            "d": "sts", "e": "/etc/cloakroom-other/f"
        });
        assert_eq!(document.0, wanted);
    }

    #[test]
    fn the_filter_s_configuration_is_found_where_it_stands() {
        let mut document = Document::read("envoy/egress.yaml").unwrap();
        document.edit_plugin(|plugin| plugin["listener"] = json!("other")).unwrap();
        document.edit_plugin(|plugin| assert_eq!(plugin["listener"], "other")).unwrap();
    }
}
