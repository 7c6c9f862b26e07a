use std::time::Duration;

use harness::{Result, edge_only::Plan, load::get, scripted_sts::Answer};

use crate::scale::scaled;

/// Metadata servers do this: until shortly before its end they give everybody the same token.
#[tokio::test(flavor = "multi_thread")]
async fn an_sts_that_keeps_its_token_is_not_asked_in_a_loop() -> Result<()> {
    let edge = Plan::default().workers(2).start().await?;
    let (life, lives) = (4, scaled(2, 20));
    edge.sts.script(|script| (script.answer, script.life_seconds) = (Answer::SameToken, life));
    let rate = 200.0;
    let mut load = edge.load(16, (rate * (lives * life) as f64) as u64, |_| get("reports", "ours", 0));
    load.rate = Some(rate);
    let report = load.run().await?;
    let calls = edge.sts.calls();
    let asked = calls.len() as u64;
    println!(
        "{asked} exchanges in {lives} lives of {life} s, at most {} in a second",
        calls.most_within(Duration::from_secs(1))
    );
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    edge.judge.tally().expect_clean()?;
    // A tick of 100 ms that asks whenever it is time would ask ten times in every second of a token's last quarter.
    assert!(asked >= lives, "{asked} exchanges in {lives} lives");
    assert!(asked <= 6 * (lives + 1), "{asked} exchanges in {lives} lives");
    Ok(())
}
