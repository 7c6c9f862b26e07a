//! Who may ask the STS, asked directly: by certificate, and on the listener that asks for none.

use harness::{
    Result,
    client::{Answer, Client},
    clouds::cloud::Cloud,
    topology::{Plan, Topology},
};
use http::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_proxy_gets_a_token_in_the_workload_s_name() -> Result<()> {
    let topology = Topology::start().await?;
    let client = Client::with_certificate(&topology.pki, "probe")?;
    let native = topology.native(Cloud::Aws).await?;
    let answer = exchange(&client, &topology.sts.url(), &reports(&native)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json()?;
    assert_eq!(body["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_u64()), (Some("Bearer"), Some(60)));
    let (header, claims) = decoded(&body)?;
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("at+jwt"), Some("ES256")));
    assert_eq!(claims["iss"], "https://sts.cloakroom.test");
    assert_eq!(claims["sub"], Cloud::Aws.spiffe_id("app-role"));
    assert_eq!(claims["aud"], "https://reports.gcp.cloakroom.test");
    assert_eq!(claims["act"], json!({"sub": "spiffe://cloakroom.test/edge/probe"}));
    assert_eq!(claims["scope"], "reports.read");
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16));
    assert_eq!(claims["exp"].as_u64().zip(claims["iat"].as_u64()).map(|(exp, iat)| exp - iat), Some(60));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_never_outlives_the_one_it_was_made_from() -> Result<()> {
    let topology = Topology::start().await?;
    let client = Client::with_certificate(&topology.pki, "probe")?;
    let order = harness::clouds::mint::Order { expires_in: Some(20), ..Default::default() };
    let native = topology.native_to_order(Cloud::Aws, &order).await?;
    let body = exchange(&client, &topology.sts.url(), &reports(&native)).await?.json()?;
    assert!(body["expires_in"].as_u64().is_some_and(|seconds| seconds <= 20), "{}", body["expires_in"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_no_registered_proxy_gets_nothing() -> Result<()> {
    let topology = Topology::start().await?;
    let native = topology.native(Cloud::Aws).await?;
    for party in ["stranger", "nameless"] {
        let client = Client::with_certificate(&topology.pki, party)?;
        let answer = exchange(&client, &topology.sts.url(), &reports(&native)).await?;
        assert_eq!((answer.status.as_u16(), &answer.json()?["error"]), (401, &json!("invalid_client")), "{party}");
    }
    // No certificate: the handshake does not even complete.
    assert!(exchange(&topology.client, &topology.sts.url(), &reports(&native)).await.is_err());
    // A proxy that says it is another.
    let client = Client::with_certificate(&topology.pki, "probe")?;
    let mut form = reports(&native);
    form.push(("request_context", r#"{"actor":"spiffe://cloakroom.test/edge/egress"}"#));
    let answer = exchange(&client, &topology.sts.url(), &form).await?;
    assert_eq!(answer.json()?["reason"], "actor_mismatch", "{}", answer.text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_a_workload_speaks_for_itself_and_lives_longer() -> Result<()> {
    let topology = Topology::start().await?;
    let url = topology.sts.no_client_certificate_url();
    let native = topology.native(Cloud::Aws).await?;
    let mut form = reports(&native);
    // Nobody vouches for this, so it is ignored.
    form.push(("request_context", r#"{"actor":"spiffe://cloakroom.test/edge/egress","route":"any"}"#));
    let answer = exchange(&topology.client, &url, &form).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json()?;
    assert!(
        body["expires_in"].as_u64().is_some_and(|seconds| (225..=300).contains(&seconds)),
        "{}",
        body["expires_in"]
    );
    let (_, claims) = decoded(&body)?;
    assert!(claims.get("act").is_none(), "{claims}");
    // A workload whose grants are all through proxies.
    let native = topology.native(Cloud::Gcp).await?;
    let form = [form_of(&native, "https://orders.aws.cloakroom.test")].concat();
    let answer = exchange(&topology.client, &url, &form).await?;
    assert_eq!(answer.json()?["reason"], "policy_denied", "{}", answer.text());
    for path in ["/healthz", "/metrics", "/readyz"] {
        assert_eq!(topology.client.get(&format!("{url}{path}"), &[]).await?.status, 404, "{path}");
    }
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = topology.client.get(&format!("{url}{path}"), &[]).await?.json()?;
        assert_eq!(metadata["issuer"], "https://sts.cloakroom.test");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_without_certificates_is_off_unless_asked_for() -> Result<()> {
    let plan = Plan::default().sts(|config| {
        if let Some(listeners) = config["listeners"].as_object_mut() {
            listeners.remove("no_client_certificate");
        }
    });
    let topology = plan.start().await?;
    let url = format!("{}/jwks.json", topology.sts.no_client_certificate_url());
    assert!(topology.client.get(&url, &[]).await.is_err());
    assert_eq!(topology.call("/gcp-reports/q3", &topology.native(Cloud::Aws).await?).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_answered_with_what_was_wrong_and_never_with_500() -> Result<()> {
    let topology = Topology::start().await?;
    let client = Client::with_certificate(&topology.pki, "probe")?;
    let url = format!("{}/oauth2/token", topology.sts.url());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(client.get(&url, &[]).await?.status, 405);
    let json = client.request(Method::POST, &url, &[("content-type", "application/json")], "{}").await?;
    assert_eq!(json.status, 415);
    let large = client.request(Method::POST, &url, &form, vec![b'a'; 100_000]).await?;
    assert_eq!(large.status, 413);
    let password = client.request(Method::POST, &url, &form, "grant_type=password").await?;
    assert_eq!((password.status.as_u16(), &password.json()?["error"]), (400, &json!("unsupported_grant_type")));
    let bodies: [&[u8]; 5] = [b"", b"\xff\xfe%zz&&==", b"subject_token=a&subject_token=b", &[b'&'; 60_000], &[0; 100]];
    for body in bodies {
        let answer = client.request(Method::POST, &url, &form, body.to_vec()).await?;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let said = answer.json()?;
        assert_eq!(
            said["error"],
            "invalid_request",
            "{}: {said}",
            String::from_utf8_lossy(&body[..body.len().min(40)])
        );
        assert!(!said["error_description"].as_str().unwrap_or_default().is_empty());
        assert!(!answer.header("x-cloakroom-decision-id").is_empty(), "{said}");
    }
    Ok(())
}

fn reports(native: &str) -> Vec<(&str, &str)> {
    form_of(native, "https://reports.gcp.cloakroom.test")
}

pub fn form_of<'f>(native: &'f str, resource: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", native),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("resource", resource),
    ]
}

pub async fn exchange(client: &Client, base: &str, form: &[(&str, &str)]) -> Result<Answer> {
    client.post_form(&format!("{base}/oauth2/token"), form).await
}

fn decoded(body: &Value) -> Result<(Value, Value)> {
    let token = body["access_token"].as_str().ok_or("no access_token")?;
    let mut parts = token.split('.').map(token::base64url::decode);
    let (header, claims) = (parts.next().ok_or("no header")??, parts.next().ok_or("no claims")??);
    Ok((serde_json::from_slice(&header)?, serde_json::from_slice(&claims)?))
}
