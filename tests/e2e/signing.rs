//! Requests that the edge signs, and those that get a shared access signature: on a real Envoy, before an upstream that
//! computes every signature anew.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use harness::{
    Result,
    aws::sigv4::{Scope, Signable, hash},
    client::{Answer, Body, Client, full},
    edge_only::{EdgeOnly, Plan, http, route},
    native_token::{MARK, native_token},
    upstream::{Recorded, Upstream},
};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;
use tokio::sync::mpsc::{Receiver, channel};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "FwoGZXIvYXdzEXAMPLETOKEN==";
const REGION: &str = "eu-central-1";
const SAS: &str = "sv=2025-05-05&se=2026-11-22T00%3A30%3A00Z&sr=c&sp=rl&sig=a%2Bc%3D";

/// The longest body that is read.
const MOST: usize = 200_000;

/// An edge that signs, and the service behind it.
struct Signing {
    edge: EdgeOnly,
    upstream: Upstream,
    client: Client,
}

impl Signing {
    async fn start() -> Result<Self> {
        Self::start_with(|_| {}).await
    }

    async fn start_with(edit: impl Fn(&mut Value) + Send + 'static) -> Result<Self> {
        Self::start_as(Plan::default(), edit).await
    }

    async fn start_as(plan: Plan, edit: impl Fn(&mut Value) + Send + 'static) -> Result<Self> {
        let upstream = Upstream::start(([127, 0, 0, 1], 0).into()).await?;
        let address = upstream.address();
        let edge = plan
            .routes(["s3", "db", "blob", "plain"])
            .plugin(|plugin| {
                plugin["reads_bodies"] = json!(true);
                let subject = json!({"header": {"name": "x-amz-security-token"}});
                let signs = |service: &str, more: &[(&str, Value)]| {
                    let mut sigv4 = json!({"service": service, "region": REGION});
                    more.iter().for_each(|(name, value)| sigv4[*name] = value.clone());
                    json!({ "sigv4": sigv4 })
                };
                for (name, inject) in [
                    (
                        "s3",
                        signs(
                            "s3",
                            &[("host", json!("b.s3.test")), ("prefix_rewrite", json!({"match": "/s3/", "to": "/"}))],
                        ),
                    ),
                    ("db", signs("dynamodb", &[("payload", json!("hash")), ("max_body_bytes", json!(MOST))])),
                ] {
                    route(plugin, name)["inject"] = inject;
                    route(plugin, name)["subject"] = subject.clone();
                }
                route(plugin, "blob")["inject"] = json!("azure_sas");
            })
            .bootstrap(move |bootstrap| {
                let endpoint = &mut bootstrap["static_resources"]["clusters"][1]["load_assignment"]["endpoints"][0];
                endpoint["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] =
                    json!(address.port());
                let manager = http(bootstrap);
                manager["http_filters"][0]["typed_config"]["config"]["allow_on_headers_stop_iteration"] = json!(true);
                for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().into_iter().flatten()
                {
                    if route["name"] == "s3" {
                        route["route"]["host_rewrite_literal"] = json!("b.s3.test");
                        route["route"]["prefix_rewrite"] = json!("/");
                    }
                }
                edit(bootstrap);
            })
            .start()
            .await?;
        let keys = AwsKeys::new("ASIAIOSFODNN7EXAMPLE", SECRET, SESSION_TOKEN).ok_or("the keys have their form")?;
        edge.sts.lend(keys);
        edge.sts.lend_sas(SAS);
        Ok(Self { edge, upstream, client: Client::trusting(None)? })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.edge.edge.address())
    }

    /// Sends what an SDK with placeholder keys does, whose session token is the workload's own.
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=placeholder, SignedHeaders=host, Signature=00")
            .header("x-amz-date", "20200101T000000Z");
        if !headers.iter().any(|(name, _)| *name == "x-amz-security-token") {
            request = request.header("x-amz-security-token", native_token("w-1", 0));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.send(request.body(body)?).await
    }

    async fn post(&self, body: Body) -> Result<Answer> {
        self.send(Method::POST, "/db/", &[("x-amz-target", "DynamoDB_20120810.GetItem")], body).await
    }

    /// What has arrived since the last time. Nothing in it is native.
    async fn arrived(&self) -> Result<Vec<Recorded>> {
        let at = |path: &str| format!("http://{}{path}", self.upstream.address());
        let raw = self.client.get(&at("/__raw"), &[]).await?;
        assert!(!raw.text().contains(MARK) && !raw.text().contains("placeholder"), "the workload's own went on");
        let recorded = serde_json::from_slice(&self.client.get(&at("/__record"), &[]).await?.body)?;
        self.client.request(Method::DELETE, &at("/__record"), &[], "").await?;
        Ok(recorded)
    }

    /// The one request that has arrived, if its signature is right.
    async fn signed(&self, service: &str) -> Result<Recorded> {
        let arrived = self.arrived().await?;
        let [request] = arrived.as_slice() else { return Err(format!("{} requests", arrived.len()).into()) };
        let authorization = request.header("authorization");
        let part = |name: &str| {
            let (_, rest) = authorization.split_once(&format!("{name}=")).unwrap_or_default();
            rest.split(',').next().unwrap_or_default().to_owned()
        };
        let date = request.header("x-amz-date");
        let day = date.get(..8).unwrap_or_default();
        assert_eq!(part("Credential"), format!("ASIAIOSFODNN7EXAMPLE/{day}/{REGION}/{service}/aws4_request"));
        assert_eq!(request.header("x-amz-security-token"), SESSION_TOKEN);
        let names = part("SignedHeaders");
        let amazons = request.headers.iter().map(|(name, _)| name).filter(|name| name.starts_with("x-amz-"));
        for name in amazons.map(String::as_str).chain(["host"]) {
            assert!(names.split(';').any(|signed| signed == name), "{name} is not signed");
        }
        let headers = names.split(';').map(|name| (name.to_owned(), request.header(name).to_owned())).collect();
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let payload = match request.header("x-amz-content-sha256") {
            "" => &request.body_sha256,
            said => said,
        };
        let signable = Signable {
            method: request.method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            payload: payload.to_owned(),
        };
        assert_eq!(part("Signature"), signable.signature(SECRET, Scope { date, region: REGION, service }));
        Ok(request.clone())
    }
}

/// A body in pieces, each some time after the one before, and trailers.
fn in_pieces(pieces: Vec<Vec<u8>>, pause: Duration, trailers: &[(&'static str, &'static str)]) -> Body {
    let trailers: HeaderMap =
        trailers.iter().map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value))).collect();
    let frames = pieces.into_iter().map(|piece| Frame::data(Bytes::from(piece)));
    let frames = frames.chain((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
    let (sender, receiver) = channel(1);
    let frames: Vec<_> = frames.collect();
    tokio::spawn(async move {
        for frame in frames {
            if sender.send(Ok::<_, Infallible>(frame)).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    });
    Frames(receiver).boxed_unsync()
}

/// The frames of a channel.
struct Frames(Receiver<Result<Frame<Bytes>, Infallible>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context)
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place % 251) as u8).collect()
}

fn reason(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.header("x-cloakroom-reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_for_s3_is_signed_as_it_leaves() -> Result<()> {
    let signing = Signing::start().await?;
    // A miss, then hits.
    for _ in 0..3 {
        let headers = [("x-amz-meta-b", "2"), ("x-amz-meta-a", "1  2"), ("range", "bytes=0-1")];
        let path = "/s3/dir%20x/a%2B%C3%A9.txt?prefix=x%2Fy&list-type=2&acl";
        let answer = signing.send(Method::GET, path, &headers, full("")).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.signed("s3").await?;
        assert_eq!(arrived.path, "/dir%20x/a%2B%C3%A9.txt?prefix=x%2Fy&list-type=2&acl");
        assert_eq!(arrived.header("host"), "b.s3.test");
        assert_eq!(arrived.header("x-amz-content-sha256"), hash(b""));
    }
    assert_eq!(signing.edge.outcomes().await?.hit, 2);
    // A body that the client has digested goes through unread, however long it is.
    let body = bytes(3_000_000);
    let digest = hash(&body);
    let answer = signing.send(Method::PUT, "/s3/k", &[("x-amz-content-sha256", &digest)], full(body)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let arrived = signing.signed("s3").await?;
    assert_eq!((arrived.body_length, &arrived.body_sha256), (3_000_000, &digest));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_and_signed_whichever_comes_last() -> Result<()> {
    let signing = Signing::start().await?;
    let slow = |pieces: Vec<Vec<u8>>| in_pieces(pieces, Duration::from_millis(120), &[]);
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(250));
    // The credential comes last; then, as a hit, the body.
    for body in [full("{\"TableName\":\"t1\"}"), full("{\"TableName\":\"t1\"}")] {
        let answer = signing.post(body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, 18);
    }
    // The body comes last.
    let other = native_token("w-2", 0);
    for (token, pieces) in [(&other, 6), (&other, 3)] {
        let body = slow((0..pieces).map(|_| bytes(7_000)).collect());
        let headers = [("x-amz-security-token", token.as_str())];
        let answer = signing.send(Method::POST, "/db/", &headers, body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.signed("dynamodb").await?;
        assert_eq!(arrived.body_length, pieces * 7_000);
    }
    for body in [vec![bytes(1)], vec![bytes(MOST)], vec![bytes(MOST / 2), bytes(MOST / 2)], vec![]] {
        let length: usize = body.iter().map(Vec::len).sum();
        let answer = signing.post(in_pieces(body, Duration::ZERO, &[])).await?;
        assert_eq!(answer.status, 200, "{length}: {}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, length);
    }
    let answer = signing.send(Method::GET, "/db/", &[], full("")).await?;
    assert_eq!((answer.status.as_u16(), signing.signed("dynamodb").await?.body_length), (200, 0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_end_a_body_too_and_take_nothing_along() -> Result<()> {
    let signing = Signing::start_with(|bootstrap| {
        http(bootstrap)["http_protocol_options"] = json!({"enable_trailers": true});
    })
    .await?;
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(200));
    for pause in [0, 150] {
        let trailers = [("authorization", "Bearer placeholder"), ("x-note", "a")];
        let body = in_pieces(vec![bytes(10), bytes(20)], Duration::from_millis(pause), &trailers);
        let answer = signing.send(Method::POST, "/db/", &[("trailer", "authorization, x-note")], body).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(signing.signed("dynamodb").await?.body_length, 30);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_refused_and_nothing_of_it_arrives() -> Result<()> {
    let signing = Signing::start().await?;
    // As a miss that waits, as a hit, by its length alone, and while it comes.
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(300));
    for _ in 0..2 {
        let answer = signing.post(full(bytes(MOST + 1))).await?;
        assert_eq!(reason(&answer), (413, "body_too_large"), "{}", answer.text());
        let pieces = vec![bytes(MOST), bytes(1)];
        let answer = signing.post(in_pieces(pieces, Duration::from_millis(20), &[])).await?;
        assert_eq!(reason(&answer), (413, "body_too_large"), "{}", answer.text());
        assert_eq!(signing.arrived().await?.len(), 0);
        assert_eq!(signing.post(full("{}")).await?.status, 200);
        signing.signed("dynamodb").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_never_goes_on_with_its_body() -> Result<()> {
    let signing = Signing::start().await?;
    let pieces = || in_pieces(vec![bytes(9_000); 8], Duration::from_millis(50), &[]);
    // Refused at once, and while the body comes.
    for (path, headers, wanted) in [
        ("/db/?X-Amz-Signature=placeholder", vec![], (403, "signature_refused")),
        ("/db/", vec![("x-amz-security-token", "")], (401, "subject_token_missing")),
        ("/s3/k", vec![], (403, "signature_refused")),
        ("/s3/k", vec![("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], (403, "signature_refused")),
        ("/blob/c?sig=placeholder", vec![], (403, "signature_refused")),
    ] {
        let answer = signing.send(Method::POST, path, &headers, pieces()).await?;
        assert_eq!(reason(&answer), wanted, "{path}: {}", answer.text());
    }
    signing.edge.sts.script(|script| {
        script.delay = Duration::from_millis(100);
        script.refused = Some(("w-", token::reason::Reason::PolicyDenied));
    });
    let answer = signing.post(pieces()).await?;
    assert_eq!(reason(&answer), (403, "policy_denied"), "{}", answer.text());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(signing.arrived().await?.len(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_same_listener_other_bodies_wait_as_they_always_did() -> Result<()> {
    let signing = Signing::start().await?;
    // Longer than Envoy buffers: were it taken in while the request waits, Envoy would refuse it.
    signing.edge.sts.script(|script| script.delay = Duration::from_millis(300));
    let body = bytes(3_000_000);
    let digest = hash(&body);
    let put = signing.send(Method::PUT, "/s3/k", &[("x-amz-content-sha256", &digest)], full(body.clone())).await?;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(signing.signed("s3").await?.body_sha256, digest);
    let bearer = format!("Bearer {}", native_token("w-1", 0));
    for path in ["/plain/a", "/plain/b"] {
        let headers = [("authorization", bearer.as_str())];
        let answer = signing.client.request(Method::POST, &signing.url(path), &headers, body.clone()).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.arrived().await?;
        assert!(arrived[0].header("authorization").starts_with("Bearer issued.") && arrived[0].body_sha256 == digest);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_nothing_with_it() -> Result<()> {
    let signing = Signing::start().await?;
    assert_eq!(signing.post(full("{}")).await?.status, 200);
    signing.signed("dynamodb").await?;
    for _ in 0..20 {
        let body = in_pieces(vec![bytes(1_000); 50], Duration::from_millis(100), &[]);
        let leaving = signing.post(body);
        assert!(tokio::time::timeout(Duration::from_millis(60), leaving).await.is_err(), "it is read until it leaves");
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(signing.arrived().await?.len(), 0);
    assert_eq!(signing.post(full("{}")).await?.status, 200);
    signing.signed("dynamodb").await?;
    assert_eq!(signing.edge.vm_reloads().await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_that_dies_lets_nothing_of_what_it_held_go_on() -> Result<()> {
    let signing = Signing::start_as(Plan::default().faults(), |_| {}).await?;
    let pieces = || in_pieces(vec![bytes(9_000); 12], Duration::from_millis(100), &[]);
    for fault in ["trap-after-ask", "trap"] {
        // One that is read in the VM that dies, and one that makes it die.
        let token = native_token(fault, 0);
        let headers = [("x-amz-security-token", token.as_str())];
        signing.edge.sts.script(|script| script.delay = Duration::from_secs(5));
        let held = signing.send(Method::POST, "/db/", &headers, pieces());
        let killing = async {
            tokio::time::sleep(Duration::from_millis(250)).await;
            let token = native_token(&format!("{fault}-2"), 0);
            let headers = [("x-amz-security-token", token.as_str()), ("x-cloakroom-fault", fault)];
            signing.send(Method::POST, "/db/", &headers, pieces()).await
        };
        let both = async { tokio::join!(held, killing) };
        if let Ok((held, killing)) = tokio::time::timeout(Duration::from_secs(3), both).await {
            for answer in [held, killing].into_iter().flatten() {
                assert!(answer.status.is_server_error(), "{} {}", answer.status, answer.text());
            }
        }
        assert_eq!(signing.arrived().await?.len(), 0, "{fault}");
        signing.edge.sts.script(|script| script.delay = Duration::ZERO);
    }
    assert!(signing.edge.vm_reloads().await? > 0, "it did die");
    assert_eq!(signing.post(full("{}")).await?.status, 200, "and a new one took its place");
    signing.signed("dynamodb").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_access_signature_stands_behind_the_query() -> Result<()> {
    let signing = Signing::start().await?;
    let bearer = format!("Bearer {}", native_token("w-1", 0));
    let headers = [("authorization", bearer.as_str()), ("x-ms-version", "2025-05-05")];
    for (path, wanted) in [
        ("/blob/c?restype=container&comp=list", format!("/blob/c?restype=container&comp=list&{SAS}")),
        ("/blob/c/b", format!("/blob/c/b?{SAS}")),
        ("/blob/c/b?access_token=placeholder&timeout=5", format!("/blob/c/b?timeout=5&{SAS}")),
    ] {
        let answer = signing.client.get(&signing.url(path), &headers).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let arrived = signing.arrived().await?;
        assert_eq!((arrived[0].path.as_str(), arrived[0].header("authorization")), (wanted.as_str(), ""));
    }
    assert_eq!(signing.edge.outcomes().await?.hit, 2);
    Ok(())
}
