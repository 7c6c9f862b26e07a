//! Both servers and the APIs as a whole, over TLS: what they open to whom, and what they refuse.

use serde_json::{Value, json};

use super::*;
use crate::{
    client::Answer,
    clock,
    federation::{
        authority::{Authority, Header},
        platform::Running,
        rehearsal::{ISSUER, Rehearsal, WORKLOAD, claims, request},
    },
    server::bind,
};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const CLIENT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Scene {
    rehearsal: Rehearsal,
    partner: Running<Partner>,
}

impl Scene {
    async fn start() -> Result<Self> {
        Self::with(|partner| partner).await
    }

    async fn with(change: impl FnOnce(Partner) -> Partner) -> Result<Self> {
        let rehearsal = Rehearsal::start().await?;
        let listener = bind("127.0.0.1:0".parse()?).await?;
        let partner = Partner::new(ISSUER, rehearsal.server.address(), listener.local_addr()?, &rehearsal.pki)?;
        let partner = Running::start(listener, change(partner), &rehearsal.pki, "partner")?;
        Ok(Self { rehearsal, partner })
    }

    async fn ask(&self, server: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let url = format!("{}/{server}/token", self.partner.url());
        self.rehearsal.client.post_form(&url, form).await
    }

    async fn exchange(&self, subject_token: &str, changes: &[(&str, &str)]) -> Result<Answer> {
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", subject_token),
            ("subject_token_type", JWT),
            ("requested_token_type", ACCESS_TOKEN),
            ("resource", Partner::API),
            ("scope", READ),
        ];
        self.ask("partner", &changed(&form, changes)).await
    }

    fn about_workload(&self, changes: Value) -> Result<String> {
        self.rehearsal.assertion(Partner::SERVER, changes)
    }

    /// An assertion about ourselves, as a client of `server`.
    fn about_us(&self, server: &str, changes: Value) -> Result<String> {
        let mut all = json!({"iss": Partner::CLIENT, "sub": Partner::CLIENT});
        for (name, value) in changes.as_object().into_iter().flatten() {
            all[name] = value.clone();
        }
        let header = Header { typ: "client-authentication+jwt", ..Header::RS256 };
        self.rehearsal.assertion_under(header, server, all)
    }

    async fn call(&self, api: &str, method: &str, token: &str) -> Result<Answer> {
        let bearer = format!("Bearer {token}");
        let asked = request(method, &format!("{api}/q3"), &[("authorization", &bearer)], "");
        self.rehearsal.send(self.partner.address(), &asked).await
    }
}

fn changed<'f>(form: &[(&'f str, &'f str)], changes: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = form.iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    kept.chain(changes.iter().filter(|(_, value)| !value.is_empty())).copied().collect()
}

fn token(answer: &Answer) -> Result<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.json()?["access_token"].as_str().ok_or("no token")?.to_owned())
}

fn code(answer: &Answer) -> Result<(u16, String)> {
    Ok((answer.status.as_u16(), answer.json()?["error"].as_str().unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn a_token_opens_its_api_for_its_scope_and_nothing_next_door() -> Result<()> {
    let scene = Scene::start().await?;
    let answer = scene.exchange(&scene.about_workload(json!({}))?, &[]).await?;
    let body = answer.json()?;
    assert_eq!((&body["issued_token_type"], &body["scope"]), (&json!(ACCESS_TOKEN), &json!(READ)));
    let token = token(&answer)?;
    let answer = scene.call(Partner::API, "GET", &token).await?;
    assert_eq!(answer.json()?["subject"], WORKLOAD);
    let refused = scene.call(Partner::API, "POST", &token).await?;
    assert_eq!(code(&refused)?, (403, "insufficient_scope".into()));
    assert!(refused.header("www-authenticate").contains("insufficient_scope"));
    assert_eq!(code(&scene.call(Partner::NEXT_DOOR, "GET", &token).await?)?, (401, "invalid_token".into()));
    assert_eq!(code(&scene.call(Partner::API, "GET", "at.x").await?)?, (401, "invalid_token".into()));
    scene.partner.switches().tell("skew=301")?;
    assert_eq!(code(&scene.call(Partner::API, "GET", &token).await?)?, (401, "invalid_token".into()));
    let used = scene.partner.seen_by("api").remove(0);
    assert_eq!((used.principal.as_str(), &used.facts["scope"]), (WORKLOAD, &json!(READ)));
    Ok(())
}

#[tokio::test]
async fn an_assertion_that_is_not_believed_is_exchanged_for_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let now = clock::now();
    for changes in [
        json!({"aud": Partner::HOME}),
        json!({"aud": [Partner::SERVER]}),
        json!({"aud": format!("{}/token", Partner::SERVER)}),
        json!({"iss": "https://other.test"}),
        json!({"iss": Partner::HOME}),
        json!({"sub": "spiffe://other.test/x"}),
        json!({"exp": now}),
        json!({"exp": now + 600}),
        json!({"iat": now + 600, "exp": now + 300}),
        json!({"jti": null}),
    ] {
        let jwt = scene.about_workload(changes.clone())?;
        assert_eq!(code(&scene.exchange(&jwt, &[]).await?)?, (400, "invalid_request".into()), "{changes}");
        let form = [("grant_type", JWT_BEARER), ("assertion", &jwt), ("resource", Partner::API)];
        assert_eq!(code(&scene.ask("partner", &form).await?)?, (400, "invalid_grant".into()), "{changes}");
    }
    let own = scene.rehearsal.assertion_under(Header { typ: "at+jwt", ..Header::RS256 }, Partner::SERVER, json!({}))?;
    assert_eq!(code(&scene.exchange(&own, &[]).await?)?, (400, "invalid_request".into()));
    let once = scene.about_workload(json!({}))?;
    assert_eq!(scene.exchange(&once, &[]).await?.status, 200);
    assert_eq!(code(&scene.exchange(&once, &[]).await?)?, (400, "invalid_request".into()), "it was used");
    Ok(())
}

#[tokio::test]
async fn what_is_asked_for_must_be_known() -> Result<()> {
    let scene = Scene::start().await?;
    for (name, value, wanted) in [
        ("resource", "https://nobody.example", "invalid_target"),
        ("resource", "", "invalid_target"),
        ("audience", Partner::NEXT_DOOR, "invalid_target"),
        ("scope", "reports.read everything", "invalid_scope"),
        ("subject_token_type", ACCESS_TOKEN, "invalid_request"),
        ("requested_token_type", JWT, "invalid_request"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "", "invalid_request"),
        ("client_id", Partner::CLIENT, "invalid_client"),
    ] {
        let answer = scene.exchange(&scene.about_workload(json!({}))?, &[(name, value)]).await?;
        assert_eq!(code(&answer)?.1, wanted, "{name} {value}");
    }
    Ok(())
}

#[tokio::test]
async fn a_client_shows_who_it_is_once_and_to_one_server() -> Result<()> {
    let scene = Scene::with(Partner::wanting_clients).await?;
    let ask = async |assertion: &str, changes: &[(&str, &str)]| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", Partner::CLIENT),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion),
            ("resource", Partner::API),
            ("scope", WRITE),
        ];
        scene.ask("partner", &changed(&form, changes)).await
    };
    let right = scene.about_us(Partner::SERVER, json!({}))?;
    let token = token(&ask(&right, &[]).await?)?;
    assert_eq!(scene.call(Partner::API, "POST", &token).await?.json()?["subject"], Partner::CLIENT);
    let invalid = (401, "invalid_client".to_owned());
    assert_eq!(code(&ask(&right, &[]).await?)?, invalid, "it was used");
    let now = clock::now();
    for changes in [
        json!({"aud": Partner::HOME}),
        json!({"aud": [Partner::SERVER]}),
        json!({"iss": "other", "sub": "other"}),
        json!({"iss": "other"}),
        json!({"iss": ISSUER}),
        json!({"jti": null}),
        json!({"exp": now}),
        json!({"exp": now + 3600}),
    ] {
        assert_eq!(code(&ask(&scene.about_us(Partner::SERVER, changes.clone())?, &[]).await?)?, invalid, "{changes}");
    }
    for changes in [("client_id", "other"), ("client_assertion_type", "jwt"), ("client_assertion", "")] {
        let answer = ask(&scene.about_us(Partner::SERVER, json!({}))?, &[changes]).await?;
        assert_eq!(code(&answer)?, invalid, "{changes:?}");
    }
    let us = claims(Partner::SERVER, json!({"iss": Partner::CLIENT, "sub": Partner::CLIENT}));
    let forged = Authority::new(ISSUER)?.sign(Header::RS256, us)?;
    assert_eq!(code(&ask(&forged, &[]).await?)?, invalid);
    assert_eq!(code(&scene.exchange(&scene.about_workload(json!({}))?, &[]).await?)?, invalid, "no client");
    Ok(())
}

#[tokio::test]
async fn a_grant_of_one_domain_opens_an_api_of_the_other() -> Result<()> {
    let scene = Scene::start().await?;
    let first = async |changes: &[(&str, &str)]| {
        let about = scene.rehearsal.assertion(Partner::HOME, json!({}))?;
        let form = [
            ("grant_type", EXCHANGE),
            ("subject_token", about.as_str()),
            ("subject_token_type", JWT),
            ("requested_token_type", JWT),
            ("resource", Partner::SERVER),
            ("scope", READ),
        ];
        scene.ask("home", &changed(&form, changes)).await
    };
    let answer = first(&[]).await?;
    let body = answer.json()?;
    assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(JWT), &json!("N_A")));
    let grant = token(&answer)?;
    let second = async |grant: &str, scope: &str| {
        let form = [("grant_type", JWT_BEARER), ("assertion", grant), ("resource", Partner::API), ("scope", scope)];
        scene.ask("partner", &changed(&form, &[])).await
    };
    assert_eq!(code(&second(&grant, "reports.read reports.write").await?)?, (400, "invalid_scope".into()));
    let grant = token(&first(&[]).await?)?;
    let opened = token(&second(&grant, READ).await?)?;
    assert_eq!(scene.call(Partner::API, "GET", &opened).await?.json()?["subject"], WORKLOAD);
    assert_eq!(code(&second(&grant, READ).await?)?, (400, "invalid_grant".into()), "it was used");
    assert_eq!(code(&first(&[("resource", Partner::API)]).await?)?, (400, "invalid_target".into()));
    assert_eq!(code(&first(&[("requested_token_type", ACCESS_TOKEN)]).await?)?, (400, "invalid_request".into()));
    assert_eq!(code(&first(&[("grant_type", "client_credentials")]).await?)?, (400, "unsupported_grant_type".into()));
    assert_eq!(scene.call(Partner::API, "GET", &grant).await?.status, 401, "a grant is no token");
    Ok(())
}

#[tokio::test]
async fn troubles_and_lies_are_told_in_oauth_s_words() -> Result<()> {
    let scene = Scene::start().await?;
    let told = async |query: &str| {
        scene.partner.switches().tell(query)?;
        scene.exchange(&scene.about_workload(json!({}))?, &[]).await
    };
    let throttled = told("trouble=throttle").await?;
    assert_eq!((code(&throttled)?.0, throttled.header("retry-after")), (429, "2"));
    assert_eq!(code(&told("trouble=outage").await?)?, (503, "temporarily_unavailable".into()));
    assert_eq!(told("trouble=outage&endpoint=home").await?.status, 200);
    assert_eq!(told("trouble=lie:wider").await?.json()?["scope"], "reports.read everything");
    assert_eq!(told("trouble=lie:other_kind").await?.json()?["token_type"], "mac");
    assert!(told("trouble=lie:html").await?.json().is_err());
    Ok(())
}
