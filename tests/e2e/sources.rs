//! Workloads that no cloud of ours runs: jobs, service accounts that sign for themselves, and SVIDs of a partner.

use harness::{
    Result,
    clouds::{JOB_TOKEN, cloud::Cloud},
    topology::{Plan, Topology},
    workspace,
};

const GUESTS: &str = r#"
@id("proxies-speak-for-guests")
permit (
  principal is Cloakroom::Proxy,
  action == Cloakroom::Action::"act_for",
  resource is Cloakroom::Workload
) when {
  (resource has owner_id && resource.owner_id == "9919" && resource has environment && resource.environment == "prod") ||
  (resource has trust_domain && resource.trust_domain == "partner.test")
};

@id("guests-book-entries")
permit (
  principal is Cloakroom::Workload,
  action == Cloakroom::Action::"exchange",
  resource == Cloakroom::Target::"https://ledger.azure.cloakroom.test"
) when { ["github", "spiffe"].contains(principal.platform) };
"#;

const GUEST_CLOUDS: [Cloud; 3] = [Cloud::Github, Cloud::GoogleServiceAccount, Cloud::Spiffe];

async fn with_guests() -> Result<Topology> {
    let shipped = std::fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    Plan::default().policy(format!("{shipped}{GUESTS}")).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_signing_accounts_and_svids_call_in_their_own_names_and_keys_may_change() -> Result<()> {
    let topology = with_guests().await?;
    for cloud in GUEST_CLOUDS {
        for rotated in [false, true] {
            if rotated {
                topology.tell(cloud, "rotate").await?;
            }
            let answer = topology.call("/azure-ledger/e", &topology.native(cloud).await?).await?;
            assert_eq!(answer.status, 200, "{cloud:?}: {}", answer.text());
            let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
            assert_eq!(seen.header("x-cloakroom-subject"), cloud.spiffe_id(cloud.workload()));
        }
        topology.tell(cloud, "outage?on=true").await?;
        let answer = topology.call("/azure-ledger/e", &topology.native(cloud).await?).await?;
        assert_eq!(answer.status, 200, "{cloud:?} with the last good keys: {}", answer.text());
    }
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_gets_its_token_as_runners_do() -> Result<()> {
    let topology = with_guests().await?;
    let url = topology.cloud_url("/github/id-token?audience=https%3A%2F%2Fsts.cloakroom.test");
    assert_eq!(topology.client.get(&url, &[]).await?.status, 401);
    let bearer = format!("bearer {JOB_TOKEN}");
    let answer = topology.client.get(&url, &[("authorization", &bearer)]).await?.json()?;
    let native = answer["value"].as_str().ok_or("no token")?;
    assert_eq!(topology.call("/azure-ledger/e", native).await?.status, 200);
    Ok(())
}
