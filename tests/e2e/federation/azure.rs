//! Azure sees one app for all workloads, and a signature for one container. Who is behind it stands in its correlation id, by
//! which the STS's record knows the workload.

use harness::{
    Result,
    clouds::cloud::Cloud,
    federation::{azure::Setup, seen::Seen},
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use http::Method;
use serde_json::{Value, json};

use super::matrix::{Attempt, Caller, Destination, seen_by};
use crate::decisions;

#[tokio::test(flavor = "multi_thread")]
async fn from_everywhere_to_one_container() -> Result<()> {
    let denied = |attempt: Attempt| attempt.refused(403, "AuthorizationPermissionMismatch");
    let strange = |attempt: Attempt| attempt.refused(403, "AuthenticationFailed");
    let block = [("x-ms-blob-type", "BlockBlob")];
    Destination {
        route: CloudRoute::azure_container(),
        astray: Vec::new(),
        service: "blob",
        attempts: vec![
            Attempt::get("/azure-container/reports/team-a/q3.txt"),
            Attempt::get("/azure-container/reports?restype=container&comp=list&prefix=team-a/"),
            strange(Attempt::get("/azure-container/ledger/team-a/q3.txt")),
            strange(Attempt::get("/azure-container/ledger?restype=container&comp=list")),
            denied(Attempt::send(Method::PUT, "/azure-container/reports/team-a/new.txt", &block, "x")),
            denied(Attempt::delete("/azure-container/reports/team-a/q3.txt")),
        ],
        credential: |seen| parameter(seen, "sig"),
        check_person: |seen, _| {
            assert_eq!(seen.principal, OBJECT);
            assert_eq!(seen.facts["correlation"], parameter(seen, "scid"));
            assert!(!seen.headers.iter().any(|(name, _)| name == "authorization"));
        },
        check_orders: |seen, caller| {
            // A few letters for one container, whoever asks.
            for blob in seen_by(seen.to_vec(), "blob").iter().filter(|seen| seen.operation == "GetBlob") {
                assert_eq!((parameter(blob, "sp").as_str(), parameter(blob, "sr").as_str()), ("rl", "c"));
            }
            // The assertions are the app's, about no workload.
            let orders = seen_by(seen.to_vec(), "entra");
            assert!(!orders.is_empty());
            for order in &orders {
                assert_eq!(order.facts["assertion"]["sub"], Setup::SUBJECT);
                assert!(!order.holds(&caller.name));
            }
            None
        },
        reference: |seen| Some(parameter(seen, "scid")),
    }
    .call_from_everywhere()
    .await
}

/// A token of Entra opens what the app's own roles do: no request narrows it, and a workload is told by the STS's record alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_app_opens_what_its_roles_do() -> Result<()> {
    let mut route = CloudRoute::azure_container().opening(json!({"scope": "https://storage.azure.com/.default"}), &[]);
    route.inject = Value::Null;
    let topology = Plan::default().clouds(None, cloud_routes::providers(), vec![route]).start().await?;
    let caller = Caller::of(&topology, Cloud::Gcp).await?;
    let version = [("x-ms-version", "2025-05-05")];
    let open = Attempt::send(Method::GET, "/azure-container/reports/team-a/q3.txt", &version, "");
    let (_, seen) = caller.attempt(&topology, &open, "blob").await?;
    assert_eq!(seen.principal, OBJECT);
    assert!(seen.header("authorization").starts_with("Bearer ") && parameter(&seen, "sig").is_empty());
    let calls: Vec<_> = topology.federation()?.azure.seen_by("entra");
    assert_eq!((calls.len(), &calls[0].facts["assertion"]["sub"]), (1, &json!(Setup::SUBJECT)));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    let leaves = decisions::of(&topology).await?;
    let leaf = leaves.last().ok_or("nothing was recorded")?;
    assert_eq!((leaf.provider.as_deref(), leaf.subject.as_ref()), (Some("entra"), Some(&caller.name)));
    Ok(())
}

/// A parameter of the query.
fn parameter(seen: &Seen, name: &str) -> String {
    let (_, query) = seen.path.split_once('?').unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(other, _)| other == name).map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The object id of the app's service principal.
const OBJECT: &str = "a1b3c5d7-2e4f-4a6b-9c8d-0e2f4a6b8c0d";
