//! Signing the calls that are made with keys: the form of `AssumeRole`, posted to `/` (SigV4).

use filter_core::sigv4::{AmzDate, PathRule, Scope, Signable, SigningKeys, authorization, hex};
use http::{HeaderValue, Uri, header};
use token::{aws_keys::AwsKeys, digest};
use zeroize::Zeroizing;

use crate::federation::{calls::Call, form};

/// Signs `call`, a form to AWS's STS in `region`, at `now`; nothing where that cannot be done.
pub fn sign(call: &mut Call, keys: &AwsKeys, region: &str, now: u64) -> Option<()> {
    let date = AmzDate::new(now.checked_mul(1000)?)?;
    let host = host(&call.uri)?;
    let content_type = form::FORM;
    let headers: [(&str, &[u8]); 4] = [
        ("content-type", content_type.as_bytes()),
        ("host", host.as_bytes()),
        ("x-amz-date", date.as_str().as_bytes()),
        ("x-amz-security-token", keys.session_token.expose().as_bytes()),
    ];
    let request = Signable {
        method: "POST",
        path: "/",
        query: "",
        path_rule: PathRule::Segments,
        headers: &headers,
        payload: &hex(&digest::sha256(&call.body)),
    };
    let scope = Scope { date, region, service: "sts" };
    let authorization = Zeroizing::new(authorization(&request, &SigningKeys::new(keys.clone()), scope));
    for (name, value) in headers.into_iter().skip(1).chain([("authorization", authorization.as_bytes())]) {
        let mut value = HeaderValue::from_bytes(value).ok()?;
        value.set_sensitive(name != header::HOST.as_str());
        call.headers.push((name.parse().ok()?, value));
    }
    Some(())
}

/// `Host` as it is sent (RFC 9110, section 7.2): with the port if it is not the scheme's own.
fn host(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?;
    Some(match authority.port_u16() {
        None | Some(443) => authority.host().to_owned(),
        Some(port) => format!("{}:{port}", authority.host()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header. What is expected of it was computed apart, by a program that makes botocore's signatures too.
    fn authorized(keys: &AwsKeys, uri: &str, body: &'static [u8]) -> String {
        let mut call = Call { uri: uri.parse().unwrap(), headers: Vec::new(), body: body.into() };
        sign(&mut call, keys, "us-east-1", 1_795_332_600).unwrap();
        let (_, value) = call.headers.iter().find(|(name, _)| name == "authorization").unwrap();
        value.to_str().unwrap().to_owned()
    }

    fn keys() -> AwsKeys {
        AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLETOKEN==")
            .unwrap()
    }

    const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";

    #[test]
    fn type_host_date_and_token_are_signed_with_the_body() {
        let signed = authorized(&keys(), "https://sts.us-east-1.amazonaws.com/", BODY);
        assert_eq!(
            signed,
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261122/us-east-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=4ff667f3f7097595393d48873b8661cf8a513bd3f6127e5f38096e9febeb39cb"
        );
        for (uri, body) in [
            ("https://sts.us-east-1.amazonaws.com/", b"Action=AssumeRole".as_slice()),
            ("https://sts.us-east-2.amazonaws.com/", BODY),
            ("https://sts.us-east-1.amazonaws.com:8443/", BODY),
        ] {
            assert_ne!(authorized(&keys(), uri, body), signed, "{uri}");
        }
    }

    #[test]
    fn what_cannot_be_signed_is_not() {
        let mut call = Call { uri: "/x".parse().unwrap(), headers: Vec::new(), body: BODY.into() };
        assert_eq!(sign(&mut call, &keys(), "us-east-1", 0), None, "for no host");
        call.uri = "https://sts.us-east-1.amazonaws.com/".parse().unwrap();
        assert_eq!(sign(&mut call, &keys(), "us-east-1", 253_402_300_800), None, "in the year 10000");
        assert_eq!(sign(&mut call, &keys(), "us-east-1", u64::MAX), None);
    }
}
