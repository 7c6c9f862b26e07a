//! Signed requests as clients write them, with signatures that google-auth and botocore really made, for tests.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::AwsRequestSettings;

/// When they were signed: 2026-11-22, 07:54:05.
pub const SIGNED_AT: u64 = 1_795_334_045;

/// For whom.
pub const AUDIENCE: &str = "https://sts.test";

/// google-auth's own: the header that names the service is added after signing.
pub const SIGNED_HEADERS: &str = "host;x-amz-date;x-amz-security-token";

/// Settings that know it.
pub fn settings() -> AwsRequestSettings {
    AwsRequestSettings {
        accounts: BTreeSet::from(["123456789012".to_owned()]),
        regions: BTreeSet::from(["us-east-1".to_owned(), "us-east-2".to_owned()]),
        role_ids: BTreeSet::new(),
        allow_users: false,
        allow_unsigned_audience: false,
        endpoint: None,
    }
}

/// `Authorization` over these headers.
pub fn authorization(signed_headers: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20261122/us-east-2/sts/aws4_request, SignedHeaders={signed_headers}, \
         Signature=a660e203f79bbd6efb1476d380dd52899ebc50b5c2905819f46325b86bb9ff45"
    )
}

/// Google's form with everything signed, as its clients for Rust and Go make it.
pub fn google() -> Value {
    json!({
        "headers": [
            {"key": "Authorization", "value": authorization(&format!("{SIGNED_HEADERS};x-goog-cloud-target-resource"))},
            {"key": "host", "value": "sts.us-east-2.amazonaws.com"},
            {"key": "x-amz-date", "value": "20261122T075405Z"},
            {"key": "x-amz-security-token", "value": "SESS+TOK/=="},
            {"key": "x-goog-cloud-target-resource", "value": AUDIENCE}
        ],
        "method": "POST",
        "url": "https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    })
}

/// The same with the header that names the service outside the signature, as google-auth for Python makes it.
pub fn google_unsigned() -> Value {
    with_header(google(), "Authorization", &authorization(SIGNED_HEADERS))
}

/// Replaces the value of a header of Google's form, adds it, or removes it for an empty value.
pub fn with_header(mut request: Value, name: &str, value: &str) -> Value {
    let headers = request["headers"].as_array_mut().unwrap();
    headers.retain(|header| header["key"] != name);
    if !value.is_empty() {
        headers.push(json!({"key": name, "value": value}));
    }
    request
}

/// Vault's form of a request with its question in the body.
pub fn vault() -> Value {
    let signed = "content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id";
    let headers = json!({
        "Authorization": [authorization(signed)],
        "Content-Length": ["43"],
        "Content-Type": ["application/x-www-form-urlencoded; charset=utf-8"],
        "User-Agent": ["aws-sdk-go/1.55.5"],
        "X-Amz-Date": "20261122T075405Z",
        "X-Amz-Security-Token": ["SESS+TOK/=="],
        "X-Vault-AWS-IAM-Server-ID": [AUDIENCE]
    });
    vault_of("https://sts.us-east-2.amazonaws.com/", "Action=GetCallerIdentity&Version=2011-06-15", &headers)
}

/// Vault's form.
pub fn vault_of(url: &str, body: &str, headers: &Value) -> Value {
    json!({
        "role": "ignored",
        "iam_http_request_method": "POST",
        "iam_request_url": STANDARD.encode(url),
        "iam_request_body": STANDARD.encode(body),
        "iam_request_headers": STANDARD.encode(headers.to_string())
    })
}

/// A good answer that names this caller.
pub fn answer(arn: &str, user_id: &str, account: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{account}</Account></GetCallerIdentityResult>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n"
    )
}

/// A bad one.
pub fn error(code: &str) -> String {
    format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>")
}
