use std::time::Duration;

use harness::{
    Result,
    federation::{aws, lie::Lie, oauth},
    topology::{
        Topology,
        cloud_routes::{self, CloudRoute},
    },
    wait,
};
use serde_json::json;

use super::ground::{AWS, AZURE, Destination, GCP, GCP_SERVICE, PARTNER, plan_with, told, workload};

const PATIENCE: Duration = Duration::from_secs(20);

/// By way of a second role.
const DEEP: Destination =
    Destination { provider: "aws-deep", path: "/aws-deep/team-a/q3.txt", steps: &["AssumeRole"], ..AWS };

/// By way of a server of our own domain.
const CHAIN: Destination =
    Destination { provider: "partner-chain", path: "/partner-chain/q3", steps: &["home"], ..PARTNER };

/// What an answer has no place for: told there, a lie is the truth.
const NO_PLACE: [(&str, &[&str]); 7] = [
    ("exchange", &["other_role"]),
    ("downscope", &["other_role"]),
    ("generateAccessToken", &["other_kind", "other_role", "wider"]),
    ("generateIdToken", &["other_kind"]),
    ("token", &["other_role"]),
    ("partner", &["other_role"]),
    ("home", &["other_role"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_of_any_provider_at_any_step_becomes_a_credential() -> Result<()> {
    let topology = start().await?;
    // Each cloud on its own, since it tells one lie at a time.
    let (aws, gcp, azure, partner) = tokio::try_join!(
        lied_to(&topology, &[AWS, DEEP]),
        lied_to(&topology, &[GCP, GCP_SERVICE]),
        lied_to(&topology, &[AZURE]),
        lied_to(&topology, &[PARTNER, CHAIN]),
    )?;
    let tallies = [aws, gcp, azure, partner];
    let wrong: Vec<_> = tallies.iter().flat_map(|tally| &tally.wrong).collect();
    let told: usize = tallies.iter().map(|tally| tally.told).sum();
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{told} lies over all steps, each told as provider_reply_invalid, none sent on");
    assert!(told >= 75, "{told}");
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[derive(Default)]
struct Tally {
    told: usize,
    wrong: Vec<String>,
}

/// Has every step of these destinations, which are in one cloud, answered by every lie, each to a workload of its own. Then all is
/// well again.
async fn lied_to(topology: &Topology, destinations: &[Destination]) -> Result<Tally> {
    let mut tally = Tally::default();
    for destination in destinations {
        let switches = destination.switches(topology)?;
        for step in destination.steps {
            let no_place = NO_PLACE.iter().find(|(other, _)| other == step).map_or(&[][..], |(_, lies)| *lies);
            for lie in Lie::names().filter(|lie| !no_place.contains(lie)) {
                let native = workload(topology, &format!("{}-{}", destination.provider, tally.told)).await?;
                let asked = switches.calls(step);
                switches.tell(&format!("trouble=lie:{lie}&endpoint={step}"))?;
                // A huge answer may take longer to come than a caller waits. Then it is under way, and told to the next.
                let answer = wait::until("the lie is told of", PATIENCE, || async {
                    let answer = topology.call(destination.path, &native).await.ok()?;
                    (told(&answer).0 != "provider_unavailable").then_some(answer)
                })
                .await?;
                let (reason, code) = told(&answer);
                if (answer.status.as_u16(), reason.as_str()) != (503, "provider_reply_invalid") || code.is_empty() {
                    tally.wrong.push(format!("{step}: {lie}: {}: {}", answer.status, answer.text()));
                }
                if switches.calls(step) == asked {
                    tally.wrong.push(format!("{step}: {lie}: it was not asked"));
                }
                tally.told += 1;
            }
        }
        if destination.reached(topology)? > 0 {
            tally.wrong.push(format!("{} was called with a lie", destination.service));
        }
    }
    for destination in destinations {
        destination.switches(topology)?.tell("trouble=none")?;
        let native = workload(topology, &format!("{}-at-last", destination.provider)).await?;
        let answer = topology.call(destination.path, &native).await?;
        if answer.status != 200 {
            tally.wrong.push(format!("{} afterwards: {}: {}", destination.path, answer.status, answer.text()));
        }
    }
    Ok(tally)
}

/// The usual destinations, and two that are reached in two steps.
async fn start() -> Result<Topology> {
    let mut providers = cloud_routes::providers();
    let known = |name: &str| providers.iter().find(|provider| provider["name"] == name).cloned().unwrap_or_default();
    let mut deep = known("aws-prod");
    deep["name"] = json!(DEEP.provider);
    deep["aws"]["then_roles"] = json!([aws::Setup::default().role_arn("cloakroom-deep")]);
    let mut chain = known("partner");
    chain["name"] = json!(CHAIN.provider);
    chain["oauth"]["grant"] = json!("identity_chaining");
    chain["oauth"]["exchange_endpoint"] = json!("https://partner-cloud:443/home/token");
    chain["oauth"]["exchange_audience"] = json!(oauth::Partner::HOME);
    providers.extend([deep, chain]);
    let mut routes = CloudRoute::usual();
    routes.push(by_another_way(CloudRoute::aws_bucket(), "aws-deep", DEEP.provider));
    routes.push(by_another_way(CloudRoute::partner_api(), "partner-chain", CHAIN.provider));
    plan_with(&[], providers, routes).start().await
}

fn by_another_way(mut route: CloudRoute, name: &str, provider: &str) -> CloudRoute {
    let (before, after) = (format!("/{}/", route.name), format!("/{name}/"));
    (route.name, route.provider) = (name.to_owned(), provider.to_owned());
    if route.inject["sigv4"]["prefix_rewrite"]["match"] == before {
        route.inject["sigv4"]["prefix_rewrite"]["match"] = json!(after);
    }
    route
}
