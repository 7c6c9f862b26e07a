//! What of a forwarded request is signed, and what of it is refused.

use serde_json::{Value, json};
use token::{aws_keys::AwsKeys, reason::Reason, secret::Secret};

use super::{super::*, ACCESS_KEY_ID, SECRET, botocore, date};
use crate::{
    config::{Config, RouteMode, SigV4},
    refusal::Refusal,
    sigv4::{
        outgoing::Outgoing,
        payload::{Plan, Said},
    },
};

/// Settings of a route, with these on top.
fn sigv4(settings: &Value) -> SigV4 {
    let mut sigv4 = json!({"service": "s3", "region": "us-east-1"});
    sigv4.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let config = json!({
        "version": 1, "listener": "l", "reads_bodies": true,
        "sts": {"cluster": "s", "authority": "s", "actor": "spiffe://td/e"},
        "routes": {"r": {"exchange": {"audience": "a", "clusters": ["c"], "inject": {"sigv4": sigv4}}}},
    });
    match Config::parse(&serde_json::to_vec(&config).unwrap()).unwrap().route("r") {
        Some(RouteMode::Exchange(route)) => route.sigv4().unwrap().clone(),
        other => panic!("{other:?}"),
    }
}

fn keys() -> SigningKeys {
    SigningKeys::new(AwsKeys::new(ACCESS_KEY_ID, SECRET, botocore::SESSION_TOKEN).unwrap())
}

/// 2026-11-22 07:30:00.
const NOW_MS: u64 = 1_795_332_600_000;

type Writes = Vec<(&'static str, Secret)>;

fn signed(sigv4: &SigV4, headers: &[(&str, &str)], body: Option<[u8; 32]>) -> Result<Writes, Refusal> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    Outgoing::read(&headers, None, |_| true).sign(sigv4, &keys(), body, NOW_MS)
}

fn written<'w>(writes: &'w Writes, name: &str) -> Option<&'w str> {
    writes.iter().find(|(other, _)| *other == name).map(|(_, value)| value.expose())
}

const GET: [(&str, &str); 3] = [(":method", "GET"), (":authority", "bucket.test"), (":path", "/key")];

fn get<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    GET.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn where_botocore_signs_no_more_than_we_do_the_signature_is_the_same() {
    assert_eq!(date(botocore::DATE), AmzDate::new(NOW_MS).unwrap());
    let mut seen = 0;
    for vector in &botocore::VECTORS {
        let ours = |name: &str| name == "host" || name.starts_with("x-amz-");
        if !vector.signed_headers().split(';').all(ours) {
            continue;
        }
        seen += 1;
        let s3 = vector.service == "s3";
        let payload = if s3 { "reuse" } else { "hash" };
        let sigv4 = sigv4(&json!({"service": vector.service, "region": vector.region, "payload": payload}));
        let head = [
            (":method", vector.method),
            (":path", vector.target),
            (":authority", vector.host),
            ("authorization", "AWS4-HMAC-SHA256 Credential=placeholder"),
            ("x-amz-date", "20200101T000000Z"),
            ("x-amz-security-token", "placeholder"),
            ("x-forwarded-proto", "http"),
        ];
        let headers: Vec<_> = head.into_iter().chain(vector.headers.iter().copied()).collect();
        let body = (!s3 && !vector.body.is_empty()).then(|| sha256(vector.body));
        let writes = signed(&sigv4, &headers, body).unwrap();
        let credential = format!("{ACCESS_KEY_ID}/20261122/{}/{}/aws4_request", vector.region, vector.service);
        let wanted = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={}, Signature={}",
            vector.signed_headers(),
            vector.signature
        );
        assert_eq!(written(&writes, "authorization"), Some(wanted.as_str()), "{}", vector.name);
        assert_eq!(written(&writes, "x-amz-date"), Some(botocore::DATE));
        assert_eq!(written(&writes, "x-amz-security-token"), Some(botocore::SESSION_TOKEN));
        assert_eq!(writes.len(), 3, "what the client said of the body stays: {}", vector.name);
    }
    assert_eq!(seen, 3);
}

/// The canonical form of the signature's headers: what decides is whether two signatures are the same.
fn signature(sigv4: &SigV4, headers: &[(&str, &str)]) -> String {
    let writes = signed(sigv4, headers, None).unwrap();
    written(&writes, "authorization").unwrap().to_owned()
}

#[test]
fn the_host_and_path_that_leave_are_signed() {
    let plain = sigv4(&json!({}));
    let there = signature(&plain, &[(":method", "GET"), (":authority", "bucket.aws.test"), (":path", "/a/b?x=1")]);
    let rewriting = sigv4(&json!({"host": "bucket.aws.test", "prefix_rewrite": {"match": "/s3/", "to": "/"}}));
    let here = [(":method", "GET"), (":authority", "localhost:10000"), (":path", "/s3/a/b?x=1")];
    assert_eq!(signature(&rewriting, &here), there);
    assert_ne!(signature(&plain, &here), there);
    let edited: Vec<_> = here.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let edited = Outgoing::read(&edited, Some("/s3/a/b?x=1&y"), |_| true).sign(&rewriting, &keys(), None, NOW_MS);
    assert_ne!(written(&edited.unwrap(), "authorization").unwrap(), there, "the path that was set counts");
}

#[test]
fn what_means_something_to_aws_is_signed_and_nothing_else() {
    let sigv4 = sigv4(&json!({}));
    let bare = signature(&sigv4, &GET);
    assert!(bare.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "), "{bare}");
    for name in ["content-type", "x-forwarded-for", "x-amzn-trace-id", "traceparent", "range", "x-envoy-internal"] {
        assert_eq!(signature(&sigv4, &get(&[(name, "a")])), bare, "{name}");
    }
    for name in ["x-amz-meta-a", "x-amz-target", "x-amz-acl", "x-amz-checksum-crc32"] {
        let signed = signature(&sigv4, &get(&[(name, "a")]));
        assert!(signed.contains(&format!(";{name}")) && signed != bare, "{signed}");
    }
    let twice = signature(&sigv4, &get(&[("x-amz-meta-a", "1"), ("x-amz-meta-a", " 2 ")]));
    assert_eq!(signature(&sigv4, &get(&[("x-amz-meta-a", "1,2")])), twice);
    let headers: Vec<_> =
        get(&[("x-amz-meta-a", "1")]).into_iter().map(|(name, text)| (name, text.as_bytes())).collect();
    let stripped = Outgoing::read(&headers, None, |name| name != "x-amz-meta-a").sign(&sigv4, &keys(), None, NOW_MS);
    assert_eq!(written(&stripped.unwrap(), "authorization"), Some(bare.as_str()), "what is removed is not signed");
}

#[test]
fn what_stands_for_the_body_is_true_and_s3_is_told() {
    let (digest, hashed) = ("ab".repeat(32), sha256("body"));
    let (empty, hashed_text) = (EMPTY_SHA256.to_owned(), hex(&hashed));
    let chunks = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    // Service, payload, what the client said, the digest of what was read; what is signed, whether it is written.
    for (service, payload, said, body, wanted, write) in [
        ("s3", "reuse", Some(digest.as_str()), None, digest.as_str(), false),
        ("s3", "reuse", Some("UNSIGNED-PAYLOAD"), None, "UNSIGNED-PAYLOAD", false),
        ("s3", "reuse", Some(chunks), None, chunks, false),
        ("s3", "reuse", None, None, &empty, true),
        ("s3", "unsigned", None, None, "UNSIGNED-PAYLOAD", true),
        ("s3", "unsigned", Some(digest.as_str()), None, "UNSIGNED-PAYLOAD", true),
        ("s3", "unsigned", Some("UNSIGNED-PAYLOAD"), None, "UNSIGNED-PAYLOAD", false),
        ("s3", "unsigned", Some(chunks), None, chunks, false),
        ("s3", "hash", None, Some(hashed), &hashed_text, true),
        ("s3", "hash", Some(hashed_text.as_str()), Some(hashed), &hashed_text, false),
        ("s3", "hash", Some(digest.as_str()), Some(hashed), &hashed_text, true),
        ("s3", "hash", Some(chunks), None, chunks, false),
        ("s3", "hash", None, None, &empty, true),
        ("sqs", "hash", None, Some(hashed), &hashed_text, false),
        ("sqs", "hash", Some(digest.as_str()), Some(hashed), &hashed_text, true),
        ("sqs", "hash", None, None, &empty, false),
        ("sqs", "reuse", Some(digest.as_str()), None, &digest, false),
        ("sqs", "reuse", None, None, &empty, false),
    ] {
        let case = format!("{service} {payload} {said:?} {body:?}");
        let sigv4 = sigv4(&json!({"service": service, "payload": payload}));
        let more: Vec<_> = said.map(|said| (payload::HEADER, said)).into_iter().collect();
        let writes = signed(&sigv4, &get(&more), body).unwrap();
        assert_eq!(written(&writes, payload::HEADER), write.then_some(wanted), "{case}");
        let authorization = written(&writes, "authorization").unwrap();
        let told = service == "s3" || said.is_some();
        assert_eq!(authorization.contains("host;x-amz-content-sha256;x-amz-date;"), told, "{case}");
        // The same request to which the client itself had said so.
        let reuse = self::sigv4(&json!({"service": service}));
        if told {
            assert_eq!(signature(&reuse, &get(&[(payload::HEADER, wanted)])), authorization, "{case}");
        }
    }
}

#[test]
fn a_body_is_read_where_its_digest_is_needed() {
    for (payload, said, has_body, reads) in [
        ("hash", None, true, true),
        ("hash", Some("UNSIGNED-PAYLOAD"), true, true),
        ("hash", None, false, false),
        ("hash", Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), true, false),
        ("unsigned", None, true, false),
        ("reuse", Some("UNSIGNED-PAYLOAD"), true, false),
    ] {
        let said = said.map_or(Said::Nothing, |said| Said::Once(said.as_bytes()));
        let plan = said.plan(&sigv4(&json!({"payload": payload})), has_body).unwrap();
        assert_eq!(plan == Plan::Read, reads, "{payload} {said:?} {has_body}");
    }
}

#[test]
fn what_no_signature_fits_is_refused_with_help() {
    let refuse = |sigv4: &SigV4, headers: &[(&str, &str)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let refusal = Outgoing::read(&headers, None, |_| true).plan(sigv4, true).unwrap_err();
        let response = refusal.to_response("id");
        (refusal.reason().unwrap(), response.status, String::from_utf8(response.body).unwrap())
    };
    let plain = sigv4(&json!({}));
    for payload in ["reuse", "unsigned", "hash"] {
        for chunks in [
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD",
        ] {
            let (reason, status, said) =
                refuse(&sigv4(&json!({"payload": payload})), &get(&[(payload::HEADER, chunks)]));
            assert_eq!((reason, status), (Reason::SignatureRefused, 403));
            assert!(said.contains(chunks) && said.contains("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), "{said}");
        }
        let twice = get(&[(payload::HEADER, EMPTY_SHA256), (payload::HEADER, EMPTY_SHA256)]);
        assert_eq!(refuse(&sigv4(&json!({"payload": payload})), &twice).0, Reason::SignatureRefused);
    }
    let queue = sigv4(&json!({"service": "sqs", "payload": "hash"}));
    let chunks = get(&[(payload::HEADER, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")]);
    assert_eq!(refuse(&queue, &chunks).0, Reason::SignatureRefused, "nobody but S3 reads such a body");
    let (reason, _, said) = refuse(&plain, &GET);
    assert!(reason == Reason::SignatureRefused && said.contains("set the route's `payload`"), "{said}");
    for said in ["", "x", &EMPTY_SHA256[1..], &EMPTY_SHA256.to_uppercase(), "é"] {
        assert_eq!(refuse(&plain, &get(&[(payload::HEADER, said)])).0, Reason::SignatureRefused, "{said}");
    }
    let ok = (payload::HEADER, EMPTY_SHA256);
    let rewriting = sigv4(&json!({"prefix_rewrite": {"match": "/s3/", "to": "/"}}));
    for (sigv4, headers, wanted) in [
        (&plain, vec![(":method", "GET"), (":path", "/"), ok], "a host"),
        (&plain, vec![(":method", "GET"), (":authority", "a"), (":path", "/a#b"), ok], "without a fragment"),
        (&rewriting, get(&[ok]), "begins with /s3/"),
        (&plain, get(&[ok, ("x-amz-meta-a;host", "1")]), "header names"),
    ] {
        let (reason, _, said) = refuse(sigv4, &headers);
        assert!(reason == Reason::RequestRefused && said.contains(wanted), "{said}");
    }
}

#[test]
fn without_a_clock_there_is_no_signature() {
    let headers = GET.map(|(name, value)| (name, value.as_bytes()));
    let outgoing = Outgoing::read(&headers, None, |_| true);
    let refusal = outgoing.sign(&sigv4(&json!({})), &keys(), None, u64::MAX).unwrap_err();
    assert_eq!(refusal.reason(), Some(Reason::FilterOverloaded));
}
