use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::*;

const NOW: u64 = 1_795_305_600;

/// The key of that number.
fn key(number: usize, expires_at: u64) -> DelegationKey {
    DelegationKey {
        object: String::new(),
        tenant: String::new(),
        start: String::new(),
        starts_at: 0,
        expiry: String::new(),
        expires_at,
        version: number.to_string(),
        value: Zeroizing::new(b"S3CR3T".to_vec()),
    }
}

fn holder(number: usize) -> [u8; 32] {
    token::digest::sha256(number.to_be_bytes())
}

/// Counts how often a key is asked for.
#[derive(Default)]
struct Asked(AtomicUsize);

impl Asked {
    async fn good(&self) -> Result<DelegationKey, Trouble> {
        self.until(NOW + 1000).await
    }

    async fn until(&self, expires_at: u64) -> Result<DelegationKey, Trouble> {
        Ok(key(self.0.fetch_add(1, Ordering::Relaxed), expires_at))
    }

    async fn bad(&self) -> Result<DelegationKey, Trouble> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(Trouble::Unavailable { code: "down".to_owned() })
    }

    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_key_is_asked_for_once_until_its_time_is_over() {
    let (keys, asked) = (KeptKeys::default(), Asked::default());
    for now in [NOW, NOW + 1, NOW + KEPT - 1, NOW - 1] {
        assert_eq!(keys.get(holder(1), now, asked.good()).await.unwrap().version, "0", "{now}");
    }
    assert_eq!(keys.clone().get(holder(1), NOW, asked.good()).await.unwrap().version, "0", "clones share");
    assert_eq!(keys.get(holder(1), NOW + KEPT, asked.good()).await.unwrap().version, "1");
    assert_eq!(keys.get(holder(1), NOW - KEPT, asked.good()).await.unwrap().version, "2", "the clock was set back");
}

#[tokio::test]
async fn a_key_that_has_ended_is_not_kept() {
    let (keys, asked) = (KeptKeys::default(), Asked::default());
    keys.get(holder(1), NOW, asked.until(NOW + 10)).await.unwrap();
    assert_eq!(keys.get(holder(1), NOW + 9, asked.good()).await.unwrap().version, "0");
    assert_eq!(keys.get(holder(1), NOW + 10, asked.good()).await.unwrap().version, "1");
}

#[tokio::test]
async fn holders_have_keys_of_their_own() {
    let (keys, asked) = (KeptKeys::default(), Asked::default());
    assert_eq!(keys.get(holder(1), NOW, asked.good()).await.unwrap().version, "0");
    assert_eq!(keys.get(holder(2), NOW, asked.good()).await.unwrap().version, "1");
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited_and_forgotten() {
    let (keys, asked, gate) = (KeptKeys::default(), Asked::default(), Semaphore::new(0));
    let slow = || async {
        gate.acquire().await.unwrap().forget();
        asked.bad().await
    };
    let all = async { tokio::join!(keys.get(holder(1), NOW, slow()), keys.get(holder(1), NOW, slow())) };
    let (outcomes, ()) = tokio::join!(all, async { gate.add_permits(1) });
    assert!(outcomes.0.is_err() && outcomes.1.is_err());
    assert_eq!(asked.times(), 1);
    assert!(keys.get(holder(1), NOW, asked.good()).await.is_ok(), "who comes later asks anew");
    assert_eq!(asked.times(), 2);
}

#[tokio::test]
async fn who_goes_away_does_not_take_the_key_along() {
    let (keys, asked) = (KeptKeys::default(), Asked::default());
    let never = keys.get(holder(1), NOW, std::future::pending());
    assert!(tokio::time::timeout(std::time::Duration::from_millis(5), never).await.is_err());
    assert!(keys.get(holder(1), NOW, asked.good()).await.is_ok());
}

#[tokio::test]
async fn there_is_a_bound_and_the_oldest_goes_first() {
    let (keys, asked) = (KeptKeys::default(), Asked::default());
    for number in 0..=MOST {
        keys.get(holder(number), NOW + u64::from(number > 0), asked.good()).await.unwrap();
    }
    assert_eq!(format!("{keys:?}"), format!("KeptKeys({MOST})"));
    assert_eq!(asked.times(), MOST + 1);
    keys.get(holder(MOST), NOW + 1, asked.good()).await.unwrap();
    assert_eq!(asked.times(), MOST + 1);
    keys.get(holder(0), NOW + 1, asked.good()).await.unwrap();
    assert_eq!(asked.times(), MOST + 2);
}

#[tokio::test]
async fn nothing_of_a_key_is_printed() {
    let keys = KeptKeys::default();
    let key = keys.get(holder(1), NOW, async { Ok(key(1, NOW + 1)) }).await.unwrap();
    assert!(!format!("{keys:?} {key:?}").contains("S3CR3T") && !format!("{key:?}").contains("83"), "{key:?}");
}
