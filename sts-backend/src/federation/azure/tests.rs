use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::json;
use token::jws::Algorithm;

use super::*;
use crate::{
    federation::fake::{FakeProvider, NOW, WORKLOAD, field, order},
    identity::entra::is_guid,
};

const TENANT: &str = "22222222-2222-2222-2222-222222222222";
const CLIENT: &str = "33333333-3333-3333-3333-333333333333";
const TOKEN_PATH: &str = "/22222222-2222-2222-2222-222222222222/oauth2/v2.0/token";

/// A cloud that gives a token, and keys from 300 s before now for two hours.
async fn azure() -> FakeProvider {
    let provider = FakeProvider::start().await;
    let token =
        json!({ "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "entra-1" });
    provider.server.serve(TOKEN_PATH, token.to_string());
    serve_key(&provider, "2026-11-22T09:30:00Z");
    provider
}

fn serve_key(provider: &FakeProvider, expiry: &str) {
    let key = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey>\
         <SignedOid>11111111-1111-1111-1111-111111111111</SignedOid><SignedTid>{TENANT}</SignedTid>\
         <SignedStart>2026-11-22T07:25:00Z</SignedStart><SignedExpiry>{expiry}</SignedExpiry>\
         <SignedService>b</SignedService><SignedVersion>2025-05-05</SignedVersion>\
         <Value>c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==</Value></UserDelegationKey>"
    );
    provider.server.serve_with("/acct/", StatusCode::OK, &[("content-type", "application/xml")], key);
}

fn settings(provider: &FakeProvider) -> Settings {
    Settings {
        tenant: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        audience: DEFAULT_AUDIENCE.to_owned(),
        subject: "cloakroom".to_owned(),
        own_credentials: Vec::new(),
        authority: Some(provider.uri("")),
        storage_endpoint: Some(provider.uri("")),
        keys: KeptKeys::default(),
    }
}

fn container() -> Opening {
    Opening::Container { account: "acct".to_owned(), container: "cont".to_owned() }
}

fn vault() -> Opening {
    Opening::Scope("https://vault.azure.net/.default".to_owned())
}

/// The parameters of a signature.
fn parameters(credential: &Credential) -> BTreeMap<String, String> {
    let CredentialKind::AzureSas(query) = &credential.kind else { panic!("{credential:?}") };
    form_urlencoded::parse(query.expose().as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn a_token_is_had_for_an_assertion_as_the_federated_credential_has_it() {
    let provider = azure().await;
    let credential = settings(&provider).obtain(&vault(), &order("", 60), provider.means(), NOW).await.unwrap();
    let CredentialKind::Token { token, token_type } = &credential.kind else { panic!("{credential:?}") };
    assert_eq!((token.expose(), token_type.as_str()), ("entra-1", "Bearer"));
    assert_eq!((credential.expires_at, credential.jti.as_str()), (NOW + 3599, "jti-1"));
    let signed = provider.signer.signed();
    let [assertion] = signed.as_slice() else { panic!("{signed:?}") };
    assert_eq!((assertion.issuer.as_deref(), assertion.subject.as_str()), (None, "cloakroom"));
    assert_eq!((assertion.audience.as_str(), assertion.typ), ("api://AzureADTokenExchange", "JWT"));
    assert_eq!((assertion.algorithm, assertion.claims.len()), (Algorithm::Rs256, 0));
    let asked = provider.server.asked(TOKEN_PATH);
    // To the byte what azure-identity sends.
    assert_eq!(
        str::from_utf8(&asked[0].body).unwrap(),
        format!(
            "client_assertion=assertion-1\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_id={CLIENT}\
             &grant_type=client_credentials&scope=https%3A%2F%2Fvault.azure.net%2F.default"
        )
    );
    let request_id = asked[0].headers["client-request-id"].to_str().unwrap();
    assert!(is_guid(request_id), "{request_id}");
    assert_eq!(credential.provider_reference.as_deref(), Some(request_id));
}

#[tokio::test]
async fn a_workload_with_a_credential_of_its_own_comes_by_its_name() {
    let provider = azure().await;
    let settings = Settings { own_credentials: vec![WORKLOAD.to_owned()], ..settings(&provider) };
    settings.obtain(&vault(), &order("", 60), provider.means(), NOW).await.unwrap();
    assert_eq!(provider.signer.signed()[0].subject, WORKLOAD);
    let mut other = order("", 60);
    other.subject = SpiffeId::parse("spiffe://td.example/k8s/prod/shop/other").unwrap();
    settings.obtain(&vault(), &other, provider.means(), NOW).await.unwrap();
    assert_eq!(provider.signer.signed()[1].subject, "cloakroom");
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let provider = azure().await;
    let token = json!({ "token_type": "DPoP", "expires_in": "3599", "access_token": "entra-1" });
    provider.server.serve(TOKEN_PATH, token.to_string());
    let outcome = settings(&provider).obtain(&vault(), &order("", 60), provider.means(), NOW).await;
    assert!(matches!(outcome, Err(Trouble::Invalid { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_signature_opens_one_container_for_the_order_s_life() {
    let provider = azure().await;
    let ordered = order("list write read", 600);
    let credential = settings(&provider).obtain(&container(), &ordered, provider.means(), NOW).await.unwrap();
    assert_eq!(credential.expires_at, NOW + 600);
    let mut parameters = parameters(&credential);
    let signature = parameters.remove("sig").unwrap();
    let scid = parameters.remove("scid").unwrap();
    assert!(is_guid(&scid));
    assert_eq!(credential.provider_reference.as_ref(), Some(&scid));
    assert_eq!(correlation::id(&credential.jti), scid);
    let wanted = [
        ("se", "2026-11-22T07:40:00Z"),
        ("ske", "2026-11-22T09:30:00Z"),
        ("skoid", "11111111-1111-1111-1111-111111111111"),
        ("sks", "b"),
        ("skt", "2026-11-22T07:25:00Z"),
        ("sktid", TENANT),
        ("skv", "2025-05-05"),
        ("sp", "rwl"),
        ("spr", "https"),
        ("sr", "c"),
        ("st", "2026-11-22T07:25:00Z"),
        ("sv", "2025-05-05"),
    ];
    assert_eq!(parameters, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    // The signature itself is proved in `sas`; here, that it is over this container: made again by the rules of the version.
    let fields = [
        "rwl",
        "2026-11-22T07:25:00Z",
        "2026-11-22T07:40:00Z",
        "/blob/acct/cont",
        "11111111-1111-1111-1111-111111111111",
        TENANT,
        "2026-11-22T07:25:00Z",
        "2026-11-22T09:30:00Z",
        "b",
        "2025-05-05",
        "",
        "",
        &scid,
        "",
        "https",
        "2025-05-05",
        "c",
    ];
    let text = format!("{}{}", fields.join("\n"), "\n".repeat(7));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"secret-key-for-testing-only-123");
    use base64::Engine as _;
    let again = base64::engine::general_purpose::STANDARD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes()));
    assert_eq!(signature, again);
}

#[tokio::test]
async fn the_key_is_asked_for_as_azure_wants_it() {
    let provider = azure().await;
    settings(&provider).obtain(&container(), &order("read", 600), provider.means(), NOW).await.unwrap();
    assert_eq!(field(&provider.server.asked(TOKEN_PATH)[0], "scope"), "https://storage.azure.com/.default");
    let asked = provider.server.asked("/acct/");
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(asked.method, http::Method::POST);
    assert_eq!(asked.query.as_deref(), Some("restype=service&comp=userdelegationkey"));
    let header = |name: &str| asked.headers[name].to_str().unwrap();
    assert_eq!(header("authorization"), "Bearer entra-1");
    assert_eq!((header("x-ms-version"), header("content-type")), ("2025-05-05", "application/xml"));
    assert_eq!(header("x-ms-date"), "Sun, 22 Nov 2026 07:30:00 GMT");
    assert!(is_guid(header("x-ms-client-request-id")));
    assert_eq!(
        str::from_utf8(&asked.body).unwrap(),
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><KeyInfo><Start>2026-11-22T07:25:00Z</Start>\
         <Expiry>2026-11-22T07:45:00Z</Expiry></KeyInfo>"
    );
}

#[tokio::test]
async fn one_key_makes_many_signatures_and_each_has_its_own_name() {
    let provider = azure().await;
    let settings = settings(&provider);
    let mut other = order("read", 600);
    other.subject = SpiffeId::parse("spiffe://td.example/k8s/prod/shop/other").unwrap();
    let first = settings.obtain(&container(), &order("read", 600), provider.means(), NOW).await.unwrap();
    let second = settings.obtain(&container(), &other, provider.means(), NOW + 100).await.unwrap();
    assert_eq!((provider.server.hits(TOKEN_PATH), provider.server.hits("/acct/")), (1, 1));
    assert_ne!(first.jti, second.jti);
    assert_ne!(first.provider_reference, second.provider_reference);
    assert_eq!(second.expires_at, NOW + 700);
    assert_eq!(parameters(&second)["st"], "2026-11-22T07:26:40Z", "backdated");
    let late = settings.obtain(&container(), &other, provider.means(), NOW - 5).await.unwrap();
    assert_eq!(parameters(&late)["st"], "2026-11-22T07:25:00Z", "and not to before the key");
    // A workload with a credential of its own does not profit from others'.
    let own = Settings { own_credentials: vec![WORKLOAD.to_owned()], ..settings.clone() };
    own.obtain(&container(), &order("read", 600), provider.means(), NOW + 100).await.unwrap();
    assert_eq!((provider.server.hits(TOKEN_PATH), provider.server.hits("/acct/")), (2, 2));
}

#[tokio::test]
async fn a_signature_never_outlives_its_key() {
    let provider = azure().await;
    serve_key(&provider, "2026-11-22T07:35:00Z");
    let credential =
        settings(&provider).obtain(&container(), &order("read", 600), provider.means(), NOW).await.unwrap();
    assert_eq!((credential.expires_at, parameters(&credential)["se"].as_str()), (NOW + 300, "2026-11-22T07:35:00Z"));
    let endless = settings(&provider).obtain(&container(), &order("read", u64::MAX), provider.means(), NOW).await;
    assert_eq!(endless.unwrap().expires_at, NOW + 300);
}

#[tokio::test]
async fn an_order_that_does_not_fit_is_not_sent() {
    let provider = azure().await;
    let elsewhere = Opening::Container { account: "evil.example/".to_owned(), container: "cont".to_owned() };
    for (opening, permissions) in
        [(container(), ""), (container(), "admin"), (container(), "read admin"), (vault(), "read"), (elsewhere, "read")]
    {
        let outcome = settings(&provider).obtain(&opening, &order(permissions, 60), provider.means(), NOW).await;
        assert!(matches!(outcome, Err(Trouble::Refused { .. })), "{opening:?} {permissions}: {outcome:?}");
    }
    assert_eq!(provider.server.hits(TOKEN_PATH), 0);
}

#[tokio::test]
async fn a_refusal_of_either_has_its_code_and_is_not_kept() {
    let provider = azure().await;
    let settings = settings(&provider);
    let obtain = || async {
        let ordered = order("read", 60);
        settings.obtain(&container(), &ordered, provider.means(), NOW).await
    };
    let refused =
        json!({ "error": "invalid_client", "error_codes": [700_212], "error_description": "AADSTS700212: x" });
    provider.server.serve_with(TOKEN_PATH, StatusCode::UNAUTHORIZED, &[], refused.to_string());
    assert!(matches!(obtain().await, Err(Trouble::Refused { code, .. }) if code == "AADSTS700212"));
    let token = json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": "entra-1" });
    provider.server.serve(TOKEN_PATH, token.to_string());
    let mismatch = &[("x-ms-error-code", "AuthorizationPermissionMismatch")];
    provider.server.serve_with("/acct/", StatusCode::FORBIDDEN, mismatch, "");
    assert!(matches!(obtain().await, Err(Trouble::Refused { code, .. }) if code == "AuthorizationPermissionMismatch"));
    serve_key(&provider, "2026-11-22T09:30:00Z");
    assert!(obtain().await.is_ok());
}
