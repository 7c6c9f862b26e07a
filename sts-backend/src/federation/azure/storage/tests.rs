use http::HeaderMap;
use proptest::prelude::*;

use super::*;
use crate::federation::{azure::KeptKeys, fake::WORKLOAD};

/// 2026-11-22, 00:30:00.
const NOW: u64 = 1_795_307_400;
const TENANT: &str = "22222222-2222-2222-2222-222222222222";

fn good() -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey>\
         <SignedOid>11111111-1111-1111-1111-111111111111</SignedOid><SignedTid>{TENANT}</SignedTid>\
         <SignedStart>2026-11-22T00:00:00Z</SignedStart><SignedExpiry>2026-11-22T01:00:00Z</SignedExpiry>\
         <SignedService>b</SignedService><SignedVersion>2025-05-05</SignedVersion>\
         <Value>c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==</Value></UserDelegationKey>"
    )
}

fn answered(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<hyper::body::Bytes>) -> Answered {
    let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    Answered {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect::<HeaderMap>(),
        body: body.into(),
    }
}

fn judged(body: impl Into<hyper::body::Bytes>) -> Result<DelegationKey, Trouble> {
    judge(&answered(200, &[], body), TENANT, None, NOW)
}

#[test]
fn a_key_is_read_as_azure_wrote_it() {
    let key = judged(good()).unwrap();
    assert_eq!((key.object.as_str(), key.tenant.as_str()), ("11111111-1111-1111-1111-111111111111", TENANT));
    assert_eq!((key.start.as_str(), key.expiry.as_str()), ("2026-11-22T00:00:00Z", "2026-11-22T01:00:00Z"));
    assert_eq!((key.starts_at, key.expires_at), (1_795_305_600, 1_795_309_200));
    assert_eq!(
        (key.version.as_str(), key.value.as_slice()),
        ("2025-05-05", b"secret-key-for-testing-only-123".as_slice())
    );
    assert!(judged(good().trim_start_matches('\u{feff}').to_owned()).is_ok(), "with and without a byte order mark");
}

#[test]
fn any_other_answer_is_no_key() {
    for (from, to) in [
        ("UserDelegationKey>", "Key>"),
        ("<SignedService>b<", "<SignedService>q<"),
        ("<SignedService>b</SignedService>", ""),
        ("11111111-1111-1111-1111-111111111111", "me"),
        ("11111111-1111-1111-1111-111111111111", "11111111-1111-1111-1111-111111111111&amp;sp=w"),
        (TENANT, "33333333-3333-3333-3333-333333333333"),
        ("00:00:00Z", "00:30:01Z"),
        ("01:00:00Z", "00:30:00Z"),
        ("2026-11-22T01:00:00Z", "2026-11-29T00:35:01Z"),
        ("2026-11-22T01:00:00Z", "2120-01-01T00:00:00Z"),
        ("2026-11-22T01:00:00Z", "2026-11-22"),
        ("2025-05-05", "2025-05-05 "),
        ("2025-05-05", "latest"),
        ("c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==", "c2VjcmV0"),
        ("c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==", "?"),
        ("<Value>", "<Value>c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==</Value><Value>"),
    ] {
        let body = good().replace(from, to);
        assert_ne!(body, good(), "{from}");
        let trouble = judged(body).expect_err(&format!("{from} -> {to}"));
        assert!(matches!(trouble, Trouble::Invalid { .. }), "{trouble:?}");
        assert!(!trouble.to_string().contains("c2Vj"));
    }
    for body in ["", "{}", "<UserDelegationKey/>", "<!DOCTYPE a><UserDelegationKey/>"] {
        assert!(judged(body).is_err(), "{body}");
    }
}

#[test]
fn a_key_is_of_whoever_asked_for_it() {
    let of = |object| judge(&answered(200, &[], good()), TENANT, object, NOW);
    assert!(of(Some("11111111-1111-1111-1111-111111111111")).is_ok());
    assert!(matches!(of(Some("44444444-4444-4444-4444-444444444444")), Err(Trouble::Invalid { .. })));
    assert!(of(None).is_ok(), "Entra's token need not tell");
}

#[test]
fn refusals_have_azure_s_code_and_what_to_do() {
    let error =
        |code: &str| format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>S3CR3T</Message></Error>");
    for (status, code) in [
        (403, "AuthorizationPermissionMismatch"),
        (403, "AuthorizationFailure"),
        (401, "InvalidAuthenticationInfo"),
        (403, "AuthenticationFailed"),
        (403, "AccountIsDisabled"),
        (400, "InvalidXmlDocument"),
    ] {
        let trouble = judge(&answered(status, &[], error(code)), TENANT, None, NOW).unwrap_err();
        assert!(
            matches!(&trouble, Trouble::Refused { code: kept, help } if kept == code && !help.is_empty()),
            "{trouble:?}"
        );
    }
    let in_header = answered(403, &[("x-ms-error-code", "AuthorizationFailure")], "S3CR3T");
    assert_eq!(judge(&in_header, TENANT, None, NOW).unwrap_err().to_string(), "AuthorizationFailure");
    for code in ["", "a b", &"a".repeat(65), "<b/>"] {
        let trouble = judge(&answered(403, &[], error(code)), TENANT, None, NOW).unwrap_err();
        assert_eq!(trouble.to_string(), "403 without a code of Azure Storage", "{code}");
    }
}

#[test]
fn what_may_pass_is_asked_again() {
    for (status, headers, wanted) in [
        (
            503,
            vec![("x-ms-error-code", "ServerBusy")],
            Trouble::Throttled { code: "ServerBusy".into(), retry_after: None },
        ),
        (
            503,
            vec![("x-ms-error-code", "ServerBusy"), ("retry-after", "4")],
            Trouble::Throttled { code: "ServerBusy".into(), retry_after: Some(4) },
        ),
        (
            500,
            vec![("x-ms-error-code", "OperationTimedOut")],
            Trouble::Unavailable { code: "OperationTimedOut".into() },
        ),
        (500, vec![], Trouble::Unavailable { code: "500".into() }),
        (429, vec![("retry-after", "2")], Trouble::Throttled { code: "429".into(), retry_after: Some(2) }),
    ] {
        assert_eq!(judge(&answered(status, &headers, ""), TENANT, None, NOW).unwrap_err(), wanted);
    }
    assert!(matches!(judge(&answered(302, &[], ""), TENANT, None, NOW), Err(Trouble::Invalid { .. })));
}

fn settings(storage_endpoint: Option<&str>) -> Settings {
    Settings {
        tenant: TENANT.to_owned(),
        client_id: "33333333-3333-3333-3333-333333333333".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        subject: "cloakroom".to_owned(),
        own_credentials: Vec::new(),
        authority: None,
        storage_endpoint: storage_endpoint.map(|endpoint| endpoint.parse().unwrap()),
        keys: KeptKeys::default(),
    }
}

#[test]
fn accounts_have_addresses_in_every_cloud() {
    const QUERY: &str = "?restype=service&comp=userdelegationkey";
    for (endpoint, wanted) in [
        (None, "https://acct.blob.core.windows.net/"),
        (Some("https://blob.core.chinacloudapi.cn"), "https://acct.blob.core.chinacloudapi.cn/"),
        (Some("https://z01.blob.storage.azure.net/"), "https://acct.z01.blob.storage.azure.net/"),
        (Some("https://localhost:10000"), "https://localhost:10000/acct/"),
        (Some("https://127.0.0.1:10000/blob/"), "https://127.0.0.1:10000/blob/acct/"),
    ] {
        assert_eq!(address(&settings(endpoint), "acct").unwrap().to_string(), format!("{wanted}{QUERY}"));
    }
}

#[test]
fn whoever_differs_in_anything_holds_another_key() {
    let workload = SpiffeId::parse(WORKLOAD).unwrap();
    let base = settings(None).holder("acct", 60, &workload);
    assert_eq!(base, settings(None).holder("acct", 60, &SpiffeId::parse("spiffe://td/other").unwrap()), "one subject");
    let changed: [Settings; 6] = [
        settings(Some("https://blob.example")),
        Settings { authority: Some("https://login.example".parse().unwrap()), ..settings(None) },
        Settings { tenant: "t".to_owned(), ..settings(None) },
        Settings { client_id: "c".to_owned(), ..settings(None) },
        Settings { subject: "s".to_owned(), ..settings(None) },
        Settings { own_credentials: vec![WORKLOAD.to_owned()], ..settings(None) },
    ];
    for settings in &changed {
        assert_ne!(settings.holder("acct", 60, &workload), base, "{settings:?}");
    }
    assert_ne!(settings(None).holder("acct2", 60, &workload), base);
    assert_ne!(settings(None).holder("acct", 61, &workload), base);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..600, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = judge(&answered(status, &[], body), TENANT, None, NOW);
    }

    #[test]
    fn whatever_is_read_is_harmless_in_a_query(object in "[0-9a-f-]{36}|.{0,40}", version in "[0-9-]{10}|.{0,12}") {
        let body = good().replace("11111111-1111-1111-1111-111111111111", &object).replace("2025-05-05", &version);
        if let Ok(key) = judged(body) {
            let harmless = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            prop_assert!(harmless(&key.object) && harmless(&key.version));
        }
    }
}
