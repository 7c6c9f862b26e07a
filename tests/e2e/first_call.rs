//! A workload in one cloud calls a service in another, and the service is told names and nothing else.

use harness::{
    Result,
    client::Client,
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
};
use http::Method;
use serde_json::json;

/// The proxy of every call here.
const ACTOR: &str = "spiffe://cloakroom.test/edge/egress";

#[tokio::test(flavor = "multi_thread")]
async fn every_cloud_reaches_its_services_in_the_workload_s_own_name() -> Result<()> {
    let topology = Topology::start().await?;
    let calls = [
        (Cloud::Aws, "/gcp-reports/q3", "https://reports.gcp.cloakroom.test", "reports.read"),
        (Cloud::Azure, "/gcp-reports/q3", "https://reports.gcp.cloakroom.test", "reports.read"),
        (Cloud::Gcp, "/aws-orders/1", "https://orders.aws.cloakroom.test", "orders.read orders.write"),
        (Cloud::Kubernetes, "/aws-orders/1", "https://orders.aws.cloakroom.test", "orders.read orders.write"),
        // The policy gives less than the route asks for.
        (Cloud::Azure, "/aws-orders/1", "https://orders.aws.cloakroom.test", "orders.read"),
        (Cloud::AzureV1, "/aws-orders/2", "https://orders.aws.cloakroom.test", "orders.read"),
        (Cloud::Aws, "/azure-ledger/e", "https://ledger.azure.cloakroom.test", ""),
    ];
    for (cloud, path, audience, scope) in calls {
        let native = topology.native(cloud).await?;
        let answer = topology.call(path, &native).await?;
        assert_eq!(answer.status, 200, "{cloud:?} {path}: {}", answer.text());
        let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
        assert_eq!(seen.path, path);
        assert_eq!(seen.header("x-cloakroom-subject"), cloud.spiffe_id(cloud.workload()));
        assert_eq!(seen.header("x-cloakroom-actor"), ACTOR);
        assert_eq!(seen.header("x-cloakroom-audience"), audience);
        assert_eq!(seen.header("x-cloakroom-scope"), scope);
        assert!(!seen.header("x-cloakroom-token-id").is_empty());
        assert_eq!(seen.header("authorization"), "", "a token reached the service");
    }
    assert_eq!(topology.recorded().await?.len(), calls.len());
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_edge_writes_the_names_and_other_headers_are_kept() -> Result<()> {
    let topology = Topology::start().await?;
    let bearer = format!("Bearer {}", topology.native(Cloud::Aws).await?);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-cloakroom-subject", "spiffe://cloakroom.test/root"),
        ("X-Cloakroom-Actor", "spiffe://cloakroom.test/root"),
        ("x-cloakroom-scope", "everything"),
        ("x-cloakroom-anything-else", "forged"),
        ("x-envoy-retry-on", "5xx"),
        ("x-envoy-max-retries", "5"),
        ("traceparent", traceparent),
        ("x-of-the-app", "kept"),
    ];
    let answer = topology.client.get(&topology.url("/gcp-reports/q3?year=2026"), &headers).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
    let all = serde_json::to_string(&seen)?;
    assert!(!all.contains("root") && !all.contains("forged") && !all.contains("everything"), "{all}");
    assert!(!all.contains("x-envoy-"), "{all}");
    assert_eq!(seen.header("x-cloakroom-scope"), "reports.read");
    assert_eq!(seen.header("traceparent"), traceparent);
    assert_eq!(seen.header("x-of-the-app"), "kept");
    assert_eq!(seen.path, "/gcp-reports/q3?year=2026");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_underscores_are_refused() -> Result<()> {
    let topology = Topology::start().await?;
    let bearer = format!("Bearer {}", topology.native(Cloud::Aws).await?);
    let headers = [("authorization", bearer.as_str()), ("x_cloakroom_subject", "root")];
    let answer = topology.client.get(&topology.url("/gcp-reports/q3"), &headers).await?;
    assert_eq!(answer.status, 400);
    assert!(topology.recorded().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_carrier_of_a_credential_is_emptied() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    let other = topology.native(Cloud::Gcp).await?;
    let bearer = format!("Bearer {native}");
    let (cookie, proxy) = (format!("session={other}"), format!("Bearer {other}"));
    let headers = [
        ("authorization", bearer.as_str()),
        ("proxy-authorization", proxy.as_str()),
        ("x-amz-security-token", other.as_str()),
        ("cookie", cookie.as_str()),
    ];
    // Refused or emptied: either will do, but no carrier may bring it to the service, on a miss or on a hit.
    for _ in 0..2 {
        topology.client.get(&topology.url("/gcp-reports/q3"), &headers).await?;
        let url = topology.url(&format!("/gcp-reports/q3?access_token={other}&token={native}"));
        topology.client.get(&url, &headers[..1]).await?;
        topology.call("/gcp-reports/q3", &native).await?;
    }
    assert!(!topology.recorded().await?.is_empty(), "the plain calls must have arrived");
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_route_needs_no_token_and_an_unknown_one_takes_none() -> Result<()> {
    let topology = Topology::start().await?;
    assert_eq!(topology.client.get(&topology.url("/health"), &[]).await?.text(), "ok\n");
    let native = topology.native(Cloud::Aws).await?;
    let answer = topology.call("/elsewhere", &native).await?;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("x-cloakroom-reason"), "route_unknown");
    assert_eq!(topology.sts.exchanges().await?, 0, "neither may ask the STS");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_carried_whole_while_its_request_waits_for_the_sts() -> Result<()> {
    let topology = Topology::start().await?;
    let bearer = format!("Bearer {}", topology.native(Cloud::Gcp).await?);
    let body: Vec<u8> = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let digest: String = token::digest::sha256(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    let url = topology.url("/aws-orders/1");
    // A miss first, then a hit.
    for _ in 0..2 {
        let answer = topology.client.request(Method::POST, &url, &[("authorization", &bearer)], body.clone()).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = topology.recorded().await?.pop().ok_or("nothing was recorded")?;
        assert_eq!((seen.method.as_str(), seen.body_length, &seen.body_sha256), ("POST", body.len(), &digest));
    }
    assert_eq!(topology.sts.exchanges().await?, 1);
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_destination_takes_no_native_token_even_from_an_edge() -> Result<()> {
    // An egress edge that forwards whatever it gets, as if somebody had configured the filter away.
    let plan = Plan::default().plugin(|plugin| plugin["routes"]["gcp-reports"] = json!("untouched"));
    let topology = plan.start().await?;
    let native = topology.native(Cloud::Aws).await?;
    assert_eq!(topology.call("/gcp-reports/q3", &native).await?.status, 401);
    assert_eq!(topology.client.get(&topology.url("/gcp-reports/q3"), &[]).await?.status, 401);
    assert!(topology.recorded().await?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_destination_lets_in_registered_edges_with_a_token_for_it_and_nobody_else() -> Result<()> {
    let topology = Topology::start().await?;
    let hosts = [
        ("reports.gcp.cloakroom.test", topology.destination.address()),
        ("orders.aws.cloakroom.test", topology.destination.address()),
    ];
    let url = "https://reports.gcp.cloakroom.test/gcp-reports/q3";
    let issued = {
        let probe = Client::with_certificate(&topology.pki, "probe")?;
        let native = topology.native(Cloud::Aws).await?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("subject_token", &native)
            .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
            .append_pair("resource", "https://reports.gcp.cloakroom.test")
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer =
            probe.request(Method::POST, &format!("{}/oauth2/token", topology.sts.url()), &headers, form).await?;
        answer.json()?["access_token"].as_str().ok_or("no token")?.to_owned()
    };
    let bearer = format!("Bearer {issued}");
    let headers = [("authorization", bearer.as_str())];
    // A stolen token is worth nothing without an edge's certificate, not even with another one of the same CA.
    for party in [None, Some("probe"), Some("nameless")] {
        let client = Client::with_hosts(&topology.pki, party, &hosts)?;
        assert!(client.get(url, &headers).await.is_err(), "{party:?} was let in");
    }
    let edge = Client::with_hosts(&topology.pki, Some("egress"), &hosts)?;
    assert_eq!(edge.get(url, &headers).await?.status, 200);
    assert_eq!(edge.get(url, &[]).await?.status, 401);
    assert_eq!(edge.get(&format!("{url}?access_token={issued}"), &[]).await?.status, 401);
    // Right signature, right time, another destination.
    let other = "https://orders.aws.cloakroom.test/aws-orders/1";
    assert_eq!(edge.get(other, &headers).await?.status, 403);
    assert_eq!(topology.recorded().await?.len(), 1);
    Ok(())
}
