use http::{HeaderMap, StatusCode};

use super::*;
use crate::{aws::answer::NAMESPACE, federation::fake::NOW};

const SUBJECT: &str = "spiffe://td.example/k8s/prod/shop/cart";

fn assumption() -> Assumption<'static> {
    Assumption {
        role: Role::parse("arn:aws:iam::123456789012:role/edge/gw").unwrap(),
        session_name: "k8s+prod+shop+cart",
        seconds: 900,
        policy: Some(r#"{"Version":"2012-10-17"}"#),
    }
}

fn keys() -> AwsKeys {
    AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLETOKEN==")
        .unwrap()
}

/// The answer of `clouds.md`, for this assumption.
fn good(action: &str) -> String {
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\">
 <{action}Result>
  <Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
   <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY</SecretAccessKey>
   <SessionToken>FwoGZXIvYXdzEXAMPLETOKEN==</SessionToken><Expiration>2026-11-22T07:45:00Z</Expiration></Credentials>
  <SubjectFromWebIdentityToken>{SUBJECT}</SubjectFromWebIdentityToken>
  <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:k8s+prod+shop+cart</AssumedRoleId>
   <Arn>arn:aws:sts::123456789012:assumed-role/gw/k8s+prod+shop+cart</Arn></AssumedRoleUser>
  <PackedPolicySize>6</PackedPolicySize>
  <Provider>arn:aws:iam::123456789012:oidc-provider/sts.gateway.example</Provider>
  <Audience>sts.amazonaws.com</Audience>
  <SourceIdentity>k8s+prod+shop+cart</SourceIdentity>
 </{action}Result>
 <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</{action}Response>
"
    )
}

fn judged(proof: &Proof<'_>, body: String) -> Result<Session, Trouble> {
    let answered = Answered { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
    assumption().judge(proof, &answered, NOW)
}

fn by_web_identity(jwt: &Secret) -> Proof<'_> {
    Proof::WebIdentity { jwt, subject: SUBJECT, audience: "sts.amazonaws.com" }
}

#[test]
fn an_assertion_is_posted_unsigned() {
    let jwt = Secret::new("a.b.c");
    let endpoint = Uri::from_static("https://sts.eu-central-1.amazonaws.com/");
    let call = assumption().call(&by_web_identity(&jwt), &endpoint, "eu-central-1", NOW).unwrap();
    assert_eq!(
        str::from_utf8(&call.body).unwrap(),
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fedge%2Fgw\
         &RoleSessionName=k8s%2Bprod%2Bshop%2Bcart&DurationSeconds=900&Policy=%7B%22Version%22%3A%222012-10-17%22%7D\
         &WebIdentityToken=a.b.c"
    );
    let names: Vec<_> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["content-type", "accept"]);
}

#[test]
fn keys_sign_the_next_assumption_for_the_host_and_port_it_goes_to() {
    let keys = keys();
    for (endpoint, host) in [
        ("https://sts.eu-central-1.amazonaws.com/", "sts.eu-central-1.amazonaws.com"),
        ("https://sts.eu-central-1.amazonaws.com:443", "sts.eu-central-1.amazonaws.com"),
        ("https://127.0.0.1:8443/", "127.0.0.1:8443"),
    ] {
        let call = assumption().call(&Proof::Keys(&keys), &endpoint.parse().unwrap(), "eu-central-1", NOW).unwrap();
        let body = str::from_utf8(&call.body).unwrap();
        assert!(body.starts_with("Action=AssumeRole&Version=2011-06-15&RoleArn=") && !body.contains("Token"), "{body}");
        let header = |name: &str| {
            let (_, value) = call.headers.iter().find(|(found, _)| found == name).unwrap();
            value.to_str().unwrap()
        };
        assert_eq!((header("host"), header("x-amz-date")), (host, "20261122T073000Z"));
        assert_eq!(header("x-amz-security-token"), "FwoGZXIvYXdzEXAMPLETOKEN==");
        let authorization = header("authorization");
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20261122/eu-central-1/sts/aws4_request, \
                 SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="
            ),
            "{authorization}"
        );
        assert!(!format!("{:?}", call.headers).contains("FwoGZX"), "secret headers are not printed");
    }
}

#[test]
fn a_session_is_what_was_asked_for() {
    let jwt = Secret::new("a.b.c");
    let session = Session { keys: keys(), expires_at: NOW + 900 };
    assert_eq!(judged(&by_web_identity(&jwt), good("AssumeRoleWithWebIdentity")), Ok(session));
    let session = Session { keys: keys(), expires_at: NOW + 900 };
    assert_eq!(judged(&Proof::Keys(&keys()), good("AssumeRole")), Ok(session));
    // What is not always there.
    for absent in ["SubjectFromWebIdentityToken", "Provider", "Audience", "SourceIdentity", "PackedPolicySize"] {
        let body = without(&good("AssumeRoleWithWebIdentity"), absent);
        assert!(judged(&by_web_identity(&jwt), body).is_ok(), "{absent}");
    }
}

fn without(body: &str, element: &str) -> String {
    let (before, rest) = body.split_once(&format!("<{element}>")).unwrap();
    let (_, after) = rest.split_once(&format!("</{element}>")).unwrap();
    format!("{before}{after}")
}

#[test]
fn anything_else_is_no_session() {
    let jwt = Secret::new("a.b.c");
    for (from, to) in [
        ("assumed-role/gw/", "assumed-role/admin/"),
        ("assumed-role/gw/k8s", "assumed-role/gw/k9s"),
        ("arn:aws:sts::123456789012", "arn:aws:sts::999999999999"),
        ("<SourceIdentity>k8s", "<SourceIdentity>k9s"),
        ("<SourceIdentity>k8s+prod+shop+cart", "<SourceIdentity>"),
        (SUBJECT, "spiffe://td.example/k8s/prod/shop/till"),
        ("<Audience>sts", "<Audience>api"),
        ("arn:aws:iam::123456789012:oidc-provider", "arn:aws:iam::999999999999:oidc-provider"),
        ("<AccessKeyId>ASIAIOSFODNN7EXAMPLE", "<AccessKeyId>ASIA"),
        ("<AccessKeyId>ASIA", "<AccessKeyId>AKIA"),
        ("<AccessKeyId>", "<AccessKeyId>ASIAIOSFODNN7EXAMPL2</AccessKeyId><AccessKeyId>"),
        ("<SessionToken>Fwo", "<SessionToken>&#13;&#10;x: y"),
        ("07:45:00Z", "07:30:00Z"),
        ("07:45:00Z", "07:50:01Z"),
        ("07:45:00Z", "07:45:00"),
        ("2026-11-22T07:45:00Z", "1795333500"),
        (NAMESPACE, "https://sts.example/"),
        ("AssumeRoleWithWebIdentity", "AssumeRole"),
        ("</AssumedRoleUser>", "</AssumedRoleUser><AssumedRoleUser/>"),
        ("<Audience>", "<!-- --><Audience>"),
    ] {
        let body = good("AssumeRoleWithWebIdentity").replace(from, to);
        let trouble = judged(&by_web_identity(&jwt), body).expect_err(to);
        assert!(matches!(trouble, Trouble::Invalid { .. }), "{to}: {trouble:?}");
    }
    for missing in ["Credentials", "AssumedRoleUser"] {
        let trouble = judged(&by_web_identity(&jwt), without(&good("AssumeRoleWithWebIdentity"), missing));
        assert!(matches!(trouble, Err(Trouble::Invalid { .. })), "{missing}");
    }
}

#[test]
fn a_session_ends_when_it_was_asked_to_even_if_clocks_differ() {
    let jwt = Secret::new("a.b.c");
    let ends = |text: &str| {
        let body = good("AssumeRoleWithWebIdentity").replace("07:45:00Z", text);
        judged(&by_web_identity(&jwt), body).map(|session| session.expires_at)
    };
    assert_eq!(ends("07:45:00.123456Z"), Ok(NOW + 900));
    assert_eq!(ends("07:49:00Z"), Ok(NOW + 900), "our clock is slow");
    assert_eq!(ends("07:31:00Z"), Ok(NOW + 60));
}
