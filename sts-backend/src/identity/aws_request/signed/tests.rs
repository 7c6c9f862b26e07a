use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::identity::aws_request::sample::{self, AUDIENCE, SIGNED_AT, SIGNED_HEADERS, authorization, with_header};

const NOW: u64 = SIGNED_AT + 5;

fn check_at(request: &Value, settings: &AwsRequestSettings, now: u64) -> Result<SignedRequest, Refusal> {
    let presented = Presented::read(&request.to_string()).unwrap();
    let asked = ["https://sts.test/reports".to_owned()];
    SignedRequest::check(&presented, settings, Addressee { audience: AUDIENCE, asked: &asked }, now)
}

fn check(request: &Value) -> Result<SignedRequest, Refusal> {
    check_at(request, &sample::settings(), NOW)
}

/// The reason and the claim of the refusal, which has to say everything and to repeat nothing that is secret.
fn refused(result: Result<SignedRequest, Refusal>) -> (Reason, String) {
    let refusal = result.err().expect("it was accepted");
    assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{refusal:?}");
    let text = format!("{refusal:?}");
    for secret in ["a660e203", "SESS+TOK", "ASIAEXAMPLE"] {
        assert!(!text.contains(secret), "{text}");
    }
    let claim = refusal.claim_name().unwrap().strip_prefix("subject_token ").unwrap().to_owned();
    (refusal.reason(), claim)
}

fn set(request: &Value, member: &str, value: &str) -> Value {
    let mut request = request.clone();
    request[member] = json!(value);
    request
}

#[test]
fn a_good_request_is_made_anew_of_what_was_understood() {
    for request in [
        sample::google(),
        set(
            &sample::google(),
            "url",
            "https://sts.us-east-2.amazonaws.com/?Version=2011-06-15&Action=GetCallerIdentity",
        ),
        with_header(sample::google(), "host", ""),
        with_header(sample::google(), "Content-Type", "application/x-www-form-urlencoded"),
        with_header(sample::google(), "accept", "*/*"),
        with_header(sample::google(), "content-length", "0"),
    ] {
        let signed = check(&request).ok().unwrap();
        assert_eq!((signed.host.as_str(), signed.body), ("sts.us-east-2.amazonaws.com", ""));
        assert!(QUESTIONS.contains(&signed.query));
        assert_eq!((signed.signed_at, signed.expires_at(), signed.audience_signed), (SIGNED_AT, SIGNED_AT + 300, true));
        let mut names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| *name != "content-type");
        names.sort_unstable();
        let sent = ["authorization", "host", "x-amz-date", "x-amz-security-token", "x-goog-cloud-target-resource"];
        assert_eq!(names, sent);
        assert!(!format!("{:?}", signed.headers).contains("SESS"), "headers can be printed");
    }
}

#[test]
fn vault_s_question_is_in_the_body_and_what_is_not_signed_stays_here() {
    let signed = check(&sample::vault()).ok().unwrap();
    assert_eq!((signed.query, signed.body), ("", QUESTIONS[0]));
    let names: Vec<_> = signed.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"content-type") && names.contains(&"x-vault-aws-iam-server-id"), "{names:?}");
    assert!(!names.contains(&"user-agent") && !names.contains(&"content-length"), "{names:?}");
}

#[test]
fn a_request_that_asks_or_goes_elsewhere_is_refused() {
    let good = sample::google();
    let query = "?Action=GetCallerIdentity&Version=2011-06-15";
    let url = |url: &str| refused(check(&set(&good, "url", url)));
    for host in [
        "sts.eu-central-1.amazonaws.com",
        "sts.amazonaws.com.evil.example",
        "sts.us-east-2.amazonaws.com.evil.example",
        "evil.example",
        "sts.us-east-2.amazonaws.com.",
        "sts.us-east-2.amazonaws.com:443",
        "sts.us-east-2.amazonaws.com:8443",
        "user@sts.us-east-2.amazonaws.com",
        "user:password@sts.us-east-2.amazonaws.com",
        "sts.us-east-2.amazonaws.com@evil.example",
        "evil.example\\@sts.us-east-2.amazonaws.com",
        "STS.us-east-2.amazonaws.com",
        "sts.us-east-2.amazonaws.com%2eevil.example",
        "sts.us-east-2.amazonaws.com ",
        "169.254.169.254",
        "[::1]",
        "",
    ] {
        assert_eq!(url(&format!("https://{host}{query}")), (Reason::SubjectIssuerUnknown, "url".into()), "{host}");
    }
    for (wrong, claim) in [
        (format!("http://sts.us-east-2.amazonaws.com{query}"), "url"),
        (format!("HTTPS://sts.us-east-2.amazonaws.com{query}"), "url"),
        (format!("https:/sts.us-east-2.amazonaws.com{query}"), "url"),
        (format!("https://sts.us-east-2.amazonaws.com/x{query}"), "url path"),
        (format!("https://sts.us-east-2.amazonaws.com//{query}"), "url path"),
        (format!("https://sts.us-east-2.amazonaws.com/{query}#x"), "parameters"),
        ("https://sts.us-east-2.amazonaws.com#x".into(), "url path"),
        ("https://sts.us-east-2.amazonaws.com".into(), "parameters"),
        ("https://sts.us-east-2.amazonaws.com?Action=GetSessionToken&Version=2011-06-15".into(), "parameters"),
        (format!("https://sts.us-east-2.amazonaws.com{query}&Action=GetCallerIdentity"), "parameters"),
        (format!("https://sts.us-east-2.amazonaws.com{query}&X=1"), "parameters"),
        ("https://sts.us-east-2.amazonaws.com?Action=GetCallerIdentity".into(), "parameters"),
        ("https://sts.us-east-2.amazonaws.com?Action=%47etCallerIdentity&Version=2011-06-15".into(), "parameters"),
    ] {
        assert_eq!(url(&wrong), (Reason::SubjectClaimMismatch, claim.into()), "{wrong}");
    }
    for method in ["GET", "post", "PUT", ""] {
        assert_eq!(refused(check(&set(&good, "method", method))).1, "method", "{method}");
    }
    for body in [QUESTIONS[0], "Action=AssumeRole&Version=2011-06-15", "x", " "] {
        assert_eq!(refused(check(&set(&good, "body", body))).1, "parameters", "{body}");
    }
}

#[test]
fn a_header_that_is_unknown_doubled_or_wrong_is_refused() {
    let good = sample::google();
    let mismatch = |claim: &str| (Reason::SubjectClaimMismatch, claim.to_owned());
    for (name, value, claim) in [
        ("x-forwarded-for", "10.0.0.1", "header"),
        ("transfer-encoding", "chunked", "header"),
        ("connection", "close", "header"),
        ("x-amz-target", "x", "header"),
        ("X-Vault-AWS-IAM-Server-ID", AUDIENCE, "header"),
        ("", "x", "header"),
        ("host ", "sts.us-east-2.amazonaws.com", "header"),
        ("Host", "sts.us-east-2.amazonaws.com", "header host"),
        ("AUTHORIZATION", "x", "header authorization"),
        ("x-amz-date", "20261122T075405Z ", "header x-amz-date"),
        ("x-amz-security-token", "a\r\nx: y", "header x-amz-security-token"),
        ("x-amz-security-token", "é", "header x-amz-security-token"),
        ("host", "sts.amazonaws.com", "header host"),
        ("host", "sts.us-east-2.amazonaws.com:443", "header host"),
        ("content-length", "1", "header content-length"),
        ("content-type", "application/json", "header content-type"),
        ("accept", "application/json", "header accept"),
    ] {
        assert_eq!(refused(check(&with_header(good.clone(), name, value))), mismatch(claim), "{name}: {value}");
    }
}

#[test]
fn the_signature_must_cover_what_decides() {
    let signed = |headers: &str| with_header(sample::google(), "Authorization", &authorization(headers));
    let target = "x-goog-cloud-target-resource";
    for headers in [
        &format!("x-amz-date;x-amz-security-token;{target}"),
        &format!("host;x-amz-security-token;{target}"),
        &format!("host;x-amz-date;{target}"),
        &format!("content-type;{SIGNED_HEADERS};{target}"),
        &format!("authorization;{SIGNED_HEADERS};{target}"),
        &format!("{SIGNED_HEADERS};x-forwarded-for"),
    ] {
        assert_eq!(
            refused(check(&signed(headers))),
            (Reason::SubjectClaimMismatch, "SignedHeaders".into()),
            "{headers}"
        );
    }
    let good = authorization(&format!("{SIGNED_HEADERS};{target}"));
    for (from, to, reason, claim) in [
        ("us-east-2", "us-east-1", Reason::SubjectClaimMismatch, "Credential region"),
        ("/sts/", "/s3/", Reason::SubjectClaimMismatch, "Credential service"),
        ("20261122", "20261121", Reason::SubjectClaimMismatch, "Credential day"),
        ("Signature=a", "Signature=A", Reason::SubjectTokenMalformed, "header authorization Signature"),
        ("AWS4-HMAC-SHA256", "Bearer", Reason::SubjectAlgorithmRefused, "header authorization"),
    ] {
        let request = with_header(sample::google(), "Authorization", &good.replacen(from, to, 1));
        assert_eq!(refused(check(&request)), (reason, claim.to_owned()), "{from} -> {to}");
    }
    let without = with_header(sample::google(), "Authorization", "");
    assert_eq!(refused(check(&without)).1, "header authorization");
}

#[test]
fn the_global_endpoint_is_in_us_east_1_and_only_where_that_is_listed() {
    let url = "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    let global = with_header(set(&sample::google(), "url", url), "host", "sts.amazonaws.com");
    assert_eq!(refused(check(&global)).1, "Credential region");
    let signed = authorization(&format!("{SIGNED_HEADERS};x-goog-cloud-target-resource"));
    let global = with_header(global, "Authorization", &signed.replace("us-east-2", "us-east-1"));
    assert_eq!(check(&global).ok().unwrap().host, "sts.amazonaws.com");
    let mut settings = sample::settings();
    settings.regions.remove("us-east-1");
    assert_eq!(refused(check_at(&global, &settings, NOW)), (Reason::SubjectIssuerUnknown, "url".into()));
}

#[test]
fn it_must_have_been_signed_just_now() {
    let at = |now| check_at(&sample::google(), &sample::settings(), now);
    assert!(at(SIGNED_AT).is_ok() && at(SIGNED_AT + WINDOW - 1).is_ok() && at(SIGNED_AT - EARLY_LEEWAY).is_ok());
    let date = "header x-amz-date".to_owned();
    assert_eq!(refused(at(SIGNED_AT + WINDOW)), (Reason::SubjectTokenExpired, date.clone()));
    assert_eq!(refused(at(u64::MAX)), (Reason::SubjectTokenExpired, date.clone()));
    assert_eq!(refused(at(SIGNED_AT - EARLY_LEEWAY - 1)), (Reason::SubjectTokenNotYetValid, date.clone()));
    for value in ["yesterday", "2026-11-22T07:54:05Z", "20261122T075405"] {
        let request = with_header(sample::google(), "x-amz-date", value);
        assert_eq!(refused(check(&request)), (Reason::SubjectClaimMismatch, date.clone()), "{value}");
    }
}

#[test]
fn it_must_name_us_and_do_so_under_the_signature() {
    let target = "x-goog-cloud-target-resource";
    let mismatch = (Reason::SubjectAudienceMismatch, format!("header {target}"));
    for name in [
        "https://other.test",
        "https://sts.test/",
        "https://sts.test/orders",
        "https://sts.test.evil.example",
        "https://sts.testing/reports",
        "HTTPS://sts.test",
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/aws",
    ] {
        assert_eq!(refused(check(&with_header(sample::google(), target, name))), mismatch, "{name}");
    }
    let below = with_header(sample::google(), target, "https://sts.test/reports");
    assert!(check(&below).is_ok(), "Google's clients have one setting for the header and for `audience`");
    let nothing = with_header(sample::google_unsigned(), target, "");
    assert_eq!(refused(check(&nothing)), mismatch);
    assert_eq!(refused(check(&sample::google_unsigned())), mismatch);
    let lenient = AwsRequestSettings { allow_unsigned_audience: true, ..sample::settings() };
    let signed = check_at(&sample::google_unsigned(), &lenient, NOW).ok().unwrap();
    assert!(!signed.audience_signed);
    assert!(!signed.headers.iter().any(|(name, _)| name.as_str() == target), "AWS is not sent what nobody signed");
    assert_eq!(refused(check_at(&nothing, &lenient, NOW)), mismatch, "it must stand there even so");
}

#[test]
fn vault_s_clients_always_sign_whom_they_mean() {
    let signed = "content-type;host;x-amz-date;x-amz-security-token";
    let headers = json!({
        "Authorization": authorization(signed),
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Amz-Date": "20261122T075405Z",
        "X-Amz-Security-Token": "SESS+TOK/==",
        "X-Vault-AWS-IAM-Server-ID": AUDIENCE
    });
    let request = sample::vault_of("https://sts.us-east-2.amazonaws.com/", QUESTIONS[0], &headers);
    let lenient = AwsRequestSettings { allow_unsigned_audience: true, ..sample::settings() };
    let claim = "header x-vault-aws-iam-server-id".to_owned();
    assert_eq!(refused(check_at(&request, &lenient, NOW)), (Reason::SubjectAudienceMismatch, claim));
}

proptest! {
    #[test]
    fn no_text_in_it_makes_it_panic(
        url in "(https://)?(sts.us-east-2.amazonaws.com)?[a-z/?#@:é]{0,12}",
        name in "(host|x-amz-date|Authorization|accept)?[a-z é-]{0,3}",
        value in "(AWS4-HMAC-SHA256 )?[A-Za-z0-9/=,; é]{0,60}",
    ) {
        let request = with_header(set(&sample::google(), "url", &url), &name, &value);
        _ = check(&request);
        _ = check(&with_header(sample::google(), &name, &value));
    }
}

#[test]
fn one_signature_is_one_digest() {
    let digest = |request: &Value| check(request).ok().unwrap().signature;
    assert_eq!(digest(&sample::google()), digest(&with_header(sample::google(), "accept", "*/*")));
    assert_eq!(digest(&sample::google()), digest(&sample::vault()), "it is the same signature here");
    let other = authorization(&format!("{SIGNED_HEADERS};x-goog-cloud-target-resource")).replace("=a660", "=b660");
    assert_ne!(digest(&sample::google()), digest(&with_header(sample::google(), "Authorization", &other)));
}
