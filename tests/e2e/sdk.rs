//! SDKs as they come from the package index, with the lines that `sts-backend/docs/sdks.md` has for them: they fetch the
//! subject tokens, and Google's exchanges them too.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use harness::{
    Result,
    clouds::{cloud::Cloud, metadata::IDENTITY_HEADER},
    python::environment,
    topology::{Plan, Topology},
    workspace,
};
use http::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_fetches_an_identity_token_that_the_edge_exchanges() -> Result<()> {
    let topology = Topology::start().await?;
    let host = topology.metadata_authority().await?;
    let environment = [("GCE_METADATA_HOST", host.as_str()), ("GCE_METADATA_IP", &host)];
    let token = token(&topology, &run(&topology, &block("google-metadata")?, &environment)?)?;
    let answer = topology.call("/aws-orders/4711", &token).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    arrived(&topology, Cloud::Gcp, ORDERS).await?;

    // A token for somebody else is fetched just as well, and worth nothing here.
    let other = block("google-metadata")?.replace("https://sts.cloakroom.test", "https://other.test");
    let other = self::token(&topology, &run(&topology, &other, &environment)?)?;
    refused(&topology, &other, "subject_audience_mismatch").await?;
    // A machine whose clock is two hours behind gives tokens that have expired.
    topology.client.request(Method::POST, &topology.cloud_url("/metadata?skew=-7200"), &[], "").await?;
    let stale = self::token(&topology, &run(&topology, &block("google-metadata")?, &environment)?)?;
    refused(&topology, &stale, "subject_token_expired").await?;
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_identity_fetches_a_managed_identitys_token_that_the_edge_exchanges() -> Result<()> {
    let topology = Topology::start().await?;
    let (machine, app) = (topology.metadata_url("").await?, topology.metadata_url("/msi/token").await?);
    let machine = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", machine.as_str())];
    let app = [("IDENTITY_ENDPOINT", app.as_str()), ("IDENTITY_HEADER", IDENTITY_HEADER)];
    let snippet = block("azure-managed-identity")?;
    // The application's other name asks for a token of version 2.
    let version_2 = snippet.replace(Cloud::AzureV1.audience(), Cloud::Azure.audience());
    for (snippet, environment) in [(&snippet, &machine[..]), (&version_2, &machine), (&snippet, &app)] {
        topology.forget().await?;
        let token = token(&topology, &run(&topology, snippet, environment)?)?;
        let answer = topology.call("/gcp-reports/q3", &token).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        arrived(&topology, Cloud::AzureV1, REPORTS).await?;
    }
    topology.tell(Cloud::AzureV1, "rotate?drop=true").await?;
    let rotated = token(&topology, &run(&topology, &snippet, &machine)?)?;
    assert_eq!(topology.call("/gcp-reports/q3", &rotated).await?.status, 200);

    let nobody = snippet.replace("Credential()", "Credential(client_id='00000000-0000-0000-0000-000000000000')");
    let said = run(&topology, &nobody, &machine)?;
    assert_eq!(said["error"], "CredentialUnavailableError", "{said}");
    let nothing = snippet.replace("api://sts", "api://nothing");
    let said = run(&topology, &nothing, &machine)?;
    assert!(said["description"].as_str().is_some_and(|said| said.contains("AADSTS500011")), "{said}");
    assert_eq!(topology.leaks().await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_tokens_from_every_source() -> Result<()> {
    let topology = Plan::default().policy(policy()?).start().await?;
    let host = topology.metadata_authority().await?;

    let native = topology.native(Cloud::Kubernetes).await?;
    let file = topology.folder().join("token");
    fs::write(&file, format!("{native}\n"))?;
    let said = exchange(&topology, "file", |source| source["file"] = json!(file))?;
    issued(&said, Cloud::Kubernetes, REPORTS)?;
    for (name, cloud, resource) in [("url-text", Cloud::Gcp, ORDERS), ("url-json", Cloud::AzureV1, REPORTS)] {
        let said = exchange(&topology, name, |source| {
            let url = source["url"].as_str().unwrap_or_default();
            let here = url.replace("metadata.google.internal", &host).replace("169.254.169.254", &host);
            source["url"] = json!(here);
        })?;
        issued(&said, cloud, resource)?;
    }
    let said = executable(&topology, &topology.native(Cloud::Aws).await?)?;
    issued(&said, Cloud::Aws, REPORTS)?;

    let said = executable(&topology, "not.a.token")?;
    assert_eq!(said["error"], "OAuthError", "{said}");
    assert!(said["description"].as_str().is_some_and(|said| said.contains("invalid_request")), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_servers_refuse_what_the_real_ones_refuse() -> Result<()> {
    let topology = Topology::start().await?;
    let gce = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=a";
    let imds = "/metadata/identity/oauth2/token?resource=api://sts.cloakroom.test&api-version=";
    let (google, azure) = (("metadata-flavor", "Google"), ("metadata", "true"));
    let forwarded = ("x-forwarded-for", "192.0.2.1");
    let (fine, old) = (format!("{imds}2018-02-01"), format!("{imds}2010-01-01"));
    let cases: [(&str, Headers<'_>, u16); 10] = [
        (gce, &[google], 200),
        (gce, &[], 403),
        (gce, &[google, forwarded], 403),
        (gce.trim_end_matches("?audience=a"), &[google], 400),
        (&fine, &[azure], 200),
        (&fine, &[], 400),
        (&fine, &[azure, forwarded], 400),
        (&old, &[azure], 400),
        ("/msi/token?api-version=2019-08-01&resource=api://sts.cloakroom.test", &[("x-identity-header", "guess")], 401),
        ("/computeMetadata/v1/project/project-id", &[google], 200),
    ];
    for (path, headers, status) in cases {
        let answer = topology.client.get(&topology.metadata_url(path).await?, headers).await?;
        assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.text());
    }
    let trouble = |answer: &str| topology.cloud_url(&format!("/metadata?answer={answer}"));
    for (answer, status) in [("503", 503), ("ok", 200)] {
        topology.client.request(Method::POST, &trouble(answer), &[], "").await?;
        assert_eq!(topology.client.get(&topology.metadata_url(gce).await?, &[google]).await?.status, status);
    }
    Ok(())
}

/// The shipped policy, and permits to exchange without an edge for the workloads here that have none.
fn policy() -> Result<String> {
    let mut policy = fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?;
    for (cloud, resource) in [(Cloud::Gcp, ORDERS), (Cloud::AzureV1, REPORTS)] {
        let workload = cloud.spiffe_id(cloud.workload());
        policy.push_str(&format!(
            "@id(\"{cloud:?}-exchanges\") permit (principal == Cloakroom::Workload::\"{workload}\", action == \
             Cloakroom::Action::\"exchange_directly\", resource == Cloakroom::Target::\"{resource}\");\n"
        ));
    }
    Ok(policy)
}

/// What Google's client says of a token that a program prints.
fn executable(topology: &Topology, native: &str) -> Result<Value> {
    let (program, output) = (topology.folder().join("platform-token"), topology.folder().join("printed"));
    fs::write(&output, block("executable-output")?.replace("TOKEN", native))?;
    fs::write(&program, format!("#!/bin/sh\nexec cat {}\n", output.display()))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    exchange(topology, "executable", |source| source["executable"]["command"] = json!(program))
}

/// What Google's client says with a credential file of the page, whose source is `changed` to what runs here.
fn exchange(topology: &Topology, name: &str, changed: impl FnOnce(&mut Value)) -> Result<Value> {
    let mut file: Value = serde_json::from_str(&block(name)?)?;
    file["token_url"] = json!(format!("{}/oauth2/token", topology.sts.no_client_certificate_url()));
    changed(&mut file["credential_source"]);
    let path = topology.folder().join(format!("{name}.json"));
    fs::write(&path, file.to_string())?;
    let path = path.to_string_lossy();
    let environment = [("GOOGLE_APPLICATION_CREDENTIALS", &*path), ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")];
    run(topology, &block("google-external")?, &environment)
}

fn run(topology: &Topology, snippet: &str, variables: &[(&str, &str)]) -> Result<Value> {
    let output = Command::new(environment()?)
        .arg(workspace::root().join("tests/e2e/interop/snippet.py"))
        .arg(snippet)
        .env("REQUESTS_CA_BUNDLE", topology.pki.ca())
        // The proxies of whoever runs this are not on the way to loopback.
        .env("NO_PROXY", "127.0.0.1")
        .envs(variables.iter().copied())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(&said).map_err(|_| format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// The page's block of that name.
fn block(name: &str) -> Result<String> {
    let path = workspace::root().join("sts-backend/docs/sdks.md");
    let page = fs::read_to_string(&path)?;
    let block = page.split("```").skip(1).step_by(2).find_map(|block| {
        let (head, body) = block.split_once('\n')?;
        (head.split_once(' ')?.1 == name).then(|| body.to_owned())
    });
    block.ok_or_else(|| format!("no block `{name}` in {}", path.display()).into())
}

fn token(topology: &Topology, said: &Value) -> Result<String> {
    let token = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    topology.remember(token);
    Ok(token.to_owned())
}

fn issued(said: &Value, cloud: Cloud, resource: &str) -> Result<()> {
    let token = said["token"].as_str().ok_or_else(|| format!("no token: {said}"))?;
    let payload = token::base64url::decode(token.split('.').nth(1).ok_or("not a JWT")?)?;
    let claims: Value = serde_json::from_slice(&payload)?;
    assert_eq!(claims["sub"], cloud.spiffe_id(cloud.workload()));
    assert_eq!(claims["aud"], resource);
    Ok(())
}

/// The service saw one call, of that cloud's workload.
async fn arrived(topology: &Topology, cloud: Cloud, resource: &str) -> Result<()> {
    let recorded = topology.recorded().await?;
    let [seen] = recorded.as_slice() else { return Err(format!("{} calls arrived", recorded.len()).into()) };
    assert_eq!(seen.header("x-cloakroom-subject"), cloud.spiffe_id(cloud.workload()));
    assert_eq!(seen.header("x-cloakroom-audience"), resource);
    Ok(())
}

async fn refused(topology: &Topology, token: &str, reason: &str) -> Result<()> {
    let answer = topology.call("/aws-orders/4711", token).await?;
    assert_eq!((answer.status.as_u16(), answer.header("x-cloakroom-reason")), (401, reason), "{}", answer.text());
    Ok(())
}

type Headers<'a> = &'a [(&'a str, &'a str)];

const ORDERS: &str = "https://orders.aws.cloakroom.test";
const REPORTS: &str = "https://reports.gcp.cloakroom.test";
