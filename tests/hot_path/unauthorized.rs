use std::{collections::HashSet, time::Duration};

use harness::{
    Result,
    edge_only::{EdgeOnly, Plan},
    issued_token::key,
    judge::Mood,
    load::{Report, get},
    wait,
};

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_token_that_was_sent_is_dropped_once() -> Result<()> {
    let edge = Plan::default().workers(2).latency(Duration::from_millis(100)).start().await?;
    let (ours, other) = (calls(&edge, "ours", 20).await?, calls(&edge, "other", 20).await?);
    assert_eq!((ours.count(200), other.count(200)), (20, 20));
    let (old, kept) = (serial(&ours), serial(&other));
    // Many are on their way with it when the destination begins to refuse it: all of them are told, one of them counts.
    edge.judge.unauthorized(Mood::Serials(HashSet::from([old])));
    let refused = calls(&edge, "ours", 20).await?;
    assert!(refused.count(401) > 0, "{:?}", refused.statuses());
    let fresh = calls(&edge, "ours", 20).await?;
    assert_eq!(fresh.count(200), 20, "{:?}", fresh.statuses());
    let new = serial(&fresh);
    assert_ne!(new, old);
    assert_eq!(serial(&calls(&edge, "other", 20).await?), kept, "another key's token is not touched");
    let asked: Vec<_> = edge.sts.calls().0.into_iter().filter(|call| *call.key == *key("ours", "reports")).collect();
    assert_eq!(asked.len(), 2, "once at first, once after the 401s");
    assert_eq!(asked.iter().map(|call| call.no_cache).collect::<Vec<_>>(), [false, true]);
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_401s_is_no_storm_of_exchanges() -> Result<()> {
    let edge = Plan::default().workers(2).start().await?;
    calls(&edge, "ours", 4).await?;
    edge.judge.unauthorized(Mood::Everybody);
    edge.sts.forget();
    let mut load = edge.load(32, 1500, |_| get("reports", "ours", 0));
    load.rate = Some(500.0);
    let report = load.run().await?;
    let asked = edge.sts.calls().len();
    println!("{} requests in {:?}, all answered 401: {asked} exchanges, {:?}", 1500, report.took, report.statuses());
    // With a wait that doubles from half a second there is room for three or four in three seconds; eight is generous.
    assert!((1..=8).contains(&asked), "{asked} exchanges");
    edge.judge.tally().expect_clean()?;
    edge.judge.unauthorized(Mood::Nobody);
    wait::until("the destination accepts again and calls go on", Duration::from_secs(20), || async {
        (calls(&edge, "ours", 4).await.ok()?.count(200) == 4).then_some(())
    })
    .await
}

async fn calls(edge: &EdgeOnly, subject: &'static str, count: u64) -> Result<Report> {
    edge.load(count as usize, count, move |_| get("reports", subject, 0)).run().await
}

/// The one token that all of them went with.
fn serial(report: &Report) -> u64 {
    let serials: HashSet<_> = report.answers.iter().filter_map(|answer| answer.serial).collect();
    assert_eq!(serials.len(), 1, "{serials:?}");
    serials.into_iter().next().unwrap_or_default()
}
