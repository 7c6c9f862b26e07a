use std::{collections::HashSet, sync::Arc};

use token::{digest, jwk::JwkSet, jws::VerifySignature};

use super::*;
use crate::{crypto::AwsLc, store::EmbeddedStore};

const KEK: [u8; 32] = [1; 32];

async fn load(store: &dyn Store, now: u64) -> SigningKeys {
    SigningKeys::load_or_create(store, &KEK, now).await.unwrap()
}

fn kids(keys: &SigningKeys) -> [String; 2] {
    ALGORITHMS.map(|algorithm| keys.signing(algorithm).unwrap().kid().to_owned())
}

/// What a version that knew ES256 alone has left in its store.
async fn add(store: &dyn Store, algorithm: Algorithm, now: u64) -> String {
    let (key, pkcs8) = SigningKey::generate(algorithm).await.unwrap();
    let sealed = seal::seal(&KEK, key.kid(), &pkcs8).unwrap();
    let held = store.signing_keys().await.unwrap().len();
    let stored = SealedKey { kid: key.kid().to_owned(), created_at: now, sealed };
    assert_eq!(store.add_signing_key(stored, held).await, Ok(true));
    key.kid().to_owned()
}

#[tokio::test]
async fn keys_survive_a_restart_and_judge_what_was_signed_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let (before, signatures) = {
        let keys = load(&EmbeddedStore::open(&path).unwrap(), 1).await;
        (kids(&keys), ALGORITHMS.map(|algorithm| keys.signing(algorithm).unwrap().sign(b"message").unwrap()))
    };
    let store = EmbeddedStore::open(&path).unwrap();
    let keys = load(&store, 2).await;
    assert_eq!(kids(&keys), before);
    for (algorithm, signature) in ALGORITHMS.into_iter().zip(&signatures) {
        let key = keys.signing(algorithm).unwrap();
        assert!(AwsLc.verify_signature(key.public_key(), b"message", signature), "{algorithm}");
        assert!(!AwsLc.verify_signature(key.public_key(), b"another", signature), "{algorithm}");
    }
    let made: Vec<_> = store.signing_keys().await.unwrap().iter().map(|key| key.created_at).collect();
    assert_eq!(made, [1, 1]);
}

#[tokio::test]
async fn a_store_of_an_earlier_version_keeps_its_key_and_gets_the_missing_one() {
    let store = EmbeddedStore::in_memory().unwrap();
    let kid = add(&store, Algorithm::Es256, 1).await;
    let keys = load(&store, 5).await;
    assert_eq!(keys.es256().kid(), kid, "tokens that are alive go on being judged, and the key goes on signing");
    let made: Vec<_> = store.signing_keys().await.unwrap().iter().map(|key| key.created_at).collect();
    assert_eq!(made, [1, 5]);
    assert_eq!(kids(&load(&store, 9).await), kids(&keys));
}

#[tokio::test]
async fn of_each_kind_the_newest_signs_and_all_are_published() {
    let store = EmbeddedStore::in_memory().unwrap();
    let mut made = Vec::new();
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Es256, Algorithm::Rs256] {
        made.push(add(&store, algorithm, 1).await);
    }
    let keys = load(&store, 2).await;
    assert_eq!(kids(&keys).as_slice(), &made[2..]);
    let set = JwkSet::from_json(keys.jwks_json().as_bytes()).unwrap();
    assert!(made.iter().all(|kid| set.has_kid(kid)));
    assert_eq!(set.keys().len(), 4);
    assert!(keys.signing(Algorithm::Es384).is_none());
}

#[tokio::test]
async fn another_key_encryption_key_is_named_as_the_cause() {
    let store = EmbeddedStore::in_memory().unwrap();
    add(&store, Algorithm::Es256, 1).await;
    let error = SigningKeys::load_or_create(&store, &[2; 32], 1).await.err().unwrap();
    assert!(matches!(error, KeyError::Sealed { cause: SealError::Open, .. }), "{error}");
    assert!(error.to_string().contains("encryption_key_file"), "{error}");
}

#[tokio::test]
async fn a_key_of_another_kind_or_name_is_refused() {
    let store = EmbeddedStore::in_memory().unwrap();
    let sealed = seal::seal(&KEK, "k", b"no PKCS #8").unwrap();
    store.add_signing_key(SealedKey { kid: "k".into(), created_at: 1, sealed }, 0).await.unwrap();
    let error = SigningKeys::load_or_create(&store, &KEK, 1).await.err().unwrap();
    assert_eq!(error, KeyError::Unknown("k".into()));

    let store = EmbeddedStore::in_memory().unwrap();
    let (_, pkcs8) = SigningKey::generate(Algorithm::Es256).await.unwrap();
    let sealed = seal::seal(&KEK, "another", &pkcs8).unwrap();
    store.add_signing_key(SealedKey { kid: "another".into(), created_at: 1, sealed }, 0).await.unwrap();
    let error = SigningKeys::load_or_create(&store, &KEK, 1).await.err().unwrap();
    assert_eq!(error, KeyError::Mismatch("another".into()));
}

/// Has eight services start at once.
async fn start_together(store: &Arc<EmbeddedStore>) -> HashSet<[String; 2]> {
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move { kids(&load(&*store, 1).await) })
        })
        .collect();
    let mut seen = HashSet::new();
    for start in starts {
        seen.insert(start.await.unwrap());
    }
    seen
}

#[tokio::test]
async fn services_that_start_at_once_agree_on_the_keys() {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    assert_eq!(start_together(&store).await.len(), 1);
    assert_eq!(store.signing_keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn services_that_upgrade_a_store_at_once_agree_on_the_key_that_is_added() {
    let store = Arc::new(EmbeddedStore::in_memory().unwrap());
    let kid = add(&*store, Algorithm::Es256, 1).await;
    let seen = start_together(&store).await;
    assert_eq!(seen.len(), 1);
    assert!(seen.iter().all(|kids| kids[0] == kid));
    assert_eq!(store.signing_keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_published_set_names_keys_by_thumbprint_and_holds_nothing_private() {
    let keys = load(&EmbeddedStore::in_memory().unwrap(), 1).await;
    let json = keys.jwks_json();
    let set = JwkSet::from_json(json.as_bytes()).unwrap();
    let signing = ALGORITHMS.map(|algorithm| keys.signing(algorithm).unwrap().public_key().clone());
    assert_eq!(set.keys(), signing);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let members = |index: usize| {
        let mut members: Vec<_> = value["keys"][index].as_object().unwrap().keys().map(String::as_str).collect();
        members.sort_unstable();
        members
    };
    assert_eq!(members(0), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert_eq!(members(1), ["alg", "e", "kid", "kty", "n", "use"]);
    let (ec, rsa) = (&value["keys"][0], &value["keys"][1]);
    let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, ec["x"], ec["y"]);
    assert_eq!(digest::fingerprint(canonical), ec["kid"].as_str().unwrap());
    let canonical = format!(r#"{{"e":{},"kty":"RSA","n":{}}}"#, rsa["e"], rsa["n"]);
    assert_eq!(digest::fingerprint(canonical), rsa["kid"].as_str().unwrap());
    assert_eq!((ec["alg"].as_str(), rsa["alg"].as_str()), (Some("ES256"), Some("RS256")));
    assert_eq!((ec["use"].as_str(), rsa["use"].as_str()), (Some("sig"), Some("sig")));
}

#[tokio::test]
async fn the_store_never_sees_a_private_key() {
    let store = EmbeddedStore::in_memory().unwrap();
    load(&store, 1).await;
    for stored in store.signing_keys().await.unwrap() {
        let pkcs8 = seal::open(&KEK, &stored.kid, &stored.sealed).unwrap();
        let windows: HashSet<_> = pkcs8.windows(16).collect();
        assert!(!stored.sealed.windows(16).any(|window| windows.contains(window)));
    }
}
