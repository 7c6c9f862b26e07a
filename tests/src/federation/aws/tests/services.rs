//! What the keys of a session open, and to which requests.

use super::*;
use crate::aws::signer::sign;

const REPORTS: &str = "https://reports.s3.eu-central-1.amazonaws.com";

async fn code(scene: &Scene, asked: &Asked) -> Result<(u16, String)> {
    let answer = scene.send(asked).await?;
    Ok((answer.status.as_u16(), element(&answer.text(), "Code")))
}

#[tokio::test]
async fn a_session_s_policy_is_its_end() -> Result<()> {
    let scene = Scene::start().await?;
    let keys = scene.keys().await?;
    let fine = (200, String::new());
    let denied = (403, "AccessDenied".to_owned());
    for (method, url, wanted) in [
        ("GET", format!("{REPORTS}/team-a/q3.txt"), &fine),
        ("GET", "https://s3.eu-central-1.amazonaws.com/reports/team-a/q3.txt".into(), &fine),
        ("GET", format!("{REPORTS}/?list-type=2&prefix=team-a%2F"), &fine),
        ("GET", format!("{REPORTS}/team-b/q3.txt"), &denied),
        ("GET", format!("{REPORTS}/team-a%2F..%2Fteam-b/q3.txt"), &denied),
        ("GET", "https://ledger.s3.eu-central-1.amazonaws.com/team-a/q3.txt".into(), &denied),
        ("GET", format!("{REPORTS}/?list-type=2"), &denied),
        ("GET", format!("{REPORTS}/?list-type=2&prefix="), &denied),
        ("GET", format!("{REPORTS}/?list-type=2&prefix=team-b%2F"), &denied),
        ("PUT", format!("{REPORTS}/team-a/q4.txt"), &denied),
        ("DELETE", format!("{REPORTS}/team-a/q3.txt"), &denied),
        // Who may not list everything is not told what is not there.
        ("GET", format!("{REPORTS}/team-a/q9.txt"), &denied),
    ] {
        // `team-a/../team-b/q3.txt` is a key like any other, and there is no such object.
        assert_eq!(&code(&scene, &keys.signed(method, &url, "")).await?, wanted, "{method} {url}");
    }
    assert_eq!(scene.aws.platform().object("reports", "team-a/q3.txt").as_deref(), Some(&b"reports of team a\n"[..]));
    let listed = scene.send(&keys.signed("GET", &format!("{REPORTS}/?list-type=2&prefix=team-a%2F"), "")).await?.text();
    assert_eq!((element(&listed, "Key").as_str(), element(&listed, "KeyCount").as_str()), ("team-a/q3.txt", "1"));
    Ok(())
}

#[tokio::test]
async fn without_a_policy_a_session_does_what_its_role_may() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    let keys = Owned::of(&scene.assume(&jwt, &[]).await?);
    let url = format!("{REPORTS}/new/a%2B%C3%A9%20b.txt");
    assert_eq!(code(&scene, &keys.signed("PUT", &url, "hello")).await?, (200, String::new()));
    assert_eq!(scene.aws.platform().object("reports", "new/a+é b.txt").as_deref(), Some(&b"hello"[..]));
    assert_eq!(scene.send(&keys.signed("GET", &url, "")).await?.text(), "hello");
    assert_eq!(scene.send(&keys.signed("DELETE", &url, "")).await?.status, 204);
    assert_eq!(code(&scene, &keys.signed("GET", &url, "")).await?, (404, "NoSuchKey".into()));
    let bucket = "https://nobody-s.s3.eu-central-1.amazonaws.com/x";
    assert_eq!(code(&scene, &keys.signed("GET", bucket, "")).await?, (404, "NoSuchBucket".into()));

    let mut unsigned = request("PUT", &url, &[], "other");
    keys.sign(&mut unsigned, "s3", "UNSIGNED-PAYLOAD");
    assert_eq!(code(&scene, &unsigned).await?, (200, String::new()));
    let mut lying = keys.signed("PUT", &url, "hello");
    lying.body = "hellO".into();
    assert_eq!(code(&scene, &lying).await?, (400, "XAmzContentSHA256Mismatch".into()));
    assert_eq!(scene.aws.platform().object("reports", "new/a+é b.txt").as_deref(), Some(&b"other"[..]));
    Ok(())
}

#[tokio::test]
async fn a_signature_opens_the_request_it_was_made_for() -> Result<()> {
    let scene = Scene::start().await?;
    let keys = scene.keys().await?;
    let right = keys.signed("GET", &format!("{REPORTS}/team-a/q3.txt"), "");
    let now = clock::now();
    let by = |keys: &Owned, region: &str, at: i64| {
        let mut asked = request("GET", &format!("{REPORTS}/team-a/q3.txt"), &[], "");
        let keys = Keys {
            access_key: &keys.access_key,
            secret_key: &keys.secret_key,
            session_token: Some(&keys.session_token),
        };
        sign(&mut asked, keys, region, "s3", &hash(b""), at);
        asked
    };
    let other = scene.keys().await?;
    let changed = |change: &dyn Fn(&mut Asked)| {
        let mut asked = right.clone();
        change(&mut asked);
        asked
    };
    for (asked, status, wanted) in [
        (changed(&|asked| asked.path = "/team-a/q4.txt".into()), 403, "SignatureDoesNotMatch"),
        (changed(&|asked| _ = asked.headers.insert("x-amz-acl", "private".parse().unwrap())), 403, "AccessDenied"),
        (changed(&|asked| _ = asked.headers.remove("authorization")), 403, "AccessDenied"),
        (
            changed(&|asked| _ = asked.headers.insert("authorization", "Bearer x".parse().unwrap())),
            400,
            "AuthorizationHeaderMalformed",
        ),
        (changed(&|asked| _ = asked.headers.remove("x-amz-content-sha256")), 400, "InvalidRequest"),
        (changed(&|asked| _ = asked.headers.remove("x-amz-security-token")), 400, "InvalidToken"),
        (by(&keys, "us-east-1", now), 400, "AuthorizationHeaderMalformed"),
        (by(&keys, "eu-central-1", now - 1000), 403, "RequestTimeTooSkewed"),
        (by(&keys, "eu-central-1", now + 1000), 403, "RequestTimeTooSkewed"),
        (
            by(&Owned { secret_key: other.secret_key.clone(), ..keys.clone() }, "eu-central-1", now),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            by(&Owned { session_token: other.session_token.clone(), ..keys.clone() }, "eu-central-1", now),
            400,
            "InvalidToken",
        ),
        (
            by(&Owned { access_key: "ASIANOBODY".into(), ..keys.clone() }, "eu-central-1", now),
            403,
            "InvalidAccessKeyId",
        ),
    ] {
        assert_eq!(code(&scene, &asked).await?, (status, wanted.to_owned()), "{:?}", asked.headers);
    }
    assert_eq!(code(&scene, &right).await?, (200, String::new()));
    scene.aws.switches().tell("skew=901")?;
    let later = by(&keys, "eu-central-1", now + 901);
    assert_eq!(code(&scene, &later).await?, (400, "ExpiredToken".into()));
    Ok(())
}

#[tokio::test]
async fn tables_and_queues_open_to_their_own_policy() -> Result<()> {
    let scene = Scene::start().await?;
    let jwt = scene.rehearsal.assertion(AUDIENCE, json!({}))?;
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"],
         "Resource": "arn:aws:dynamodb:eu-central-1:210987654321:table/orders"},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-central-1:210987654321:jobs"}
    ]});
    let keys = Owned::of(&scene.assume(&jwt, &[("Policy", &policy.to_string())]).await?);
    let call = |service: &str, target: &str, body: Value| {
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)];
        let body = body.to_string();
        let mut asked = request("POST", &format!("https://{service}.eu-central-1.amazonaws.com/"), &headers, &body);
        keys.sign(&mut asked, service, &hash(body.as_bytes()));
        asked
    };
    let item = json!({"id": {"S": "1"}, "sum": {"N": "7"}});
    let orders = |target: &str, member: &str, value: &Value| {
        call("dynamodb", &format!("DynamoDB_20120810.{target}"), json!({"TableName": "orders", member: value}))
    };
    assert_eq!(scene.send(&orders("PutItem", "Item", &item)).await?.status, 200);
    let got = scene.send(&orders("GetItem", "Key", &json!({"id": {"S": "1"}}))).await?;
    assert_eq!(got.json()?, json!({"Item": item}));
    let key = json!({"TableName": "invoices", "Key": {"id": {"S": "1"}}});
    let next_door = scene.send(&call("dynamodb", "DynamoDB_20120810.GetItem", key)).await?;
    assert_eq!(
        (next_door.status.as_u16(), &next_door.json()?["__type"]),
        (400, &json!("com.amazon.coral.service#AccessDeniedException"))
    );
    let mut tampered = orders("GetItem", "Key", &json!({"id": {"S": "1"}}));
    tampered.body =
        tampered.body.iter().map(|byte| if *byte == b'1' { b'2' } else { *byte }).collect::<Vec<_>>().into();
    let tampered = scene.send(&tampered).await?.json()?;
    assert_eq!(tampered["__type"], "com.amazon.coral.service#InvalidSignatureException");
    let mut unsigned = orders("GetItem", "Key", &json!({"id": {"S": "1"}}));
    keys.sign(&mut unsigned, "dynamodb", "UNSIGNED-PAYLOAD");
    assert_eq!(scene.send(&unsigned).await?.status, 400);

    let queue = |name: &str| format!("https://sqs.eu-central-1.amazonaws.com/210987654321/{name}");
    let message =
        |name: &str| call("sqs", "AmazonSQS.SendMessage", json!({"QueueUrl": queue(name), "MessageBody": "hello"}));
    assert_eq!(scene.send(&message("jobs")).await?.status, 200);
    assert_eq!(scene.send(&message("audit")).await?.status, 400);
    assert_eq!((scene.aws.platform().messages("jobs").len(), scene.aws.platform().messages("audit").len()), (1, 0));
    Ok(())
}
