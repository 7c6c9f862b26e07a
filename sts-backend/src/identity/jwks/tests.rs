use http::StatusCode;
use token::{jwk::Jwk, jws::Algorithm};

use super::*;
use crate::{
    crypto::Es256Key,
    identity::{fake_issuer::FakeIssuer, preset::KeyLocation},
    outgoing::fetch::read_authorities,
};

const NOW: u64 = 1_000_000;

fn jwk(kid: &str) -> serde_json::Value {
    let (key, _) = Es256Key::generate().unwrap();
    let mut jwk = Jwk::es256(key.public_point()).unwrap();
    jwk.kid = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

fn set(kids: &[&str]) -> String {
    serde_json::json!({"keys": kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>()}).to_string()
}

fn header(kid: &str) -> Header {
    Header { algorithm: Algorithm::Es256, kid: Some(kid.to_owned()), typ: None }
}

fn fetcher(issuer: &FakeIssuer) -> Fetcher {
    Fetcher::new(read_authorities(issuer.ca_pem.as_bytes()).unwrap(), true).unwrap()
}

fn keys(issuer: &FakeIssuer) -> Arc<IssuerKeys> {
    let location = KeyLocation::Set(format!("{}/jwks", issuer.url).parse().unwrap());
    IssuerKeys::new("test", "https://issuer.test", location, fetcher(issuer))
}

/// Waits until as many fetches have ended: refreshes in the background have no other end to wait on.
async fn ended(keys: &IssuerKeys, fetches: u64) {
    while keys.ended.load(Ordering::Acquire) < fetches {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_first_token_fetches_the_keys_and_the_next_does_not() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let keys = keys(&issuer);
    assert!(!keys.readiness(NOW).ready);
    assert_eq!(keys.find(&header("a"), NOW).await.unwrap().kid(), Some("a"));
    assert_eq!(keys.find(&header("a"), NOW + 1).await.unwrap().kid(), Some("a"));
    assert_eq!(issuer.hits("/jwks"), 1);
    let readiness = keys.readiness(NOW);
    assert!(readiness.ready);
    assert_eq!((readiness.keys, readiness.fetched_at, readiness.error), (1, Some(NOW), None));
}

#[tokio::test]
async fn a_rotated_key_is_found_at_once_and_unknown_ones_cannot_flood_the_issuer() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let keys = keys(&issuer);
    keys.find(&header("a"), NOW).await.unwrap();
    issuer.serve("/jwks", set(&["b"]));
    assert_eq!(keys.find(&header("b"), NOW + 1).await.unwrap().kid(), Some("b"));
    assert_eq!(keys.find(&header("a"), NOW + 1).await, Err(NoKey::Unknown), "the withdrawn key is gone");
    for index in 0..100 {
        assert_eq!(keys.find(&header(&format!("x{index}")), NOW + 2).await, Err(NoKey::Unknown));
    }
    assert_eq!(issuer.hits("/jwks"), BURST);
    assert_eq!(keys.find(&header("b"), NOW + 2).await.unwrap().kid(), Some("b"));
    assert_eq!(keys.find(&header("x"), NOW + BURST_WINDOW).await, Err(NoKey::Unknown));
    assert_eq!(issuer.hits("/jwks"), BURST + 1);
}

#[tokio::test]
async fn those_who_come_during_a_fetch_wait_for_it() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let gate = issuer.hold();
    let keys = keys(&issuer);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.find(&header("a"), NOW).await.is_ok() })
        })
        .collect();
    while issuer.hits("/jwks") == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    for one in waiting {
        assert!(one.await.unwrap());
    }
    assert_eq!(issuer.hits("/jwks"), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_undo_the_fetch() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let gate = issuer.hold();
    let keys = keys(&issuer);
    let caller = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { keys.find(&header("a"), NOW).await.is_ok() }
    });
    while issuer.hits("/jwks") == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    gate.add_permits(1);
    ended(&keys, 1).await;
    assert!(keys.look(&header("a"), NOW).is_ok());
}

#[tokio::test]
async fn stale_keys_serve_while_new_ones_are_fetched_and_when_that_fails_for_a_day() {
    let issuer = FakeIssuer::start().await;
    issuer.serve_with("/jwks", StatusCode::OK, &[("cache-control", "max-age=100")], set(&["a"]));
    let keys = keys(&issuer);
    keys.find(&header("a"), NOW).await.unwrap();
    assert!(keys.look(&header("a"), NOW + 99).unwrap().1);
    assert!(!keys.look(&header("a"), NOW + 100).unwrap().1);

    issuer.serve_with("/jwks", StatusCode::INTERNAL_SERVER_ERROR, &[], "");
    assert!(keys.find(&header("a"), NOW + 100).await.is_ok());
    ended(&keys, 2).await;
    let readiness = keys.readiness(NOW + 100);
    assert!(readiness.ready);
    assert!(readiness.error.unwrap().contains("500"));
    assert!(keys.find(&header("a"), NOW + KEEP_STALE - 1).await.is_ok());
    let gone = keys.find(&header("a"), NOW + KEEP_STALE).await;
    assert!(matches!(gone, Err(NoKey::Unavailable(_))), "{gone:?}");
    assert!(!keys.readiness(NOW + KEEP_STALE).ready);

    issuer.serve("/jwks", set(&["a"]));
    assert!(keys.find(&header("a"), NOW + KEEP_STALE + BURST_WINDOW).await.is_ok());
}

#[tokio::test]
async fn freshness_is_held_within_bounds() {
    let issuer = FakeIssuer::start().await;
    for (index, (directive, wanted)) in
        [("max-age=1", MIN_FRESH), ("no-store", MIN_FRESH), ("max-age=999999", MAX_FRESH), ("public", DEFAULT_FRESH)]
            .into_iter()
            .enumerate()
    {
        let path = format!("/{index}");
        issuer.serve_with(&path, StatusCode::OK, &[("cache-control", directive)], set(&["a"]));
        let location = KeyLocation::Set(format!("{}{path}", issuer.url).parse().unwrap());
        let keys = IssuerKeys::new("test", "i", location, fetcher(&issuer));
        keys.find(&header("a"), NOW).await.unwrap();
        assert_eq!(keys.held.load().as_ref().unwrap().fresh_until, NOW + wanted, "{directive}");
    }
}

#[tokio::test]
async fn a_bad_answer_never_replaces_good_keys() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    issuer.serve("/elsewhere", set(&["b"]));
    let keys = keys(&issuer);
    keys.find(&header("a"), NOW).await.unwrap();
    let elsewhere = format!("{}/elsewhere", issuer.url);
    let large = format!(r#"{{"keys":[{}],"x":"{}"}}"#, jwk("b"), "x".repeat(crate::outgoing::fetch::DOCUMENT.body));
    let mut later = NOW;
    for (status, headers, body) in [
        (StatusCode::FOUND, vec![("location", elsewhere.as_str())], String::new()),
        (StatusCode::OK, vec![], r#"{"keys":[]}"#.to_owned()),
        (StatusCode::OK, vec![], "<html>".to_owned()),
        (StatusCode::OK, vec![], large),
        (StatusCode::NO_CONTENT, vec![], String::new()),
    ] {
        issuer.serve_with("/jwks", status, &headers, body);
        later += BURST_WINDOW;
        assert_eq!(keys.find(&header("b"), later).await, Err(NoKey::Unknown), "{status}");
        assert!(keys.readiness(later).error.is_some(), "{status}");
        assert!(keys.find(&header("a"), later).await.is_ok());
    }
    assert_eq!(issuer.hits("/elsewhere"), 0, "a redirect was followed");
}

#[tokio::test]
async fn a_key_has_one_algorithm_and_asking_for_another_fetches_nothing() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let keys = keys(&issuer);
    keys.find(&header("a"), NOW).await.unwrap();
    let other = Header { algorithm: Algorithm::Rs256, ..header("a") };
    assert_eq!(keys.find(&other, NOW).await, Err(NoKey::OtherAlgorithm));
    assert_eq!(issuer.hits("/jwks"), 1);
}

#[tokio::test]
async fn discovery_is_followed_on_the_issuers_host_alone() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/keys", set(&["a"]));
    let document = |name: &str, keys: &str| serde_json::json!({"issuer": name, "jwks_uri": keys}).to_string();
    let find = async |name: &str| {
        let keys = IssuerKeys::new("test", name, KeyLocation::Discovery(name.to_owned()), fetcher(&issuer));
        let found = keys.find(&header("a"), NOW).await;
        (found.is_ok(), keys.last_error())
    };
    let good = format!("{}/good/", issuer.url);
    issuer.serve("/good/.well-known/openid-configuration", document(&good, &format!("{}/keys", issuer.url)));
    assert_eq!(find(&good).await, (true, None));

    let other_name = format!("{}/name", issuer.url);
    issuer.serve("/name/.well-known/openid-configuration", document("https://x.test", &format!("{}/keys", issuer.url)));
    assert!(matches!(find(&other_name).await, (false, Some(FetchKeysError::OtherIssuer { .. }))));

    let other_host = format!("{}/host", issuer.url);
    issuer.serve("/host/.well-known/openid-configuration", document(&other_host, "https://localhost:1/keys"));
    assert!(matches!(find(&other_host).await, (false, Some(FetchKeysError::OtherHost(_)))));

    let nonsense = format!("{}/nonsense", issuer.url);
    issuer.serve("/nonsense/.well-known/openid-configuration", "[]");
    assert!(matches!(find(&nonsense).await, (false, Some(FetchKeysError::Discovery(_)))));
}

#[tokio::test]
async fn an_issuer_with_a_certificate_of_another_authority_is_not_believed() {
    let issuer = FakeIssuer::start().await;
    let other = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let location = KeyLocation::Set(format!("{}/jwks", issuer.url).parse().unwrap());
    let keys = IssuerKeys::new("test", "i", location, fetcher(&other));
    assert!(matches!(keys.find(&header("a"), NOW).await, Err(NoKey::Unavailable(_))));
    assert_eq!(issuer.hits("/jwks"), 0);
}

#[tokio::test]
async fn keys_are_there_before_the_first_token_and_the_task_ends_with_the_cache() {
    let issuer = FakeIssuer::start().await;
    issuer.serve("/jwks", set(&["a"]));
    let keys = keys(&issuer);
    keys.keep_fresh();
    keys.keep_fresh();
    ended(&keys, 1).await;
    assert!(keys.readiness(unix_now()).ready);
    let task = keys.background.lock().unwrap().clone().unwrap();
    drop(keys);
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(issuer.hits("/jwks"), 1);
}
