//! Through the cache, as it is used.

use std::{path::PathBuf, sync::Arc};

use http::StatusCode;
use serde_json::{Value, json};
use token::{
    jwk::Jwk,
    jws::{Algorithm, Header},
};

use super::*;
use crate::{
    crypto::Es256Key,
    identity::{
        fake_issuer::FakeIssuer,
        jwks::{BURST_WINDOW, IssuerKeys, NoKey},
    },
    outgoing::fetch::read_authorities,
};

const NOW: u64 = 1_000_000;

fn jwk(kid: &str, key_use: &str) -> Value {
    let mut jwk = Jwk::es256(Es256Key::generate().unwrap().0.public_point()).unwrap();
    (jwk.kid, jwk.key_use) = (Some(kid.to_owned()), Some(key_use.to_owned()));
    serde_json::to_value(jwk).unwrap()
}

fn header(kid: &str) -> Header {
    Header { algorithm: Algorithm::Es256, kid: Some(kid.to_owned()), typ: None }
}

fn fetcher(issuer: &FakeIssuer) -> Fetcher {
    Fetcher::new(read_authorities(issuer.ca_pem.as_bytes()).unwrap(), true).unwrap()
}

fn bundle_of(issuer: &FakeIssuer, location: KeyLocation) -> Arc<IssuerKeys> {
    let source = KeySource { form: KeyForm::SpiffeBundle, ..location.into() };
    IssuerKeys::new("test", "spiffe://td.test", source, fetcher(issuer))
}

fn bundle(sequence: Option<u64>, kids: &[&str]) -> String {
    let keys: Vec<_> = kids.iter().map(|kid| jwk(kid, "jwt-svid")).collect();
    let mut bundle = json!({"keys": keys, "spiffe_refresh_hint": 300});
    bundle.as_object_mut().unwrap().extend(sequence.map(|sequence| ("spiffe_sequence".to_owned(), json!(sequence))));
    bundle.to_string()
}

#[tokio::test]
async fn a_bundle_grows_and_never_goes_back() {
    let issuer = FakeIssuer::start().await;
    let keys = bundle_of(&issuer, KeyLocation::Set(format!("{}/bundle", issuer.url).parse().unwrap()));
    issuer.serve("/bundle", bundle(Some(5), &["a"]));
    assert!(keys.find(&header("a"), NOW).await.is_ok());
    let mut later = NOW;
    for (sequence, kid, taken) in
        [(Some(4), "old", false), (None, "bare", false), (Some(5), "same", true), (Some(6), "new", true)]
    {
        issuer.serve("/bundle", bundle(sequence, &[kid]));
        later += BURST_WINDOW;
        assert_eq!(keys.find(&header(kid), later).await.is_ok(), taken, "{kid}");
        let error = keys.readiness(later).error;
        assert_eq!(error.is_some_and(|error| error.contains("spiffe_sequence")), !taken, "{kid}");
    }
    // What a trust domain withdraws is gone at once: an empty bundle is an answer, and no failure.
    issuer.serve("/bundle", bundle(Some(7), &[]));
    assert_eq!(keys.find(&header("newer"), later + BURST_WINDOW).await, Err(NoKey::Unknown));
    assert_eq!(keys.find(&header("new"), later + BURST_WINDOW).await, Err(NoKey::Unknown));
    issuer.serve("/bundle", "<html>");
    let after = later + 2 * BURST_WINDOW;
    assert_eq!(keys.find(&header("new"), after).await, Err(NoKey::Unknown));
    assert!(keys.readiness(after).error.unwrap().contains("bundle"));
}

#[tokio::test]
async fn the_refresh_hint_is_honoured_within_bounds() {
    let issuer = FakeIssuer::start().await;
    let read = async |hint: u64| {
        let body = json!({"keys": [jwk("a", "jwt-svid")], "spiffe_refresh_hint": hint}).to_string();
        issuer.serve_with("/bundle", StatusCode::OK, &[("cache-control", "max-age=77")], body);
        let location = KeyLocation::Set(format!("{}/bundle", issuer.url).parse().unwrap());
        KeySource { form: KeyForm::SpiffeBundle, ..location.into() }.read(&fetcher(&issuer)).await.unwrap().fresh_for
    };
    assert_eq!(read(300).await, 300);
    assert_eq!(read(1).await, MIN_FRESH);
    assert_eq!(read(1 << 40).await, MAX_FRESH);
}

#[tokio::test]
async fn a_file_is_read_again_when_it_has_changed() {
    let issuer = FakeIssuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let set = |kid: &str| json!({"keys": [jwk(kid, "sig")]}).to_string();
    std::fs::write(&file, set("a")).unwrap();
    let keys = IssuerKeys::new("test", "i", KeyLocation::File(file.clone()), fetcher(&issuer));
    assert!(keys.find(&header("a"), NOW).await.is_ok());
    std::fs::write(&file, set("b")).unwrap();
    assert!(keys.find(&header("b"), NOW + 1).await.is_ok());
    assert_eq!(keys.find(&header("a"), NOW + 1 + BURST_WINDOW).await, Err(NoKey::Unknown));
    // The last good keys outlive the file.
    for spoilt in [Some("{".to_owned()), Some("x".repeat(DOCUMENT.body + 1)), None] {
        let Some(text) = &spoilt else {
            std::fs::remove_file(&file).unwrap();
            continue;
        };
        std::fs::write(&file, text).unwrap();
        assert_eq!(keys.find(&header("c"), NOW + 3 * BURST_WINDOW).await, Err(NoKey::Unknown));
        assert!(keys.find(&header("b"), NOW + 3 * BURST_WINDOW).await.is_ok());
        assert!(keys.readiness(NOW + 3 * BURST_WINDOW).error.is_some());
    }
    assert!(keys.find(&header("b"), NOW + 4 * BURST_WINDOW).await.is_ok());
    let absent = IssuerKeys::new("test", "i", KeyLocation::File(PathBuf::from("/nowhere/x")), fetcher(&issuer));
    assert!(matches!(absent.find(&header("a"), NOW).await, Err(NoKey::Unavailable(cause)) if cause.contains("x")));
}

#[tokio::test]
async fn a_discovery_document_may_name_a_listed_host_and_no_other() {
    let (issuer, elsewhere) = (FakeIssuer::start().await, FakeIssuer::start().await);
    elsewhere.serve("/keys", json!({"keys": [jwk("a", "sig")]}).to_string());
    let document = json!({"issuer": issuer.url, "jwks_uri": format!("{}/keys", elsewhere.url)});
    issuer.serve("/.well-known/openid-configuration", document.to_string());
    let both = format!("{}{}", issuer.ca_pem, elsewhere.ca_pem);
    let fetcher = Fetcher::new(read_authorities(both.as_bytes()).unwrap(), true).unwrap();
    let read = async |hosts: &[&str]| {
        let hosts = hosts.iter().map(ToString::to_string).collect();
        let source = KeySource { hosts, ..KeyLocation::Discovery(issuer.url.clone()).into() };
        source.read(&fetcher).await.map(|document| document.set.keys().len())
    };
    let host = elsewhere.url.strip_prefix("https://").unwrap();
    assert!(matches!(read(&[]).await, Err(FetchKeysError::OtherHost(_))));
    assert!(matches!(read(&["127.0.0.1", "localhost"]).await, Err(FetchKeysError::OtherHost(_))), "the port counts");
    assert_eq!(elsewhere.hits("/keys"), 0);
    assert_eq!(read(&[host]).await, Ok(1));
}

#[tokio::test]
async fn the_offset_of_the_issuer_s_clock_is_measured_with_every_answer() {
    let issuer = FakeIssuer::start().await;
    let location = KeyLocation::Set(format!("{}/jwks", issuer.url).parse().unwrap());
    let keys = IssuerKeys::new("test", "i", location, fetcher(&issuer));
    assert_eq!(keys.readiness(NOW).clock_offset, None);
    // 784111777 in seconds.
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let body = || json!({"keys": [jwk("a", "sig")]}).to_string();
    issuer.serve_with("/jwks", StatusCode::OK, &[("date", date)], body());
    let ours = 784_111_777 + 90;
    keys.find(&header("a"), ours).await.unwrap();
    let offset = keys.readiness(ours).clock_offset.unwrap();
    assert!((-93..=-90).contains(&offset), "{offset}");
    // A cache that says how old its answer is does not make the issuer's clock look late.
    issuer.serve_with("/jwks", StatusCode::OK, &[("date", date), ("age", "100")], body());
    _ = keys.find(&header("b"), ours + BURST_WINDOW).await;
    let offset = keys.readiness(ours).clock_offset.unwrap();
    assert!((-8..=-5).contains(&offset), "{offset}");
}
