//! S3 as a client of it calls: the native token stands where a session token would, beside a signature that opens nothing.

use harness::Result;
use serde_json::{Value, json};
use token::{aws_keys::AwsKeys, secret::Secret};

use crate::credential::{ISSUED_START, issued};

const REGION: &str = "eu-central-1";

/// How the names of the keys begin that the STS lends; the rest is the workload's number.
const ACCESS_KEY: &str = "ASIABENCH";

/// How the value of `authorization` begins.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=";

/// SHA-256 of nothing, which clients send with every `GET`.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Headers of a `GET`, as boto3 sends them, with nobody's signature.
pub fn headers(native: &str) -> [(&'static str, String); 4] {
    let signed = "host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date;x-amz-security-token";
    let scope = format!("20261122/{REGION}/s3/aws4_request");
    let authorization = format!("{SIGNATURE}placeholder/{scope}, SignedHeaders={signed}, Signature={EMPTY}");
    [
        ("x-amz-content-sha256", EMPTY.to_owned()),
        ("x-amz-date", "20261122T073000Z".to_owned()),
        ("x-amz-security-token", native.to_owned()),
        ("authorization", authorization),
    ]
}

/// Has the filter's route sign.
pub fn sign(exchange: &mut Value) {
    exchange["subject"] = json!({"header": {"name": "x-amz-security-token"}});
    exchange["inject"] = json!({"sigv4": {"service": "s3", "region": REGION}});
}

/// The keys of a session, of the size that AWS's have.
pub fn keys(number: usize) -> Result<AwsKeys> {
    let name = format!("{ACCESS_KEY}{number:011}");
    AwsKeys::new(&name, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &issued(number)?).ok_or_else(|| "no keys".into())
}

/// [`keys`] as the STS's answer has them.
pub fn lent(number: usize) -> Result<Secret> {
    Ok(keys(number)?.to_token()?)
}

/// Envoy's own signer, with one workload's keys for all.
pub fn aws_request_signing() -> Result<Value> {
    let keys = keys(0)?;
    Ok(json!({
        "name": "envoy.filters.http.aws_request_signing",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning",
            "service_name": "s3",
            "region": REGION,
            "credential_provider": {
                "custom_credential_provider_chain": true,
                "inline_credential": {
                    "access_key_id": keys.access_key_id,
                    "secret_access_key": keys.secret_access_key.expose(),
                    "session_token": keys.session_token.expose()
                }
            }
        }
    }))
}

/// The number of the workload whose keys a request was signed with: they are in its `authorization` and nothing of another
/// session stands beside it.
pub fn signed_for(request: &str, authorization: &str) -> Option<usize> {
    let number = authorization.strip_prefix(SIGNATURE)?.strip_prefix(ACCESS_KEY)?.get(..11)?.parse().ok()?;
    let mut sessions = request.split("\r\nx-amz-security-token: ").skip(1);
    let (session, None) = (sessions.next()?, sessions.next()) else { return None };
    let of = session.strip_prefix(ISSUED_START)?.get(..6)?;
    (of.parse() == Ok(number)).then_some(number)
}
