//! Where one server or role leads to the next, the workload's name goes along to the last.

use harness::{
    Result,
    clouds::cloud::Cloud,
    federation::{aws::Setup, oauth::Partner},
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use serde_json::{Value, json};

use super::{
    aws::{access_key, check_session},
    matrix::{Attempt, Caller},
};
use crate::decisions;

#[tokio::test(flavor = "multi_thread")]
async fn both_servers_of_a_chain_are_asked_in_the_workloads_name() -> Result<()> {
    let mut route = CloudRoute::partner_api();
    route.provider = "chain".to_owned();
    let provider = json!({
        "name": "chain", "ca_file": "/etc/cloakroom/ca.crt", "allow_private_addresses": true,
        "oauth": {
            "grant": "identity_chaining",
            "exchange_endpoint": "https://partner-cloud:443/home/token", "exchange_audience": Partner::HOME,
            "token_endpoint": "https://partner-cloud:443/partner/token", "audience": Partner::SERVER
        }
    });
    let topology = Plan::default().clouds(None, vec![provider], vec![route]).start().await?;
    let caller = Caller::of(&topology, Cloud::Aws).await?;
    let (answer, seen) = caller.attempt(&topology, &Attempt::get("/partner-api/q3"), "api").await?;
    assert_eq!((answer.json()?["subject"].as_str(), &seen.principal), (Some(caller.name.as_str()), &caller.name));

    let partner = &topology.federation()?.partner;
    let [home, other] = ["home", "partner"].map(|service| partner.seen_by(service));
    assert_eq!((home.len(), other.len()), (1, 1));
    let said = |claims: &Value| ["iss", "sub", "aud"].map(|name| claims[name].as_str().unwrap_or_default().to_owned());
    let first = &home[0].facts["assertion"];
    assert_eq!(said(first), ["https://sts.cloakroom.test", &caller.name, Partner::HOME]);
    let second = &other[0].facts["assertion"];
    assert_eq!(said(second), [Partner::HOME, &caller.name, Partner::SERVER]);
    // Neither server is shown what the other was.
    assert!(
        form_urlencoded::parse(other[0].body.as_bytes()).all(|(_, value)| !home[0].holds(&value) || value.len() < 100)
    );
    assert_eq!(topology.leaks().await?, Vec::<String>::new());

    let leaves = decisions::of(&topology).await?;
    let leaf = leaves.last().ok_or("nothing was recorded")?;
    assert_eq!((leaf.jti.as_deref(), leaf.provider.as_deref()), (first["jti"].as_str(), Some("chain")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_role_is_assumed_in_the_workloads_name_and_with_the_policy() -> Result<()> {
    let mut route = CloudRoute::aws_bucket();
    route.provider = "deep".to_owned();
    let mut provider = cloud_routes::providers().remove(0);
    provider["name"] = json!("deep");
    provider["aws"]["then_roles"] = json!([Setup::default().role_arn("cloakroom-deep")]);
    let topology = Plan::default().clouds(None, vec![provider], vec![route]).start().await?;
    let caller = Caller::of(&topology, Cloud::Kubernetes).await?;
    let (_, seen) = caller.attempt(&topology, &Attempt::get("/aws-bucket/team-a/q3.txt"), "s3").await?;
    check_session(&seen, &caller, "cloakroom-deep");
    let outside = Attempt::get("/aws-bucket/team-b/q3.txt").refused(403, "AccessDenied");
    caller.attempt(&topology, &outside, "s3").await?;

    let orders = topology.federation()?.aws.seen_by("sts");
    let operations: Vec<_> = orders.iter().map(|order| order.operation.as_str()).collect();
    assert_eq!(operations, ["AssumeRoleWithWebIdentity", "AssumeRole"]);
    let form: Vec<_> = form_urlencoded::parse(orders[1].body.as_bytes()).collect();
    let policy = form.iter().find(|(name, _)| name == "Policy").map(|(_, policy)| policy).ok_or("no policy")?;
    let policy: Value = serde_json::from_str(policy)?;
    assert_eq!(policy["Statement"][0]["Resource"], json!(["arn:aws:s3:::reports/team-a/*"]));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());

    let leaves = decisions::of(&topology).await?;
    let reference = leaves.last().and_then(|leaf| leaf.provider_reference.clone());
    assert_eq!(reference, Some(access_key(&seen)), "the keys of the last role");
    Ok(())
}
