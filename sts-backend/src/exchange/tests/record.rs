//! What is recorded, and that nothing is released before it is.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::store::{SealedKey, StoreError, StoreFuture};

#[tokio::test]
async fn the_record_holds_no_token_and_is_bounded_whatever_is_sent() {
    let world = World::start().await;
    let mut request = world.request();
    let token = request.subject_token.expose().to_owned();
    let released = world.ask(&request).await.unwrap();
    let issued = released.response().access_token.expose().to_owned();
    request.scope = Some("x".repeat(2_000));
    request.resource = vec![format!("https://{}", "y".repeat(60_000))];
    request.request_context = Some(json!({"actor": PROXY, "route": "r".repeat(2_048)}).to_string());
    world.ask(&request).await.unwrap_err();
    for (_, bytes) in world.store.leaves(0, 10).await.unwrap() {
        let text = String::from_utf8(bytes).unwrap();
        for secret in token.split('.').chain(issued.split('.')) {
            assert!(!text.contains(secret), "a part of a token stands in the record");
        }
        assert!(text.len() < 8_192, "{} bytes", text.len());
    }
}

#[tokio::test]
async fn a_leaf_has_one_spelling() {
    let world = World::start().await;
    world.ask(&world.request()).await.unwrap();
    let bytes = world.store.leaves(0, 1).await.unwrap().remove(0).1;
    let leaf = Leaf::from_bytes(&bytes).unwrap();
    assert_eq!(leaf.to_bytes().unwrap(), bytes);
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(value["v"], 1);
}

/// A store that fails, or hangs until told to go on.
struct Broken(tokio::sync::Semaphore, Option<StoreError>);

impl Store for Broken {
    fn append(&self, _leaf: Vec<u8>) -> StoreFuture<'_, u64> {
        Box::pin(async {
            self.0.acquire().await.unwrap().forget();
            self.1.clone().map_or(Ok(0), Err)
        })
    }

    fn leaves(&self, _from: u64, _limit: usize) -> StoreFuture<'_, Vec<(u64, Vec<u8>)>> {
        Box::pin(async { Err(StoreError::Stopped) })
    }

    fn signing_keys(&self) -> StoreFuture<'_, Vec<SealedKey>> {
        Box::pin(async { Err(StoreError::Stopped) })
    }

    fn add_signing_key(&self, _key: SealedKey, _held: usize) -> StoreFuture<'_, bool> {
        Box::pin(async { Err(StoreError::Stopped) })
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_released() {
    for error in [StoreError::Full, StoreError::Stopped, StoreError::Io("disk full".into())] {
        let store = Arc::new(Broken(tokio::sync::Semaphore::new(100), Some(error)));
        let world = World::with_audit(Some(store)).await;
        assert_eq!(world.refusal(&world.request()).await, Reason::RecordUnavailable);
        let wrong = ExchangeRequest { resource: Vec::new(), ..world.request() };
        assert_eq!(world.refusal(&wrong).await, Reason::RecordUnavailable, "refusals are recorded too");
        assert_eq!(world.exchange.reissues().entries(), 0, "nor kept to be released later");
    }
}

#[tokio::test]
async fn nothing_is_released_while_the_record_is_being_written() {
    let store = Arc::new(Broken(tokio::sync::Semaphore::new(0), None));
    let world = World::with_audit(Some(Arc::clone(&store) as Arc<dyn Store>)).await;
    let request = world.request();
    let mut asking = Box::pin(world.ask(&request));
    for _ in 0..1_000 {
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        tokio::task::yield_now().await;
    }
    store.0.add_permits(1);
    assert!(asking.await.is_ok());
}

#[test]
fn whatever_is_sent_is_answered_and_recorded() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::start());
    let token = world.subject_token(json!({}));
    let part = prop_oneof![
        any::<Vec<u8>>(),
        Just(world.request().to_form().into_bytes()),
        Just(b"&subject_token=".to_vec()),
        Just(b"&resource=https%3A%2F%2Freports.test".to_vec()),
        Just(token.into_bytes()),
    ];
    let form = proptest::collection::vec(part, 0..4).prop_map(|parts| parts.concat());
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let asked = std::cell::Cell::new(0);
    runner
        .run(&(form, any::<bool>()), |(form, direct)| {
            let caller = if direct { Caller::Direct } else { proxy() };
            let answer = runtime.block_on(world.exchange.exchange(&caller, message(&form, None), NOW));
            let decision_id = match &answer {
                Ok(released) => released.decision_id(),
                Err(refused) => refused.decision_id(),
            };
            let leaves = runtime.block_on(world.store.leaves(asked.get(), 10)).unwrap();
            asked.set(asked.get() + 1);
            prop_assert_eq!(leaves.len(), 1);
            let leaf = Leaf::from_bytes(&leaves[0].1).unwrap();
            prop_assert_eq!(&leaf.decision_id, decision_id);
            prop_assert_eq!(leaf.outcome == Outcome::Granted, answer.is_ok());
            Ok(())
        })
        .unwrap();
}
