use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use harness::{
    Result,
    bootstrap::Document,
    client::Answer,
    clouds::{cloud::Cloud, mint::Order},
    federation::switches::Switches,
    topology::{
        Plan, Topology,
        cloud_routes::{self, CloudRoute},
    },
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A destination in a cloud, and what is called there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The provider that opens it, by the name it has in the STS's configuration.
    pub provider: &'static str,
    /// Among [`harness::federation::Federation::switches`].
    pub cloud: usize,
    /// A path at the egress edge that the destination answers with 200.
    pub path: &'static str,
    /// As what the stand-in counts calls of the destination itself.
    pub service: &'static str,
    /// What the provider is asked for it, in this order.
    pub steps: &'static [&'static str],
}

pub const AWS: Destination = Destination {
    provider: "aws-prod",
    cloud: 0,
    path: "/aws-bucket/team-a/q3.txt",
    service: "s3",
    steps: &["AssumeRoleWithWebIdentity"],
};
pub const GCP: Destination = Destination {
    provider: "gcp-prod",
    cloud: 1,
    path: "/gcp-bucket/acme-reports/team-a/q3.txt",
    service: "storage",
    steps: &["exchange", "generateAccessToken", "downscope"],
};
pub const GCP_SERVICE: Destination = Destination {
    provider: "gcp-prod",
    cloud: 1,
    path: "/gcp-service/jobs",
    service: "run",
    steps: &["exchange", "generateIdToken"],
};
pub const AZURE: Destination = Destination {
    provider: "entra",
    cloud: 2,
    path: "/azure-container/reports/team-a/q3.txt",
    service: "blob",
    steps: &["token", "userdelegationkey"],
};
pub const PARTNER: Destination =
    Destination { provider: "partner", cloud: 3, path: "/partner-api/q3", service: "api", steps: &["partner"] };

/// One for each provider.
pub const ONE_EACH: [Destination; 4] = [AWS, GCP, AZURE, PARTNER];

impl Destination {
    /// The switches and counts of its cloud.
    pub fn switches<'t>(&self, topology: &'t Topology) -> Result<&'t Switches> {
        Ok(topology.federation()?.switches()[self.cloud])
    }

    /// How often its provider was called, over all steps.
    pub fn calls(&self, topology: &Topology) -> Result<u64> {
        let switches = self.switches(topology)?;
        Ok(self.steps.iter().map(|step| switches.calls(step)).sum())
    }

    /// How often the destination itself was called.
    pub fn reached(&self, topology: &Topology) -> Result<u64> {
        Ok(self.switches(topology)?.calls(self.service))
    }

    /// A request of whoever has the token `native`, as it goes over the wire.
    pub fn request(&self, native: &str) -> Vec<u8> {
        format!("GET {} HTTP/1.1\r\nhost: edge.test\r\nauthorization: Bearer {native}\r\n\r\n", self.path).into_bytes()
    }
}

/// The usual destinations, with `limits` for some providers by name.
///
/// The edge waits for the STS, and for a connection to it, for longer than what ships: on a machine that is busy with other tests,
/// none of these must take the machine for an STS in trouble.
pub fn plan(limits: &[(&str, Value)]) -> Plan {
    plan_with(limits, cloud_routes::providers(), CloudRoute::usual())
}

/// The same with other providers and destinations.
pub fn plan_with(limits: &[(&str, Value)], mut providers: Vec<Value>, routes: Vec<CloudRoute>) -> Plan {
    for (name, limits) in limits {
        for provider in providers.iter_mut().filter(|provider| provider["name"] == **name) {
            provider["limits"] = limits.clone();
        }
    }
    Plan::default().clouds(None, providers, routes).plugin(|plugin| plugin["sts"]["timeout_ms"] = json!(3000)).egress(
        |egress| {
            let sts =
                Document::find_in(egress, &|value| value["name"] == "sts" && value.get("connect_timeout").is_some());
            if let Some(sts) = sts {
                sts["connect_timeout"] = json!("3s");
            }
        },
    )
}

/// The tokens of `count` workloads whose names begin so.
pub async fn workloads(topology: &Topology, name: &str, count: usize) -> Result<Vec<String>> {
    let mut tokens = Vec::with_capacity(count);
    for number in 0..count {
        let order = Order { workload: Some(format!("{name}-{number}")), ..Order::default() };
        tokens.push(topology.native_to_order(Cloud::Kubernetes, &order).await?);
    }
    Ok(tokens)
}

/// The token of a workload of that name.
pub async fn workload(topology: &Topology, name: &str) -> Result<String> {
    let order = Order { workload: Some(name.to_owned()), ..Order::default() };
    topology.native_to_order(Cloud::Kubernetes, &order).await
}

/// What the edge said: its reason and the provider's own code, or two empty texts with what the destination said.
pub fn told(answer: &Answer) -> (String, String) {
    let code = answer.json().ok().and_then(|problem| problem["got"].as_str().map(str::to_owned));
    match answer.header("x-cloakroom-reason") {
        "" => (String::new(), String::new()),
        reason => (reason.to_owned(), code.unwrap_or_default()),
    }
}

/// Calls for each of `tokens` at once, again and again until the destination answers it with 200, as a workload would. Gives
/// how often each reason was told meanwhile, and the longest that any answer took.
pub async fn until_all_are_served(
    topology: &Topology,
    destination: Destination,
    tokens: &[String],
    patience: Duration,
) -> Result<(BTreeMap<String, u64>, Duration)> {
    let mut calls = JoinSet::new();
    for token in tokens {
        let (client, url, bearer) =
            (topology.client.clone(), topology.url(destination.path), format!("Bearer {token}"));
        calls.spawn(async move {
            let (deadline, mut told) = (Instant::now() + patience, Vec::new());
            loop {
                let answer = client.get(&url, &[("authorization", &bearer)]).await?;
                let (status, reason) = (answer.status, answer.header("x-cloakroom-reason").to_owned());
                told.push((reason, answer.elapsed));
                if status == 200 {
                    return Ok::<_, harness::Error>(told);
                }
                if Instant::now() > deadline {
                    return Err(format!("still {status} after {patience:?}: {}", answer.text()).into());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let (mut reasons, mut longest) = (BTreeMap::new(), Duration::ZERO);
    for told in calls.join_all().await {
        for (reason, elapsed) in told? {
            longest = longest.max(elapsed);
            if !reason.is_empty() {
                *reasons.entry(reason).or_default() += 1;
            }
        }
    }
    Ok((reasons, longest))
}

/// `part` by default, `all` where all was asked for.
pub fn scaled<T>(part: T, all: T) -> T {
    let whole = std::env::var_os("CLOAKROOM_WHOLE").is_some_and(|value| value == "1");
    if whole { all } else { part }
}
