use std::time::{Duration, Instant};

use harness::{
    Result,
    artefact::{self, FAULT_HEADER, FAULT_MARK, Progress},
    edge_only::{Plan, http, seconds},
    load::{get, get_with},
    scripted_sts::Answer,
    wait,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn streams_in_a_dead_vm_end_in_bounded_time_and_the_next_are_served() -> Result<()> {
    let idle = Duration::from_secs(2);
    let edge = Plan::default()
        .faults()
        .plugin(|plugin| plugin["sts"]["timeout_ms"] = json!(10_000))
        .bootstrap(move |bootstrap| http(bootstrap)["stream_idle_timeout"] = seconds(idle))
        .start()
        .await?;
    edge.sts.script(|script| script.answer = Answer::Hang);
    let parked = edge.load(50, 50, |number| get("reports", &format!("parked-{number}"), 0)).start();
    wait::until("all of them wait", Duration::from_secs(10), || async { (edge.sts.calls().len() == 50).then_some(()) })
        .await?;
    let (died, fault) = (Instant::now(), |_| get_with("reports", "fault", 0, &format!("{FAULT_HEADER}: trap\r\n")));
    let report = edge.load(1, 1, fault).run().await?;
    assert_eq!(report.count(200), 0, "{:?}", report.statuses());

    edge.sts.script(|script| script.answer = Answer::Grant);
    let back = wait::until("requests are served again", Duration::from_secs(10), || async {
        let report = edge.load(1, 1, |_| get("reports", "next", 0)).run().await.ok()?;
        (report.count(200) == 1).then(|| died.elapsed())
    })
    .await?;
    let report = parked.ended().await?;
    assert_eq!(report.count(200), 0, "nobody was there to answer them: {:?}", report.statuses());
    let ended = died.elapsed();
    assert!(ended < idle + Duration::from_secs(3), "parked streams ended after {ended:?}");
    edge.judge.tally().expect_clean()?;
    assert!(edge.vm_reloads().await? > 0, "no VM died, and this proves nothing");
    println!(
        "a VM died: served again after {back:?}, its 50 parked streams ended after {ended:?}: {:?}",
        report.statuses()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ships_knows_no_faults() -> Result<()> {
    let holds = |wasm: Vec<u8>| wasm.windows(FAULT_MARK.len()).any(|window| window == FAULT_MARK.as_bytes());
    assert!(holds(std::fs::read(artefact::filter_with_faults(Progress::Kept)?)?), "the search finds nothing at all");
    assert!(!holds(std::fs::read(artefact::filter(Progress::Kept)?)?));
    let edge = Plan::default().start().await?;
    for fault in ["trap", "trap-after-ask"] {
        let request = move |_| get_with("reports", fault, 0, &format!("{FAULT_HEADER}: {fault}\r\n"));
        assert_eq!(edge.load(2, 4, request).run().await?.count(200), 4);
    }
    assert_eq!(edge.vm_reloads().await?, 0);
    edge.judge.tally().expect_clean()
}
