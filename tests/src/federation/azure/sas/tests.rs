use super::*;
use crate::asked::Asked;

const NOON: &str = "2026-11-22T00:10:00Z";

fn key() -> DelegationKey {
    DelegationKey {
        object_id: "11111111-1111-1111-1111-111111111111".into(),
        tenant: "22222222-2222-2222-2222-222222222222".into(),
        start: "2026-11-22T00:00:00Z".into(),
        expiry: "2026-11-22T01:00:00Z".into(),
        version: "2020-12-06".into(),
        value: "c2VjcmV0LWtleS1mb3ItdGVzdGluZy1vbmx5LTEyMw==".into(),
    }
}

/// The query of Azure's SDKs for reading and listing a container.
fn query(version: &str, key_version: &str, signature: &str) -> String {
    let key = key();
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("sp", "rl"),
            ("st", "2026-11-22T00:00:00Z"),
            ("se", "2026-11-22T00:30:00Z"),
            ("spr", "https"),
            ("sv", version),
            ("sr", "c"),
            ("skoid", &key.object_id),
            ("sktid", &key.tenant),
            ("skt", &key.start),
            ("ske", &key.expiry),
            ("sks", "b"),
            ("skv", key_version),
            ("sig", signature),
        ])
        .finish()
}

fn judge(query: &str, place: Place<'_>, version: &str, at: &str) -> Result<Sas, String> {
    let query = Asked { query: query.into(), ..Asked::default() }.parameters();
    verify(&query, place, &[DelegationKey { version: version.into(), ..key() }], epoch(at).unwrap())
}

const PLACE: Place<'_> = Place { account: "acct", container: "cont", blob: "team-a/q3.txt" };
const VECTORS: [(&str, &str, &str); 5] = [
    ("2020-12-06", "2020-12-06", "aC3xRaQAPpsaFu6cLnOSG8qYEUclxtF1LOgFA+6BOlY="),
    ("2021-08-06", "2020-12-06", "P8LtXMqeLQ3ESORalUcG8enRXhc2M35QXEM2M+CIaCs="),
    ("2025-05-05", "2020-12-06", "rmDJZclWBeMrZn1IvroUik0U9+eOUK9wFDPRjW5X/6Y="),
    ("2025-11-05", "2020-12-06", "oI2TtcXCFqI2ozSBmiL2xYWbbPVsQ3pz/8OmrCfUtDQ="),
    ("2026-10-06", "2026-04-06", "wNeYWduAJO6oYulbTsCr/hJp4cuXTk9Yte8NjKWiFjE="),
];

#[test]
fn what_azure_s_sdks_sign_is_right_here() {
    for (version, key_version, signature) in VECTORS {
        let sas = judge(&query(version, key_version, signature), PLACE, key_version, NOON).unwrap();
        assert_eq!((sas.permissions.as_str(), sas.object_id), ("rl", key().object_id), "{version}");
    }
    let blob = query("2026-10-06", "2026-04-06", "TzAj/ZHUlOJL0dnvO+hLf36D9SEkSU9dbUpeFHNmLoc=")
        .replace("sp=rl&st=2026-11-22T00%3A00%3A00Z", "sp=r")
        .replace("sr=c", "sr=b");
    let place = Place { blob: "dir/b.txt", ..PLACE };
    assert_eq!(judge(&blob, place, "2026-04-06", NOON).map(|sas| sas.permissions), Ok("r".into()));
    assert!(judge(&blob, PLACE, "2026-04-06", NOON).unwrap_err().starts_with("Signature did not match"));
}

#[test]
fn another_place_moment_or_parameter_is_refused() {
    let (version, key_version, signature) = VECTORS[2];
    let right = query(version, key_version, signature);
    for place in [Place { container: "other", ..PLACE }, Place { account: "other", ..PLACE }] {
        assert!(judge(&right, place, key_version, NOON).unwrap_err().starts_with("Signature did not match"));
    }
    for at in ["2026-11-21T23:59:59Z", "2026-11-22T00:30:00Z"] {
        assert_eq!(judge(&right, PLACE, key_version, at), Err("it is not in force".into()), "{at}");
    }
    for (there, changed, complaint) in [
        ("sp=rl", "sp=rwl", "Signature did not match"),
        ("sp=rl", "sp=lr", "sp lr is not in the order"),
        ("sp=rl", "sp=rlq", "sp rlq is not in the order"),
        ("sp=rl&", "", "sp is missing"),
        ("se=2026-11-22T00%3A30", "se=2026-11-22T00%3A45", "Signature did not match"),
        ("se=2026-11-22T00%3A30%3A00Z", "se=2026-11-22", "se is no moment"),
        ("&spr=https", "", "Signature did not match"),
        ("sr=c", "sr=d", "sr d does not fit"),
        ("sv=2025-05-05", "sv=2021-08-06", "Signature did not match"),
        ("sv=2025-05-05", "sv=2019-12-12", "sv 2019-12-12 is no version"),
        ("sv=2025-05-05", "sv=latest", "sv latest is no version"),
        ("skoid=1", "skoid=3", "there is no such key"),
        ("sks=b", "sks=f", "sks is not b"),
        ("ske=2026-11-22T01", "ske=2026-11-22T02", "there is no such key"),
        ("sig=rm", "sig=rn", "Signature did not match"),
        ("sig=", "x=", "sig is missing"),
        ("sv=", "sip=1.2.3.4&sv=", "sip is not taken here"),
        ("sv=", "scid=x&sv=", "Signature did not match"),
        ("sp=rl", "sp=rl&sp=rl", "sp stands twice"),
    ] {
        let changed = right.replace(there, changed);
        assert_ne!(changed, right, "{there}");
        let refused = judge(&changed, PLACE, key_version, NOON).unwrap_err();
        assert!(refused.starts_with(complaint), "{changed}: {refused}");
    }
}
