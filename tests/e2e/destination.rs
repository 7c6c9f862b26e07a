//! Where an exchanged token goes, with the two ways in which Envoy is held to the route that was decided for.

use harness::{Result, clouds::cloud::Cloud, edge::sum, topology::Plan};
use serde_json::{Value, json};

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Requests, enough that both of two equal clusters get some: one in 2^39 runs gives all to one of them.
const REQUESTS: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_weigh_its_own_clusters_and_the_comparison_agrees_with_every_pick() -> Result<()> {
    weigh(Plan::default().comparing_choices()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proven_choice_is_carried_without_comparison() -> Result<()> {
    weigh(Plan::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_the_swap_would_change_is_refused_at_first_and_from_the_cache() -> Result<()> {
    // Which of the two routes is chosen hangs on a header that the filter removes.
    let topology = Plan::default().comparing_choices().egress(|bootstrap| _ = choose_by_key(bootstrap)).start().await?;
    let bearer = format!("Bearer {}", topology.native(Cloud::Aws).await?);
    for _ in 0..2 {
        let headers = [("authorization", bearer.as_str()), ("x-api-key", "any")];
        let answer = topology.client.get(&topology.url("/gcp-reports/q3"), &headers).await?;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(answer.text().starts_with("RBAC"), "refused by the comparison: {}", answer.text());
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    assert!(topology.recorded().await?.is_empty());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

async fn weigh(plan: Plan) -> Result<()> {
    let both = |plugin: &mut Value| {
        plugin["routes"]["gcp-reports"]["exchange"]["clusters"] = json!(["gcp-edge", "gcp-edge-2"]);
    };
    let topology = plan.egress(|bootstrap| _ = weigh_two(bootstrap)).plugin(both).start().await?;
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

/// Lets `x-api-key` choose the first destination's route; without it the same path leads to the second destination.
fn choose_by_key(bootstrap: &mut Value) -> Option<()> {
    let routes = format!("{MANAGER}/route_config/virtual_hosts/0/routes");
    let routes = bootstrap.pointer_mut(&routes)?.as_array_mut()?;
    let first = routes.iter().position(|route| route["name"] == "gcp-reports")?;
    let mut other = routes.iter().find(|route| route["name"] == "aws-orders")?.clone();
    other["match"]["prefix"] = json!("/gcp-reports/");
    routes.insert(first + 1, other);
    routes[first]["match"]["headers"] = json!([{"name": "x-api-key", "present_match": true}]);
    Some(())
}
