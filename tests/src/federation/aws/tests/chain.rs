//! From one role to the next.

use super::*;

async fn next(scene: &Scene, keys: &Owned, more: &[(&str, &str)]) -> Result<Answer> {
    let mut form = vec![
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", "arn:aws:iam::210987654321:role/cloakroom-deep"),
        ("RoleSessionName", "payments.api"),
    ];
    form.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    form.extend(more);
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let kind = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
    let mut asked = request("POST", STS, &[kind], &body);
    keys.sign(&mut asked, "sts", &hash(body.as_bytes()));
    scene.send(&asked).await
}

#[tokio::test]
async fn a_chained_session_keeps_its_source_and_ends_within_an_hour() -> Result<()> {
    let scene = Scene::start().await?;
    let claims = json!({
        "https://aws.amazon.com/source_identity": "payments-api",
        "https://aws.amazon.com/tags": {
            "principal_tags": {"workload": ["payments-api"], "shift": ["night"]}, "transitive_tag_keys": ["workload"]
        }
    });
    let keys = Owned::of(&scene.assume(&scene.rehearsal.assertion(AUDIENCE, claims)?, &[]).await?);
    let answer = next(&scene, &keys, &[("Policy", POLICY)]).await?;
    let deep = Owned::of(&answer);
    assert_eq!(element(&answer.text(), "SourceIdentity"), "payments-api");
    let reports = "https://reports.s3.eu-central-1.amazonaws.com";
    assert_eq!(scene.send(&deep.signed("GET", &format!("{reports}/team-a/q3.txt"), "")).await?.status, 200);
    assert_eq!(scene.send(&deep.signed("GET", &format!("{reports}/team-b/q3.txt"), "")).await?.status, 403);
    let used = scene.aws.seen_by("s3").remove(0);
    assert_eq!(used.principal, "arn:aws:sts::210987654321:assumed-role/cloakroom-deep/payments.api");
    assert_eq!(
        (&used.facts["source_identity"], &used.facts["tags"]),
        (&json!("payments-api"), &json!({"workload": "payments-api"}))
    );

    for (name, value, code) in [
        ("DurationSeconds", "3601", "ValidationError"),
        ("RoleArn", "arn:aws:iam::210987654321:role/cloakroom", "AccessDenied"),
        ("SourceIdentity", "somebody-else", "AccessDenied"),
    ] {
        let answer = next(&scene, &keys, &[(name, value)]).await?;
        assert_eq!(element(&answer.text(), "Code"), code, "{name}");
    }
    let changed = next(&scene, &keys, &[("Tags.member.1.Key", "workload"), ("Tags.member.1.Value", "other")]).await?;
    assert_eq!(element(&changed.text(), "Code"), "ValidationError");
    Ok(())
}

#[tokio::test]
async fn a_narrowed_session_goes_nowhere_and_a_stranger_neither() -> Result<()> {
    let scene = Scene::start().await?;
    let narrowed = scene.keys().await?;
    assert_eq!(element(&next(&scene, &narrowed, &[]).await?.text(), "Code"), "AccessDenied");
    let stranger = Owned { secret_key: "other".into(), ..narrowed.clone() };
    assert_eq!(element(&next(&scene, &stranger, &[]).await?.text(), "Code"), "SignatureDoesNotMatch");
    let unknown = Owned { access_key: "ASIANOBODY".into(), ..narrowed };
    assert_eq!(element(&next(&scene, &unknown, &[]).await?.text(), "Code"), "InvalidClientTokenId");
    Ok(())
}
