//! The tenant as a whole, over TLS: what it opens to whom, and what it refuses.

use serde_json::{Value, json};

use super::{tenant::Assignment, *};
use crate::{
    Result,
    client::Answer,
    clock,
    federation::{
        authority::Header,
        platform::Running,
        rehearsal::{ISSUER, Rehearsal, request},
    },
    server::bind,
};

mod blobs;

const STORAGE: &str = "https://storage.azure.com/.default";

struct Scene {
    rehearsal: Rehearsal,
    azure: Running<Tenant>,
}

impl Scene {
    async fn start() -> Result<Self> {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Setup)) -> Result<Self> {
        let rehearsal = Rehearsal::start().await?;
        let mut setup = Setup::trusting(ISSUER);
        change(&mut setup);
        let tenant = Tenant::new(setup, ISSUER, rehearsal.server.address(), &rehearsal.pki)?;
        let azure = Running::start(bind("127.0.0.1:0".parse()?).await?, tenant, &rehearsal.pki, "azure")?;
        Ok(Self { rehearsal, azure })
    }

    async fn send(&self, asked: &Asked) -> Result<Answer> {
        self.rehearsal.send(self.azure.address(), asked).await
    }

    fn assertion(&self, changes: Value) -> Result<String> {
        self.assertion_under(Header::RS256, changes)
    }

    fn assertion_under(&self, header: Header<'_>, mut changes: Value) -> Result<String> {
        if changes.get("sub").is_none() {
            changes["sub"] = json!(Setup::SUBJECT);
        }
        self.rehearsal.assertion_under(header, Setup::AUDIENCE, changes)
    }

    /// A request for a token with some parameters changed, or left out where they are empty.
    async fn ask(&self, jwt: &str, changes: &[(&str, &str)]) -> Result<Answer> {
        let mut form = vec![
            ("client_assertion", jwt),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_id", Setup::CLIENT),
            ("grant_type", "client_credentials"),
            ("scope", STORAGE),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", Setup::TENANT);
        self.send(&request("POST", &url, &[("content-type", "application/x-www-form-urlencoded")], &body)).await
    }

    async fn token(&self, scope: &str) -> Result<String> {
        let answer = self.ask(&self.assertion(json!({}))?, &[("scope", scope)]).await?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Ok(answer.json()?["access_token"].as_str().ok_or("no token")?.to_owned())
    }

    fn switch(&self, query: &str) -> Result<()> {
        Ok(self.azure.switches().tell(query)?)
    }
}

fn code(answer: &Answer) -> Result<(u16, u64, String)> {
    let body = answer.json()?;
    let error = body["error"].as_str().unwrap_or_default().to_owned();
    Ok((answer.status.as_u16(), body["error_codes"][0].as_u64().unwrap_or_default(), error))
}

#[tokio::test]
async fn an_assertion_speaks_for_an_app_if_its_credential_says_so_to_the_letter() -> Result<()> {
    let scene = Scene::start().await?;
    let answer = scene.ask(&scene.assertion(json!({}))?, &[]).await?.json()?;
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer["expires_in"].as_i64().is_some_and(|seconds| (3599..5400).contains(&seconds)), "{answer}");
    let seen = scene.azure.seen().remove(0);
    assert_eq!((seen.service.as_str(), &seen.facts["assertion"]["sub"]), ("entra", &json!(Setup::SUBJECT)));

    let now = clock::now();
    for (changes, wanted) in [
        (json!({"iss": "https://sts.cloakroom.test/"}), 700_211),
        (json!({"iss": "https://STS.cloakroom.test"}), 7_002_138),
        (json!({"sub": "spiffe://cloakroom.test/destination/other"}), 700_213),
        (json!({"sub": "spiffe://cloakroom.test/destination/Entra"}), 7_002_138),
        (json!({"aud": "api://AzureADTokenExchangeChina"}), 700_212),
        (json!({"aud": "api://azureADTokenExchange"}), 7_002_138),
        (json!({"aud": [Setup::AUDIENCE]}), 700_212),
        (json!({"exp": now}), 700_024),
        (json!({"exp": null}), 700_024),
        (json!({"nbf": null}), 700_024),
        (json!({"nbf": now + 600, "exp": now + 900}), 700_024),
    ] {
        let answer = scene.ask(&scene.assertion(changes.clone())?, &[]).await?;
        assert_eq!(code(&answer)?, (401, wanted, "invalid_client".into()), "{changes}");
    }
    for (header, status, wanted) in [
        (Header { algorithm: "ES256", typ: "JWT", kid: Some("es256-1") }, 401, 5_002_738),
        (Header { kid: Some("other"), ..Header::RS256 }, 401, 7_000_272),
        (Header { kid: None, ..Header::RS256 }, 401, 7_000_272),
        (Header { kid: Some("es256-1"), ..Header::RS256 }, 401, 700_027),
        (Header { typ: "at+jwt", ..Header::RS256 }, 400, 50_027),
    ] {
        let answer = scene.ask(&scene.assertion_under(header, json!({}))?, &[]).await?;
        assert_eq!(code(&answer)?.0, status, "{header:?}");
        assert_eq!(code(&answer)?.1, wanted, "{header:?}");
    }
    scene.switch("keys=unreachable")?;
    assert_eq!(code(&scene.ask(&scene.assertion(json!({}))?, &[]).await?)?.1, 50_166);
    Ok(())
}

#[tokio::test]
async fn parameters_are_what_entra_wants() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.assertion(json!({}))?;
    let other = "00000000-0000-4000-8000-000000000000";
    for (name, value, wanted) in [
        ("client_id", other, (400, 700_016, "unauthorized_client")),
        ("client_id", "", (400, 900_144, "invalid_request")),
        ("scope", "https://storage.azure.com/user_impersonation", (400, 1_002_012, "invalid_scope")),
        ("scope", "https://other.test/.default", (400, 500_011, "invalid_resource")),
        ("grant_type", "password", (400, 70_003, "unsupported_grant_type")),
        ("client_assertion_type", "jwt", (400, 900_144, "invalid_request")),
        ("client_assertion", "x.y.z", (400, 50_027, "invalid_request")),
    ] {
        let (status, number, error) = wanted;
        let answer = scene.ask(&jwt, &[(name, value)]).await?;
        assert_eq!(code(&answer)?, (status, number, error.to_owned()), "{name} {value}");
        assert!(
            answer.json()?["error_description"].as_str().unwrap_or_default().starts_with(&format!("AADSTS{number}: "))
        );
    }
    let elsewhere = format!("https://login.microsoftonline.com/{other}/oauth2/v2.0/token");
    let answer =
        scene.send(&request("POST", &elsewhere, &[("content-type", "application/x-www-form-urlencoded")], "")).await?;
    assert_eq!(code(&answer)?.1, 90_002);
    Ok(())
}

#[tokio::test]
async fn troubles_and_lies_are_told_in_azure_s_own_words() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.assertion(json!({}))?;
    scene.switch("trouble=unaware:2")?;
    for wanted in [Some(70_021), Some(70_021), None] {
        let answer = scene.ask(&jwt, &[]).await?;
        assert_eq!(answer.json()?["error_codes"][0].as_u64(), wanted);
    }
    scene.switch("trouble=throttle")?;
    let throttled = scene.ask(&jwt, &[]).await?;
    assert_eq!((code(&throttled)?.0, throttled.header("retry-after")), (429, "2"));
    scene.switch("trouble=outage")?;
    assert_eq!(code(&scene.ask(&jwt, &[]).await?)?, (503, 90_033, "temporarily_unavailable".into()));
    scene.switch("trouble=lie:ended")?;
    assert_eq!(scene.ask(&jwt, &[]).await?.json()?["expires_in"], -1);
    scene.switch("trouble=lie:cut")?;
    assert!(scene.ask(&jwt, &[]).await?.json().is_err());
    Ok(())
}
