//! `moto`, a stand-in for AWS that others wrote and that knows nothing of us, as a judge of signatures.
//!
//! In its authenticated mode it computes every signature anew (with botocore), knows whose the keys are, and asks the role's
//! policy. It lets pass what its README does not promise to check: old dates, the hash of an S3 object's body.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use http::Method;
use serde_json::json;
use token::aws_keys::AwsKeys;

use crate::{Result, client::Client, process::Process, python, wait};

/// A running `moto`, ended when dropped.
pub struct Moto {
    _process: Process,
    address: SocketAddr,
    keys: AwsKeys,
}

impl Moto {
    /// Starts it on a free port of loopback with a role that may do these actions, takes the keys of a session of that role,
    /// and has signatures checked from then on.
    pub async fn start(folder: &Path, actions: &[&str]) -> Result<Self> {
        let python = tokio::task::spawn_blocking(python::environment).await??;
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]);
        let process = Process::start("moto", command, &folder.join("moto.log"))?;
        let address = wait::until("moto listens", Duration::from_secs(60), || async {
            if let Err(ended) = process.expect_running() {
                return Some(Err(ended));
            }
            let log = process.log();
            let address = log.lines().find_map(|line| line.trim().strip_prefix("* Running on http://"))?;
            Some(address.parse().map_err(Into::into))
        });
        let address = address.await??;
        let keys = session(address, actions).await?;
        Ok(Self { _process: process, address, keys })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The keys of the session.
    pub fn keys(&self) -> &AwsKeys {
        &self.keys
    }
}

/// Makes the role and its session, and turns the checks on: what is asked before that is not checked.
async fn session(address: SocketAddr, actions: &[&str]) -> Result<AwsKeys> {
    let client = Client::trusting(None)?;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]
    });
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]
    });
    let (policy, trust) = (policy.to_string(), trust.to_string());
    let iam = [("Version", "2010-05-08"), ("RoleName", ROLE)];
    let create = [("Action", "CreateRole"), ("AssumeRolePolicyDocument", &trust)];
    query(&client, address, "iam", &[iam, create].concat()).await?;
    let permit = [("Action", "PutRolePolicy"), ("PolicyDocument", &policy)];
    query(&client, address, "iam", &[&iam[..], &permit, &[("PolicyName", ROLE)]].concat()).await?;
    let arn = format!("arn:aws:iam::123456789012:role/{ROLE}");
    let assume = [("RoleArn", arn.as_str()), ("RoleSessionName", "payments-api")];
    let sts = [("Version", "2011-06-15"), ("Action", "AssumeRole")];
    let answer = query(&client, address, "sts", &[sts, assume].concat()).await?;
    let part = |name| element(&answer, name).ok_or_else(|| format!("moto: no {name} in {answer}"));
    let keys = AwsKeys::new(part("AccessKeyId")?, part("SecretAccessKey")?, part("SessionToken")?);
    let checked = client.request(Method::POST, &format!("http://{address}/moto-api/reset-auth"), &[], "0").await?;
    if !checked.status.is_success() {
        return Err(format!("moto checks no signatures: {}", checked.text()).into());
    }
    keys.ok_or_else(|| format!("moto: keys of another form: {answer}").into())
}

/// A call in AWS's query protocol. The service stands in the scope of a signature; the signature itself is not checked yet.
async fn query(client: &Client, address: SocketAddr, service: &str, form: &[(&str, &str)]) -> Result<String> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=setup/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", &authorization)];
    let answer = client.request(Method::POST, &format!("http://{address}/"), &headers, body).await?;
    if answer.status.is_success() {
        return Ok(answer.text());
    }
    Err(format!("moto: {service}: {}: {}", answer.status, answer.text()).into())
}

fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

const ROLE: &str = "cloakroom";
