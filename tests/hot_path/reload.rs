use std::{sync::Arc, time::Duration};

use harness::{
    Result,
    edge_only::{DRAIN, EdgeOnly, Plan, route},
    load::{Report, get},
    wait,
};
use serde_json::{Value, json};

const KEYS: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_asks_again_only_for_what_has_changed() -> Result<()> {
    let edge = Arc::new(start().await?);
    warm(&edge).await?;
    edge.sts.forget();
    // Requests are under way all the time.
    let mut load = edge.load(16, u64::MAX, |number| get(alternating(number), &subject(number), 0));
    load.rate = Some(400.0);
    let load = load.start();
    edge.reload(|plugin| route(plugin, "orders")["scope"] = json!("orders.read"))?;
    updated(&edge, "lds.update_success", 2).await?;
    wait::until("the changed route has asked again", Duration::from_secs(10), || async {
        (edge.sts.calls().per_key().len() as u64 >= KEYS).then_some(())
    })
    .await?;
    // Until the last connection of the old listener is gone.
    tokio::time::sleep(DRAIN + Duration::from_millis(500)).await;
    let report = load.stop().await?;
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    let calls = edge.sts.calls().per_key();
    let asked =
        |route: &str| calls.iter().filter(|(key, _)| key.ends_with(route)).map(|(_, count)| count).sum::<usize>();
    println!(
        "reload under load: {} requests, none failed; unchanged route asked {}, changed {} for {KEYS} keys",
        report.answers.len(),
        asked("~reports"),
        asked("~orders")
    );
    assert_eq!(asked("~reports"), 0, "the unchanged route");
    assert_eq!(asked("~orders") as u64, KEYS, "the changed route");
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_with_a_mistake_changes_nothing() -> Result<()> {
    let edge = start().await?;
    warm(&edge).await?;
    edge.sts.forget();
    let mistakes: [fn(&mut Value); 3] = [
        |plugin| plugin["routes"] = json!({}),
        |plugin| route(plugin, "orders")["clusters"] = json!([]),
        |plugin| plugin["surprise"] = json!(true),
    ];
    for (rejected, mistake) in (1..).zip(mistakes) {
        edge.reload(mistake)?;
        updated(&edge, "lds.update_rejected", rejected).await?;
        let report = all(&edge).await?;
        assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    }
    assert!(edge.sts.calls().is_empty(), "{:?}", edge.sts.calls().per_key());
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_under_way_end_well_over_a_reload() -> Result<()> {
    let edge = Plan::default().workers(2).listener_from_file().latency(Duration::from_millis(400)).start().await?;
    edge.sts.script(|script| script.delay = Duration::from_millis(300));
    // Some wait for the STS, some for the service, when the settings change.
    let waiting = edge.load(20, 20, |number| get("reports", &format!("first-{number}"), 0)).start();
    tokio::time::sleep(Duration::from_millis(350)).await;
    let more = edge.load(20, 20, |number| get("reports", &format!("second-{number}"), 0)).start();
    wait::until("they are asked for", Duration::from_secs(5), || async {
        (edge.sts.calls().len() == 40).then_some(())
    })
    .await?;
    edge.reload(|plugin| route(plugin, "reports")["scope"] = json!("reports.read"))?;
    updated(&edge, "lds.update_success", 2).await?;
    for load in [waiting, more] {
        let report = load.ended().await?;
        assert_eq!(report.count(200), 20, "{:?}", report.statuses());
    }
    edge.judge.tally().expect_clean()
}

async fn start() -> Result<EdgeOnly> {
    Plan::default().workers(2).listener_from_file().routes(["reports", "orders"]).start().await
}

/// Every key on both routes.
async fn warm(edge: &EdgeOnly) -> Result<()> {
    let report = all(edge).await?;
    assert!(report.not(200).is_empty(), "{:?}", report.statuses());
    assert_eq!(edge.sts.calls().per_key().len() as u64, 2 * KEYS);
    Ok(())
}

async fn all(edge: &EdgeOnly) -> Result<Report> {
    edge.load(16, 8 * KEYS, |number| get(alternating(number), &subject(number), 0)).run().await
}

fn alternating(number: u64) -> &'static str {
    if number.is_multiple_of(2) { "reports" } else { "orders" }
}

fn subject(number: u64) -> String {
    format!("workload-{}", number / 2 % KEYS)
}

async fn updated(edge: &EdgeOnly, stat: &str, count: u64) -> Result<()> {
    wait::until(&format!("{stat} is {count}"), Duration::from_secs(10), || async {
        (edge.stat(stat).await.ok()? >= count).then_some(())
    })
    .await
}
