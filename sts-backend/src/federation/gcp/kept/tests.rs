use std::sync::atomic::AtomicUsize;

use tokio::sync::Semaphore;

use super::*;
use crate::federation::fake::NOW;

fn federated(token: &str, expires_at: u64) -> Federated {
    Federated { token: Secret::new(token), expires_at, jti: format!("jti-{token}") }
}

fn key(number: usize) -> [u8; 32] {
    token::digest::sha256(number.to_be_bytes())
}

async fn have(kept: &Kept, number: usize, until: u64, now: u64, token: &str, expires_at: u64) -> (String, bool) {
    let had = kept.have(key(number), until, now, async { Ok(federated(token, expires_at)) }).await.unwrap();
    (had.federated.token.expose().to_owned(), had.was_kept)
}

#[tokio::test]
async fn a_token_is_kept_for_its_key_until_it_is_too_short() {
    let kept = Kept::default();
    assert_eq!(have(&kept, 1, NOW + 60, NOW, "a", NOW + 3600).await, ("a".into(), false));
    assert_eq!(have(&kept, 1, NOW + 60, NOW, "b", NOW + 3600).await, ("a".into(), true));
    assert_eq!(have(&kept, 2, NOW + 60, NOW, "c", NOW + 3600).await, ("c".into(), false), "another workload's");
    assert_eq!(have(&kept.clone(), 1, NOW + 3600, NOW + 3540, "d", NOW + 7200).await, ("a".into(), true));
    assert_eq!(have(&kept, 1, NOW + 3601, NOW + 3541, "e", NOW + 7200).await, ("e".into(), false));
    assert_eq!(have(&kept, 1, NOW + 60, NOW, "f", NOW + 7200).await, ("e".into(), true));
}

#[tokio::test]
async fn a_token_is_forgotten_once_and_not_the_next_one() {
    let kept = Kept::default();
    let first = kept.have(key(1), 0, NOW, async { Ok(federated("a", NOW + 3600)) }).await.unwrap().federated;
    kept.forget(key(1), &first).await;
    assert_eq!(have(&kept, 1, NOW, NOW, "b", NOW + 3600).await, ("b".into(), false));
    kept.forget(key(1), &first).await;
    assert_eq!(have(&kept, 1, NOW, NOW, "c", NOW + 3600).await, ("b".into(), true));
}

#[tokio::test]
async fn those_who_want_the_same_token_at_once_make_one_call_and_share_what_it_comes_to() {
    for fails in [false, true] {
        let (kept, calls, gate) = (Kept::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let (kept, calls, gate) = (kept.clone(), Arc::clone(&calls), Arc::clone(&gate));
                tokio::spawn(async move {
                    let call = async {
                        calls.fetch_add(1, Ordering::SeqCst);
                        gate.acquire().await.unwrap().forget();
                        // Too short to be kept, and still good for those who waited.
                        if fails { Err(Trouble::Unavailable { code: "x".into() }) } else { Ok(federated("a", NOW + 1)) }
                    };
                    kept.have(key(1), NOW + 60, NOW, call).await.map(|had| had.federated.jti.clone())
                })
            })
            .collect();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(8);
        for task in waiting {
            let wanted = if fails { Err(Trouble::Unavailable { code: "x".into() }) } else { Ok("jti-a".into()) };
            assert_eq!(task.await.unwrap(), wanted);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        // Trouble is not kept, nor is what is too short.
        assert_eq!(have(&kept, 1, NOW + 60, NOW, "b", NOW + 3600).await, ("b".into(), false));
    }
}

#[tokio::test]
async fn if_whoever_calls_is_gone_the_next_one_does() {
    let kept = Kept::default();
    let gone = tokio::spawn({
        let kept = kept.clone();
        async move { kept.have(key(1), NOW, NOW, std::future::pending()).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let next = tokio::spawn({
        let kept = kept.clone();
        async move { have(&kept, 1, NOW, NOW, "b", NOW + 3600).await }
    });
    tokio::task::yield_now().await;
    gone.abort();
    assert_eq!(next.await.unwrap(), ("b".into(), false));
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_goes_by_its_end() {
    let kept = Kept::default();
    for number in 0..MOST {
        have(&kept, number, NOW, NOW, "a", NOW + 1000 + number as u64).await;
    }
    have(&kept, MOST, NOW, NOW, "a", NOW + 9000).await;
    assert_eq!(format!("{kept:?}"), format!("Kept {{ held: {MOST} }}"));
    assert!(!have(&kept, 0, NOW, NOW, "a", NOW + 9000).await.1, "the one that ended first made room");
    assert!(have(&kept, MOST, NOW, NOW, "a", NOW + 9000).await.1);
    // What has ended goes when room is wanted, however much it is.
    have(&kept, MOST + 1, NOW + 8000, NOW + 8000, "a", NOW + 9000).await;
    assert_eq!(format!("{kept:?}"), "Kept { held: 3 }");
}
