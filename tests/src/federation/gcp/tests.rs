//! The project as a whole, over TLS: what it opens to whom, and what it refuses.

use serde_json::{Value, json};

use super::*;
use crate::{
    Result,
    client::Answer,
    clock,
    federation::{
        authority::Header,
        platform::Running,
        rehearsal::{ISSUER, Rehearsal, WORKLOAD, request},
    },
    server::bind,
};

mod services;

const STS: &str = "https://sts.googleapis.com/v1/token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

struct Scene {
    rehearsal: Rehearsal,
    gcp: Running<Project>,
    provider: String,
}

impl Scene {
    async fn start() -> Result<Self> {
        let rehearsal = Rehearsal::start().await?;
        let project = Project::new(Setup::default(), ISSUER, rehearsal.server.address(), &rehearsal.pki)?;
        let gcp = Running::start(bind("127.0.0.1:0".parse()?).await?, project, &rehearsal.pki, "gcp")?;
        Ok(Self { rehearsal, gcp, provider: Setup::default().provider })
    }

    async fn send(&self, asked: &Asked) -> Result<Answer> {
        self.rehearsal.send(self.gcp.address(), asked).await
    }

    fn assertion(&self, changes: Value) -> Result<String> {
        self.rehearsal.assertion(&format!("https:{}", self.provider), changes)
    }

    async fn post(&self, url: &str, form: Vec<(&str, &str)>) -> Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        self.send(&request("POST", url, &[kind], &body)).await
    }

    /// An exchange with some parameters changed, or left out where they are empty.
    async fn exchange(&self, jwt: &str, changes: &[(&str, &str)]) -> Result<Answer> {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", self.provider.as_str()),
            ("scope", PLATFORM),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", jwt),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        self.post(STS, form).await
    }

    async fn federated(&self) -> Result<String> {
        token(&self.exchange(&self.assertion(json!({}))?, &[]).await?, "access_token")
    }

    async fn credentials(&self, bearer: &str, method: &str, body: &Value) -> Result<Answer> {
        self.credentials_of(Setup::SERVICE_ACCOUNT, bearer, method, body).await
    }

    async fn credentials_of(&self, email: &str, bearer: &str, method: &str, body: &Value) -> Result<Answer> {
        let url = format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:{method}");
        let bearer = format!("Bearer {bearer}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        self.send(&request("POST", &url, &headers, &body.to_string())).await
    }

    async fn narrow(&self, source: &str, options: &str) -> Result<Answer> {
        let form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", source),
            ("subject_token_type", ACCESS_TOKEN),
            ("options", options),
        ];
        self.post(STS, form).await
    }
}

fn token(answer: &Answer, member: &str) -> Result<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.json()?[member].as_str().ok_or("no token")?.to_owned())
}

fn code(answer: &Answer) -> Result<(u16, String)> {
    let error = &answer.json()?["error"];
    let code = error.as_str().or(error["status"].as_str()).or(error["errors"][0]["reason"].as_str());
    Ok((answer.status.as_u16(), code.unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn an_assertion_that_google_would_not_believe_is_exchanged_for_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let now = clock::now();
    assert_eq!(scene.exchange(&scene.assertion(json!({}))?, &[]).await?.json()?["expires_in"], 3599);
    let assertion = |claims: Value| (claims, "invalid_grant");
    for (changes, wanted) in [
        assertion(json!({"aud": "https://other.test"})),
        assertion(json!({"aud": [scene.provider.clone(), "b"]})),
        assertion(json!({"iss": "https://other.test"})),
        assertion(json!({"exp": now})),
        assertion(json!({"exp": null})),
        assertion(json!({"iat": null})),
        assertion(json!({"iat": now + 600, "exp": now + 900})),
        assertion(json!({"iat": now - 90_000, "nbf": null})),
        assertion(json!({"sub": null})),
        assertion(json!({"sub": format!("spiffe://cloakroom.test/{}", "x".repeat(104))})),
        (json!({"sub": "spiffe://other.test/x"}), "unauthorized_client"),
    ] {
        let answer = scene.exchange(&scene.assertion(changes.clone())?, &[]).await?;
        assert_eq!(code(&answer)?, (400, wanted.to_owned()), "{changes}");
    }
    for header in [
        Header { kid: Some("other"), ..Header::RS256 },
        Header { kid: None, ..Header::RS256 },
        Header { typ: "at+jwt", ..Header::RS256 },
    ] {
        let jwt = scene.rehearsal.assertion_under(header, &scene.provider, json!({}))?;
        assert_eq!(code(&scene.exchange(&jwt, &[]).await?)?, (400, "invalid_grant".into()), "{header:?}");
    }
    let es256 = Header { algorithm: "ES256", typ: "JWT", kid: Some("es256-1") };
    let jwt = scene.rehearsal.assertion_under(es256, &scene.provider, json!({}))?;
    assert_eq!(scene.exchange(&jwt, &[]).await?.status, 200);
    scene.gcp.switches().tell("keys=unreachable")?;
    let refused = scene.exchange(&jwt, &[]).await?;
    assert!(refused.text().contains("Error connecting"), "{}", refused.text());
    Ok(())
}

#[tokio::test]
async fn parameters_are_what_google_wants() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.assertion(json!({}))?;
    let other = scene.provider.replace("providers/sts", "providers/other");
    for (name, value, wanted) in [
        ("audience", "https://other.test", "invalid_request"),
        ("audience", &format!("https:{}", scene.provider), "invalid_request"),
        ("audience", &other, "invalid_target"),
        ("scope", "", "invalid_request"),
        ("grant_type", "client_credentials", "invalid_request"),
        ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt", "invalid_request"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2", "invalid_request"),
        ("subject_token", "x.y.z", "invalid_grant"),
        ("resource", "https://other.test", "invalid_request"),
    ] {
        assert_eq!(code(&scene.exchange(&jwt, &[(name, value)]).await?)?, (400, wanted.to_owned()), "{name} {value}");
    }
    let form = "grant_type=x";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "Bearer x")];
    assert_eq!(code(&scene.send(&request("POST", STS, &headers, form)).await?)?, (401, "invalid_client".into()));
    Ok(())
}

#[tokio::test]
async fn a_service_account_is_lent_to_those_who_may_use_it() -> Result<()> {
    let scene = Scene::start().await?;
    let federated = scene.federated().await?;
    let body = json!({"scope": [STORAGE], "lifetime": "900s", "delegates": []});
    let answer = scene.credentials(&federated, "generateAccessToken", &body).await?;
    assert_eq!(answer.json()?["expireTime"].as_str().map(str::len), Some("2026-11-22T08:54:04Z".len()));
    token(&answer, "accessToken")?;
    let seen = scene.gcp.seen_by("iamcredentials").remove(0);
    assert!(seen.principal.ends_with(&format!("/subject/{WORKLOAD}")), "{}", seen.principal);

    for (body, wanted) in [
        (json!({"lifetime": "900s"}), "INVALID_ARGUMENT"),
        (json!({"scope": []}), "INVALID_ARGUMENT"),
        (json!({"scope": ["storage"]}), "INVALID_ARGUMENT"),
        (json!({"scope": [STORAGE], "lifetime": "3601s"}), "INVALID_ARGUMENT"),
        (json!({"scope": [STORAGE], "lifetime": "0s"}), "INVALID_ARGUMENT"),
        (json!({"scope": [STORAGE], "lifetime": 900}), "INVALID_ARGUMENT"),
        (json!({"scope": [STORAGE], "life": "900s"}), "INVALID_ARGUMENT"),
        (json!({"scope": [STORAGE], "delegates": ["x"]}), "INVALID_ARGUMENT"),
    ] {
        let answer = scene.credentials(&federated, "generateAccessToken", &body).await?;
        assert_eq!(code(&answer)?, (400, wanted.to_owned()), "{body}");
    }
    let stranger = scene.credentials("ya29.d.x", "generateAccessToken", &body).await?;
    assert_eq!(code(&stranger)?, (401, "UNAUTHENTICATED".into()));
    let unknown = scene
        .credentials_of("other@acme-data.iam.gserviceaccount.com", &federated, "generateAccessToken", &body)
        .await?;
    assert_eq!(code(&unknown)?, (404, "NOT_FOUND".into()));
    let narrow_scope = scene.exchange(&scene.assertion(json!({}))?, &[("scope", STORAGE)]).await?;
    let refused = scene.credentials(&token(&narrow_scope, "access_token")?, "generateAccessToken", &body).await?;
    assert_eq!(code(&refused)?, (403, "PERMISSION_DENIED".into()));
    Ok(())
}

#[tokio::test]
async fn only_its_users_have_a_service_account() -> Result<()> {
    let rehearsal = Rehearsal::start().await?;
    let mut setup = Setup::default();
    let pool = setup.provider.trim_start_matches('/').split("/providers/").next().unwrap_or_default().to_owned();
    setup.service_accounts[0].users = vec![format!("principal://{pool}/subject/spiffe://cloakroom.test/other")];
    let provider = setup.provider.clone();
    let project = Project::new(setup, ISSUER, rehearsal.server.address(), &rehearsal.pki)?;
    let gcp = Running::start(bind("127.0.0.1:0".parse()?).await?, project, &rehearsal.pki, "gcp")?;
    let scene = Scene { rehearsal, gcp, provider };
    let body = json!({"scope": [STORAGE]});
    let refused = scene.credentials(&scene.federated().await?, "generateAccessToken", &body).await?;
    assert_eq!(code(&refused)?, (403, "PERMISSION_DENIED".into()));
    let other = scene.assertion(json!({"sub": "spiffe://cloakroom.test/other"}))?;
    let other = token(&scene.exchange(&other, &[]).await?, "access_token")?;
    assert_eq!(scene.credentials(&other, "generateAccessToken", &body).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn troubles_and_lies_are_told_in_google_s_own_words() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.assertion(json!({}))?;
    let switch = |query: &str| scene.gcp.switches().tell(query);
    switch("trouble=throttle")?;
    assert_eq!(code(&scene.exchange(&jwt, &[]).await?)?, (429, "RESOURCE_EXHAUSTED".into()));
    switch("trouble=outage")?;
    assert_eq!(code(&scene.exchange(&jwt, &[]).await?)?, (503, "UNAVAILABLE".into()));
    switch("trouble=lie:other_kind")?;
    assert_eq!(scene.exchange(&jwt, &[]).await?.json()?["token_type"], "mac");
    switch("trouble=outage&endpoint=generateAccessToken")?;
    let federated = scene.federated().await?;
    let refused = scene.credentials(&federated, "generateAccessToken", &json!({"scope": [STORAGE]})).await?;
    assert_eq!(code(&refused)?, (503, "UNAVAILABLE".into()));
    switch("trouble=lie:empty&endpoint=generateAccessToken")?;
    let empty = scene.credentials(&federated, "generateAccessToken", &json!({"scope": [STORAGE]})).await?;
    assert_eq!(empty.json()?["accessToken"], "");
    Ok(())
}
