//! Blobs, by signatures and by tokens.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::federation::azure::tenant::Role;

const HOST: &str = "https://acmedata.blob.core.windows.net";

/// A moment from now, as Azure writes it.
fn moment(seconds: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(clock::now() + seconds).unwrap();
    moment.format(&time::format_description::well_known::Rfc3339).unwrap()
}

async fn key_answer(scene: &Scene, token: &str, start: &str, expiry: &str) -> Result<Answer> {
    let bearer = format!("Bearer {token}");
    let headers =
        [("authorization", bearer.as_str()), ("x-ms-version", "2025-05-05"), ("content-type", "application/xml")];
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>"
    );
    scene.send(&request("POST", &format!("{HOST}/?restype=service&comp=userdelegationkey"), &headers, &body)).await
}

async fn key(scene: &Scene) -> Result<String> {
    let token = scene.token(STORAGE).await?;
    let answer = key_answer(scene, &token, &moment(-60), &moment(3600)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Ok(answer.text())
}

fn element<'t>(text: &'t str, name: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("<{name}>")).unwrap_or_default();
    rest.split_once('<').map_or("", |(value, _)| value)
}

/// A signature for the container `reports`, made by this test alone.
fn signature(key: &str, permissions: &str) -> String {
    let (start, end) = (moment(-30), moment(300));
    let of = |name: &str| element(key, name).to_owned();
    let fields = [
        permissions,
        &start,
        &end,
        "/blob/acmedata/reports",
        &of("SignedOid"),
        &of("SignedTid"),
        &of("SignedStart"),
        &of("SignedExpiry"),
        "b",
        &of("SignedVersion"),
        "",
        "",
        "correlation-1",
        "",
        "https",
        "2025-05-05",
        "c",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
    ];
    assert_eq!(fields.len(), 24);
    let secret = STANDARD.decode(element(key, "Value")).unwrap();
    let signature = STANDARD.encode(sign(&Key::new(HMAC_SHA256, &secret), fields.join("\n").as_bytes()));
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("sv", "2025-05-05"),
            ("sr", "c"),
            ("sp", permissions),
            ("st", &start),
            ("se", &end),
            ("spr", "https"),
            ("skoid", &of("SignedOid")),
            ("sktid", &of("SignedTid")),
            ("skt", &of("SignedStart")),
            ("ske", &of("SignedExpiry")),
            ("sks", "b"),
            ("skv", &of("SignedVersion")),
            ("scid", "correlation-1"),
            ("sig", &signature),
        ])
        .finish()
}

async fn answered(scene: &Scene, method: &str, url: &str, headers: &[(&'static str, &str)]) -> Result<(u16, String)> {
    let answer = scene.send(&request(method, url, headers, "hello")).await?;
    Ok((answer.status.as_u16(), answer.header("x-ms-error-code").to_owned()))
}

#[tokio::test]
async fn a_signature_opens_its_container_and_nothing_next_door() -> Result<()> {
    let scene = Scene::start().await?;
    let sas = signature(&key(&scene).await?, "rl");
    let (fine, failed) = ((200, String::new()), (403, "AuthenticationFailed".to_owned()));
    let mismatch = (403, "AuthorizationPermissionMismatch".to_owned());
    let mut tampered = sas.clone();
    tampered = tampered.replace("sp=rl", "sp=rwl");
    for (method, url, wanted) in [
        ("GET", format!("{HOST}/reports/team-a/q3.txt?{sas}"), &fine),
        ("HEAD", format!("{HOST}/reports/team-a/q3.txt?{sas}"), &fine),
        ("GET", format!("{HOST}/reports?restype=container&comp=list&prefix=team-a/&{sas}"), &fine),
        ("GET", format!("{HOST}/reports/team-a/q9.txt?{sas}"), &(404, "BlobNotFound".into())),
        ("GET", format!("{HOST}/ledger/team-a/q3.txt?{sas}"), &failed),
        ("GET", format!("https://other.blob.core.windows.net/reports/team-a/q3.txt?{sas}"), &failed),
        ("PUT", format!("{HOST}/reports/team-a/q4.txt?{sas}"), &mismatch),
        ("DELETE", format!("{HOST}/reports/team-a/q3.txt?{sas}"), &mismatch),
        ("GET", format!("{HOST}/reports/team-a/q3.txt?{tampered}"), &failed),
        ("GET", format!("{HOST}/reports/team-a/q3.txt?{sas}&sp=rwl"), &failed),
        ("GET", format!("{HOST}/reports/team-a/q3.txt"), &(401, "NoAuthenticationInformation".into())),
    ] {
        assert_eq!(&answered(&scene, method, &url, &[]).await?, wanted, "{method} {url}");
    }
    let both = format!("{HOST}/reports/team-a/q3.txt?{sas}");
    assert_eq!(answered(&scene, "GET", &both, &[("authorization", "Bearer x")]).await?, failed);
    let seen = scene.azure.seen_by("blob").into_iter().find(|seen| seen.operation == "GetBlob").ok_or("no call")?;
    assert_eq!(
        (seen.resource.as_str(), &seen.facts["correlation"]),
        ("/blob/acmedata/reports/team-a/q3.txt", &json!("correlation-1"))
    );
    scene.switch("skew=301")?;
    assert_eq!(answered(&scene, "GET", &both, &[]).await?, failed, "it has ended");
    Ok(())
}

#[tokio::test]
async fn a_signature_opens_no_more_than_its_owner_may() -> Result<()> {
    let mut object = String::new();
    let scene = Scene::with(|setup| {
        object.clone_from(&setup.apps[0].object_id);
        let of =
            |role, scope: &str| Assignment { object_id: setup.apps[0].object_id.clone(), role, scope: scope.into() };
        setup.assignments = vec![of(Role::Delegator, "acmedata"), of(Role::Reader, "acmedata/reports")];
    })
    .await?;
    let sas = signature(&key(&scene).await?, "rwdl");
    let url = |blob: &str| format!("{HOST}/reports/{blob}?{sas}");
    let mismatch = (403, "AuthorizationPermissionMismatch".to_owned());
    assert_eq!(answered(&scene, "GET", &url("team-a/q3.txt"), &[]).await?.0, 200);
    assert_eq!(answered(&scene, "PUT", &url("team-a/q3.txt"), &[("x-ms-blob-type", "BlockBlob")]).await?, mismatch);
    assert_eq!(answered(&scene, "DELETE", &url("team-a/q3.txt"), &[]).await?, mismatch);
    assert_eq!(scene.azure.seen_by("blob").last().map(|seen| seen.principal.clone()), Some(object));
    Ok(())
}

#[tokio::test]
async fn a_bearer_of_a_token_for_storage_does_what_its_roles_say() -> Result<()> {
    let scene = Scene::start().await?;
    let storage = format!("Bearer {}", scene.token(STORAGE).await?);
    let vault = format!("Bearer {}", scene.token("https://vault.azure.net/.default").await?);
    let version = ("x-ms-version", "2025-05-05");
    let url = format!("{HOST}/ledger/new.txt");
    let kind = ("x-ms-blob-type", "BlockBlob");
    let storage = ("authorization", storage.as_str());
    assert_eq!(answered(&scene, "PUT", &url, &[storage, version]).await?.1, "MissingRequiredHeader");
    assert_eq!(answered(&scene, "PUT", &url, &[storage, version, kind]).await?.0, 201);
    assert_eq!(scene.send(&request("GET", &url, &[storage, version], "")).await?.text(), "hello");
    assert_eq!(answered(&scene, "DELETE", &url, &[storage, version]).await?.0, 202);
    assert_eq!(answered(&scene, "GET", &url, &[storage]).await?, (403, "AuthenticationFailed".into()));
    let refused = answered(&scene, "GET", &url, &[("authorization", &vault), version]).await?;
    assert_eq!(refused, (401, "InvalidAuthenticationInfo".into()));
    let own = scene.rehearsal.assertion("https://storage.azure.com", json!({"oid": "x", "tid": Setup::TENANT}))?;
    let own = format!("Bearer {own}");
    assert_eq!(answered(&scene, "GET", &url, &[("authorization", &own), version]).await?.0, 401);
    Ok(())
}

#[tokio::test]
async fn keys_are_for_those_who_may_delegate_and_for_a_week_at_most() -> Result<()> {
    let scene = Scene::with(|setup| setup.assignments.retain(|one| one.role == Role::Delegator)).await?;
    let token = scene.token(STORAGE).await?;
    let code = async |start: &str, expiry: &str| {
        Result::<_>::Ok(key_answer(&scene, &token, start, expiry).await?.header("x-ms-error-code").to_owned())
    };
    assert_eq!(code(&moment(-60), &moment(3600)).await?, "");
    let (start, expiry) = (moment(-60), moment(60));
    let (one, same) =
        (key_answer(&scene, &token, &start, &expiry).await?, key_answer(&scene, &token, &start, &expiry).await?);
    assert_eq!(one.text(), same.text(), "a key is known by what it was asked for with");
    assert_ne!(one.text(), key_answer(&scene, &token, &start, &moment(90)).await?.text());
    assert_eq!(code(&moment(-60), &moment(8 * 86_400)).await?, "InvalidXmlNodeValue");
    assert_eq!(code(&moment(-60), &moment(-30)).await?, "InvalidXmlNodeValue");
    assert_eq!(code("now", &moment(60)).await?, "InvalidXmlNodeValue");
    scene.switch("trouble=lie:other_role&endpoint=userdelegationkey")?;
    assert!(
        element(&key_answer(&scene, &token, &moment(-60), &moment(60)).await?.text(), "SignedOid").starts_with("ffff")
    );
    scene.switch("trouble=throttle&endpoint=userdelegationkey")?;
    assert_eq!(code(&moment(-60), &moment(60)).await?, "ServerBusy");

    let nobody = Scene::with(|setup| setup.assignments.clear()).await?;
    let token = nobody.token(STORAGE).await?;
    let refused = key_answer(&nobody, &token, &moment(-60), &moment(60)).await?;
    assert_eq!(refused.header("x-ms-error-code"), "AuthorizationPermissionMismatch");
    Ok(())
}

#[tokio::test]
async fn an_account_can_stand_in_the_path_where_the_host_is_an_address() -> Result<()> {
    let scene = Scene::start().await?;
    let bearer = format!("Bearer {}", scene.token(STORAGE).await?);
    let headers = [("authorization", bearer.as_str()), ("x-ms-version", "2025-05-05")];
    let url = format!("{}/acmedata/reports/team-a/q3.txt", scene.azure.url());
    let answer = scene.rehearsal.client.get(&url, &headers).await?;
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "reports of team a\n"));
    Ok(())
}
