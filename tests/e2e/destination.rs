//! Where an exchanged token goes, with the two ways in which Envoy is held to the route that was decided for.

use harness::{Result, clouds::cloud::Cloud, edge::sum, topology::Plan};
use serde_json::{Value, json};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Requests, enough that both of two equal clusters get some: one in 2^39 runs gives all to one of them.
const REQUESTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_weigh_its_own_clusters_and_the_comparison_agrees_with_every_pick() -> Result<()> {
    weigh(Plan::default().egress(|bootstrap| _ = weigh_two(bootstrap))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_choice_is_carried_without_comparison() -> Result<()> {
    let plan = Plan::default().egress(|bootstrap| {
        weigh_two(bootstrap);
        let filters = bootstrap.pointer_mut(&format!("{MANAGER}/http_filters")).and_then(Value::as_array_mut);
        if let Some(filters) = filters {
            filters.retain(|filter| filter["name"] != "same-choice");
        }
    });
    weigh(plan.plugin(|plugin| plugin["route_check"] = json!("validated"))).await
}

async fn weigh(plan: Plan) -> Result<()> {
    let both = |plugin: &mut Value| {
        plugin["routes"]["gcp-reports"]["exchange"]["clusters"] = json!(["gcp-edge", "gcp-edge-2"]);
    };
    let topology = plan.plugin(both).start().await?;
    let native = topology.native(Cloud::Aws).await?;
    for _ in 0..REQUESTS {
        let answer = topology.call("/gcp-reports/q3", &native).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(topology.recorded().await?.len(), REQUESTS);
    assert_eq!(topology.sts.exchanges().await?, 1);
    let statistics = topology.egress.prometheus("upstream_rq_total").await?;
    let mut carried = 0.0;
    for cluster in ["gcp-edge", "gcp-edge-2"] {
        let label = format!("envoy_cluster_name=\"{cluster}\"");
        let requests = sum(&statistics, "envoy_cluster_upstream_rq_total", &[&label]);
        assert!(requests > 0.0, "{cluster} was never chosen");
        carried += requests;
    }
    assert_eq!(carried, REQUESTS as f64);
    Ok(())
}

/// Makes a second cluster of the first destination's, and lets its route weigh the two.
fn weigh_two(bootstrap: &mut Value) -> Option<()> {
    let clusters = bootstrap.pointer_mut("/static_resources/clusters")?.as_array_mut()?;
    let mut second = clusters.iter().find(|cluster| cluster["name"] == "gcp-edge")?.clone();
    second["name"] = json!("gcp-edge-2");
    clusters.push(second);
    let routes = format!("{MANAGER}/route_config/virtual_hosts/0/routes");
    let routes = bootstrap.pointer_mut(&routes)?.as_array_mut()?;
    let action = routes.iter_mut().find(|route| route["name"] == "gcp-reports")?.get_mut("route")?.as_object_mut()?;
    action.remove("cluster");
    let equal = |name: &str| json!({"name": name, "weight": 1});
    action.insert("weighted_clusters".to_owned(), json!({"clusters": [equal("gcp-edge"), equal("gcp-edge-2")]}));
    Some(())
}
