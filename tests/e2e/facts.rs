//! A token serves one combination of facts. Each is changed here on a warm cache, and the token is not used.

use harness::{
    Result,
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
    workspace,
};
use http::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_outside_the_grant() -> Result<()> {
    let topology = Topology::start().await?;
    let native = warm(&topology, "/gcp-reports/q3").await?;
    let bearer = format!("Bearer {native}");
    let headers = [("authorization", bearer.as_str())];
    let url = topology.url("/gcp-reports/q3");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = topology.client.request(method.clone(), &url, &headers, "").await?;
        assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (403, "method_refused"), "{method}");
    }
    assert_eq!(topology.client.request(Method::HEAD, &url, &headers, "").await?.status, 200);
    assert_eq!(topology.sts.exchanges().await?, 1);
    assert_eq!(topology.recorded().await?.len(), 2, "only the GET and the HEAD went on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_path_is_outside_the_grant() -> Result<()> {
    let policy = std::fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    let policy = policy.replace(r#"@paths("/gcp-reports/ /gcp-reports/*")"#, r#"@paths("/gcp-reports/open/*")"#);
    let topology = Plan::default().policy(policy).start().await?;
    let native = warm(&topology, "/gcp-reports/open/q3").await?;
    let outside = ["/gcp-reports/closed", "/gcp-reports/open/../closed", "/gcp-reports//closed", "/gcp-reports/opener"];
    for path in outside {
        let answer = raw_get(&topology, path, &native).await?;
        assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("path_refused"), "{path}: {answer}");
    }
    // An escaped slash has two readings, so it is none.
    let answer = raw_get(&topology, "/gcp-reports/open%2f..%2fclosed", &native).await?;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(topology.recorded().await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_route_scope_resource_or_subject_asks_again() -> Result<()> {
    let again = |name: &'static str, change: fn(&mut Value)| {
        move |plugin: &mut Value| {
            let mut route = plugin["routes"]["azure-ledger"].clone();
            change(&mut route["exchange"]);
            plugin["routes"][name] = route;
        }
    };
    let topology = Plan::default()
        // The STS may answer with the token of a moment ago; here each answer is to be told from the others.
        .sts(|config| config["limits"]["reissue_cache_entries"] = json!(0))
        .egress(|bootstrap| {
            for name in ["same", "scoped", "audience", "untyped"] {
                add_route(bootstrap, name);
            }
        })
        // In everything but its name the same route.
        .plugin(again("same", |_| {}))
        .plugin(again("scoped", |exchange| exchange["scope"] = json!("ledger.book")))
        .plugin(again("audience", |exchange| exchange["audience"] = json!("azure-ledger")))
        .plugin(again("untyped", |exchange| exchange["resource"] = json!("https://orders.aws.cloakroom.test")))
        .start()
        .await?;
    let native = warm(&topology, "/azure-ledger/e").await?;
    let mut ids = vec![token_id(&topology).await?];

    assert_eq!(topology.call("/same/e", &native).await?.status, 200);
    ids.push(token_id(&topology).await?);
    assert_eq!(topology.sts.exchanges().await?, 2, "another route");

    assert_eq!(topology.call("/audience/e", &native).await?.status, 200);
    ids.push(token_id(&topology).await?);
    assert_eq!(topology.sts.exchanges().await?, 3, "another audience");

    // The ledger's grant has no scope, and the workload has no grant for orders.
    assert_eq!(topology.call("/scoped/e", &native).await?.header("x-cloakroom-reason"), "scope_refused");
    assert_eq!(topology.sts.exchanges().await?, 4, "another scope");
    assert_eq!(topology.call("/untyped/e", &native).await?.header("x-cloakroom-reason"), "policy_denied");
    assert_eq!(topology.sts.exchanges().await?, 5, "another resource");

    // The same workload with another token, and another workload.
    assert_eq!(topology.call("/azure-ledger/e", &topology.native(Cloud::Aws).await?).await?.status, 200);
    ids.push(token_id(&topology).await?);
    assert_eq!(topology.call("/azure-ledger/e", &topology.native(Cloud::Gcp).await?).await?.status, 200);
    ids.push(token_id(&topology).await?);
    assert_eq!(topology.sts.exchanges().await?, 7, "other subjects");
    let subjects: Vec<_> =
        topology.recorded().await?.iter().map(|seen| seen.header("x-cloakroom-subject").to_owned()).collect();
    assert_eq!(subjects.last(), Some(&Cloud::Gcp.spiffe_id("reporting")));

    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len(), "a token was used for another combination: {ids:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_actor_in_the_same_vm_asks_again() -> Result<()> {
    // A second listener of the same Envoy, same VM, same routes; it speaks to the STS with another certificate.
    let topology = Plan::default()
        .egress(|bootstrap| {
            let mut sts = cluster(bootstrap, "sts");
            let text = sts.to_string().replace("/etc/cloakroom/egress.", "/etc/cloakroom/probe.");
            sts = serde_json::from_str(&text).unwrap_or_default();
            sts["name"] = json!("sts-as-probe");
            push(bootstrap, "clusters", sts);
            let text = bootstrap["static_resources"]["listeners"][0].to_string();
            let text = text
                .replace("spiffe://cloakroom.test/edge/egress", "spiffe://cloakroom.test/edge/probe")
                .replace(r#"\"cluster\": \"sts\""#, r#"\"cluster\": \"sts-as-probe\""#);
            let mut listener: Value = serde_json::from_str(&text).unwrap_or_default();
            listener["name"] = json!("second");
            push(bootstrap, "listeners", listener);
        })
        .start()
        .await?;
    let native = warm(&topology, "/gcp-reports/q3").await?;
    let addresses = topology.egress.addresses().await?;
    let second = addresses.iter().find(|address| **address != topology.egress.address()).ok_or("one listener only")?;
    let url = format!("http://{second}/gcp-reports/q3");
    for _ in 0..2 {
        let answer = topology.client.get(&url, &[("authorization", &format!("Bearer {native}"))]).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(topology.sts.exchanges().await?, 2);
    let actors: Vec<_> =
        topology.recorded().await?.iter().map(|seen| seen.header("x-cloakroom-actor").to_owned()).collect();
    let (egress, probe) = ("spiffe://cloakroom.test/edge/egress", "spiffe://cloakroom.test/edge/probe");
    assert_eq!(actors, [egress, probe, probe]);
    Ok(())
}

/// Makes a first call and returns the native token it was made with.
async fn warm(topology: &Topology, path: &str) -> Result<String> {
    let native = topology.native(Cloud::Aws).await?;
    let answer = topology.call(path, &native).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(topology.sts.exchanges().await?, 1);
    Ok(native)
}

async fn token_id(topology: &Topology) -> Result<String> {
    let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
    Ok(seen.header("x-cloakroom-token-id").to_owned())
}

/// A path exactly as it is written; clients would tidy it up.
async fn raw_get(topology: &Topology, path: &str, native: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(topology.egress.address()).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {native}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A route like the ledger's under another name and prefix.
fn add_route(bootstrap: &mut Value, name: &str) {
    let path =
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes";
    if let Some(routes) = bootstrap.pointer_mut(path).and_then(Value::as_array_mut) {
        let mut route = routes.iter().find(|route| route["name"] == "azure-ledger").cloned().unwrap_or_default();
        route["name"] = json!(name);
        route["match"]["prefix"] = json!(format!("/{name}/"));
        routes.push(route);
    }
}

fn cluster(bootstrap: &Value, name: &str) -> Value {
    let clusters = bootstrap["static_resources"]["clusters"].as_array();
    clusters.and_then(|clusters| clusters.iter().find(|cluster| cluster["name"] == name)).cloned().unwrap_or_default()
}

fn push(bootstrap: &mut Value, kind: &str, resource: Value) {
    if let Some(resources) = bootstrap["static_resources"][kind].as_array_mut() {
        resources.push(resource);
    }
}
