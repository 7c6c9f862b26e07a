//! The shipped Grafana dashboard shows what the filter's README lists, and names nothing that a running edge does not have.

use std::{collections::BTreeSet, fs, time::Duration};

use harness::{
    Result,
    artefact::FAULT_HEADER,
    bootstrap::Document,
    client::Client,
    edge::sum,
    edge_only::{EdgeOnly, Plan},
    load::{get, get_with},
    pki::Pki,
    wait, workspace,
};
use serde_json::{Value, json};

#[test]
fn every_statistic_has_a_panel() -> Result<()> {
    let shown = named_by_panels()?;
    let listed = statistics()?;
    assert!(listed.len() > 8, "the table has shrunk to {listed:?}");
    for (name, kind, _) in &listed {
        let sample = if kind == "histogram" { format!("{name}_bucket") } else { name.clone() };
        assert!(shown.contains(&sample), "no panel shows {sample}");
    }
    let samples: BTreeSet<_> = listed.iter().map(|(name, ..)| name.as_str()).collect();
    for name in shown.iter().filter(|name| name.starts_with("cloakroom_")) {
        assert!(samples.contains(name.trim_end_matches("_bucket")), "the README does not list {name}");
    }
    Ok(())
}

#[test]
fn every_shipped_edge_with_the_filter_turns_every_tag_into_a_label() -> Result<()> {
    let tags: BTreeSet<_> = statistics()?.into_iter().flat_map(|(.., tags)| tags).collect();
    assert_eq!(tags, BTreeSet::from(["outcome", "reason", "result", "route"].map(String::from)));
    for file in ["envoy/egress.yaml", "envoy/https-app.yaml"] {
        let document = Document::read(file)?;
        let extracted = document.0["stats_config"]["stats_tags"].as_array().cloned().unwrap_or_default();
        for tag in &tags {
            assert!(extracted.iter().any(|extracted| extracted["tag_name"] == **tag), "{file}: {tag}");
        }
    }
    Ok(())
}

#[test]
fn the_dashboard_can_be_imported_anywhere() -> Result<()> {
    let dashboard = dashboard()?;
    let variables: Vec<_> = items(&dashboard, "/templating/list").collect();
    assert!(variables.iter().any(|one| one["name"] == "datasource" && one["type"] == "datasource"));
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in items(&dashboard, "/panels") {
        let title = panel["title"].as_str().unwrap_or_default();
        assert!(!title.is_empty() && panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{panel}");
        assert!(ids.insert(panel["id"].as_u64()) && places.insert(panel["gridPos"].to_string()), "{title}");
        for target in items(panel, "/targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    for variable in variables.iter().filter(|variable| variable["type"] == "query") {
        assert_eq!(variable["datasource"]["uid"], "${datasource}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_the_dashboard_names_is_there_once_it_has_happened() -> Result<()> {
    let edge = Plan::default()
        .faults()
        .plugin(|plugin| plugin["sts"]["timeout_ms"] = json!(500))
        .bootstrap(|bootstrap| _ = watched_as_documented(bootstrap))
        .start()
        .await?;
    make_everything_happen(&edge).await?;
    let addresses = edge.edge.addresses().await?;
    let metrics = addresses.iter().find(|address| **address != edge.edge.address()).ok_or("one listener only")?;
    let folder = tempfile::tempdir()?;
    let client = Client::new(&Pki::create(folder.path())?)?;
    // Only the one path leads to the admin interface.
    assert_eq!(client.get(&format!("http://{metrics}/listeners"), &[]).await?.status, 404);
    let url = format!("http://{metrics}/stats/prometheus");
    for name in named_by_panels()? {
        // Histograms come with the flush.
        wait::until(&format!("a sample of {name}"), Duration::from_secs(15), || async {
            let text = client.get(&url, &[]).await.ok()?.text();
            text.lines()
                .any(|line| line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['{', ' '])))
                .then_some(())
        })
        .await?;
    }
    let text = client.get(&url, &[]).await?.text();
    let left = text.lines().find(|line| line.contains("cloakroom_") && line.contains("_."));
    assert_eq!(left, None, "a tag that no label was made of");
    for (name, labels) in [
        ("cloakroom_requests", r#"outcome="stale""#),
        ("cloakroom_refreshes", r#"result="ok""#),
        ("cloakroom_refreshes", r#"result="unavailable""#),
        ("cloakroom_circuit_opened", ""),
        ("envoy_wasm_cloakroom_vm_reload_success", ""),
        ("cloakroom_live_vms", ""),
        ("cloakroom_vm_memory_bytes", ""),
    ] {
        assert!(sum(&text, name, &[labels]) > 0.0, "{name}{{{labels}}} was made to happen");
    }
    Ok(())
}

/// Hits, misses, refusals, a renewal, an outage that is noticed, and the death of a VM.
async fn make_everything_happen(edge: &EdgeOnly) -> Result<()> {
    edge.sts.script(|script| script.life_seconds = 4);
    let calls = |count, route: &'static str| edge.load(1, count, move |_| get(route, "hot", 0)).run();
    calls(10, "health").await?;
    happens(edge, "cloakroom_refreshes", r#"result="ok""#).await?;
    edge.sts.go_away().await;
    happens(edge, "cloakroom_refreshes", r#"result="unavailable""#).await?;
    happens(edge, "cloakroom_requests", r#"outcome="stale""#).await?;
    edge.load(1, 8, |number| get("reports", &format!("cold-{number}"), 0)).run().await?;
    happens(edge, "cloakroom_circuit_opened", "").await?;
    edge.sts.come_back().await?;
    edge.load(1, 1, |_| get_with("reports", "fault", 0, &format!("{FAULT_HEADER}: trap\r\n"))).run().await?;
    happens(edge, "envoy_wasm_cloakroom_vm_reload_success", "").await?;
    happens(edge, "cloakroom_live_vms", "").await
}

/// Calls with the same token until a statistic is above zero.
async fn happens(edge: &EdgeOnly, name: &str, label: &str) -> Result<()> {
    wait::until(&format!("{name}{{{label}}} is counted"), Duration::from_secs(20), || async {
        edge.load(1, 1, |_| get("reports", "hot", 0)).run().await.ok()?;
        // Envoy filters by its own names, not by those that Prometheus sees.
        (sum(&edge.edge.prometheus("").await.ok()?, name, &[label]) > 0.0).then_some(())
    })
    .await
}

/// Adds the listener that `envoy/README.md` shows, on a free port and for this bootstrap's admin socket.
fn watched_as_documented(bootstrap: &mut Value) -> Option<()> {
    let readme = fs::read_to_string(workspace::root().join("envoy/README.md")).ok()?;
    let block = readme.split("```yaml\n").find(|block| block.contains("name: metrics"))?.split("```").next()?;
    let shown: Value = serde_saphyr::from_str(block).ok()?;
    let (mut listener, mut cluster) = (
        shown.pointer("/static_resources/listeners/0")?.clone(),
        shown.pointer("/static_resources/clusters/0")?.clone(),
    );
    *listener.pointer_mut("/address/socket_address/port_value")? = json!(0);
    let pipe = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/pipe/path";
    *cluster.pointer_mut(pipe)? = bootstrap.pointer("/admin/address/pipe/path")?.clone();
    bootstrap.pointer_mut("/static_resources/listeners")?.as_array_mut()?.push(listener);
    bootstrap.pointer_mut("/static_resources/clusters")?.as_array_mut()?.push(cluster);
    Some(())
}

/// The names of samples in the expressions of all panels.
fn named_by_panels() -> Result<BTreeSet<String>> {
    let dashboard = dashboard()?;
    let expressions = items(&dashboard, "/panels")
        .flat_map(|panel| items(panel, "/targets"))
        .filter_map(|target| target["expr"].as_str());
    let words =
        expressions.flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
    Ok(words.filter(|word| word.starts_with("cloakroom_") || word.starts_with("envoy_")).map(Into::into).collect())
}

/// Name, kind and tags of the statistics in the table of the filter's README.
fn statistics() -> Result<Vec<(String, String, Vec<String>)>> {
    let readme = fs::read_to_string(workspace::root().join("filter/README.md"))?;
    let (_, section) = readme.split_once("\n## Statistics\n").ok_or("no section on statistics")?;
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut statistics = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `cloakroom_")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [names, kind, about] = cells[..] else { return Err(format!("not three cells: {line}").into()) };
        let labelled = ["outcome", "reason", "result", "route"];
        let tags = labelled.iter().filter(|tag| about.contains(&format!("`{tag}`"))).map(|tag| (*tag).to_owned());
        let tags: Vec<_> = tags.collect();
        let quoted = names.split('`').skip(1).step_by(2);
        statistics.extend(quoted.map(|name| (name.to_owned(), kind.to_owned(), tags.clone())));
    }
    Ok(statistics)
}

fn dashboard() -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(workspace::root().join("envoy/dashboard.json"))?)?)
}

fn items<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
