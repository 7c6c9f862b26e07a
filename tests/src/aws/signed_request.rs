//! The signer that a client has: a request for `GetCallerIdentity` in either form, right by default, wrong in exactly one way
//! where a test asks for it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    REGION,
    principal::Principal,
    sigv4::{Scope, Signable, hash},
};
use crate::clock;

const QUESTION: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// What to sign.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    pub principal: Principal,
    /// The secret key to sign with, if not the principal's own.
    pub secret_key: Option<&'static str>,
    pub host: String,
    pub region: String,
    /// The service that it is meant for.
    pub audience: String,
    /// Whether the header that says so is signed.
    pub sign_audience: bool,
    /// How long ago it is signed, in seconds; less than nothing is in the future.
    pub age: i64,
}

impl SignedRequest {
    /// A right one.
    pub fn new(audience: &str) -> Self {
        Self {
            principal: Principal::APP_ROLE,
            secret_key: None,
            host: format!("sts.{REGION}.amazonaws.com"),
            region: REGION.into(),
            audience: audience.into(),
            sign_audience: true,
            age: 0,
        }
    }

    /// Google's form, as JSON.
    pub fn google(&self) -> Value {
        let headers = self.sign(QUESTION, "", "x-goog-cloud-target-resource", &[]);
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| json!({"key": name, "value": value})).collect();
        json!({"headers": headers, "method": "POST", "url": format!("https://{}?{QUESTION}", self.host)})
    }

    /// Vault's form, as JSON.
    pub fn vault(&self) -> Value {
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let headers = self.sign("", QUESTION, "x-vault-aws-iam-server-id", &form);
        let headers: Value = headers.into_iter().map(|(name, value)| (name, json!([value]))).collect();
        json!({
            "iam_http_request_method": "POST",
            "iam_request_url": STANDARD.encode(format!("https://{}/", self.host)),
            "iam_request_body": STANDARD.encode(QUESTION),
            "iam_request_headers": STANDARD.encode(headers.to_string()),
        })
    }

    fn sign(&self, query: &str, body: &str, audience: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let date = amz_date(clock::now() - self.age);
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![owned("host", &self.host), owned("x-amz-date", &date)];
        headers.extend(self.principal.session_token.map(|token| owned("x-amz-security-token", token)));
        headers.extend(more.iter().map(|(name, value)| owned(name, value)));
        let named = owned(audience, &self.audience);
        if self.sign_audience {
            headers.push(named.clone());
        }
        let request = Signable {
            method: "POST".into(),
            path: "/".into(),
            query: query.into(),
            headers,
            payload: hash(body.as_bytes()),
        };
        let secret_key = self.secret_key.unwrap_or(self.principal.secret_key);
        let signature = request.signature(secret_key, Scope { date: &date, region: &self.region, service: "sts" });
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}/{}/sts/aws4_request, SignedHeaders={}, Signature={signature}",
            self.principal.access_key,
            date.get(..8).unwrap_or_default(),
            self.region,
            request.signed_headers()
        );
        let mut headers = request.headers;
        if !self.sign_audience {
            headers.push(named);
        }
        headers.insert(0, ("Authorization".to_owned(), authorization));
        headers
    }
}

/// JSON as google-auth for Python writes it down: percent-encoded, `/` kept.
pub fn quoted(request: &Value) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte);
    let one = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    request.to_string().bytes().map(one).collect()
}

/// JSON as it fits into a header.
pub fn in_base64url(request: &Value) -> String {
    token::base64url::encode(request.to_string())
}

/// A moment as `20261122T073000Z`.
pub fn amz_date(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(AMZ_DATE).ok()).unwrap_or_default()
}

/// The moment of an `x-amz-date`.
pub fn epoch(date: &str) -> Option<i64> {
    Some(PrimitiveDateTime::parse(date, AMZ_DATE).ok()?.assume_utc().unix_timestamp())
}

const AMZ_DATE: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[year][month][day]T[hour][minute][second]Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        for (seconds, text) in
            [(0, "19700101T000000Z"), (951_868_799, "20000229T235959Z"), (1_795_332_600, "20261122T073000Z")]
        {
            assert_eq!((amz_date(seconds).as_str(), epoch(text)), (text, Some(seconds)));
        }
        for text in ["", "20261131T073000Z", "20261322T073000Z", "2026-11-22T07:30:00Z"] {
            assert_eq!(epoch(text), None, "{text}");
        }
    }
}
