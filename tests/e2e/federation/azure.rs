//! Azure sees one app for all workloads, and a signature for one container. Who is behind it stands in its correlation id, by
//! which the STS's record knows the workload.

use harness::{
    Result,
    federation::{azure::Setup, seen::Seen},
    topology::cloud_routes::CloudRoute,
};
use http::Method;

use super::matrix::{Attempt, Destination, seen_by};

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

/// A parameter of the query.
fn parameter(seen: &Seen, name: &str) -> String {
    let (_, query) = seen.path.split_once('?').unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(other, _)| other == name).map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The object id of the app's service principal.
const OBJECT: &str = "a1b3c5d7-2e4f-4a6b-9c8d-0e2f4a6b8c0d";
