use super::*;
use crate::aws::{
    signed_request::amz_date,
    signer::{Keys, sign},
    sigv4::hash,
};

const NOW: i64 = 1_795_332_600;
const KEYS: Keys<'_> = Keys { access_key: "ASIA1", secret_key: "secret", session_token: Some("session==") };

fn wanted(payload: &str) -> Wanted<'_> {
    Wanted {
        secret_key: "secret",
        session_token: Some("session=="),
        region: "eu-central-1",
        service: "dynamodb",
        payload,
    }
}

fn asked(body: &'static str) -> Asked {
    let mut asked = Asked {
        method: "POST".into(),
        path: "/a%20b".into(),
        query: "x=1".into(),
        body: body.into(),
        ..Asked::default()
    };
    for (name, value) in [("host", "dynamodb.eu-central-1.amazonaws.com"), ("x-amz-target", "T"), ("accept", "*/*")] {
        asked.headers.insert(name, value.parse().unwrap());
    }
    sign(&mut asked, KEYS, "eu-central-1", "dynamodb", &hash(body.as_bytes()), NOW);
    asked
}

fn judge(asked: &Asked, wanted: Wanted<'_>, now: i64) -> Result<(), Fault> {
    Claimed::read(asked)?.check(asked, wanted, now)
}

#[test]
fn a_right_signature_is_right_for_this_request_alone() {
    let payload = hash(b"{}");
    let right = asked("{}");
    assert_eq!(judge(&right, wanted(&payload), NOW), Ok(()));
    assert_eq!(judge(&right, wanted(&payload), NOW + 900), Ok(()));
    assert_eq!(judge(&right, wanted(&payload), NOW + 901), Err(Fault::Skewed));
    assert_eq!(judge(&right, wanted(&payload), NOW - 901), Err(Fault::Skewed));

    let changes: [fn(&mut Asked); 6] = [
        |asked| asked.method = "PUT".into(),
        |asked| asked.path = "/a%20c".into(),
        |asked| asked.query = "x=2".into(),
        |asked| _ = asked.headers.insert("host", "dynamodb.eu-west-1.amazonaws.com".parse().unwrap()),
        |asked| _ = asked.headers.insert("x-amz-target", "U".parse().unwrap()),
        |asked| _ = asked.headers.append("x-amz-target", "T".parse().unwrap()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut other = right.clone();
        change(&mut other);
        assert_eq!(judge(&other, wanted(&payload), NOW), Err(Fault::Mismatch), "change {number}");
    }
    assert_eq!(judge(&right, wanted(&hash(b"{ }")), NOW), Err(Fault::Mismatch));
    let mut unsigned = right.clone();
    unsigned.headers.insert("accept", "text/html".parse().unwrap());
    assert_eq!(judge(&unsigned, wanted(&payload), NOW), Ok(()), "what is not signed may change");
}

#[test]
fn keys_scope_and_session_are_checked() {
    let payload = hash(b"");
    let right = asked("");
    assert_eq!(judge(&right, Wanted { secret_key: "other", ..wanted(&payload) }, NOW), Err(Fault::Mismatch));
    assert_eq!(judge(&right, Wanted { session_token: None, ..wanted(&payload) }, NOW), Err(Fault::SessionToken));
    assert_eq!(judge(&right, Wanted { session_token: Some("t"), ..wanted(&payload) }, NOW), Err(Fault::SessionToken));
    let elsewhere = judge(&right, Wanted { region: "us-east-1", ..wanted(&payload) }, NOW);
    assert_eq!(elsewhere, Err(Fault::Scope("'us-east-1/dynamodb'".into())));
    let other = judge(&right, Wanted { service: "s3", ..wanted(&payload) }, NOW);
    assert_eq!(other, Err(Fault::Scope("'eu-central-1/s3'".into())));
}

#[test]
fn amazon_s_headers_must_be_signed() {
    let mut added = asked("");
    added.headers.insert("x-amz-acl", "public-read".parse().unwrap());
    assert_eq!(judge(&added, wanted(&hash(b"")), NOW), Err(Fault::Unsigned("x-amz-acl".into())));
}

#[test]
fn what_cannot_be_read_is_no_signature() {
    let with = |authorization: &str| {
        let mut asked = asked("");
        asked.headers.insert("authorization", authorization.parse().unwrap());
        judge(&asked, wanted(&hash(b"")), NOW).unwrap_err()
    };
    let scope = format!("Credential=ASIA1/{}/eu-central-1/dynamodb/aws4_request", &amz_date(NOW)[..8]);
    assert_eq!(with("Bearer t"), Fault::Unreadable("algorithm"));
    assert_eq!(with("AWS4-HMAC-SHA256 Signature=0"), Fault::Unreadable("Credential"));
    for signed in ["x-amz-date;host", "host;host", "Host"] {
        let text = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders={signed}, Signature=0");
        assert_eq!(with(&text), Fault::Unreadable("SignedHeaders"), "{signed}");
    }
    let mut twice = asked("");
    twice.query = "X-Amz-Signature=0".into();
    assert_eq!(judge(&twice, wanted(&hash(b"")), NOW), Err(Fault::Twice));
    twice.headers.remove("authorization");
    assert_eq!(judge(&twice, wanted(&hash(b"")), NOW), Err(Fault::Absent));
}
