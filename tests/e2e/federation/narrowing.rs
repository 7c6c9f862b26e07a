//! A route that asks for less than its destination has gets a credential that opens less.

use harness::{
    Result,
    clouds::cloud::Cloud,
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use http::Method;
use serde_json::json;

use super::{
    aws::{access_key, session_policy},
    matrix::{Attempt, Caller},
};
use crate::decisions;

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_scope_narrows_what_the_cloud_opens() -> Result<()> {
    let mut whole = CloudRoute::aws_bucket();
    whole.permissions = ["read", "list", "write"].map(str::to_owned).to_vec();
    let reading = whole.narrowed("aws-reading", "read");
    let topology = Plan::default()
        .clouds(None, cloud_routes::providers(), vec![whole])
        .more_cloud_routes(vec![reading])
        .start()
        .await?;
    let caller = Caller::of(&topology, Cloud::Azure).await?;
    let digest = [("x-amz-content-sha256", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")];
    let refused = |attempt: Attempt| attempt.refused(403, "AccessDenied");
    let mut keys = Vec::new();
    for attempt in [
        Attempt::get("/aws-reading/team-a/q3.txt"),
        refused(Attempt::get("/aws-reading/?list-type=2&prefix=team-a/")),
        refused(Attempt::send(Method::PUT, "/aws-reading/team-a/new.txt", &digest, "x")),
        Attempt::get("/aws-bucket/?list-type=2&prefix=team-a/"),
        Attempt::send(Method::PUT, "/aws-bucket/team-a/new.txt", &digest, "x"),
    ] {
        let (_, seen) = caller.attempt(&topology, &attempt, "s3").await?;
        keys.push(access_key(&seen));
    }
    keys.dedup();
    assert_eq!(keys.len(), 2, "what opens less is another credential");
    let orders = topology.federation()?.aws.seen_by("sts");
    let policies: Vec<_> = orders.iter().map(session_policy).collect();
    let read = json!({"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::reports/team-a/*"]});
    assert_eq!((policies.len(), &policies[0]["Statement"]), (2, &json!([read])));
    assert_ne!(policies[0], policies[1]);

    let leaves = decisions::of(&topology).await?;
    let granted: Vec<_> = leaves.iter().filter_map(|leaf| leaf.scope_granted.as_deref()).collect();
    assert_eq!(granted, ["read", "list read write"]);
    let references: Vec<_> = leaves.iter().filter_map(|leaf| leaf.provider_reference.clone()).collect();
    assert_eq!(references, keys);
    Ok(())
}
