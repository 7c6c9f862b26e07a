//! The account as a whole, over TLS: what it opens to whom, and what it refuses.

use serde_json::{Value, json};

use super::*;
use crate::{
    Result,
    asked::Asked,
    aws::{
        signer::{Keys, sign},
        sigv4::hash,
    },
    client::Answer,
    clock,
    federation::{
        authority::Header,
        platform::Running,
        rehearsal::{ISSUER, Rehearsal, WORKLOAD, request},
    },
    server::bind,
};

mod chain;
mod services;

const STS: &str = "https://sts.eu-central-1.amazonaws.com/";
const AUDIENCE: &str = "sts.amazonaws.com";

/// Reading below `team-a/` of one bucket.
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::reports/team-a/*"},
    {"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::reports","Condition":{"StringLike":{"s3:prefix":["team-a/*"]}}}]}"#;

struct Scene {
    rehearsal: Rehearsal,
    aws: Running<Account>,
}

/// The keys of an answer.
#[derive(Clone, Debug)]
struct Owned {
    access_key: String,
    secret_key: String,
    session_token: String,
}

impl Scene {
    async fn start() -> Result<Self> {
        let rehearsal = Rehearsal::start().await?;
        let account = Account::new(Setup::default(), ISSUER, rehearsal.server.address(), &rehearsal.pki)?;
        let aws = Running::start(bind("127.0.0.1:0".parse()?).await?, account, &rehearsal.pki, "aws")?;
        Ok(Self { rehearsal, aws })
    }

    async fn send(&self, asked: &Asked) -> Result<Answer> {
        self.rehearsal.send(self.aws.address(), asked).await
    }

    /// `AssumeRoleWithWebIdentity` with some parameters changed, or left out where they are empty.
    async fn assume(&self, jwt: &str, changes: &[(&str, &str)]) -> Result<Answer> {
        let mut form = vec![
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", "arn:aws:iam::210987654321:role/cloakroom"),
            ("RoleSessionName", "payments.api"),
            ("WebIdentityToken", jwt),
            ("DurationSeconds", "900"),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(other, _)| other == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        self.send(&request("POST", STS, &[kind], &body)).await
    }

    async fn refused(&self, jwt: &str, changes: &[(&str, &str)]) -> Result<(u16, String)> {
        let answer = self.assume(jwt, changes).await?;
        assert!(answer.text().contains("<ErrorResponse"), "{}", answer.text());
        Ok((answer.status.as_u16(), element(&answer.text(), "Code")))
    }

    /// Keys for [`POLICY`].
    async fn keys(&self) -> Result<Owned> {
        let jwt = self.rehearsal.assertion(AUDIENCE, json!({}))?;
        Ok(Owned::of(&self.assume(&jwt, &[("Policy", POLICY)]).await?))
    }
}

impl Owned {
    fn of(answer: &Answer) -> Self {
        let text = answer.text();
        assert_eq!(answer.status, 200, "{text}");
        Self {
            access_key: element(&text, "AccessKeyId"),
            secret_key: element(&text, "SecretAccessKey"),
            session_token: element(&text, "SessionToken"),
        }
    }

    fn sign(&self, asked: &mut Asked, service: &str, payload: &str) {
        let keys = Keys {
            access_key: &self.access_key,
            secret_key: &self.secret_key,
            session_token: Some(&self.session_token),
        };
        sign(asked, keys, "eu-central-1", service, payload, clock::now());
    }

    fn signed(&self, method: &str, url: &str, body: &str) -> Asked {
        let mut asked = request(method, url, &[], body);
        self.sign(&mut asked, "s3", &hash(body.as_bytes()));
        asked
    }
}

fn element(text: &str, name: &str) -> String {
    let rest = text.split_once(&format!("<{name}>")).map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once(&format!("</{name}>"))).map(|(value, _)| value.to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn an_assertion_of_a_workload_opens_a_session_in_its_name() -> Result<()> {
    let scene = Scene::start().await?;
    let claims = json!({
        "https://aws.amazon.com/source_identity": "payments-api",
        "https://aws.amazon.com/tags": {"principal_tags": {"workload": ["payments-api"]}, "transitive_tag_keys": ["workload"]}
    });
    let jwt = scene.rehearsal.assertion(AUDIENCE, claims)?;
    let answer = scene.assume(&jwt, &[("Policy", POLICY)]).await?;
    let text = answer.text();
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/xml"), "{text}");
    for (name, value) in [
        ("Arn", "arn:aws:sts::210987654321:assumed-role/cloakroom/payments.api"),
        ("SubjectFromWebIdentityToken", WORKLOAD),
        ("Audience", AUDIENCE),
        ("Provider", "arn:aws:iam::210987654321:oidc-provider/sts.cloakroom.test"),
        ("SourceIdentity", "payments-api"),
    ] {
        assert_eq!(element(&text, name), value, "{name}");
    }
    assert!(element(&text, "AccessKeyId").starts_with("ASIA"));
    assert_eq!(element(&text, "Expiration").len(), "2026-11-22T08:09:09Z".len());

    let keys = Owned::of(&answer);
    let answer =
        scene.send(&keys.signed("GET", "https://reports.s3.eu-central-1.amazonaws.com/team-a/q3.txt", "")).await?;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "reports of team a\n"));
    let [.., opened, used] = &scene.aws.seen()[..] else { panic!("two calls") };
    assert_eq!(opened.facts["assertion"]["sub"], WORKLOAD);
    assert_eq!(opened.facts["session_policy"], POLICY);
    assert_eq!(used.principal, "arn:aws:sts::210987654321:assumed-role/cloakroom/payments.api");
    assert_eq!((used.operation.as_str(), used.resource.as_str()), ("GetObject", "arn:aws:s3:::reports/team-a/q3.txt"));
    assert_eq!(
        (&used.facts["source_identity"], &used.facts["tags"]),
        (&json!("payments-api"), &json!({"workload": "payments-api"}))
    );
    assert_eq!((scene.aws.switches().calls("AssumeRoleWithWebIdentity"), scene.aws.switches().calls("s3")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_assertion_that_aws_would_not_believe_opens_nothing() -> Result<()> {
    let scene = Scene::start().await?;
    let now = clock::now();
    let invalid = (400, "InvalidIdentityToken".to_owned());
    for (changes, wanted) in [
        (json!({"aud": "https://other.test"}), invalid.clone()),
        (json!({"aud": [AUDIENCE, "b"]}), invalid.clone()),
        (json!({"azp": "other"}), invalid.clone()),
        (json!({"iss": "https://other.test"}), invalid.clone()),
        (json!({"sub": "short"}), invalid.clone()),
        (json!({"sub": null}), invalid.clone()),
        (json!({"exp": null}), invalid.clone()),
        (json!({"iat": null}), invalid.clone()),
        (json!({"iat": now + 600, "exp": now + 900}), invalid.clone()),
        (json!({"iat": now - 700, "nbf": now - 700, "exp": now - 301}), (400, "ExpiredTokenException".into())),
        (json!({"sub": "spiffe://other.test/k8s/prod/payments/api"}), (403, "AccessDenied".into())),
        (json!({"https://aws.amazon.com/source_identity": "x"}), invalid.clone()),
        (json!({"https://aws.amazon.com/tags": {"principal_tags": {"a": "b"}}}), invalid.clone()),
        (json!({"https://aws.amazon.com/tags": {"principal_tags": {}, "transitive_tag_keys": ["a"]}}), invalid.clone()),
    ] {
        let jwt = scene.rehearsal.assertion(AUDIENCE, changes.clone())?;
        assert_eq!(scene.refused(&jwt, &[]).await?, wanted, "{changes}");
    }
    let late = scene.rehearsal.assertion(AUDIENCE, json!({"iat": now - 400, "nbf": now - 400, "exp": now - 200}))?;
    assert_eq!(scene.assume(&late, &[]).await?.status, 200, "AWS forgives five minutes");
    for header in [
        Header { kid: Some("other"), ..Header::RS256 },
        Header { kid: None, ..Header::RS256 },
        Header { typ: "at+jwt", ..Header::RS256 },
    ] {
        let jwt = scene.rehearsal.assertion_under(header, AUDIENCE, json!({}))?;
        assert_eq!(scene.refused(&jwt, &[]).await?, invalid, "{header:?}");
    }
    scene.aws.switches().tell("keys=unreachable")?;
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    assert_eq!(scene.refused(&jwt, &[]).await?, (400, "IDPCommunicationError".into()));
    Ok(())
}

#[tokio::test]
async fn parameters_are_kept_within_their_bounds() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    let (invalid, malformed) = ((400, "ValidationError"), (400, "MalformedPolicyDocument"));
    let long = format!(r#"{{"Version":"2012-10-17","Id":"{}","Statement":[]}}"#, "x".repeat(2048));
    for (name, value, (status, code)) in [
        ("DurationSeconds", "899", invalid),
        ("DurationSeconds", "3601", invalid),
        ("DurationSeconds", "43201", invalid),
        ("DurationSeconds", "soon", invalid),
        ("RoleSessionName", "a", invalid),
        ("RoleSessionName", "a b", invalid),
        ("RoleSessionName", &"a".repeat(65), invalid),
        ("RoleSessionName", "", (400, "MissingParameter")),
        ("RoleArn", "arn:aws:iam::1:role", invalid),
        ("RoleArn", "arn:aws:s3:::reports-of-somebody", invalid),
        ("RoleArn", "arn:aws:iam::210987654321:role/other", (403, "AccessDenied")),
        ("RoleArn", "arn:aws:iam::210987654321:role/cloakroom-deep", (403, "AccessDenied")),
        ("RoleArn", "arn:aws:iam::999999999999:role/cloakroom", (403, "AccessDenied")),
        ("Policy", "{", malformed),
        ("Policy", r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#, malformed),
        ("Policy", &long, invalid),
        ("ProviderId", "www.amazon.com", invalid),
        ("Version", "2010-01-01", (400, "InvalidAction")),
        ("Action", "GetFederationToken", (400, "InvalidAction")),
    ] {
        assert_eq!(scene.refused(&jwt, &[(name, value)]).await?, (status, code.to_owned()), "{name} {value:.60}");
    }
    Ok(())
}

#[tokio::test]
async fn troubles_and_lies_are_told_in_aws_s_own_words() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    let told = async |trouble: &str| {
        scene.aws.switches().tell(&format!("trouble={trouble}"))?;
        scene.assume(&jwt, &[]).await
    };
    let throttled = told("throttle").await?;
    assert_eq!((throttled.status.as_u16(), element(&throttled.text(), "Code").as_str()), (400, "Throttling"));
    assert_eq!(told("outage").await?.status, 503);
    assert_eq!(told("lie:html").await?.header("content-type"), "text/html");
    assert_eq!(told("lie:huge").await?.body.len(), 20_000_000);
    assert_eq!(element(&told("lie:empty").await?.text(), "SecretAccessKey"), "");
    assert!(element(&told("lie:breaking").await?.text(), "SessionToken").contains('\n'));
    assert!(element(&told("lie:other_role").await?.text(), "Arn").contains("administrator"));
    assert!(told("lie:other_kind").await?.text().contains("<GetSessionTokenResponse"));
    assert!(
        element(&told("lie:ended").await?.text(), "Expiration") < element(&told("none").await?.text(), "Expiration")
    );
    assert!(element(&told("lie:endless").await?.text(), "Expiration").starts_with("21"));
    Ok(())
}

#[tokio::test]
async fn switches_counts_and_the_record_are_there_over_http() -> Result<()> {
    let scene = Scene::start().await?;
    let at = |path: &str| format!("{}{path}", scene.aws.url());
    let client = &scene.rehearsal.client;
    let switched = client.request(http::Method::POST, &at("/__switch?trouble=outage"), &[], "").await?;
    assert_eq!(switched.status, 204);
    assert_eq!(client.request(http::Method::POST, &at("/__switch?trouble=x"), &[], "").await?.status, 400);
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    assert_eq!(scene.assume(&jwt, &[]).await?.status, 503);
    let calls = client.get(&at("/__calls"), &[]).await?.json()?;
    assert_eq!(calls, json!({"AssumeRoleWithWebIdentity": {"calls": 1, "throttled": 0}}));
    let record: Vec<Value> = serde_json::from_slice(&client.get(&at("/__record"), &[]).await?.body)?;
    assert_eq!((record.len(), &record[0]["code"]), (1, &json!("ServiceUnavailable")));
    for path in ["/__record", "/__calls"] {
        assert_eq!(client.request(http::Method::DELETE, &at(path), &[], "").await?.status, 204);
    }
    assert_eq!(client.get(&at("/__calls"), &[]).await?.json()?, json!({}));
    assert!(scene.aws.seen().is_empty());
    Ok(())
}
