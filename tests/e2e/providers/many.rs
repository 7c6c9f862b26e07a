use std::{collections::BTreeMap, fs, net::SocketAddr, sync::Arc, time::Duration};

use harness::{
    Result,
    artefact::Progress,
    edge::{Edge, Start},
    envoy,
    load::Load,
    topology::Topology,
};
use serde_json::{Value, json};

use super::ground::{
    AWS, AZURE, Destination, GCP, GCP_SERVICE, PARTNER, plan, scaled, until_all_are_served, workloads,
};

const WORKLOADS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(30);

/// Every destination gets a tenth of what was promised, or all of it.
fn requests() -> u64 {
    scaled(1_000, 10_000)
}

/// No limit that would be reached: here it is counted how often a provider is called, not how fast.
fn unlimited() -> Vec<(&'static str, Value)> {
    let limits = json!({"calls_per_second": 1000, "burst": 1000});
    ["aws-prod", "gcp-prod", "entra", "partner"].map(|name| (name, limits.clone())).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_of_a_hundred_workloads_are_a_hundred_calls_of_each_step() -> Result<()> {
    let topology = plan(&unlimited()).start().await?;
    let tokens = workloads(&topology, "many", WORKLOADS).await?;
    let edges = [topology.egress.address()];
    for (destination, steps) in [
        (AWS, calls([("AssumeRoleWithWebIdentity", 100)])),
        (GCP, calls([("exchange", 100), ("generateAccessToken", 100), ("downscope", 100)])),
        // A workload's federated token is kept for its next destination at Google.
        (GCP_SERVICE, calls([("exchange", 0), ("generateIdToken", 100)])),
        // One key makes the signatures of all.
        (AZURE, calls([("token", 1), ("userdelegationkey", 1)])),
        (PARTNER, calls([("partner", 100)])),
    ] {
        let before = counts(&topology, destination)?;
        ask(&topology, &edges, destination, &tokens).await?;
        let made = counts(&topology, destination)?.into_iter().map(|(step, calls)| (step, calls - before[step]));
        assert_eq!(made.collect::<BTreeMap<_, _>>(), steps);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_edges_that_keep_nothing_have_the_provider_called_once_for_a_workload() -> Result<()> {
    let plan = plan(&unlimited()).plugin(|plugin| {
        plugin["limits"] = json!({"cached_tokens": 1, "shared_tokens": 0});
    });
    let topology = plan.start().await?;
    let second = second_edge(&topology).await?;
    let tokens = workloads(&topology, "many", WORKLOADS).await?;
    ask(&topology, &[topology.egress.address(), second.address()], AWS, &tokens).await?;
    let exchanges = topology.sts.exchanges().await?;
    println!("{} requests over two edges were {exchanges} exchanges: {:?}", requests(), counts(&topology, AWS)?);
    assert!(exchanges * 10 >= requests() * 9, "{exchanges} exchanges: the edges kept what they should not have");
    assert_eq!(counts(&topology, AWS)?, calls([("AssumeRoleWithWebIdentity", 100)]));
    let (client, metrics) = (&topology.client, topology.sts.operations("/metrics"));
    let metrics = client.get(&metrics, &[]).await?.text();
    let hits =
        harness::edge::sum(&metrics, "cloakroom_credentials_total", &["provider=\"aws-prod\"", "result=\"hit\""]);
    assert!(hits * 10.0 >= exchanges as f64 * 8.0, "{hits} of {exchanges} were lent from what the STS keeps");
    Ok(())
}

/// Has all workloads call at once until each is served, and then in turn, over all edges at once, every request served at once.
///
/// What a machine that is busy otherwise does not bring within half a second is under way, and there for the next request. So
/// the first ones may be told to come again.
async fn ask(topology: &Topology, edges: &[SocketAddr], destination: Destination, tokens: &[String]) -> Result<()> {
    let (told, _) = until_all_are_served(topology, destination, tokens, PATIENCE).await?;
    println!("{}: {} workloads at once, told meanwhile: {told:?}", destination.path, tokens.len());
    let (reached, rest) = (destination.reached(topology)?, requests() - tokens.len() as u64);
    let share = rest / edges.len() as u64;
    let loads: Vec<_> = edges.iter().map(|edge| load(*edge, share, destination, tokens).start()).collect();
    for load in loads {
        let report = load.ended().await?;
        println!(
            "{}: {} requests of {} workloads, {:.0} a second, {:.1?} in the middle",
            destination.path,
            report.answers.len(),
            tokens.len(),
            report.rate(),
            report.quantile(0.5)
        );
        assert!(report.not(200).is_empty(), "{:?}: {:?}", report.statuses(), report.not(200).first());
    }
    assert_eq!(destination.reached(topology)? - reached, rest);
    Ok(())
}

fn load(address: SocketAddr, count: u64, destination: Destination, tokens: &[String]) -> Load {
    let tokens = tokens.to_vec();
    let request = move |number: u64| destination.request(&tokens[number as usize % tokens.len()]);
    Load { address, connections: 32, rate: None, count, request: Arc::new(request), patience: Duration::from_secs(20) }
}

/// Another egress edge with the same configuration. It shares nothing with the first but the STS.
async fn second_edge(topology: &Topology) -> Result<Edge> {
    let admin = topology.folder().join("run/second-admin.sock");
    let mut bootstrap: Value = serde_json::from_slice(&fs::read(topology.pki.folder().join("egress.json"))?)?;
    bootstrap["admin"]["address"]["pipe"]["path"] = json!(admin);
    let file = topology.pki.folder().join("second.json");
    fs::write(&file, bootstrap.to_string())?;
    let envoy = tokio::task::block_in_place(|| envoy::find(Progress::Kept))?;
    Edge::start(Start {
        name: "the second egress edge",
        envoy: &envoy,
        bootstrap: &file,
        admin,
        log: topology.folder().join("log/second.log"),
        concurrency: 1,
        log_level: "warning",
        component_log_level: None,
    })
    .await
}

fn counts(topology: &Topology, destination: Destination) -> Result<BTreeMap<&'static str, u64>> {
    let switches = destination.switches(topology)?;
    Ok(destination.steps.iter().map(|step| (*step, switches.calls(step))).collect())
}

fn calls<const N: usize>(steps: [(&'static str, u64); N]) -> BTreeMap<&'static str, u64> {
    steps.into()
}
