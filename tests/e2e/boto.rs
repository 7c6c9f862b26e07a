//! boto3 and what AWS's services would say to it: moto and s3s-fs, servers that others wrote, judge every signature.

/// The edge that signs.
mod gateway;

/// That they are judges: what nobody may be accepted with.
mod judges;

/// S3 through the edge.
mod s3;

/// DynamoDB and SQS through the edge.
mod services;

use std::process::Command;

use harness::{Result, python, workspace};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;

/// The region in every scope of a signature.
const REGION: &str = "eu-central-1";

/// What boto3 does where, and whom it signs as.
fn settings(task: &str, endpoint: String, [access_key, secret_key, session_token]: [&str; 3]) -> Value {
    json!({
        "task": task, "endpoint": endpoint, "region": REGION,
        "access_key": access_key, "secret_key": secret_key, "session_token": session_token,
        "bucket": "reports", "keys": KEYS, "large_bytes": 10 << 20
    })
}

/// To sign with these keys oneself.
fn own(keys: &AwsKeys) -> [&str; 3] {
    [&keys.access_key_id, keys.secret_access_key.expose(), keys.session_token.expose()]
}

/// The same with other members.
fn with(settings: &Value, members: Value) -> Value {
    let mut changed = settings.clone();
    if let (Some(changed), Value::Object(members)) = (changed.as_object_mut(), members) {
        changed.extend(members);
    }
    changed
}

/// What boto3 says.
async fn boto3(settings: Value) -> Result<Value> {
    let run = move || {
        let mut command = Command::new(python::environment()?);
        // Neither the credentials nor the endpoints of whoever runs this.
        let foreign =
            std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("AWS_"));
        foreign.for_each(|name| _ = command.env_remove(name));
        let script = workspace::root().join("tests/e2e/interop/boto.py");
        let output = command.arg(script).arg(settings.to_string()).env("NO_PROXY", "127.0.0.1").output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&said)
            .map_err(|_| format!("{settings}: {said}{}", String::from_utf8_lossy(&output.stderr)).into())
    };
    tokio::task::spawn_blocking(run).await?
}

/// Names of objects whose every character has a way of its own into a URL.
const KEYS: [&str; 9] = [
    "plain",
    "with a space",
    "plus+and%2Bpercent",
    "Zoë/漢字",
    "two//slashes",
    "query?and&more=1#x",
    "quotes'(1)*!~@:,;$\"",
    "tilde~under_score-dash.dot",
    "a b+c%2F~é&x=1/found",
];
