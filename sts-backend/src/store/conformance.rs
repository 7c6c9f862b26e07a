//! What every store must do. An implementation's tests call [`suite`] with an empty store.

use super::{SealedKey, Store};

/// Runs every check against an empty store.
pub async fn suite(store: &dyn Store) {
    numbers_are_contiguous_whoever_writes(store).await;
    leaves_are_read_in_order_and_in_parts(store).await;
    a_key_is_added_only_where_the_count_is_right(store).await;
}

const WRITERS: usize = 50;

async fn numbers_are_contiguous_whoever_writes(store: &dyn Store) {
    let appends = (0..WRITERS).map(|index| store.append(format!("leaf {index}").into_bytes()));
    let mut numbers = Vec::new();
    for append in join_all(appends).await {
        numbers.push(append.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..WRITERS as u64).collect::<Vec<_>>());
}

async fn leaves_are_read_in_order_and_in_parts(store: &dyn Store) {
    let all = store.leaves(0, 1_000).await.unwrap();
    assert_eq!(all.len(), WRITERS);
    assert!(all.iter().enumerate().all(|(index, (number, _))| index as u64 == *number));
    let mut contents: Vec<_> = all.iter().map(|(_, leaf)| leaf.clone()).collect();
    contents.sort();
    contents.dedup();
    assert_eq!(contents.len(), WRITERS, "each leaf stands once");
    assert_eq!(store.leaves(10, 5).await.unwrap(), all[10..15]);
    assert_eq!(store.leaves(WRITERS as u64, 5).await.unwrap(), []);
}

async fn a_key_is_added_only_where_the_count_is_right(store: &dyn Store) {
    let key = |kid: &str, created_at| SealedKey { kid: kid.to_owned(), created_at, sealed: kid.as_bytes().to_vec() };
    assert_eq!(store.signing_keys().await.unwrap(), []);
    assert_eq!(store.add_signing_key(key("a", 5), 1).await, Ok(false));
    assert_eq!(store.add_signing_key(key("a", 5), 0).await, Ok(true));
    assert_eq!(store.add_signing_key(key("b", 6), 0).await, Ok(false));
    assert_eq!(store.add_signing_key(key("b", 6), 1).await, Ok(true));
    assert_eq!(store.signing_keys().await.unwrap(), [key("a", 5), key("b", 6)], "oldest first");
}

/// Polls all futures to their end, so that they are under way together.
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}
