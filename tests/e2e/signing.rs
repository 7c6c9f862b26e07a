//! Requests that the edge signs, and those that get a shared access signature: on a real Envoy, before an upstream that
//! computes every signature anew.

use harness::{
    Result,
    aws::sigv4::{Scope, Signable, hash},
    client::{Answer, Body, Client, full},
    edge_only::{EdgeOnly, Plan, http, route},
    native_token::{MARK, native_token},
    upstream::{Recorded, Upstream},
};
use http::{Method, Request};
use serde_json::{Value, json};
use token::aws_keys::AwsKeys;

/// Bodies that are read to be signed.
mod bodies;

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
