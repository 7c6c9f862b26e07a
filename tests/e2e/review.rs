//! Clusters are asked whether the pod and the service account of a token still exist.

use std::{net::Ipv4Addr, path::Path};

use harness::{
    Result,
    client::{Answer, Client},
    clouds::{Clouds, api_server, cloud::Cloud, mint::Order},
    port::Port,
    topology::{Plan, Topology},
    workspace,
};
use http::Method;
use serde_json::{Value, json};

use crate::sts::{exchange, form_of};

const REPORTS: &str = "https://reports.gcp.cloakroom.test";

/// A topology whose cluster is asked about each token, and the folder with our credential there.
struct Reviewed {
    topology: Topology,
    probe: Client,
    credentials: tempfile::TempDir,
}

impl Reviewed {
    async fn start(timeout_ms: u64) -> Result<Self> {
        let credentials = tempfile::tempdir()?;
        let file = credentials.path().join("token");
        std::fs::write(&file, "not-yet")?;
        let plan = Plan::default().sts(move |config| {
            let prod = source(config, "prod");
            let jwks = prod["jwks"]["uri"].as_str().unwrap_or_default();
            let url = jwks.trim_end_matches("/openid/v1/jwks").to_owned();
            prod["preset"]["kubernetes"]["token_review"] = review(&prod["jwks"], &url, &file, timeout_ms);
        });
        let topology = plan.start().await?;
        let probe = Client::with_certificate(&topology.pki, "probe")?;
        Ok(Self { topology, probe, credentials })
    }

    /// The same, with a credential that the cluster accepts.
    async fn trusted(timeout_ms: u64) -> Result<Self> {
        let reviewed = Self::start(timeout_ms).await?;
        reviewed.show(&reviewed.topology.native_to_order(Cloud::Kubernetes, &reviewer()).await?)?;
        Ok(reviewed)
    }

    fn show(&self, credential: &str) -> Result<()> {
        Ok(std::fs::write(self.credentials.path().join("token"), credential)?)
    }

    async fn exchange(&self, native: &str) -> Result<Answer> {
        exchange(&self.probe, &self.topology.sts.url(), &form_of(native, REPORTS)).await
    }

    async fn refused(&self, native: &str, status: u16, reason: &str) -> Result<Value> {
        let answer = self.exchange(native).await?;
        let body = answer.json()?;
        assert_eq!((answer.status.as_u16(), body["reason"].as_str()), (status, Some(reason)), "{body}");
        for member in ["claim", "got", "wanted"] {
            assert!(body[member].is_string(), "{member}: {body}");
        }
        Ok(body)
    }

    async fn accepted(&self, native: &str) -> Result<()> {
        let answer = self.exchange(native).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Ok(())
    }

    async fn reviews(&self) -> Result<u64> {
        reviews(&self.topology.client, &self.topology.cloud_url("")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_is_refused_while_another_goes_on() -> Result<()> {
    let reviewed = Reviewed::trusted(5000).await?;
    let topology = &reviewed.topology;
    let first = topology.native_to_order(Cloud::Kubernetes, &of_pod("first")).await?;
    let second = topology.native_to_order(Cloud::Kubernetes, &of_pod("second")).await?;
    reviewed.accepted(&first).await?;
    // Files that hold a token often end in a newline.
    reviewed.accepted(&format!("{second}\n")).await?;
    topology.tell(Cloud::Kubernetes, "delete?pod=first").await?;
    let said = reviewed.refused(&first, 400, "subject_revoked").await?;
    assert!(said["got"].as_str().is_some_and(|got| got.contains("pods not found")), "{said}");
    reviewed.accepted(&second).await?;
    // The edge has never seen this token, so it asks too.
    let answer = topology.call("/gcp-reports/q3", &first).await?;
    assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (401, "subject_revoked"));
    assert_eq!(topology.call("/gcp-reports/q3", &second).await?.status, 200);
    topology.tell(Cloud::Kubernetes, "delete?service_account=api").await?;
    reviewed.refused(&second, 400, "subject_revoked").await?;
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_credential_is_read_anew_when_its_platform_replaces_it() -> Result<()> {
    let reviewed = Reviewed::start(5000).await?;
    let native = reviewed.topology.native(Cloud::Kubernetes).await?;
    let said = reviewed.refused(&native, 503, "review_unavailable").await?;
    assert!(said["got"].as_str().is_some_and(|got| got.contains("401")), "{said}");
    let other = Order { workload: Some("api".into()), ..reviewer() };
    reviewed.show(&reviewed.topology.native_to_order(Cloud::Kubernetes, &other).await?)?;
    let said = reviewed.refused(&native, 503, "review_unavailable").await?;
    assert!(said["help"].as_str().is_some_and(|help| help.contains("system:auth-delegator")), "{said}");
    reviewed.show(&format!("{}\n", reviewed.topology.native_to_order(Cloud::Kubernetes, &reviewer()).await?))?;
    reviewed.accepted(&native).await?;
    assert_eq!(reviewed.topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_refused_here_never_reaches_the_api_server() -> Result<()> {
    let reviewed = Reviewed::trusted(5000).await?;
    let topology = &reviewed.topology;
    for (order, reason) in [
        (Order { audience: Some(api_server::AUDIENCE.into()), ..Order::default() }, "subject_audience_mismatch"),
        (Order { expires_in: Some(-5), ..Order::default() }, "subject_token_expired"),
        (Order { flaw: Some(harness::clouds::mint::Flaw::ForgedKey), ..Order::default() }, "subject_signature_invalid"),
        (Order { flaw: Some(harness::clouds::mint::Flaw::AlgNone), ..Order::default() }, "subject_algorithm_refused"),
    ] {
        let native = topology.native_to_order(Cloud::Kubernetes, &order).await?;
        reviewed.refused(&native, 400, reason).await?;
    }
    assert_eq!(reviewed.reviews().await?, 0);
    reviewed.accepted(&topology.native(Cloud::Kubernetes).await?).await?;
    assert_eq!(reviewed.reviews().await?, 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_in_trouble_is_the_trouble_of_its_own_workloads() -> Result<()> {
    let reviewed = Reviewed::trusted(2000).await?;
    let topology = &reviewed.topology;
    let (native, aws) = (topology.native(Cloud::Kubernetes).await?, topology.native(Cloud::Aws).await?);
    for answer in ["503", "429", "hang"] {
        topology.tell(Cloud::Kubernetes, &format!("api?answer={answer}")).await?;
        reviewed.refused(&native, 503, "review_unavailable").await?;
        reviewed.accepted(&aws).await?;
    }
    topology.tell(Cloud::Kubernetes, "api?answer=503").await?;
    // More refusals than the edge's breaker would bear if it took them for the service's.
    for _ in 0..12 {
        let native = topology.native(Cloud::Kubernetes).await?;
        let answer = topology.call("/gcp-reports/q3", &native).await?;
        assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (503, "review_unavailable"));
        assert!(!answer.header("retry-after").is_empty());
    }
    assert_eq!(topology.call("/gcp-reports/q3", &aws).await?.status, 200);
    topology.tell(Cloud::Kubernetes, "api?answer=ok").await?;
    reviewed.accepted(&native).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_of_one_issuer_are_told_apart_by_the_proxy_and_never_asked_for_each_other() -> Result<()> {
    let credentials = tempfile::tempdir()?;
    let files = ["east", "west"].map(|name| credentials.path().join(name));
    for file in &files {
        std::fs::write(file, "not-yet")?;
    }
    let port = Port::reserve()?;
    let base = format!("https://127.0.0.1:{}/kubernetes", port.number());
    let plan = Plan::default().policy(policy_with_west()?).sts({
        let ([east_file, west_file], base) = (files.clone(), base.clone());
        move |config| {
            let mut west = source(config, "prod").clone();
            west["name"] = json!("west");
            west["actors"] = json!(["spiffe://cloakroom.test/edge/egress"]);
            west["preset"]["kubernetes"]["cluster"] = json!("west");
            west["preset"]["kubernetes"]["token_review"] = review(&west["jwks"], &base, &west_file, 5000);
            west["jwks"]["uri"] = json!(format!("{base}/openid/v1/jwks"));
            let east = source(config, "prod");
            let url = east["jwks"]["uri"].as_str().unwrap_or_default().trim_end_matches("/openid/v1/jwks").to_owned();
            east["actors"] = json!(["spiffe://cloakroom.test/edge/probe"]);
            east["preset"]["kubernetes"]["token_review"] = review(&east["jwks"], &url, &east_file, 5000);
            config["sources"].as_array_mut().into_iter().for_each(|sources| sources.push(west.clone()));
        }
    });
    let topology = plan.start().await?;
    let _west = Clouds::start((Ipv4Addr::LOCALHOST, port.number()).into(), &topology.pki, None).await?;
    // Stand-ins of one process begin with the same key; clusters do not.
    topology.client.request(Method::POST, &format!("{base}/rotate?drop=true"), &[], "").await?;
    let of_west = async |order: &Order| -> Result<String> {
        let token = topology.client.get(&format!("{base}/token?{}", order.to_query()), &[]).await?.text();
        topology.remember(&token);
        Ok(token)
    };
    std::fs::write(&files[0], topology.native_to_order(Cloud::Kubernetes, &reviewer()).await?)?;
    std::fs::write(&files[1], of_west(&reviewer()).await?)?;
    let east = topology.native(Cloud::Kubernetes).await?;
    let west = of_west(&Order::default()).await?;
    let reviews = async || -> Result<(u64, u64)> {
        let east = reviews(&topology.client, &topology.cloud_url("")).await?;
        let west = self::reviews(&topology.client, base.trim_end_matches("/kubernetes")).await?;
        Ok((east, west))
    };
    let ask = async |party: &str, native: &str| -> Result<(u16, Value)> {
        let client = Client::with_certificate(&topology.pki, party)?;
        let answer = exchange(&client, &topology.sts.url(), &form_of(native, REPORTS)).await?;
        Ok((answer.status.as_u16(), answer.json()?))
    };
    // Each proxy with the tokens of its own cluster.
    for (party, native) in [("probe", &east), ("egress", &west)] {
        let (status, said) = ask(party, native).await?;
        assert_eq!(status, 200, "{party}: {said}");
    }
    assert_eq!(reviews().await?, (1, 1));
    // Each with the other's: both tokens are of the one issuer, and neither cluster hears of them.
    for (party, native) in [("probe", &west), ("egress", &east)] {
        let (status, said) = ask(party, native).await?;
        assert_eq!((status, said["reason"].as_str()), (400, Some("subject_key_unknown")), "{party}: {said}");
    }
    assert_eq!(reviews().await?, (1, 1));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

fn source<'c>(config: &'c mut Value, name: &str) -> &'c mut Value {
    let sources = config["sources"].as_array_mut().into_iter().flatten();
    sources.into_iter().find(|source| source["name"] == name).unwrap_or_else(|| panic!("no source `{name}`"))
}

/// `token_review` of a cluster at `url`, whose server is proved as its keys are. Nothing is remembered.
fn review(jwks: &Value, url: &str, token_file: &Path, timeout_ms: u64) -> Value {
    json!({
        "url": url, "token_file": token_file, "ca_file": jwks["ca_file"], "allow_private_addresses": true,
        "timeout_ms": timeout_ms, "remember_seconds": 0
    })
}

/// A token for the API server itself.
fn reviewer() -> Order {
    Order {
        audience: Some(api_server::AUDIENCE.into()),
        workload: Some(api_server::REVIEWER.into()),
        ..Order::default()
    }
}

/// A token of a pod of the usual workload.
fn of_pod(uid: &str) -> Order {
    let claims = Cloud::Kubernetes.claims(Cloud::Kubernetes.workload(), "", 0);
    let mut bound = claims["kubernetes.io"].clone();
    bound["pod"]["uid"] = json!(uid);
    let mut order = Order::default();
    order.claims.insert("kubernetes.io".into(), bound);
    order
}

async fn reviews(client: &Client, clouds: &str) -> Result<u64> {
    let requests = client.get(&format!("{clouds}/kubernetes/requests"), &[]).await?.json()?;
    Ok(requests["token_reviews"].as_u64().unwrap_or(0))
}

fn policy_with_west() -> Result<String> {
    let policy = std::fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    let west =
        policy.replace("resource.cluster == \"prod\"", "[\"prod\", \"west\"].contains(resource.cluster)").replace(
            "Cloakroom::Workload::\"spiffe://cloakroom.test/k8s/prod/payments/api\"",
            "Cloakroom::Workload::\"spiffe://cloakroom.test/k8s/prod/payments/api\",\n    \
         Cloakroom::Workload::\"spiffe://cloakroom.test/k8s/west/payments/api\"",
        );
    assert_ne!(west, policy);
    Ok(west)
}
