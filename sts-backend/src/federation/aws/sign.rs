//! Signing a form that is posted to `/` (AWS General Reference, "Signature Version 4 signing process"). That is all that
//! `AssumeRole` needs: no query, no path to write in canonical form.

use aws_lc_rs::hmac;
use http::{HeaderValue, Uri, header};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use token::aws_keys::AwsKeys;
use zeroize::Zeroizing;

use crate::federation::{calls::Call, form};

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[year][month][day]T[hour][minute][second]Z");

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs `call`, a form to AWS's STS in `region`, at `now`; nothing where that cannot be done.
pub fn sign(call: &mut Call, keys: &AwsKeys, region: &str, now: u64) -> Option<()> {
    let moment = moment(now)?;
    let host = host(&call.uri)?;
    let content_type = form::FORM;
    let headers = [
        ("content-type", content_type.to_str().ok()?),
        ("host", &host),
        ("x-amz-date", &moment),
        ("x-amz-security-token", keys.session_token.expose()),
    ];
    let scope = Scope { region, service: "sts" };
    let authorization = authorization(keys, &scope, &moment, &headers, &call.body);
    for (name, value) in headers.into_iter().skip(1).chain([(header::AUTHORIZATION.as_str(), authorization.as_str())]) {
        let mut value = HeaderValue::from_str(value).ok()?;
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

/// A moment as it stands in `x-amz-date`; nothing after the year 9999.
fn moment(now: u64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(now.try_into().ok()?).ok()?.format(MOMENT).ok().filter(|text| text.len() == 16)
}

/// Whose signature is good where.
struct Scope<'s> {
    region: &'s str,
    service: &'s str,
}

/// `Authorization` for a form with these headers, made at `moment`. The headers have lower-case names in order, and their values
/// no blanks at the ends or in rows.
fn authorization(
    keys: &AwsKeys,
    scope: &Scope<'_>,
    moment: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Zeroizing<String> {
    let day = moment.get(..8).unwrap_or_default();
    let Scope { region, service } = scope;
    let signed: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let signed = signed.join(";");
    // One of the headers is the session token.
    let lines: Zeroizing<String> =
        Zeroizing::new(headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect());
    let request = Zeroizing::new(format!("POST\n/\n\n{}\n{signed}\n{}", *lines, hex(&token::digest::sha256(body))));
    let within = format!("{day}/{region}/{service}/aws4_request");
    let text = format!("{ALGORITHM}\n{moment}\n{within}\n{}", hex(&token::digest::sha256(request.as_bytes())));
    let signature = hex(signing_key(keys, day, scope, text.as_bytes()).as_ref());
    let id = &keys.access_key_id;
    Zeroizing::new(format!("{ALGORITHM} Credential={id}/{within}, SignedHeaders={signed}, Signature={signature}"))
}

/// The chain of keys, and what the last of them makes of `text`.
fn signing_key(keys: &AwsKeys, day: &str, scope: &Scope<'_>, text: &[u8]) -> hmac::Tag {
    let first = Zeroizing::new(format!("AWS4{}", keys.secret_access_key.expose()));
    let step = |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let day = step(first.as_bytes(), day.as_bytes());
    let region = step(day.as_ref(), scope.region.as_bytes());
    let service = step(region.as_ref(), scope.service.as_bytes());
    step(step(service.as_ref(), b"aws4_request").as_ref(), text)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signed by botocore 1.44.5.
    #[test]
    fn the_signature_is_the_one_that_aws_s_own_client_makes() {
        let keys = AwsKeys::new(
            "ASIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "FwoGZXIvYXdzEXAMPLETOKEN==",
        )
        .unwrap();
        let moment = moment(1_795_332_600).unwrap();
        assert_eq!(moment, "20261122T073000Z");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "sts.us-east-1.amazonaws.com"),
            ("x-amz-date", &moment),
            ("x-amz-security-token", keys.session_token.expose()),
            ("x-vault-aws-iam-server-id", "vault.example.com"),
        ];
        let scope = Scope { region: "us-east-1", service: "sts" };
        let body = b"Action=GetCallerIdentity&Version=2011-06-15";
        assert_eq!(
            *authorization(&keys, &scope, &moment, &headers, body),
            "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261122/us-east-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id, \
             Signature=87830b7f2276982ed3afa7924a40d4bddb53334d8ede6795cb122a073f34f27f"
        );
        assert!(!authorization(&keys, &scope, &moment, &headers, b"Action=AssumeRole").contains("87830b7f"));
    }

    #[test]
    fn a_moment_has_one_form() {
        assert_eq!(super::moment(0).as_deref(), Some("19700101T000000Z"));
        assert_eq!(super::moment(253_402_300_800), None, "the year 10000");
        assert_eq!(super::moment(u64::MAX), None);
    }
}
