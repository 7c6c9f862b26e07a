//! S3: what a client does with a bucket, signed at the edge.

use harness::{Result, moto::Moto, s3s_fs::S3sFs};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;

use super::{
    KEYS, boto3,
    gateway::{Place, Signing},
    with,
};

#[tokio::test(flavor = "multi_thread")]
async fn moto_accepts_all_that_a_client_does() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path(), &["s3:*"]).await?;
    for (bucket, payload, place) in [("reports", "reuse", Place::Rewritten), ("orders", "unsigned", Place::Kept)] {
        let signing = Signing { payload, place, ..Signing::default() };
        let gateway = signing.start(moto.address(), moto.keys().clone()).await?;
        let said = boto3(with(&gateway.settings("s3", bucket), json!({"large_bytes": large()}))).await?;
        assert_eq!(said["read"], json!(KEYS), "{payload}");
        let mut listed = KEYS;
        listed.sort_unstable();
        assert_eq!(said["listed"], json!(listed), "{payload}");
        assert_eq!(said["odd"], 1, "{payload}");
        did_the_rest(&said)?;
        assert_eq!(gateway.exchanges(), 1, "the keys are kept");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn s3s_fs_accepts_all_that_a_client_does() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let keys = judges_keys("secret/of+the/judge")?;
    let judge = S3sFs::start(folder.path(), &keys).await?;
    let tls = folder.path().join("pki");
    for (bucket, payload, place, tls) in [
        ("reports", "unsigned", Place::Rewritten, None),
        ("orders", "reuse", Place::Kept, None),
        // Over TLS the client streams, with a checksum behind the body.
        ("invoices", "reuse", Place::Rewritten, Some(&*tls)),
    ] {
        let signing = Signing { payload, place, tls, ..Signing::default() };
        let gateway = signing.start(judge.address(), keys.clone()).await?;
        let said = boto3(with(&gateway.settings("s3", bucket), json!({"large_bytes": large()}))).await?;
        // This server gives some names back in another spelling, but under each it finds what was put there.
        assert_eq!(said["read"], json!(KEYS), "{bucket}");
        did_the_rest(&said)?;
        assert_eq!(gateway.exchanges(), 1, "the keys are kept");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_refuse_what_is_signed_with_another_secret_or_changed_on_the_way() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let moto = Moto::start(folder.path(), &["s3:*"]).await?;
    let keys = judges_keys("secret/of+the/judge")?;
    let s3s_fs = S3sFs::start(folder.path(), &keys).await?;
    let guessed = |keys: &AwsKeys| {
        AwsKeys::new(&keys.access_key_id, "guessed", keys.session_token.expose()).ok_or("the keys are none")
    };
    let (path, host) = (json!({"prefix_rewrite": "/other/"}), json!({"host_rewrite_literal": "other.test"}));
    for (what, judge, keys, untold) in [
        ("another secret", moto.address(), &guessed(moto.keys())?, json!({})),
        ("another path", moto.address(), moto.keys(), path.clone()),
        ("another host", moto.address(), moto.keys(), host),
        ("another secret", s3s_fs.address(), &guessed(&keys)?, json!({})),
        ("another path", s3s_fs.address(), &keys, path),
    ] {
        let gateway = Signing { untold, ..Signing::default() }.start(judge, keys.clone()).await?;
        let said = boto3(with(&gateway.settings("s3_object", "reports"), json!({"create": true}))).await?;
        assert_eq!(said, json!({"error": "SignatureDoesNotMatch", "status": 403}), "{what} at {judge}");
    }
    Ok(())
}

fn did_the_rest(said: &Value) -> Result<()> {
    assert_eq!(said["copied"], KEYS[0]);
    assert_eq!(said["large"], json!({"bytes": large(), "same": true}));
    assert_eq!(said["left"], 0);
    Ok(())
}

fn judges_keys(secret: &str) -> Result<AwsKeys> {
    AwsKeys::new("ASIAJUDGE00000000001", secret, "session").ok_or_else(|| "no keys".into())
}

/// The size of an object that goes up in parts and comes down in ranges: 100 MiB with `CLOAKROOM_WHOLE=1`.
fn large() -> usize {
    let whole = std::env::var_os("CLOAKROOM_WHOLE").is_some_and(|value| value == "1");
    if whole { 100 << 20 } else { 10 << 20 }
}
