//! Opaque tokens: their server is asked, and no other.

use std::path::{Path, PathBuf};

use harness::{
    Result,
    client::{Answer, Client},
    clouds::{cloud::Cloud, introspection},
    topology::{Plan, Topology},
    workspace,
};
use http::Method;
use serde_json::{Value, json};

use crate::sts::exchange;

/// A topology with a server of opaque tokens.
struct Opaque {
    topology: Topology,
    probe: Client,
    _secret: tempfile::TempDir,
}

impl Opaque {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{}\n", introspection::SECRET))?;
        let plan = Plan::default()
            .policy(policy()?)
            .plugin(|plugin| {
                plugin["routes"]["gcp-reports"]["exchange"]["subject_token_type"] =
                    json!("urn:ietf:params:oauth:token-type:access_token");
            })
            .sts(move |config| add_source(config, &secret));
        let topology = plan.start().await?;
        topology.remember(introspection::SECRET);
        let probe = Client::with_certificate(&topology.pki, "probe")?;
        Ok(Self { topology, probe, _secret: folder })
    }

    async fn post(&self, path: &str, body: String) -> Result<Answer> {
        let url = self.topology.cloud_url(&format!("/introspection/{path}"));
        self.topology.client.request(Method::POST, &url, &[], body).await
    }

    /// A token whose server says this of it besides the usual.
    async fn token(&self, claims: Value) -> Result<String> {
        let token = self.post("token", claims.to_string()).await?.text();
        self.topology.remember(&token);
        Ok(token)
    }

    async fn exchange(&self, token: &str) -> Result<Answer> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("resource", "https://reports.gcp.cloakroom.test"),
        ];
        exchange(&self.probe, &self.topology.sts.url(), &form).await
    }

    async fn refused(&self, token: &str, status: u16, reason: &str) -> Result<Value> {
        let answer = self.exchange(token).await?;
        let body = answer.json()?;
        assert_eq!((answer.status.as_u16(), body["reason"].as_str()), (status, Some(reason)), "{body}");
        assert!(body["claim"].is_string() && body["got"].is_string() && body["wanted"].is_string(), "{body}");
        Ok(body)
    }

    async fn asked(&self) -> Result<u64> {
        let url = self.topology.cloud_url("/introspection/requests");
        let requests = self.topology.client.get(&url, &[]).await?.json()?;
        Ok(requests["introspections"].as_u64().unwrap_or(0))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opaque_token_counts_until_it_is_revoked() -> Result<()> {
    let opaque = Opaque::start().await?;
    let topology = &opaque.topology;
    let (token, other) = (opaque.token(json!({})).await?, opaque.token(json!({})).await?);
    let answer = opaque.exchange(&token).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let issued = answer.json()?["access_token"].as_str().map(str::to_owned).ok_or("no token")?;
    let payload = token::base64url::decode(issued.split('.').nth(1).ok_or("no payload")?)?;
    let claims: Value = serde_json::from_slice(&payload)?;
    assert_eq!(claims["sub"], "spiffe://cloakroom.test/oidc/legacy/batch");
    assert_eq!(opaque.exchange(&format!("{token}\n")).await?.status, 200);
    // Through the edge, which knows no difference.
    let answer = topology.call("/gcp-reports/q3", &other).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());

    assert_eq!(opaque.post("revoke", token.clone()).await?.status, 204);
    opaque.refused(&token, 400, "subject_revoked").await?;
    let answer = topology.call("/gcp-reports/q3", &token).await?;
    assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (401, "subject_revoked"));
    assert_eq!(opaque.exchange(&other).await?.status, 200);
    opaque.refused("never-issued", 400, "subject_revoked").await?;
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_believed_only_if_it_is_for_us_alone_and_binds_no_key() -> Result<()> {
    let opaque = Opaque::start().await?;
    for (claims, reason, claim) in [
        (json!({"aud": "https://other.test"}), "subject_audience_mismatch", "aud"),
        (json!({"aud": ["https://sts.cloakroom.test", "https://other.test"]}), "subject_audience_mismatch", "aud"),
        (json!({"aud": null}), "subject_audience_mismatch", "aud"),
        (json!({"iss": "https://legacy.cloakroom.test/"}), "subject_claim_mismatch", "iss"),
        (json!({"sub": null}), "subject_claim_mismatch", "sub"),
        (json!({"exp": null}), "subject_claim_mismatch", "exp"),
        (json!({"exp": 1}), "subject_revoked", "active"),
        (json!({"nbf": 4_000_000_000_u64}), "subject_token_not_yet_valid", "nbf"),
        (json!({"cnf": {"jkt": "x"}, "token_type": "DPoP"}), "subject_claim_mismatch", "cnf"),
        (json!({"token_type": "DPoP"}), "subject_claim_mismatch", "token_type"),
    ] {
        let token = opaque.token(claims.clone()).await?;
        let said = opaque.refused(&token, 400, reason).await?;
        assert_eq!(said["claim"], claim, "{claims}: {said}");
    }
    assert_eq!(opaque.exchange(&opaque.token(json!({"iss": null, "token_type": null})).await?).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_and_a_jwt_have_nothing_to_do_with_each_other() -> Result<()> {
    let opaque = Opaque::start().await?;
    let token = opaque.token(json!({})).await?;
    for answer in ["503", "429", "401"] {
        opaque.post(&format!("trouble?answer={answer}"), String::new()).await?;
        opaque.refused(&token, 503, "review_unavailable").await?;
    }
    let asked = opaque.asked().await?;
    // JWTs go by their signature, whatever type is declared.
    let native = opaque.topology.native(Cloud::Aws).await?;
    assert_eq!(opaque.exchange(&native).await?.status, 200);
    assert_eq!(opaque.topology.call("/gcp-reports/q3", &native).await?.status, 200);
    assert_eq!(opaque.asked().await?, asked, "the server was shown a JWT");
    opaque.post("trouble?answer=ok", String::new()).await?;
    assert_eq!(opaque.exchange(&token).await?.status, 200);
    Ok(())
}

fn add_source(config: &mut Value, secret: &Path) {
    let sources = config["sources"].as_array_mut().into_iter().flatten().collect::<Vec<_>>();
    let jwks = sources.first().map(|source| source["jwks"].clone()).unwrap_or_default();
    let host = jwks["uri"].as_str().and_then(|uri| uri.split('/').nth(2)).unwrap_or_default().to_owned();
    let source = json!({
        "name": "legacy",
        "audience": "https://sts.cloakroom.test",
        "preset": {"introspection": {
            "issuer": introspection::ISSUER,
            "endpoint": format!("https://{host}/introspection/introspect"),
            "client": {"client_id": introspection::CLIENT, "secret_file": PathBuf::from(secret)},
            "token_type_hint": "access_token",
            "ca_file": jwks["ca_file"],
            "allow_private_addresses": true,
            "timeout_ms": 5000,
            "remember_seconds": 0
        }}
    });
    config["sources"].as_array_mut().into_iter().for_each(|sources| sources.push(source.clone()));
}

fn policy() -> Result<String> {
    let policy = std::fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    let workload = "Cloakroom::Workload::\"spiffe://cloakroom.test/oidc/legacy/batch\"";
    Ok(format!(
        "{policy}\n@id(\"proxies-speak-for-batch\") permit (principal is Cloakroom::Proxy, action == \
         Cloakroom::Action::\"act_for\", resource == {workload});\n@id(\"batch-reads\") @scope(\"reports.read\") permit (principal \
         == {workload}, action == Cloakroom::Action::\"exchange\", resource == \
         Cloakroom::Target::\"https://reports.gcp.cloakroom.test\");\n"
    ))
}
