//! Nobody is accepted but who signs rightly, without any edge between: whoever accepted everything would prove nothing.

use harness::{Result, moto::Moto, s3s_fs::S3sFs};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;

use super::{boto3, own, settings, with};

#[tokio::test(flavor = "multi_thread")]
async fn moto_accepts_its_role_s_signatures_and_refuses_all_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path(), &["s3:CreateBucket", "s3:PutObject", "s3:GetObject", "dynamodb:*"]).await?;
    let good = settings("s3_object", format!("http://{}", moto.address()), own(moto.keys()));
    let said = boto3(with(&good, json!({"create": true}))).await?;
    assert_eq!(said, json!({"read": "first"}));
    for (what, change, error) in [
        ("another secret", json!({"secret_key": "guessed"}), "SignatureDoesNotMatch"),
        ("another session", json!({"session_token": "guessed"}), "InvalidToken"),
        ("nobody's key", json!({"access_key": "ASIAUNKNOWN000000001"}), "InvalidAccessKeyId"),
        ("another object", json!({"tamper": "path"}), "SignatureDoesNotMatch"),
        ("another query", json!({"tamper": "query"}), "SignatureDoesNotMatch"),
        ("another header", json!({"tamper": "header"}), "SignatureDoesNotMatch"),
        ("what the role may not do", json!({"task": "s3_delete_bucket"}), "AccessDenied"),
    ] {
        refused(what, with(&good, change), error).await?;
    }
    let items = with(&good, json!({"task": "dynamodb"}));
    assert_eq!(boto3(items.clone()).await?["found"], 2);
    let item = with(&good, json!({"task": "dynamodb_item"}));
    assert_eq!(boto3(item.clone()).await?, json!({}));
    // It says so in S3's words, of which the client of DynamoDB understands the status only.
    let said = boto3(with(&item, json!({"tamper": "body"}))).await?;
    assert_eq!(said, json!({"error": "403", "status": 403}), "another body");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3s_fs_accepts_its_own_key_s_signatures_and_refuses_all_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = AwsKeys::new("ASIAJUDGE00000000001", "secret/of+the/judge", "session").ok_or("no keys")?;
    let judge = S3sFs::start(folder.path(), &keys).await?;
    let good = settings("s3_object", format!("http://{}", judge.address()), own(&keys));
    let said = boto3(with(&good, json!({"create": true}))).await?;
    assert_eq!(said, json!({"read": "first"}));
    for (what, change, error) in [
        ("another secret", json!({"secret_key": "guessed"}), "SignatureDoesNotMatch"),
        ("nobody's key", json!({"access_key": "ASIAUNKNOWN000000001"}), "NotSignedUp"),
        ("another object", json!({"tamper": "path"}), "SignatureDoesNotMatch"),
        ("another query", json!({"tamper": "query"}), "SignatureDoesNotMatch"),
        ("another header", json!({"tamper": "header"}), "SignatureDoesNotMatch"),
        ("another body", json!({"tamper": "body"}), "InternalError"),
        ("a clock that is slow", json!({"clock": -1_000}), "RequestTimeTooSkewed"),
        ("a clock that is fast", json!({"clock": 1_000}), "RequestTimeTooSkewed"),
    ] {
        refused(what, with(&good, change), error).await?;
    }
    Ok(())
}

async fn refused(what: &str, settings: Value, error: &str) -> Result<()> {
    let said = boto3(settings).await?;
    assert_eq!(said["error"], error, "{what}: {said}");
    Ok(())
}
