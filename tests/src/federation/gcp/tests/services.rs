//! What tokens open.

use super::*;

/// Reading below `team-a/` of one bucket.
fn boundary() -> Value {
    json!({"accessBoundary": {"accessBoundaryRules": [{
        "availableResource": "//storage.googleapis.com/projects/_/buckets/acme-reports",
        "availablePermissions": ["inRole:roles/storage.objectViewer"],
        "availabilityCondition": {"expression":
            "resource.name.startsWith('projects/_/buckets/acme-reports/objects/team-a/') || \
             api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team-a/')"}
    }]}})
}

async fn status(scene: &Scene, bearer: &str, method: &str, path: &str) -> Result<u16> {
    let bearer = format!("Bearer {bearer}");
    let url = format!("https://storage.googleapis.com{path}");
    let answer = scene.send(&request(method, &url, &[("authorization", &bearer)], "hello")).await?;
    Ok(answer.status.as_u16())
}

async fn service_account(scene: &Scene, scope: &str) -> Result<String> {
    let body = json!({"scope": [scope], "lifetime": "600s"});
    token(&scene.credentials(&scene.federated().await?, "generateAccessToken", &body).await?, "accessToken")
}

#[tokio::test]
async fn a_downscoped_token_opens_its_prefix_and_nothing_next_door() -> Result<()> {
    let scene = Scene::start().await?;
    let source = service_account(&scene, STORAGE).await?;
    let options = boundary().to_string();
    let twice = options.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let once = scene.narrow(&source, &options).await?;
    assert!(once.json()?["expires_in"].as_i64().is_some_and(|seconds| (590..=600).contains(&seconds)));
    for narrowed in [token(&once, "access_token")?, token(&scene.narrow(&source, &twice).await?, "access_token")?] {
        for (method, path, wanted) in [
            ("GET", "/storage/v1/b/acme-reports/o/team-a%2Fq3.txt?alt=media", 200),
            ("GET", "/storage/v1/b/acme-reports/o/team-a%2Fq3.txt", 200),
            ("GET", "/acme-reports/team-a/q3.txt", 200),
            ("GET", "/storage/v1/b/acme-reports/o?prefix=team-a/", 200),
            ("GET", "/acme-reports?prefix=team-a/", 200),
            ("GET", "/acme-reports/team-a/q9.txt", 404),
            ("GET", "/acme-reports/team-b/q3.txt", 403),
            ("GET", "/acme-ledger/team-a/q3.txt", 403),
            ("GET", "/storage/v1/b/acme-ledger/o/team-a%2Fq3.txt", 403),
            ("GET", "/storage/v1/b/acme-reports/o", 403),
            ("GET", "/storage/v1/b/acme-reports/o?prefix=team-b/", 403),
            ("PUT", "/acme-reports/team-a/q4.txt", 403),
            ("POST", "/upload/storage/v1/b/acme-reports/o?uploadType=media&name=team-a/q4.txt", 403),
            ("DELETE", "/acme-reports/team-a/q3.txt", 403),
        ] {
            assert_eq!(status(&scene, &narrowed, method, path).await?, wanted, "{method} {path}");
        }
        assert_eq!(code(&scene.narrow(&narrowed, &options).await?)?, (400, "invalid_grant".into()));
    }
    let seen = scene.gcp.seen_by("storage").remove(0);
    assert_eq!((seen.principal.as_str(), seen.operation.as_str()), (Setup::SERVICE_ACCOUNT, "storage.objects.get"));
    assert!(seen.facts["delegated_by"].as_str().unwrap_or_default().ends_with(WORKLOAD));
    let narrowing = scene.gcp.seen_by("sts").into_iter().find(|seen| seen.operation == "downscope");
    assert_eq!(narrowing.map(|seen| seen.facts["access_boundary"].clone()), Some(boundary()["accessBoundary"].clone()));
    Ok(())
}

#[tokio::test]
async fn a_token_opens_what_its_owner_and_its_scopes_may() -> Result<()> {
    let scene = Scene::start().await?;
    let writer = service_account(&scene, STORAGE).await?;
    let reader = service_account(&scene, "https://www.googleapis.com/auth/devstorage.read_only").await?;
    let federated = scene.federated().await?;
    let elsewhere = service_account(&scene, "https://www.googleapis.com/auth/bigquery").await?;
    let object = "/acme-ledger/team-c/q3.txt";
    for (token, method, wanted) in [
        (&reader, "PUT", 403),
        (&federated, "PUT", 403),
        (&writer, "PUT", 200),
        (&writer, "PUT", 200),
        (&reader, "GET", 200),
        (&federated, "GET", 200),
        (&elsewhere, "GET", 403),
        (&reader, "DELETE", 403),
        (&writer, "DELETE", 204),
        (&writer, "GET", 404),
    ] {
        assert_eq!(status(&scene, token, method, object).await?, wanted, "{method} {token:.7}");
    }
    assert_eq!(status(&scene, &writer, "GET", "/nobody-s/x").await?, 403);
    assert_eq!(status(&scene, "ya29.c.x", "GET", "/acme-ledger/team-a/q3.txt").await?, 401);
    scene.gcp.switches().tell("skew=601")?;
    assert_eq!(status(&scene, &writer, "GET", "/acme-ledger/team-a/q3.txt").await?, 401, "it has ended");
    Ok(())
}

#[tokio::test]
async fn an_options_member_that_google_does_not_know_is_refused() -> Result<()> {
    let scene = Scene::start().await?;
    let source = service_account(&scene, STORAGE).await?;
    let mut more = boundary();
    more["more"] = json!(1);
    for options in ["", "{", &more.to_string(), r#"{"accessBoundary":{"accessBoundaryRules":[]}}"#] {
        assert_eq!(code(&scene.narrow(&source, options).await?)?, (400, "invalid_request".into()), "{options}");
    }
    assert_eq!(code(&scene.narrow("ya29.c.x", &boundary().to_string()).await?)?, (400, "invalid_grant".into()));
    Ok(())
}

#[tokio::test]
async fn a_service_lets_in_id_tokens_for_itself() -> Result<()> {
    let scene = Scene::start().await?;
    let federated = scene.federated().await?;
    let url = format!("https://{}", Setup::SERVICE);
    let call = async |body: Value| {
        let token = token(&scene.credentials(&federated, "generateIdToken", &body).await?, "token")?;
        let bearer = format!("Bearer {token}");
        Result::<_>::Ok(
            scene.send(&request("GET", &format!("{url}/q3"), &[("authorization", &bearer)], "")).await?.status.as_u16(),
        )
    };
    assert_eq!(call(json!({"audience": url, "includeEmail": true})).await?, 200);
    assert_eq!(call(json!({"audience": url})).await?, 403, "nobody knows whose it is");
    assert_eq!(call(json!({"audience": "https://next-door.a.run.app", "includeEmail": true})).await?, 401);
    let seen = scene.gcp.seen_by("run").remove(0);
    assert_eq!(seen.principal, Setup::SERVICE_ACCOUNT);
    let stranger = scene.rehearsal.assertion(&url, json!({"email": Setup::SERVICE_ACCOUNT, "email_verified": true}))?;
    let bearer = format!("Bearer {stranger}");
    assert_eq!(scene.send(&request("GET", &url, &[("authorization", &bearer)], "")).await?.status, 401);
    Ok(())
}
