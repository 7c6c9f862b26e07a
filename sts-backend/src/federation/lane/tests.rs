use std::sync::Arc;

use http::StatusCode;

use super::*;
use crate::{
    federation::calls::{Call, Calls},
    identity::fake_issuer::FakeIssuer,
    outgoing::fetch::{Answered, Fetcher, read_authorities},
};

/// A server, and the way to it.
struct Road {
    server: FakeIssuer,
    fetcher: Fetcher,
    lane: Arc<Lane>,
    limits: Limits,
}

const LIMITS: Limits =
    Limits { at_once: 16, waiting: 64, timeout: Duration::from_secs(2), calls_per_second: 1_000, burst: 1_000 };

impl Road {
    async fn open(limits: Limits) -> Self {
        let server = FakeIssuer::start().await;
        let authorities = read_authorities(server.ca_pem.as_bytes()).unwrap();
        let fetcher = Fetcher::keeping(16, authorities, true).unwrap();
        let lane = Arc::new(Lane::new("p", &limits, Meters::default(), || 0));
        Self { server, fetcher, lane, limits }
    }

    fn serve(&self, status: StatusCode, headers: &[(&'static str, &str)]) {
        self.server.serve_with("/t", status, headers, "{}");
    }

    fn calls(&self) -> Calls {
        let deadline = Instant::now() + self.limits.order_time();
        Calls::new(self.fetcher.clone(), self.limits.of_call()).within(Arc::clone(&self.lane), deadline, |_| ())
    }

    async fn ask(&self) -> Result<StatusCode, Trouble> {
        self.calls().ask(&self.call(), judge).await
    }

    fn call(&self) -> Call {
        let uri = format!("{}/t", self.server.url).parse().unwrap();
        Call { uri, headers: Vec::new(), body: "secret=s3cr3t".into() }
    }

    fn hits(&self) -> usize {
        self.server.hits("/t")
    }
}

fn judge(answered: &Answered) -> Result<StatusCode, Trouble> {
    let code = answered.status.as_str().to_owned();
    match answered.status {
        StatusCode::OK => Ok(answered.status),
        StatusCode::BAD_REQUEST => Err(Trouble::Refused { code, help: "h" }),
        StatusCode::NOT_FOUND => Err(Trouble::NotYet { code, help: "h" }),
        StatusCode::TOO_MANY_REQUESTS => {
            let wish = answered.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
            Err(Trouble::Throttled { code, retry_after: wish })
        }
        _ => Err(Trouble::Unavailable { code }),
    }
}

#[tokio::test]
async fn an_answer_is_an_answer_and_a_refusal_is_not_asked_for_twice() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::OK, &[]);
    assert_eq!(road.ask().await, Ok(StatusCode::OK));
    assert_eq!(road.server.asked("/t")[0].body, "secret=s3cr3t");
    road.serve(StatusCode::BAD_REQUEST, &[]);
    assert!(matches!(road.ask().await, Err(Trouble::Refused { .. })));
    assert_eq!(road.hits(), 2);
    for _ in 0..20 {
        _ = road.ask().await;
    }
    assert_eq!(road.hits(), 22, "a provider that refuses is there: it is not left alone");
}

#[tokio::test]
async fn what_gets_no_answer_is_asked_again_a_bounded_number_of_times() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::SERVICE_UNAVAILABLE, &[]);
    assert!(matches!(road.ask().await, Err(Trouble::Unavailable { .. })));
    assert_eq!(road.hits(), 3);
}

#[tokio::test]
async fn what_comes_too_early_is_asked_again_until_it_is_known() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::NOT_FOUND, &[]);
    let asking = async {
        tokio::join!(road.ask(), async {
            while road.hits() == 0 {
                tokio::task::yield_now().await;
            }
            road.serve(StatusCode::OK, &[]);
        })
        .0
    };
    assert_eq!(asking.await, Ok(StatusCode::OK));
    assert_eq!(road.hits(), 2);
}

#[tokio::test]
async fn no_call_is_begun_that_could_not_be_over_in_time() {
    let road = Road::open(Limits { timeout: Duration::from_millis(60), ..LIMITS }).await;
    let _gate = road.server.hold();
    let started = Instant::now();
    assert!(matches!(road.ask().await, Err(Trouble::Unavailable { .. })));
    assert!(started.elapsed() < Duration::from_millis(400), "{:?}", started.elapsed());
    assert!((1..=3).contains(&road.hits()), "{}", road.hits());
}

#[tokio::test]
async fn who_does_not_answer_is_left_alone_and_found_again_when_it_is_back() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::BAD_GATEWAY, &[]);
    for _ in 0..3 {
        assert!(road.ask().await.is_err());
    }
    let hits = road.hits();
    assert_eq!(hits, 5, "the breaker opens within an order");
    let started = Instant::now();
    for _ in 0..50 {
        let Err(Trouble::Unavailable { code }) = road.ask().await else { panic!("no call is made") };
        assert!(code.contains("left alone"), "{code}");
    }
    assert_eq!(road.hits(), hits);
    assert!(started.elapsed() < Duration::from_millis(500), "it is told at once: {:?}", started.elapsed());
    road.serve(StatusCode::OK, &[]);
    while road.ask().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(road.hits(), hits + 1, "by one call");
    assert_eq!(road.ask().await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn one_host_of_a_provider_does_not_close_the_way_to_another() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::OK, &[]);
    let nowhere = Call { uri: "https://127.0.0.1:1/t".parse().unwrap(), headers: Vec::new(), body: "".into() };
    for _ in 0..3 {
        assert!(road.calls().ask(&nowhere, judge).await.is_err());
    }
    let Err(Trouble::Unavailable { code }) = road.calls().ask(&nowhere, judge).await else { panic!() };
    assert!(code.contains("`127.0.0.1:1` did not answer of late"), "{code}");
    assert_eq!(road.ask().await, Ok(StatusCode::OK));
    assert_eq!(road.lane.hosts().len(), 2);
}

#[tokio::test]
async fn a_provider_that_asks_for_a_pause_gets_it() {
    let road = Road::open(LIMITS).await;
    road.serve(StatusCode::TOO_MANY_REQUESTS, &[("retry-after", "30")]);
    assert!(matches!(road.ask().await, Err(Trouble::Throttled { retry_after: Some(30), .. })));
    road.serve(StatusCode::OK, &[]);
    for _ in 0..10 {
        let Err(Trouble::Throttled { retry_after, .. }) = road.ask().await else { panic!("nobody calls") };
        assert!((29..=31).contains(&retry_after.unwrap()), "{retry_after:?}");
    }
    assert_eq!(road.hits(), 1);
}

#[tokio::test]
async fn no_more_is_called_than_the_limit_allows_and_the_rest_waits_or_comes_back() {
    let road = Road::open(Limits { calls_per_second: 20, burst: 5, timeout: Duration::from_secs(1), ..LIMITS }).await;
    road.serve(StatusCode::OK, &[]);
    let road = Arc::new(road);
    let started = Instant::now();
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let road = Arc::clone(&road);
            tokio::spawn(async move { road.ask().await })
        })
        .collect();
    let (mut answered, mut limited) = (0, 0);
    for ask in asking {
        match ask.await.unwrap() {
            Ok(_) => answered += 1,
            Err(Trouble::Throttled { code, retry_after: Some(3..=6) }) if code.contains("our own limit") => {
                limited += 1
            }
            other => panic!("{other:?}"),
        }
    }
    let most = started.elapsed().as_secs_f64() * 20.0 + 5.0;
    assert_eq!((answered + limited, road.hits()), (100, answered));
    assert!(answered >= 40 && answered as f64 <= most, "{answered} of at most {most}");
}

#[test]
fn a_call_is_shown_without_what_it_says() {
    let uri = "https://as.test/token?sig=s3cr3t".parse().unwrap();
    let headers = vec![(http::header::AUTHORIZATION, "Bearer s3cr3t".parse().unwrap())];
    let shown = format!("{:?}", Call { uri, headers, body: "assertion=s3cr3t".into() });
    assert!(shown.contains("as.test") && !shown.contains("s3cr3t"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_is_too_long_or_an_address_that_is_not_allowed_is_told_apart() {
    let road = Road::open(LIMITS).await;
    road.server.serve("/t", "x".repeat(200 * 1024));
    assert!(matches!(road.ask().await, Err(Trouble::Invalid { .. })));
    let calls = Calls::new(Fetcher::new(rustls::RootCertStore::empty(), false).unwrap(), LIMITS.of_call());
    assert!(matches!(calls.ask(&road.call(), judge).await, Err(Trouble::Refused { .. })));
}
