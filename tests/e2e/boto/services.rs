//! Services whose every body is signed: the edge reads it.

use std::net::SocketAddr;

use harness::{Result, moto::Moto};
use serde_json::json;
use token::aws_keys::AwsKeys;

use super::{
    boto3,
    gateway::{Gateway, Place, Signing},
};

#[tokio::test(flavor = "multi_thread")]
async fn moto_accepts_what_is_asked_of_dynamodb_and_sqs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path(), &["dynamodb:*", "sqs:*"]).await?;
    for (service, place, wanted) in [
        ("dynamodb", Place::Rewritten, json!({"owner": "Zoë/漢", "text": 120_000, "found": 2})),
        ("sqs", Place::Kept, json!({"received": ["first <job> 漢"], "left": 0})),
    ] {
        let gateway = start(service, place, moto.address(), moto.keys()).await?;
        assert_eq!(boto3(gateway.settings(service, "")).await?, wanted, "{service}");
        assert_eq!(gateway.exchanges(), 1, "the keys are kept");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_refuses_a_body_that_is_signed_with_another_secret() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path(), &["dynamodb:*"]).await?;
    let (keys, session) = (moto.keys(), moto.keys().session_token.expose());
    let guessed = AwsKeys::new(&keys.access_key_id, "guessed", session).ok_or("no keys")?;
    let gateway = start("dynamodb", Place::Rewritten, moto.address(), &guessed).await?;
    // It says so in S3's words, of which the client of DynamoDB understands the status only. The edge would give a reason.
    assert_eq!(boto3(gateway.settings("dynamodb_item", "")).await?, json!({"error": "403", "status": 403}));
    Ok(())
}

async fn start(service: &'static str, place: Place, judge: SocketAddr, keys: &AwsKeys) -> Result<Gateway> {
    Signing { service, payload: "hash", place, ..Signing::default() }.start(judge, keys.clone()).await
}
