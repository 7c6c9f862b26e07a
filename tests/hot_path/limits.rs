use std::time::{Duration, Instant};

use harness::{
    Result,
    edge_only::Plan,
    load::{get, get_with},
    native_token::MARK,
    wait,
};
use serde_json::json;
use token::reason::Reason;

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_sixty_kilobytes_are_served_or_refused_and_nothing_grows() -> Result<()> {
    let edge = Plan::default().start().await?;
    let large = |number: u64| {
        let line = format!("x-large: {}\r\n", "l".repeat(60 * 1024 - 2_000));
        get_with("reports", &format!("workload-{}", number % 10), 0, &line)
    };
    let many = |number: u64| {
        let lines: String = (0..90).map(|line| format!("x-line-{line}: {}\r\n", "m".repeat(500))).collect();
        get_with("reports", &format!("workload-{}", number % 10), 0, &lines)
    };
    let warm = edge.load(16, 200, large).run().await?;
    assert_eq!(warm.count(200), 200, "{:?}", warm.statuses());
    let before = edge.edge.process().resident()?;
    for report in [edge.load(16, 500, large).run().await?, edge.load(16, 500, many).run().await?] {
        assert_eq!(report.count(200), 500, "{:?}", report.statuses());
    }
    let token = |length: usize| {
        format!(
            "GET /reports/x HTTP/1.1\r\nhost: e\r\nx-expected: x\r\nauthorization: Bearer {MARK}.{}\r\n\r\n",
            "t".repeat(length)
        )
    };
    let too_long = edge.load(4, 100, move |_| token(60 * 1024).into_bytes()).run().await?;
    assert_eq!(too_long.count(401), 100, "{:?}", too_long.statuses());
    let beyond = edge.load(4, 4, move |_| token(80 * 1024).into_bytes()).run().await?;
    assert!(beyond.answers.iter().all(|answer| answer.status == 431), "{:?}", beyond.statuses());
    let after = edge.edge.process().resident()?;
    println!("1,000 requests with 45 to 60 KiB of headers: Envoy from {} to {} KiB", before / 1024, after / 1024);
    assert!(after < before + before / 5 + 8 * 1024 * 1024, "from {before} to {after} bytes");
    assert_eq!(edge.judge.tally().right, 1_200);
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_envoy_may_hold_harm_nobody_else() -> Result<()> {
    let most = 100;
    let plan = Plan::default().workers(2).bootstrap(move |bootstrap| {
        let monitor = &mut bootstrap["overload_manager"]["resource_monitors"][0]["typed_config"];
        monitor["max_active_downstream_connections"] = json!(most);
    });
    let edge = plan.start().await?;
    edge.sts.script(|script| script.delay = Duration::from_millis(500));
    // As many wait as may be connected, when as many again try to come in.
    let inside = edge.load(most, most as u64, |number| get("reports", &format!("workload-{}", number / 4), 0)).start();
    wait::until("all of them wait", Duration::from_secs(5), || async {
        (edge.stat("http.egress.downstream_rq_active").await.ok()? == most as u64).then_some(())
    })
    .await?;
    let outside = edge.load(most, most as u64, |_| get("reports", "outside", 0)).run().await?;
    let inside = inside.ended().await?;
    assert_eq!(inside.count(200), most, "{:?}", inside.statuses());
    assert!(outside.count(200) < most, "Envoy took all of them: {:?}", outside.statuses());
    wait::until("there is room again", Duration::from_secs(10), || async {
        let report = edge.load(10, 10, |_| get("reports", "later", 0)).run().await.ok()?;
        (report.count(200) == 10).then_some(())
    })
    .await?;
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_tokens_push_out_nobody_s_token() -> Result<()> {
    let (keys, garbage) = (50, 3_000);
    let plan = Plan::default().workers(2).plugin(|plugin| plugin["limits"] = json!({"cached_tokens": 200}));
    let edge = plan.start().await?;
    edge.sts.script(|script| script.refused = Some(("garbage", Reason::SubjectSignatureInvalid)));
    let good = move |number: u64| get("reports", &format!("workload-{}", number % keys), 0);
    let warm = edge.load(16, 4 * keys, good).run().await?;
    assert_eq!(warm.count(200) as u64, 4 * keys, "{:?}", warm.statuses());
    edge.sts.forget();
    let refused = edge.load(16, garbage, |number| get("reports", &format!("garbage-{number}"), 0)).run().await?;
    assert_eq!(refused.count(200), 0, "{:?}", refused.statuses());
    let flood = edge.sts.calls().len();
    let after = edge.load(16, 4 * keys, good).run().await?;
    assert_eq!(after.count(200) as u64, 4 * keys, "{:?}", after.statuses());
    assert_eq!(edge.sts.calls().len(), flood, "good tokens had to be asked for again");
    println!(
        "{garbage} garbage tokens: {flood} of them reached the STS, {:?}; none of {keys} good ones was lost",
        refused.statuses()
    );
    edge.judge.tally().expect_clean()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_routes_load_and_serve() -> Result<()> {
    let routes = 10_000;
    let started = Instant::now();
    let few = Plan::default().start().await?;
    let (start_few, few) = (started.elapsed(), few.edge.process().resident()?);
    let started = Instant::now();
    let edge = Plan::default().routes((0..routes).map(|route| format!("route-{route}"))).start().await?;
    let (start_many, many) = (started.elapsed(), edge.edge.process().resident()?);
    println!(
        "one route: ready after {start_few:?} with {} KiB; {routes} routes: after {start_many:?} with {} KiB",
        few / 1024,
        many / 1024
    );
    let report = edge.load(8, 400, move |number| get(&format!("route-{}", number * 25), "ours", 0)).run().await?;
    assert_eq!(report.count(200), 400, "{:?}", report.statuses());
    assert_eq!(edge.sts.calls().per_key().len(), 400);
    edge.judge.tally().expect_clean()
}
