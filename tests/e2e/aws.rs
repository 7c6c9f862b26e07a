//! AWS's signed requests: proofs that only AWS can check, and that are checked before AWS is asked for everything it does not.

use harness::{
    Result,
    aws::{
        principal::Principal,
        signed_request::{SignedRequest, in_base64url, quoted},
    },
    client::{Answer, Client},
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
};
use http::Method;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://sts.cloakroom.test";
const REPORTS: &str = "https://reports.gcp.cloakroom.test";
const TYPE: &str = "urn:ietf:params:aws:token-type:aws4_request";

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_in_any_form_names_its_role_on_both_listeners() -> Result<()> {
    let topology = Topology::start().await?;
    let probe = Client::with_certificate(&topology.pki, "probe")?;
    let signed = || SignedRequest::new(AUDIENCE);
    topology.remember(Principal::APP_ROLE.session_token.ok_or("no session token")?);
    for token in [
        quoted(&signed().google()),
        signed().google().to_string(),
        in_base64url(&signed().google()),
        in_base64url(&signed().vault()),
        signed().vault().to_string(),
        // Files and headers end in newlines.
        format!("{}\n", in_base64url(&signed().google())),
    ] {
        // Each listener has a signature of its own: one that somebody else has used is not good any more.
        let other = resigned(&token, &SignedRequest { age: 30, ..signed() });
        [&token, &other]
            .into_iter()
            .filter(|token| !token.contains('.'))
            .for_each(|token| topology.remember(token.trim()));
        let direct = topology.sts.no_client_certificate_url();
        for (client, base, token) in [(&probe, topology.sts.url(), &token), (&topology.client, direct, &other)] {
            let answer = exchange(client, &base, token).await?;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let claims = claims(&answer)?;
            assert_eq!(claims["sub"], Cloud::Aws.spiffe_id("app-role"), "as its outbound JWT is named");
            assert_eq!(claims["aud"], REPORTS);
        }
    }
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_issued_dies_with_the_request_and_a_stolen_request_is_of_no_use() -> Result<()> {
    let topology = Topology::start().await?;
    let (base, probe) = (topology.sts.url(), Client::with_certificate(&topology.pki, "probe")?);
    let old = in_base64url(&SignedRequest { age: 280, ..SignedRequest::new(AUDIENCE) }.google());
    let answer = exchange(&probe, &base, &old).await?;
    let left = answer.json()?["expires_in"].as_u64();
    assert!(left.is_some_and(|left| (1..=20).contains(&left)), "{}", answer.text());
    // The proxy that sent it may do so again; nobody else may.
    assert_eq!(exchange(&probe, &base, &old).await?.status, 200);
    let thief = exchange(&topology.client, &topology.sts.no_client_certificate_url(), &old).await?;
    assert_eq!(thief.json()?["reason"], "subject_token_replayed", "{}", thief.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_refused_and_named_by_whoever_can_tell() -> Result<()> {
    let topology = Topology::start().await?;
    let probe = Client::with_certificate(&topology.pki, "probe")?;
    let good = SignedRequest::new(AUDIENCE);
    let with = |change: &dyn Fn(&mut SignedRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request.google()
    };
    let changed = |pointer: &str, value: &str| {
        let mut request = good.google();
        *request.pointer_mut(pointer).expect("the request has it") = json!(value);
        request
    };
    let host = |host: &'static str| with(&move |request| request.host = host.into());
    let by = |principal: Principal| with(&move |request| request.principal = principal);
    let token = "IQoJb3JpZ2luX2VjEXAMPLE//another/token==";
    // What we can tell without AWS, and what only AWS can.
    let cases: [(&str, Value, &str, bool); 21] = [
        ("signed too long ago", with(&|request| request.age = 301), "subject_token_expired", false),
        ("beyond AWS's own window", with(&|request| request.age = 1_000), "subject_token_expired", false),
        ("from the future", with(&|request| request.age = -120), "subject_token_not_yet_valid", false),
        (
            "for another service",
            with(&|request| request.audience = "https://other.test".into()),
            "subject_audience_mismatch",
            false,
        ),
        (
            "for nobody in particular",
            with(&|request| request.sign_audience = false),
            "subject_audience_mismatch",
            false,
        ),
        ("another host", host("evil.example"), "subject_issuer_unknown", false),
        ("a host that looks like it", host("sts.amazonaws.com.evil.example"), "subject_issuer_unknown", false),
        ("a region that is not listed", host("sts.eu-west-1.amazonaws.com"), "subject_issuer_unknown", false),
        ("a port", host("sts.eu-central-1.amazonaws.com:8443"), "subject_issuer_unknown", false),
        (
            "another region than its host's",
            with(&|request| request.region = "us-east-1".into()),
            "subject_claim_mismatch",
            false,
        ),
        ("plain http", changed("/url", "http://sts.eu-central-1.amazonaws.com/"), "subject_claim_mismatch", false),
        (
            "another question",
            changed("/url", "https://sts.eu-central-1.amazonaws.com/?Action=GetSessionToken&Version=2011-06-15"),
            "subject_claim_mismatch",
            false,
        ),
        ("another method", changed("/method", "GET"), "subject_claim_mismatch", false),
        ("another header", changed("/headers/3/key", "x-forwarded-for"), "subject_claim_mismatch", false),
        ("another key", with(&|request| request.secret_key = Some("guessed")), "subject_signature_invalid", true),
        ("another session token", changed("/headers/3/value", token), "subject_key_unknown", true),
        (
            "a key that is not AWS's",
            by(Principal { access_key: "ASIAUNKNOWN000000001", ..Principal::APP_ROLE }),
            "subject_key_unknown",
            true,
        ),
        ("credentials of yesterday", by(Principal::EXPIRED_ROLE), "subject_token_expired", true),
        ("a role of another account", by(Principal::FOREIGN_ROLE), "subject_claim_mismatch", true),
        ("a user", by(Principal::USER), "subject_claim_mismatch", true),
        ("the account's root", by(Principal::ROOT), "subject_claim_mismatch", true),
    ];
    for (what, request, reason, asked) in cases {
        let before = asked_of_aws(&topology).await?;
        let answer = exchange(&probe, &topology.sts.url(), &in_base64url(&request)).await?;
        let said = answer.json()?;
        assert_eq!((answer.status.as_u16(), &said["reason"]), (400, &json!(reason)), "{what}: {said}");
        for member in ["claim", "got", "wanted", "error_description"] {
            assert!(said[member].as_str().is_some_and(|text| !text.is_empty()), "{what}: no {member}: {said}");
        }
        for secret in [Principal::APP_ROLE.access_key, "stand-in/secret", "IQoJb3Jp", "Signature="] {
            assert!(!said.to_string().contains(secret), "{what}: {said}");
        }
        assert_eq!(asked_of_aws(&topology).await? - before, u64::from(asked), "{what}: how often AWS was asked");
    }
    for secret in ["IQoJb3Jp", "Signature=", "stand-in/secret"] {
        assert!(!topology.sts.log().contains(secret), "the log holds {secret}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_addressee_is_not_signed_is_good_once_and_only_where_that_is_allowed() -> Result<()> {
    let topology = allowing_unsigned().start().await?;
    let base = topology.sts.no_client_certificate_url();
    let unsigned = || SignedRequest { sign_audience: false, ..SignedRequest::new(AUDIENCE) };
    let request = unsigned().google();
    assert_eq!(exchange(&topology.client, &base, &quoted(&request)).await?.status, 200);
    let replayed = exchange(&topology.client, &base, &in_base64url(&request)).await?;
    assert_eq!(replayed.json()?["reason"], "subject_token_replayed", "{}", replayed.text());
    // Whoever copied it cannot make it another by what nobody signed.
    let mut renamed = request.clone();
    renamed["headers"].as_array_mut().ok_or("no headers")?.push(json!({"key": "accept", "value": "*/*"}));
    let replayed = exchange(&topology.client, &base, &in_base64url(&renamed)).await?;
    assert_eq!(replayed.json()?["reason"], "subject_token_replayed", "{}", replayed.text());
    let vault = SignedRequest { age: 1, ..unsigned() }.vault();
    let refused = exchange(&topology.client, &base, &in_base64url(&vault)).await?;
    assert_eq!(refused.json()?["reason"], "subject_audience_mismatch", "Vault's clients sign it: {}", refused.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_aws_cannot_be_asked_the_request_is_not_to_blame() -> Result<()> {
    let topology = allowing_unsigned().start().await?;
    let probe = Client::with_certificate(&topology.pki, "probe")?;
    let unsigned = SignedRequest { sign_audience: false, ..SignedRequest::new(AUDIENCE) };
    let token = quoted(&unsigned.google());
    for switch in ["outage", "throttle"] {
        tell(&topology, &format!("{switch}?on=true")).await?;
        let answer = exchange(&probe, &topology.sts.url(), &token).await?;
        assert_eq!(answer.status, 503, "{switch}: {}", answer.text());
        assert_eq!(answer.json()?["reason"], "review_unavailable", "{switch}");
        assert!(!answer.header("retry-after").is_empty());
        tell(&topology, &format!("{switch}?on=false")).await?;
    }
    // Other sources feel nothing, and what AWS has not confirmed was not used.
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Kubernetes).await?).await?.status, 200);
    assert_eq!(exchange(&probe, &topology.sts.url(), &token).await?.status, 200);
    tell(&topology, "skew?seconds=1200").await?;
    let skewed = exchange(&probe, &topology.sts.url(), &in_base64url(&SignedRequest::new(AUDIENCE).google())).await?;
    assert_eq!(skewed.json()?["reason"], "subject_signature_invalid", "{}", skewed.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_behind_an_edge_sends_it_in_a_header() -> Result<()> {
    let plan = Plan::default().plugin(|plugin| {
        plugin["routes"]["gcp-reports"]["exchange"]["subject_token_type"] = json!(TYPE);
    });
    let topology = plan.start().await?;
    let token = in_base64url(&SignedRequest::new(AUDIENCE).google());
    topology.remember(&token);
    for _ in 0..3 {
        let answer = topology.call("/gcp-reports/q3", &token).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(asked_of_aws(&topology).await?, 1, "the edge keeps the token it was given");
    let encoded = topology.call("/gcp-reports/q3", &quoted(&SignedRequest::new(AUDIENCE).google())).await?;
    assert_eq!(encoded.status, 401, "{}", encoded.text());
    assert!(encoded.text().contains("base64url"), "{}", encoded.text());
    tell(&topology, "outage?on=true").await?;
    let other = in_base64url(&SignedRequest { age: 2, ..SignedRequest::new(AUDIENCE) }.google());
    let answer = topology.call("/gcp-reports/q3", &other).await?;
    assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (503, "review_unavailable"));
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

/// A topology whose source takes what google-auth for Python makes.
pub fn allowing_unsigned() -> Plan {
    Plan::default().sts(|config| {
        for source in config["sources"].as_array_mut().into_iter().flatten() {
            if let Some(preset) = source["preset"].get_mut("aws_signed_request") {
                preset["allow_unsigned_audience"] = json!(true);
            }
        }
    })
}

/// The same form and encoding as `token` has, of another request.
fn resigned(token: &str, request: &SignedRequest) -> String {
    match token.bytes().next() {
        Some(b'%') => quoted(&request.google()),
        Some(b'{') if token.contains("iam_") => request.vault().to_string(),
        Some(b'{') => request.google().to_string(),
        _ => in_base64url(&request.vault()),
    }
}

async fn exchange(client: &Client, base: &str, token: &str) -> Result<Answer> {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token),
        ("subject_token_type", TYPE),
        ("resource", REPORTS),
    ];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    client.request(Method::POST, &format!("{base}/oauth2/token"), &headers, body).await
}

fn claims(answer: &Answer) -> Result<Value> {
    let body = answer.json()?;
    let payload = body["access_token"].as_str().and_then(|token| token.split('.').nth(1)).ok_or("no JWT")?;
    Ok(serde_json::from_slice(&token::base64url::decode(payload)?)?)
}

async fn tell(topology: &Topology, what: &str) -> Result<()> {
    let url = topology.cloud_url(&format!("/aws-sts/{what}"));
    let answer = topology.client.request(Method::POST, &url, &[], "").await?;
    if answer.status.is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.text()).into()) }
}

async fn asked_of_aws(topology: &Topology) -> Result<u64> {
    let answer = topology.client.get(&topology.cloud_url("/aws-sts/requests"), &[]).await?;
    answer.json()?.as_u64().ok_or_else(|| "not a number".into())
}
