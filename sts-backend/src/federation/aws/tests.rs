use http::StatusCode;
use serde_json::json;
use token::spiffe::SpiffeId;

use super::*;
use crate::{
    aws::answer::NAMESPACE,
    federation::fake::{FakeProvider, NOW, WORKLOAD, field, order},
    identity::fake_issuer::Asked,
};

const NAME: &str = "k8s+prod+shop+cart";

fn settings(fake: &FakeProvider) -> Settings {
    Settings {
        role_arn: "arn:aws:iam::123456789012:role/gw".to_owned(),
        then_roles: Vec::new(),
        region: "eu-central-1".to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        endpoint: Some(fake.uri("/")),
    }
}

fn bucket() -> Opening {
    Opening::Bucket { bucket: "reports".to_owned(), prefix: Some("team-a/".to_owned()) }
}

/// Opens what it is asked for. The keys are named by the role, and the first session ends a second late.
fn open(asked: &Asked) -> (StatusCode, String) {
    let action = field(asked, "Action");
    let (role, session) = (field(asked, "RoleArn"), field(asked, "RoleSessionName"));
    let role = role.rsplit('/').next().unwrap().to_owned();
    let expiration = if action == "AssumeRole" { "2026-11-22T08:00:00Z" } else { "2026-11-22T07:45:01Z" };
    let expiration = if field(asked, "DurationSeconds") == "900" { "2026-11-22T07:44:59Z" } else { expiration };
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result><Credentials><AccessKeyId>ASIAIOSFODNN7{role:X<8}</AccessKeyId>\
         <SecretAccessKey>secret-{role}</SecretAccessKey><SessionToken>session-{role}</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser><AssumedRoleId>AROA:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::123456789012:assumed-role/{role}/{session}</Arn></AssumedRoleUser></{action}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
    );
    (StatusCode::OK, body)
}

#[tokio::test]
async fn one_call_gives_keys_that_open_one_folder_in_the_workload_s_name() {
    let fake = FakeProvider::start().await;
    fake.server.serve_by("/", open);
    let credential = settings(&fake).obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap();
    let CredentialKind::AwsKeys(keys) = &credential.kind else { panic!("{credential:?}") };
    assert_eq!((keys.access_key_id.as_str(), keys.secret_access_key.expose()), ("ASIAIOSFODNN7gwXXXXXX", "secret-gw"));
    assert_eq!((credential.expires_at, credential.jti.as_str()), (NOW + 899, "jti-1"));
    assert_eq!(credential.provider_reference.as_deref(), Some("ASIAIOSFODNN7gwXXXXXX"));

    let [asked] = fake.server.asked("/").try_into().unwrap();
    assert!(!asked.headers.contains_key("authorization"));
    assert_eq!(field(&asked, "WebIdentityToken"), "assertion-1");
    assert_eq!(field(&asked, "DurationSeconds"), "900", "AWS gives no less");
    assert_eq!(field(&asked, "RoleSessionName"), NAME);
    assert_eq!(
        field(&asked, "Policy"),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::reports/team-a/*"]}]}"#
    );
    let [assertion] = fake.signer.signed().try_into().unwrap();
    assert_eq!((assertion.subject.as_str(), assertion.audience.as_str()), (WORKLOAD, "sts.amazonaws.com"));
    assert_eq!((assertion.issuer, assertion.typ, assertion.algorithm), (None, "JWT", Algorithm::Rs256));
    assert_eq!(
        json!(assertion.claims),
        json!({
            "https://aws.amazon.com/source_identity": NAME,
            "https://aws.amazon.com/tags": {
                "principal_tags": {"workload": [WORKLOAD]},
                "transitive_tag_keys": ["workload"]
            }
        })
    );
}

#[tokio::test]
async fn roles_are_assumed_one_after_the_other_and_the_last_is_narrowed() {
    let fake = FakeProvider::start().await;
    fake.server.serve_by("/", open);
    let mut settings = settings(&fake);
    settings.then_roles = ["mid", "last"].map(|name| format!("arn:aws:iam::123456789012:role/{name}")).to_vec();
    let credential = settings.obtain(&bucket(), &order("read", 7200), fake.means(), NOW).await.unwrap();
    let CredentialKind::AwsKeys(keys) = &credential.kind else { panic!("{credential:?}") };
    assert_eq!(keys.secret_access_key.expose(), "secret-last");
    assert_eq!(credential.expires_at, NOW + 901, "no session outlives the one it came from");

    let asked = fake.server.asked("/");
    let column = |name: &str| asked.iter().map(|asked| field(asked, name)).collect::<Vec<_>>();
    assert_eq!(column("Action"), ["AssumeRoleWithWebIdentity", "AssumeRole", "AssumeRole"]);
    assert_eq!(column("RoleSessionName"), [NAME, NAME, NAME]);
    assert_eq!(column("DurationSeconds"), ["3600", "3600", "3600"], "AWS gives no more to chains");
    assert_eq!(column("Policy").iter().map(String::is_empty).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(column("WebIdentityToken"), ["assertion-1", "", ""]);
    let tokens: Vec<_> = asked.iter().map(|asked| asked.headers.get("x-amz-security-token").cloned()).collect();
    assert_eq!(tokens, [None, Some("session-gw".parse().unwrap()), Some("session-mid".parse().unwrap())]);
    assert_eq!(asked[1].headers["host"], fake.server.url.strip_prefix("https://").unwrap());
}

#[tokio::test]
async fn a_longer_life_is_asked_for_where_the_order_wants_it() {
    let fake = FakeProvider::start().await;
    fake.server.serve_by("/", open);
    for (life, asked) in [(1, "900"), (901, "901"), (43_200, "43200"), (100_000, "43200")] {
        let outcome = settings(&fake).obtain(&bucket(), &order("read", life), fake.means(), NOW).await;
        assert!(outcome.is_ok(), "{life}: {outcome:?}");
        assert_eq!(field(fake.server.asked("/").last().unwrap(), "DurationSeconds"), asked);
    }
}

#[tokio::test]
async fn aws_s_refusal_comes_with_its_code_and_ends_the_chain() {
    let fake = FakeProvider::start().await;
    let refusal = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>m</Message></Error>\
         <RequestId>r</RequestId></ErrorResponse>"
    );
    fake.server.serve_by("/", move |asked| match field(asked, "Action").as_str() {
        "AssumeRole" => (StatusCode::FORBIDDEN, refusal.clone()),
        _ => open(asked),
    });
    let mut settings = settings(&fake);
    settings.then_roles = vec!["arn:aws:iam::123456789012:role/mid".to_owned(); 2];
    let trouble = settings.obtain(&bucket(), &order("read", 300), fake.means(), NOW).await.unwrap_err();
    let Trouble::Refused { code, help } = trouble else { panic!("{trouble:?}") };
    assert_eq!(code, "AccessDenied");
    assert!(help.contains("`then_roles`"), "{help}");
    assert_eq!(fake.server.hits("/"), 2);
}

#[tokio::test]
async fn an_order_that_cannot_be_narrowed_never_reaches_aws() {
    let fake = FakeProvider::start().await;
    fake.server.serve_by("/", open);
    let long = format!("spiffe://td.example/{}", "a".repeat(240));
    let with_subject = |id: &str| Order { subject: SpiffeId::parse(id).unwrap(), ..order("read", 300) };
    for (opening, order) in [
        (bucket(), order("", 300)),
        (bucket(), order("read admin", 300)),
        (Opening::Bucket { bucket: "reports".into(), prefix: Some("*".into()) }, order("read", 300)),
        (bucket(), with_subject(&long)),
    ] {
        let trouble = settings(&fake).obtain(&opening, &order, fake.means(), NOW).await.unwrap_err();
        assert!(
            matches!(&trouble, Trouble::Refused { code, .. } if code == "an order that does not fit"),
            "{trouble:?}"
        );
    }
    assert_eq!((fake.server.hits("/"), fake.signer.signed().len()), (0, 0));
}

#[test]
fn settings_that_fit_nothing_are_found() {
    let good = Settings {
        role_arn: "arn:aws:iam::123456789012:role/gw".to_owned(),
        then_roles: Vec::new(),
        region: "eu-central-1".to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        endpoint: None,
    };
    let read = Scope::parse("read").unwrap();
    assert_eq!(good.check(&bucket(), &read), Ok(()));
    assert_eq!(good.endpoint(Partition::Aws).unwrap(), "https://sts.eu-central-1.amazonaws.com/");
    let china = Settings {
        role_arn: "arn:aws-cn:iam::123456789012:role/gw".to_owned(),
        region: "cn-north-1".to_owned(),
        ..good.clone()
    };
    assert_eq!(china.endpoint(Partition::China).unwrap(), "https://sts.cn-north-1.amazonaws.com.cn/");
    assert_eq!(china.check(&bucket(), &read), Ok(()));

    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    for (settings, complaint) in [
        (Settings { role_arn: "gw".into(), ..good.clone() }, "`role_arn`: `gw` is no role"),
        (Settings { then_roles: vec![role("a"), "b".into()], ..good.clone() }, "`then_roles`: `b` is no role"),
        (Settings { then_roles: vec![role("a"); 5], ..good.clone() }, "at most 4 are accepted"),
        (Settings { then_roles: vec![china.role_arn.clone()], ..good.clone() }, "another partition"),
        (Settings { region: "cn-north-1".into(), ..good.clone() }, "no region of the role's partition, aws"),
        (Settings { region: "eu-central-1.evil.example".into(), ..good.clone() }, "no region of the role's partition"),
        (Settings { audience: String::new(), ..good.clone() }, "`audience`"),
        (Settings { audience: "a b".into(), ..good.clone() }, "`audience`"),
        (
            Settings { endpoint: Some("https://sts.example/path".parse().unwrap()), ..good.clone() },
            "signed for the path `/`",
        ),
    ] {
        let problem = settings.check(&bucket(), &read).unwrap_err();
        assert!(problem.contains(complaint), "{problem}");
    }
    assert!(good.check(&bucket(), &Scope::default()).unwrap_err().contains("`permissions` is empty"));
    let mut queue = good.clone();
    queue.role_arn.clone_from(&china.role_arn);
    queue.region.clone_from(&china.region);
    let opening = Opening::Queue { arn: "arn:aws:sqs:eu-central-1:123456789012:q".into() };
    assert!(queue.check(&opening, &read).unwrap_err().contains("arn:aws-cn:sqs"));
}
