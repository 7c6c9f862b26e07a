//! Issuers change their keys and go away while calls go on. The outage lasts some seconds here, and the ten minutes that it is
//! promised for with `CLOAKROOM_WHOLE=1 cargo test --release -p e2e --test e2e issuers:: -- --nocapture`.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use harness::{Result, client::Client, clouds::cloud::Cloud, topology::Topology, wait};
use tokio::{sync::watch, task::JoinSet};

const WORKERS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls at the STS, each with a token of its own, until told to end: how often each outcome came, and the slowest.
struct Calls {
    end: watch::Sender<bool>,
    tasks: JoinSet<Result<Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    outcomes: BTreeMap<String, u64>,
    slowest: Duration,
}

impl Calls {
    fn start(topology: &Arc<Topology>, cloud: Cloud) -> Result<Self> {
        let (end, ended) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for _ in 0..WORKERS {
            let (topology, ended) = (Arc::clone(topology), ended.clone());
            let probe = Client::with_certificate(&topology.pki, "probe")?;
            tasks.spawn(async move {
                let mut tally = Tally::default();
                while !*ended.borrow() {
                    let native = topology.native(cloud).await?;
                    let started = Instant::now();
                    let outcome = outcome(&probe, &topology, cloud, &native).await?;
                    tally.slowest = tally.slowest.max(started.elapsed());
                    *tally.outcomes.entry(outcome).or_default() += 1;
                }
                Ok(tally)
            });
        }
        Ok(Self { end, tasks })
    }

    async fn end(self) -> Result<Tally> {
        self.end.send_replace(true);
        let mut all = Tally::default();
        for tally in self.tasks.join_all().await {
            let tally = tally?;
            all.slowest = all.slowest.max(tally.slowest);
            tally.outcomes.into_iter().for_each(|(outcome, count)| *all.outcomes.entry(outcome).or_default() += count);
        }
        Ok(all)
    }
}

async fn outcome(client: &Client, topology: &Topology, cloud: Cloud, native: &str) -> Result<String> {
    let resource = match cloud {
        Cloud::Aws => "https://reports.gcp.cloakroom.test",
        _ => "https://orders.aws.cloakroom.test",
    };
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", native),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("resource", resource),
    ];
    let answer = client.post_form(&format!("{}/oauth2/token", topology.sts.url()), &form).await?;
    if answer.status == 200 {
        return Ok("issued".to_owned());
    }
    Ok(answer.json()?["reason"].as_str().unwrap_or("no reason").to_owned())
}

fn all_issued(tally: &Tally, at_least: u64) {
    let issued = tally.outcomes.get("issued").copied().unwrap_or_default();
    assert!(tally.outcomes.len() == 1 && issued >= at_least, "{tally:?}");
}

async fn more_calls(topology: &Topology, number: u64) -> Result<()> {
    let before = topology.sts.exchanges().await?;
    let made = async || topology.sts.exchanges().await.ok().filter(|calls| *calls >= before + number);
    wait::until("calls go on", PATIENCE, made).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_under_load_and_no_call_fails() -> Result<()> {
    let topology = Arc::new(Topology::start().await?);
    let calls = Calls::start(&topology, Cloud::Aws)?;
    // As many as an issuer may make us fetch for, each in force at once without having been published before.
    for rotation in 1..=2 {
        more_calls(&topology, 50).await?;
        topology.tell(Cloud::Aws, "rotate").await?;
        let fetched = async || topology.key_fetches(Cloud::Aws).await.ok().filter(|fetches| *fetches > rotation);
        wait::until("the new keys are fetched", PATIENCE, fetched).await?;
    }
    more_calls(&topology, 50).await?;
    let tally = calls.end().await?;
    println!("two rotations under load: {tally:?}");
    all_issued(&tally, 150);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_s_outage_is_noticed_by_nobody_while_its_keys_are_held() -> Result<()> {
    let topology = Arc::new(Topology::start().await?);
    topology.native(Cloud::Kubernetes).await?;
    let whole = std::env::var_os("CLOAKROOM_WHOLE").is_some_and(|value| value == "1");
    let lasts = if whole { Duration::from_secs(600) } else { Duration::from_secs(5) };
    topology.tell(Cloud::Kubernetes, "outage?on=true").await?;
    let (its, others) = (Calls::start(&topology, Cloud::Kubernetes)?, Calls::start(&topology, Cloud::Aws)?);
    // This is not a wait for something to happen but the length of what must be borne.
    tokio::time::sleep(lasts).await;
    let (its, others) = (its.end().await?, others.end().await?);
    println!("an outage of {lasts:?}: its workloads {its:?}, the others {others:?}");
    all_issued(&its, 10);
    all_issued(&others, 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_away_at_the_start_stops_its_own_workloads_only_and_only_until_it_is_back() -> Result<()> {
    let topology = Topology::start().await?;
    topology.tell(Cloud::Kubernetes, "outage?on=true").await?;
    topology.sts.restart().await?;
    let probe = Client::with_certificate(&topology.pki, "probe")?;
    let ask = async |cloud| {
        let native = topology.native(cloud).await?;
        outcome(&probe, &topology, cloud, &native).await
    };
    assert_eq!(ask(Cloud::Aws).await?, "issued");
    assert_eq!(ask(Cloud::Kubernetes).await?, "issuer_keys_unavailable");
    topology.tell(Cloud::Kubernetes, "outage?on=false").await?;
    let issued = async || ask(Cloud::Kubernetes).await.ok().filter(|outcome| outcome == "issued");
    wait::until("the issuer is believed again", PATIENCE, issued).await?;
    Ok(())
}
