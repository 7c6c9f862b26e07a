use proptest::prelude::*;

use super::*;

fn key(version: &str) -> DelegationKey {
    DelegationKey {
        object: "11111111-1111-1111-1111-111111111111".to_owned(),
        tenant: "22222222-2222-2222-2222-222222222222".to_owned(),
        start: "2026-11-22T00:00:00Z".to_owned(),
        starts_at: 1_795_305_600,
        expiry: "2026-11-22T01:00:00Z".to_owned(),
        expires_at: 1_795_309_200,
        version: version.to_owned(),
        value: Zeroizing::new(b"secret-key-for-testing-only-123".to_vec()),
    }
}

fn sas(version: &str) -> Sas<'_> {
    Sas {
        version,
        permissions: "rl",
        starts_at: Some("2026-11-22T00:00:00Z"),
        expires_at: "2026-11-22T00:30:00Z",
        resource: CONTAINER,
        canonical: "/blob/acct/cont",
        correlation: None,
    }
}

#[test]
fn signatures_are_those_of_azure_s_own_libraries() {
    // azure-storage-blob 12.14.1, 12.25.1, 12.27.1 and 12.31.1 made all but the first.
    for (version, key_version, signature) in [
        ("2020-12-06", "2020-12-06", "aC3xRaQAPpsaFu6cLnOSG8qYEUclxtF1LOgFA+6BOlY="),
        ("2021-08-06", "2020-12-06", "P8LtXMqeLQ3ESORalUcG8enRXhc2M35QXEM2M+CIaCs="),
        ("2025-05-05", "2020-12-06", "rmDJZclWBeMrZn1IvroUik0U9+eOUK9wFDPRjW5X/6Y="),
        ("2025-11-05", "2020-12-06", "oI2TtcXCFqI2ozSBmiL2xYWbbPVsQ3pz/8OmrCfUtDQ="),
        ("2026-10-06", "2026-04-06", "wNeYWduAJO6oYulbTsCr/hJp4cuXTk9Yte8NjKWiFjE="),
    ] {
        assert_eq!(*sas(version).signature(&key(key_version)), signature, "{version}");
    }
    let blob = Sas {
        permissions: "r",
        starts_at: None,
        resource: "b",
        canonical: "/blob/acct/cont/dir/b.txt",
        ..sas("2026-10-06")
    };
    assert_eq!(*blob.signature(&key("2026-04-06")), "TzAj/ZHUlOJL0dnvO+hLf36D9SEkSU9dbUpeFHNmLoc=");
}

#[test]
fn what_is_issued_is_the_query_of_azure_s_own_library() {
    // azure-storage-blob 12.25.1, generate_container_sas with correlation_id.
    let theirs = "st=2026-11-22T00%3A00%3A00Z&se=2026-11-22T00%3A30%3A00Z&sp=rwdl&spr=https&sv=2025-05-05&sr=c\
                  &scid=33333333-3333-4333-8333-333333333333&skoid=11111111-1111-1111-1111-111111111111\
                  &sktid=22222222-2222-2222-2222-222222222222&skt=2026-11-22T00%3A00%3A00Z\
                  &ske=2026-11-22T01%3A00%3A00Z&sks=b&skv=2025-05-05\
                  &sig=f9X6DG96jRA2hRXs6tSKkvSti2vyMrCyttdHUBmDoFI%3D";
    let ours = Sas { permissions: "rwdl", correlation: Some("33333333-3333-4333-8333-333333333333"), ..sas(VERSION) };
    let parameters = |query: &str| {
        let mut parameters: Vec<_> = query.split('&').map(str::to_owned).collect();
        parameters.sort();
        parameters
    };
    let ours = ours.query(&key("2025-05-05"));
    assert_eq!(parameters(ours.expose()), parameters(theirs));
}

#[test]
fn the_layout_has_as_many_fields_as_its_version() {
    for (version, fields) in
        [("2020-12-06", 24), ("2025-05-05", 24), ("2025-07-05", 26), ("2026-02-06", 26), ("2026-04-06", 28)]
    {
        assert_eq!(sas(version).string_to_sign(&key("2020-12-06")).split('\n').count(), fields, "{version}");
    }
}

#[test]
fn a_query_has_no_byte_that_is_not_of_a_query() {
    let query = sas(VERSION).query(&key("2025-05-05"));
    assert!(
        query.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._*~%=&".contains(&byte)),
        "{query:?}"
    );
    let read: Vec<_> = form_urlencoded::parse(query.expose().as_bytes()).collect();
    assert!(read.contains(&("sig".into(), sas(VERSION).signature(&key("2025-05-05")).as_str().into())));
}

proptest! {
    #[test]
    fn whatever_is_said_is_signed(permissions in "[racwdl]{1,6}", container in "[a-z0-9]{3,10}", id in "[0-9a-f-]{36}") {
        let plain = sas(VERSION);
        let signature = |sas: &Sas<'_>| sas.signature(&key("2025-05-05"));
        let canonical = format!("/blob/acct/{container}");
        prop_assert_eq!(
            signature(&Sas { permissions: &permissions, ..sas(VERSION) }) == signature(&plain),
            permissions == plain.permissions
        );
        prop_assert_eq!(
            signature(&Sas { canonical: &canonical, ..sas(VERSION) }) == signature(&plain),
            canonical == plain.canonical
        );
        prop_assert_ne!(signature(&Sas { correlation: Some(&id), ..sas(VERSION) }), signature(&plain));
    }
}
