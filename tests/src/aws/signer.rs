//! The signer of any request that a test sends to AWS's stand-ins: independent of the filter's.

use super::{
    signed_request::amz_date,
    sigv4::{Scope, Signable},
};
use crate::asked::Asked;

/// Keys to sign with.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'k> {
    pub access_key: &'k str,
    pub secret_key: &'k str,
    pub session_token: Option<&'k str>,
}

/// Signs `asked` over `host` and all its `x-amz-` headers, at `now`.
///
/// # Panics
/// What is signed with cannot stand in a header.
pub fn sign(asked: &mut Asked, keys: Keys<'_>, region: &str, service: &str, payload: &str, now: i64) {
    let date = amz_date(now);
    let mut insert = |name: &'static str, value: &str| {
        asked.headers.insert(name, value.parse().expect("it can stand in a header"));
    };
    insert("x-amz-date", &date);
    if let Some(token) = keys.session_token {
        insert("x-amz-security-token", token);
    }
    if service == "s3" {
        insert("x-amz-content-sha256", payload);
    }
    let names: std::collections::BTreeSet<_> = asked
        .headers
        .keys()
        .map(|name| name.as_str())
        .filter(|name| *name == "host" || name.starts_with("x-amz-"))
        .collect();
    let headers = names.iter().map(|name| ((*name).to_owned(), asked.joined(name).unwrap_or_default())).collect();
    let request = Signable {
        method: asked.method.clone(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        headers,
        payload: payload.to_owned(),
    };
    let signature = request.signature(keys.secret_key, Scope { date: &date, region, service });
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}/{region}/{service}/aws4_request, SignedHeaders={}, Signature={signature}",
        keys.access_key,
        date.get(..8).unwrap_or_default(),
        request.signed_headers()
    );
    asked.headers.insert("authorization", authorization.parse().expect("it can stand in a header"));
}
