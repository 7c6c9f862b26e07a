use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use harness::{
    Result,
    edge_only::{EdgeOnly, Plan},
    load::{Report, get},
    scripted_sts::Answer,
    wait,
};
use serde_json::json;
use token::reason::Reason;

use crate::scale::scaled;

const WAITERS: u64 = 200;
const TIMEOUT: Duration = Duration::from_millis(750);

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_hangs_is_given_up_by_all_at_once() -> Result<()> {
    let (edge, allowance) = start().await?;
    edge.sts.script(|script| script.answer = Answer::Hang);
    let report = wave(&edge, "hangs").await?;
    told_to_come_back(&report);
    let (first, last) = (report.quantile(0.0), report.quantile(1.0));
    let most = TIMEOUT + Duration::from_millis(100) + allowance;
    assert!(last <= most, "the last was told after {last:?}, at most {most:?} was promised");
    assert_eq!(edge.sts.calls().per_key().len(), 2, "the warm-up's and this one");
    assert_eq!(edge.sts.calls().len(), 2, "one call for all who wait");
    println!(
        "STS hangs: {WAITERS} waiters told after {first:?} to {last:?}, timeout {TIMEOUT:?}, machine's allowance {allowance:?}"
    );
    recovered(&edge, "hangs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_fails_is_given_up_by_all_at_once() -> Result<()> {
    let (edge, allowance) = start().await?;
    let delay = Duration::from_millis(300);
    for answer in [Answer::Unavailable, Answer::Close, Answer::Garbage] {
        let subject = format!("{answer:?}").to_lowercase();
        edge.sts.forget();
        edge.sts.script(|script| (script.answer, script.delay) = (answer, delay));
        let report = wave(&edge, &subject).await?;
        told_to_come_back(&report);
        let last = report.quantile(1.0);
        let most = delay + Duration::from_millis(100) + allowance;
        assert!(last <= most, "{answer:?}: the last was told after {last:?}, at most {most:?}");
        assert_eq!(edge.sts.calls().len(), 1, "{answer:?}: one call for all who wait");
        println!("STS answers {answer:?} after {delay:?}: {WAITERS} waiters told within {last:?}");
        recovered(&edge, &subject).await?;
    }
    edge.sts.go_away().await;
    let report = wave(&edge, "refused").await?;
    told_to_come_back(&report);
    let (last, most) = (report.quantile(1.0), Duration::from_millis(100) + allowance);
    assert!(last <= most, "refused connection: the last was told after {last:?}, at most {most:?}");
    println!("STS refuses connections: {WAITERS} waiters told within {last:?}");
    edge.sts.come_back().await?;
    recovered(&edge, "refused").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_reaches_all_at_once_and_is_no_outage() -> Result<()> {
    let (edge, allowance) = start().await?;
    let delay = Duration::from_millis(300);
    for (reason, status) in [(Reason::PolicyDenied, 403), (Reason::SubjectTokenExpired, 401)] {
        let subject = reason.code().replace('_', "-");
        edge.sts.forget();
        edge.sts.script(|script| (script.answer, script.delay) = (Answer::Refuse(reason), delay));
        let report = wave(&edge, &subject).await?;
        assert_eq!(report.statuses(), BTreeMap::from([(status, WAITERS as usize)]));
        assert!(report.answers.iter().all(|answer| answer.reason.as_deref() == Some(reason.code())));
        assert!(report.answers.iter().all(|answer| !answer.retry_after), "a refusal asks nobody to come back");
        assert!(report.quantile(1.0) <= delay + Duration::from_millis(100) + allowance, "{:?}", report.quantile(1.0));
        assert_eq!(edge.sts.calls().len(), 1, "{reason:?}: one call for all who wait");
        // Others are not refused with it, and nobody takes it for an outage.
        edge.sts.script(|script| (script.answer, script.delay) = (Answer::Grant, Duration::ZERO));
        let report = wave(&edge, &format!("{subject}-not")).await?;
        assert_eq!(report.statuses(), BTreeMap::from([(200, WAITERS as usize)]));
        recovered(&edge, &subject).await?;
    }
    edge.judge.tally().expect_clean()
}

/// An edge of two workers, and what this machine adds to an answer that all of the waiters get at once: twice the slowest of as
/// many requests at the same moment with the token in the cache, and in part never less than half a second, because a machine
/// with other work is never the same twice. Even so a second timeout after the first would be seen.
async fn start() -> Result<(EdgeOnly, Duration)> {
    let timeout = json!(TIMEOUT.as_millis());
    let plan = Plan::default().workers(2).plugin(move |plugin| plugin["sts"]["timeout_ms"] = timeout.clone());
    let edge = plan.start().await?;
    wave(&edge, "warm").await?;
    edge.sts.forget();
    wave(&edge, "warm-again").await?;
    assert_eq!(edge.sts.calls().len(), 1);
    let slowest = wave(&edge, "warm-again").await?.quantile(1.0);
    Ok((edge, (slowest * 2).max(scaled(Duration::from_millis(500), Duration::ZERO))))
}

/// As many requests at once as wait in this proof, all for one key.
async fn wave(edge: &EdgeOnly, subject: &str) -> Result<Report> {
    let subject = subject.to_owned();
    edge.load(WAITERS as usize, WAITERS, move |_| get("reports", &subject, 0)).run().await
}

fn told_to_come_back(report: &Report) {
    assert_eq!(report.statuses(), BTreeMap::from([(503, WAITERS as usize)]));
    for answer in &report.answers {
        assert!(answer.retry_after, "{answer:?}");
        assert!(matches!(answer.reason.as_deref(), Some("sts_unavailable" | "sts_reply_invalid")), "{answer:?}");
    }
}

/// The STS is well again: so are calls, by themselves and soon.
async fn recovered(edge: &EdgeOnly, subject: &str) -> Result<()> {
    edge.sts.script(|script| (script.answer, script.delay) = (Answer::Grant, Duration::ZERO));
    let back = Instant::now();
    wait::until("calls go on by themselves", Duration::from_secs(10), || async {
        let subject = subject.to_owned();
        let report = edge.load(1, 1, move |_| get("reports", &subject, 0)).run().await.ok()?;
        (report.count(200) == 1).then_some(())
    })
    .await?;
    println!("served again {:?} after the STS was well", back.elapsed());
    Ok(())
}
