//! What is refused, with the status and the words that say why. The token that was refused never leaves the edge.

use harness::{
    Result,
    client::Answer,
    clouds::{
        cloud::Cloud,
        mint::{Flaw, Order},
    },
    topology::{Plan, Topology},
};
use http::Method;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An order whose token is wrong in one way, and how the refusal has to name it.
struct Wrong {
    order: Order,
    reason: &'static str,
    claim: &'static str,
    got: Option<Value>,
    wanted: Option<&'static str>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_by_claim_got_and_wanted() -> Result<()> {
    let topology = Topology::start().await?;
    let claim = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
    let cases = [
        Wrong {
            order: Order { audience: Some("https://else.example".into()), ..Order::default() },
            reason: "subject_audience_mismatch",
            claim: "aud",
            got: Some(json!("https://else.example")),
            wanted: Some("https://sts.cloakroom.test"),
        },
        Wrong {
            order: Order { expires_in: Some(-30), ..Order::default() },
            reason: "subject_token_expired",
            claim: "exp",
            got: None,
            wanted: None,
        },
        Wrong {
            order: Order { claims: claim("iss", json!("https://issuer.example")), ..Order::default() },
            reason: "subject_issuer_unknown",
            claim: "iss",
            got: Some(json!("https://issuer.example")),
            wanted: None,
        },
        Wrong {
            order: Order { kid: Some("no-such-key".into()), ..Order::default() },
            reason: "subject_key_unknown",
            claim: "kid",
            got: Some(json!("no-such-key")),
            wanted: None,
        },
        Wrong {
            order: Order { flaw: Some(Flaw::AlgNone), ..Order::default() },
            reason: "subject_algorithm_refused",
            claim: "alg",
            got: Some(json!("none")),
            wanted: None,
        },
        Wrong {
            order: Order { flaw: Some(Flaw::Hs256), ..Order::default() },
            reason: "subject_algorithm_refused",
            claim: "alg",
            got: Some(json!("HS256")),
            wanted: None,
        },
        Wrong {
            order: Order { flaw: Some(Flaw::ForgedKey), ..Order::default() },
            reason: "subject_signature_invalid",
            claim: "subject_token",
            got: None,
            wanted: None,
        },
        Wrong {
            order: Order { flaw: Some(Flaw::Tampered), ..Order::default() },
            reason: "subject_signature_invalid",
            claim: "subject_token",
            got: None,
            wanted: None,
        },
        Wrong {
            order: Order { padding: 20_000, ..Order::default() },
            reason: "subject_token_too_large",
            claim: "authorization",
            got: None,
            wanted: None,
        },
        Wrong {
            order: Order { claims: claim("nbf", json!(4_000_000_000_u64)), ..Order::default() },
            reason: "subject_token_not_yet_valid",
            claim: "nbf",
            got: None,
            wanted: None,
        },
        Wrong {
            order: Order {
                claims: claim("https://sts.amazonaws.com/", json!({"aws_account": "999999999999"})),
                ..Order::default()
            },
            reason: "subject_claim_mismatch",
            claim: "aws_account",
            got: Some(json!("999999999999")),
            wanted: Some("123456789012"),
        },
    ];
    for case in cases {
        let native = topology.native_to_order(Cloud::Aws, &case.order).await?;
        let answer = topology.call("/gcp-reports/q3", &native).await?;
        let problem = refused(&answer, 401, case.reason);
        let named = problem["claim"].as_str().unwrap_or_default();
        assert!(named.contains(case.claim), "{problem}");
        assert!(!problem["got"].is_null() && !problem["wanted"].is_null(), "{problem}");
        if let Some(got) = case.got {
            let text = got.as_str().unwrap_or_default();
            assert!(problem["got"].as_str().unwrap_or_default().contains(text), "{problem}");
        }
        if let Some(wanted) = case.wanted {
            assert!(problem["wanted"].as_str().unwrap_or_default().contains(wanted), "{problem}");
        }
    }
    nothing_left(&topology).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_doubled_or_meaningless_token_is_refused_at_the_edge() -> Result<()> {
    let topology = Topology::start().await?;
    let url = topology.url("/gcp-reports/q3");
    let missing = topology.client.get(&url, &[]).await?;
    refused(&missing, 401, "subject_token_missing");
    let problem = missing.json()?;
    assert_eq!((&problem["claim"], &problem["got"]), (&json!("authorization"), &json!("nothing")), "{problem}");
    // RFC 6750, section 3.1: no error code where no credential was sent.
    assert!(!missing.header("www-authenticate").contains("error"), "{}", missing.header("www-authenticate"));

    let (one, two) = (topology.native(Cloud::Aws).await?, topology.native(Cloud::Aws).await?);
    let (one, two) = (format!("Bearer {one}"), format!("Bearer {two}"));
    for second in [&two, &one] {
        let doubled = topology.client.get(&url, &[("authorization", &one), ("authorization", second)]).await?;
        refused(&doubled, 401, "subject_token_duplicated");
    }
    assert_eq!(topology.sts.exchanges().await?, 0, "neither is worth a question");
    for meaningless in ["Bearer abc", "Bearer a.b.c", "Basic dXNlcjpwYXNz", "Bearer ", "Bearer a.b.c.d.e"] {
        let answer = topology.client.get(&url, &[("authorization", meaningless)]).await?;
        assert_eq!(answer.status, 401, "{meaningless}: {}", answer.text());
        assert!(answer.header("x-cloakroom-reason").starts_with("subject_token_"), "{}", answer.text());
    }
    nothing_left(&topology).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_token_is_refused_before_any_filter_holds_it() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native_to_order(Cloud::Aws, &Order { padding: 1_000_000, ..Order::default() }).await?;
    let mut stream = TcpStream::connect(topology.egress.address()).await?;
    let request = format!("GET /gcp-reports/q3 HTTP/1.1\r\nhost: edge\r\nauthorization: Bearer {native}\r\n\r\n");
    // The edge may answer and close before it has read everything.
    _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    for part in ["subject_token_too_large", r#""claim":"#, r#""got":"more than 64 KiB"#, r#""wanted":"at most 64 KiB"#]
    {
        assert!(answer.contains(part), "{answer}");
    }
    nothing_left(&topology).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policy_does_not_permit_is_forbidden() -> Result<()> {
    let topology = Topology::start().await?;
    // A workload without a grant for this destination, and one without any.
    let native = topology.native(Cloud::Gcp).await?;
    refused(&topology.call("/gcp-reports/q3", &native).await?, 403, "policy_denied");
    let order = Order { workload: Some("other-role".into()), ..Order::default() };
    let native = topology.native_to_order(Cloud::Aws, &order).await?;
    refused(&topology.call("/gcp-reports/q3", &native).await?, 403, "policy_denied");
    // A workload that this proxy may not speak for.
    let mut order = Order::default();
    order.claims.insert("sub".into(), json!("system:serviceaccount:elsewhere:api"));
    let account = json!({"name": "api", "uid": "0f6e3c7a-4b1d-4d0e-8f53-2a9b6c1d7e84"});
    order.claims.insert("kubernetes.io".into(), json!({"namespace": "elsewhere", "serviceaccount": account}));
    let native = topology.native_to_order(Cloud::Kubernetes, &order).await?;
    refused(&topology.call("/gcp-reports/q3", &native).await?, 403, "actor_not_permitted");
    nothing_left(&topology).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_or_target_nobody_grants_is_forbidden() -> Result<()> {
    let plan = Plan::default().plugin(|plugin| {
        plugin["routes"]["gcp-reports"]["exchange"]["scope"] = json!("reports.destroy");
        plugin["routes"]["aws-orders"]["exchange"]["resource"] = json!("https://nowhere.cloakroom.test");
    });
    let topology = plan.start().await?;
    let native = topology.native(Cloud::Kubernetes).await?;
    refused(&topology.call("/gcp-reports/q3", &native).await?, 403, "scope_refused");
    refused(&topology.call("/aws-orders/1", &native).await?, 403, "target_unknown");
    nothing_left(&topology).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_and_upgrades_are_refused() -> Result<()> {
    let topology = Topology::start().await?;
    let bearer = format!("Bearer {}", topology.native(Cloud::Aws).await?);
    let upgrade = [("authorization", bearer.as_str()), ("connection", "upgrade"), ("upgrade", "websocket")];
    let answer = topology.client.request(Method::GET, &topology.url("/gcp-reports/q3"), &upgrade, "").await?;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let mut stream = TcpStream::connect(topology.egress.address()).await?;
    let connect =
        format!("CONNECT reports.gcp.cloakroom.test:443 HTTP/1.1\r\nhost: a\r\nauthorization: {bearer}\r\n\r\n");
    stream.write_all(connect.as_bytes()).await?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    assert!(start.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&start));
    nothing_left(&topology).await
}

/// Checks a refusal by the filter and gives its problem document.
fn refused(answer: &Answer, status: u16, reason: &str) -> Value {
    let text = answer.text();
    assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (status, reason), "{text}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("www-authenticate").starts_with("Bearer"), status == 401, "{text}");
    let problem: Value = serde_json::from_str(&text).unwrap_or_default();
    assert_eq!(problem["reason"], reason);
    assert_eq!(problem["status"], status);
    assert_eq!(problem["decision_id"], answer.header("x-cloakroom-decision-id"));
    assert!(!answer.header("x-cloakroom-decision-id").is_empty());
    problem
}

async fn nothing_left(topology: &Topology) -> Result<()> {
    assert!(topology.recorded().await?.is_empty(), "a refused request reached the service");
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}
