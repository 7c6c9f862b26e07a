//! AWS sees a session in the workload's name, with its name as source identity and tag, and a policy for one folder, table or
//! queue.

use harness::{
    Result,
    clouds::cloud::Cloud,
    federation::{aws::Setup, seen::Seen},
    topology::{Plan, cloud_routes, cloud_routes::CloudRoute},
};
use http::Method;
use serde_json::{Value, json};

use super::matrix::{Attempt, Caller, Destination};

#[tokio::test(flavor = "multi_thread")]
async fn from_everywhere_to_one_folder_of_a_bucket() -> Result<()> {
    let route = CloudRoute::aws_bucket();
    let next_door = route.led_astray("aws-next-door", "ledger.s3.eu-central-1.amazonaws.com");
    let refused = |attempt: Attempt| attempt.refused(403, "AccessDenied");
    let written = [("x-amz-content-sha256", "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881")];
    Destination {
        route,
        astray: vec![next_door],
        service: "s3",
        attempts: vec![
            Attempt::get("/aws-bucket/team-a/q3.txt"),
            Attempt::get("/aws-bucket/?list-type=2&prefix=team-a/"),
            refused(Attempt::get("/aws-next-door/team-a/q3.txt")),
            refused(Attempt::get("/aws-next-door/?list-type=2&prefix=team-a/")),
            refused(Attempt::get("/aws-bucket/team-b/q3.txt")),
            refused(Attempt::get("/aws-bucket/?list-type=2&prefix=team-b/")),
            refused(Attempt::get("/aws-bucket/?list-type=2")),
            refused(Attempt::send(Method::PUT, "/aws-bucket/team-a/new.txt", &written, "x")),
            refused(Attempt::delete("/aws-bucket/team-a/q3.txt")),
        ],
        credential: access_key,
        check_person: |seen, caller| check_session(seen, caller, "cloakroom"),
        check_orders: |seen, caller| {
            let order = order_of(seen, caller);
            assert_eq!(
                session_policy(&order),
                json!({"Version": "2012-10-17", "Statement": [
                    {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::reports/team-a/*"]},
                    {
                        "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::reports"],
                        "Condition": {"StringLike": {"s3:prefix": "team-a/*"}}
                    }
                ]})
            );
            let assertion = &order.facts["assertion"];
            assert_eq!((&assertion["iss"], &assertion["aud"]), (&json!(ISSUER), &json!("sts.amazonaws.com")));
            assertion["jti"].as_str().map(str::to_owned)
        },
        reference: |seen| Some(access_key(seen)),
    }
    .call_from_everywhere()
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_for_a_table_and_a_queue_are_read_and_signed() -> Result<()> {
    let routes = vec![CloudRoute::aws_table(), CloudRoute::aws_queue()];
    let topology = Plan::default().reading_bodies().clouds(None, cloud_routes::providers(), routes).start().await?;

    let caller = Caller::of(&topology, Cloud::Gcp).await?;
    let to_table = |operation, body: Value| {
        let headers = [("x-amz-target", operation), ("content-type", "application/x-amz-json-1.0")];
        Attempt::send(Method::POST, "/aws-table/", &headers, &body.to_string())
    };
    let [get, put] = ["DynamoDB_20120810.GetItem", "DynamoDB_20120810.PutItem"];
    let (item, key) = (json!({"id": {"S": "7"}, "sum": {"N": "12"}}), json!({"id": {"S": "7"}}));
    let put_orders = to_table(put, json!({"TableName": "orders", "Item": item}));
    let (_, written) = caller.attempt(&topology, &put_orders, "dynamodb").await?;
    let get_orders = to_table(get, json!({"TableName": "orders", "Key": key}));
    let (answer, read) = caller.attempt(&topology, &get_orders, "dynamodb").await?;
    assert_eq!(answer.json()?["Item"], item);
    let invoices = to_table(get, json!({"TableName": "invoices", "Key": key})).refused(400, "AccessDenied");
    let delete = "DynamoDB_20120810.DeleteItem";
    let delete = to_table(delete, json!({"TableName": "orders", "Key": key})).refused(400, "AccessDenied");
    for attempt in [invoices, delete] {
        let (_, refused) = caller.attempt(&topology, &attempt, "dynamodb").await?;
        assert_eq!(access_key(&refused), access_key(&written));
    }
    for seen in [&written, &read] {
        check_session(seen, &caller, "cloakroom");
    }
    let order = order_of(&topology.federation()?.seen(), &caller);
    assert_eq!(session_policy(&order)["Statement"][0]["Resource"][0], written.resource);

    let caller = Caller::of(&topology, Cloud::Azure).await?;
    let to_queue = |operation, queue: &str| {
        let url = format!("https://sqs.eu-central-1.amazonaws.com/{}/{queue}", Setup::ACCOUNT);
        let headers = [("x-amz-target", operation), ("content-type", "application/x-amz-json-1.0")];
        let body = json!({"QueueUrl": url, "MessageBody": "do it"}).to_string();
        Attempt::send(Method::POST, "/aws-queue/", &headers, &body)
    };
    let send = to_queue("AmazonSQS.SendMessage", "jobs");
    let (_, sent) = caller.attempt(&topology, &send, "sqs").await?;
    check_session(&sent, &caller, "cloakroom");
    for (operation, queue) in [("AmazonSQS.SendMessage", "audit"), ("AmazonSQS.ReceiveMessage", "jobs")] {
        let attempt = to_queue(operation, queue).refused(400, "AccessDenied");
        let (_, refused) = caller.attempt(&topology, &attempt, "sqs").await?;
        assert_eq!(access_key(&refused), access_key(&sent));
    }
    let account = topology.federation()?.aws.platform();
    assert_eq!((account.messages("jobs"), account.messages("audit")), (vec!["do it".to_owned()], vec![]));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

/// The keys that a request was signed with.
pub fn access_key(seen: &Seen) -> String {
    seen.facts.get("access_key").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Panics unless the call was made in a session of `role` that says in every place who `caller` is.
pub fn check_session(seen: &Seen, caller: &Caller, role: &str) {
    // AWS takes 64 characters of `[\w+=,.@-]`: what is longer ends in a digest of the name.
    let name = match caller.cloud {
        Cloud::Aws => "aws+123456789012+role+app-role",
        Cloud::Gcp => "gcp+acme-reports+sa+reporting",
        Cloud::Azure => "azure+5f1f2b7e-93d5-4b0a-8a1c-6e0d3c9b7a42+9a3e=GO4OqIlnI6GVMKVz",
        _ => "k8s+prod+payments+api",
    };
    assert_eq!(seen.principal, format!("arn:aws:sts::{}:assumed-role/{role}/{name}", Setup::ACCOUNT));
    assert_eq!(seen.facts["source_identity"], name);
    assert_eq!(seen.facts["tags"], json!({"workload": caller.name}));
}

/// The one call with an assertion about `caller`.
pub fn order_of(seen: &[Seen], caller: &Caller) -> Seen {
    let about = |seen: &&Seen| seen.facts.get("assertion").is_some_and(|claims| claims["sub"] == caller.name.as_str());
    let orders = seen.iter().filter(|seen| seen.operation == "AssumeRoleWithWebIdentity");
    let orders: Vec<_> = orders.filter(about).collect();
    assert_eq!(orders.len(), 1, "calls for {}", caller.name);
    orders[0].clone()
}

/// The session policy that was sent.
pub fn session_policy(order: &Seen) -> Value {
    let policy = order.facts.get("session_policy").and_then(Value::as_str).unwrap_or_default();
    serde_json::from_str(policy).expect("a session policy")
}

const ISSUER: &str = "https://sts.cloakroom.test";
