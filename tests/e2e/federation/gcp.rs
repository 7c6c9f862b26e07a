//! Google sees a principal of the pool in the workload's name, or a service account that it uses, and a token within a
//! boundary of one folder.

use harness::{
    Result,
    clouds::cloud::Cloud,
    federation::{gcp::Setup, seen::Seen},
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use http::Method;
use serde_json::{Value, json};

use super::matrix::{Attempt, Caller, Destination, seen_by};
use crate::decisions;

#[tokio::test(flavor = "multi_thread")]
async fn from_everywhere_to_one_folder_of_a_bucket() -> Result<()> {
    let refused = |attempt: Attempt| attempt.refused(403, "forbidden");
    Destination {
        route: CloudRoute::gcp_bucket(),
        astray: Vec::new(),
        service: "storage",
        attempts: vec![
            Attempt::get("/gcp-bucket/acme-reports/team-a/q3.txt"),
            Attempt::get("/gcp-bucket/storage/v1/b/acme-reports/o?prefix=team-a/"),
            refused(Attempt::get("/gcp-bucket/acme-ledger/team-a/q3.txt")),
            refused(Attempt::get("/gcp-bucket/storage/v1/b/acme-ledger/o?prefix=team-a/")),
            refused(Attempt::get("/gcp-bucket/acme-reports/team-b/q3.txt")),
            refused(Attempt::get("/gcp-bucket/storage/v1/b/acme-reports/o?prefix=team-b/")),
            refused(Attempt::get("/gcp-bucket/storage/v1/b/acme-reports/o")),
            refused(Attempt::send(Method::PUT, "/gcp-bucket/acme-reports/team-a/new.txt", &[], "x")),
            refused(Attempt::delete("/gcp-bucket/acme-reports/team-a/q3.txt")),
        ],
        credential: |seen| seen.header("authorization").to_owned(),
        check_person,
        check_orders: |seen, caller| {
            let narrowed = of(seen, caller, "downscope");
            let resource = "//storage.googleapis.com/projects/_/buckets/acme-reports";
            let rule = |role: &str, condition: &str| {
                json!({
                    "availableResource": resource, "availablePermissions": [format!("inRole:roles/storage.{role}")],
                    "availabilityCondition": {"expression": condition}
                })
            };
            let objects = "resource.name.startsWith('projects/_/buckets/acme-reports/objects/team-a/')";
            let listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team-a/')";
            assert_eq!(
                narrowed.facts["access_boundary"]["accessBoundaryRules"],
                json!([rule("legacyObjectReader", objects), rule("legacyBucketReader", listed)])
            );
            // The wide token that it is made of can read at most, and the one before that can open nothing.
            let wide: Value = serde_json::from_str(&of(seen, caller, "generateAccessToken").body).expect("JSON");
            assert_eq!(wide["scope"], json!(["https://www.googleapis.com/auth/devstorage.read_only"]));
            assertion_jti(seen, caller)
        },
        reference: |seen| seen.facts["delegated_by"].as_str().map(str::to_owned),
    }
    .call_from_everywhere()
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_gets_an_id_token_for_itself_alone() -> Result<()> {
    let topology =
        Plan::default().clouds(None, cloud_routes::providers(), vec![CloudRoute::gcp_service()]).start().await?;
    let caller = Caller::of(&topology, Cloud::Kubernetes).await?;
    let (answer, seen) = caller.attempt(&topology, &Attempt::get("/gcp-service/q3"), "run").await?;
    assert_eq!(answer.json()?["caller"], Setup::SERVICE_ACCOUNT);
    assert_eq!(seen.principal, Setup::SERVICE_ACCOUNT);
    let token = seen.header("authorization").trim_start_matches("Bearer ");
    let claims = token.split('.').nth(1).and_then(|claims| token::base64url::decode(claims).ok()).ok_or("no JWT")?;
    let claims: Value = serde_json::from_slice(&claims)?;
    assert_eq!(claims["aud"], format!("https://{}", Setup::SERVICE));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());

    let jti = assertion_jti(&topology.federation()?.seen(), &caller);
    let leaves = decisions::of(&topology).await?;
    let leaf = leaves.last().ok_or("nothing was recorded")?;
    assert_eq!((&leaf.jti, leaf.subject.as_ref()), (&jti, Some(&caller.name)));
    assert_eq!(
        (leaf.provider.as_deref(), leaf.provider_reference.clone()),
        (Some("gcp-prod"), Some(principal(&caller)))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_account_the_workload_itself_is_let_in() -> Result<()> {
    let mut provider = cloud_routes::providers().remove(1);
    provider["gcp"].as_object_mut().ok_or("no object")?.remove("service_account");
    let topology = Plan::default().clouds(None, vec![provider], vec![CloudRoute::gcp_bucket()]).start().await?;
    let caller = Caller::of(&topology, Cloud::Azure).await?;
    let open = Attempt::get("/gcp-bucket/acme-reports/team-a/q3.txt");
    let (_, seen) = caller.attempt(&topology, &open, "storage").await?;
    assert_eq!((&seen.principal, seen.facts.get("delegated_by")), (&principal(&caller), None));
    let next_door = Attempt::get("/gcp-bucket/acme-ledger/team-a/q3.txt").refused(403, "forbidden");
    let (_, refused) = caller.attempt(&topology, &next_door, "storage").await?;
    assert_eq!(refused.header("authorization"), seen.header("authorization"));
    let operations: Vec<_> = topology.federation()?.gcp.seen_by("sts").into_iter().map(|seen| seen.operation).collect();
    assert_eq!(operations, ["exchange", "downscope"]);
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

/// The caller, by the name that the pool has for it.
fn principal(caller: &Caller) -> String {
    let pool = "iam.googleapis.com/projects/543210987654/locations/global/workloadIdentityPools/cloakroom";
    format!("principal://{pool}/subject/{}", caller.name)
}

fn check_person(seen: &Seen, caller: &Caller) {
    assert_eq!(seen.principal, Setup::SERVICE_ACCOUNT);
    assert_eq!(seen.facts["delegated_by"], principal(caller));
}

/// The one call of `operation` in the caller's name.
fn of(seen: &[Seen], caller: &Caller, operation: &str) -> Seen {
    let name = principal(caller);
    let in_its_name =
        |seen: &&Seen| seen.principal == name || seen.facts.get("delegated_by").is_some_and(|user| *user == name);
    let calls: Vec<_> = seen.iter().filter(|seen| seen.operation == operation).filter(in_its_name).collect();
    assert_eq!(calls.len(), 1, "{operation} for {}", caller.name);
    calls[0].clone()
}

/// The name of the one assertion about the caller.
fn assertion_jti(seen: &[Seen], caller: &Caller) -> Option<String> {
    let exchange = of(&seen_by(seen.to_vec(), "sts"), caller, "exchange");
    let claims = &exchange.facts["assertion"];
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("https://sts.cloakroom.test"), &json!(caller.name)));
    claims["jti"].as_str().map(str::to_owned)
}
