use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::StatusCode;
use serde_json::json;
use token::{claims::Scope, secret::Secret, spiffe::SpiffeId, token_type::TokenType};

use super::*;
use crate::{
    federation::{
        assertion::{Assertion, Signed},
        fake_provider,
        order::Order,
        way::Way,
    },
    identity::fake_issuer::FakeIssuer,
    outgoing::fetch::read_authorities,
};

mod secrecy;

const NOW: u64 = 1_800_000_000;

/// What no log and no debug print may show.
const ASSERTION: &str = "s3cr3t-assertion";
const TOKEN: &str = "s3cr3t-token";

/// Signs nothing, but gives each assertion a name.
#[derive(Default)]
struct Ink(AtomicUsize);

impl Signer for Ink {
    fn sign(&self, _: &Assertion, _: u64) -> Result<Signed, Trouble> {
        let jti = format!("j{}", self.0.fetch_add(1, Ordering::Relaxed));
        Ok(Signed { jwt: Secret::new(ASSERTION), jti })
    }
}

const LIMITS: Limits =
    Limits { at_once: 16, waiting: 256, timeout: Duration::from_secs(5), calls_per_second: 10_000, burst: 10_000 };

/// A provider with its server.
struct Shop {
    server: FakeIssuer,
    provider: Arc<Provider>,
    settings: fake_provider::Settings,
}

impl Shop {
    async fn open() -> Self {
        Self::within(LIMITS).await
    }

    async fn within(limits: Limits) -> Self {
        let server = FakeIssuer::start().await;
        let authorities = read_authorities(server.ca_pem.as_bytes()).unwrap();
        let provider = Provider::new(Parts {
            name: "p".into(),
            limits,
            fetcher: Fetcher::keeping(16, authorities, true).unwrap(),
            signer: Arc::new(Ink::default()),
            trust_domain: "td.test".into(),
            capacity: 1_000,
            waiting_callers: 200,
            meters: Meters::default(),
            entropy: || 0,
        });
        let settings = fake_provider::Settings::new(&format!("{}/t", server.url));
        let shop = Self { server, provider, settings };
        shop.gives(900);
        shop
    }

    fn gives(&self, life: u64) {
        self.server.serve("/t", json!({"access_token": TOKEN, "expires_in": life}).to_string());
    }

    fn says(&self, status: StatusCode) {
        self.server.serve_with("/t", status, &[], TOKEN);
    }

    fn key(&self, subject: usize) -> Key {
        let order = Order {
            subject: SpiffeId::parse(&format!("spiffe://td.test/w{subject}")).unwrap(),
            target: "reports".into(),
            permissions: Scope::parse("read").unwrap(),
            life: 300,
        };
        Key { way: Arc::new(Way::Fake(self.settings.clone())), order }
    }

    async fn lend(&self, subject: usize, wish: Wish) -> Result<Lent, Shortfall> {
        self.provider.lend(self.key(subject), &wish).await
    }

    fn hits(&self) -> usize {
        self.server.hits("/t")
    }

    fn under_way(&self) -> usize {
        self.provider.state().under_way.len()
    }

    async fn until_nothing_is_under_way(&self) {
        let started = Instant::now();
        while self.under_way() > 0 {
            assert!(started.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Somebody who waits for as long as it takes.
fn wish(now: u64) -> Wish {
    Wish { life: 60, no_cache: false, until: Instant::now() + Duration::from_secs(20), now }
}

fn hasty(now: u64) -> Wish {
    Wish { until: Instant::now() + Duration::from_millis(50), ..wish(now) }
}

fn fresh(now: u64) -> Wish {
    Wish { no_cache: true, ..wish(now) }
}

fn jti(lent: Result<Lent, Shortfall>) -> String {
    lent.unwrap().kept.jti().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_orders_for_a_hundred_workloads_are_a_hundred_calls() {
    let shop = Arc::new(Shop::open().await);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..10_000 {
        let shop = Arc::clone(&shop);
        asking.spawn(async move {
            let lent = loop {
                // Who finds no seat comes back, as a proxy does.
                match shop.lend(number % 100, wish(NOW)).await {
                    Ok(lent) => break lent,
                    Err(Shortfall::UnderWay) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(other) => panic!("{other:?}"),
                }
            };
            (number % 100, lent.kept.jti().to_owned(), lent.first)
        });
    }
    let mut names: HashMap<usize, String> = HashMap::new();
    let mut first = 0;
    while let Some(lent) = asking.join_next().await {
        let (subject, jti, is_first) = lent.unwrap();
        assert_eq!(*names.entry(subject).or_insert_with(|| jti.clone()), jti, "one workload, one credential");
        first += usize::from(is_first);
    }
    let distinct: std::collections::HashSet<_> = names.values().collect();
    assert_eq!((shop.hits(), names.len(), distinct.len(), first), (100, 100, 100, 100));
}

#[tokio::test]
async fn those_who_ask_at_once_share_one_order_and_one_who_leaves_does_not_end_it() {
    let shop = Arc::new(Shop::open().await);
    let gate = shop.server.hold();
    let first = tokio::spawn({
        let shop = Arc::clone(&shop);
        async move { shop.lend(1, wish(NOW)).await }
    });
    while shop.hits() == 0 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let others: Vec<_> = (0..50)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { shop.lend(1, wish(NOW)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    gate.add_permits(100);
    for other in others {
        assert_eq!(jti(other.await.unwrap()), "j0");
    }
    assert_eq!((shop.hits(), shop.under_way()), (1, 0));
}

#[tokio::test]
async fn who_cannot_wait_comes_back_and_finds_what_came_meanwhile() {
    let shop = Shop::open().await;
    let gate = shop.server.hold();
    for _ in 0..3 {
        assert_eq!(shop.lend(1, hasty(NOW)).await.unwrap_err(), Shortfall::UnderWay);
    }
    gate.add_permits(1);
    shop.until_nothing_is_under_way().await;
    let lent = shop.lend(1, hasty(NOW + 1)).await.unwrap();
    assert!(lent.first, "nobody had it before");
    assert!(!shop.lend(1, hasty(NOW + 1)).await.unwrap().first);
    assert_eq!(shop.hits(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_wait_for_a_repetition_is_told_what_it_is_for() {
    let shop = Shop::open().await;
    let late = || Wish { until: Instant::now() + Duration::from_millis(600), ..wish(NOW) };
    shop.says(StatusCode::TOO_MANY_REQUESTS);
    let said = shop.lend(1, late()).await.unwrap_err();
    assert!(matches!(said, Shortfall::Trouble(Trouble::Throttled { .. })), "{said:?}");
    let shop = Shop::open().await;
    // What may only be too early is no reason yet.
    shop.says(StatusCode::NOT_FOUND);
    assert_eq!(shop.lend(1, late()).await.unwrap_err(), Shortfall::UnderWay);
}

#[tokio::test]
async fn a_bug_that_panics_wedges_nothing() {
    let mut shop = Shop::open().await;
    shop.settings.panics = true;
    for _ in 0..3 {
        let Err(Shortfall::Trouble(Trouble::Unavailable { code })) = shop.lend(1, wish(NOW)).await else { panic!() };
        assert!(code.contains("bug"), "{code}");
        assert_eq!(shop.under_way(), 0);
    }
    shop.settings.panics = false;
    assert!(shop.lend(1, wish(NOW)).await.is_ok());
    let free = shop.provider.bulkhead.free();
    assert_eq!(free, (LIMITS.at_once + LIMITS.waiting, LIMITS.at_once));
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_nobody_but_its_own() {
    let hung = Arc::new(Shop::within(Limits { timeout: Duration::from_millis(500), ..LIMITS }).await);
    let well = Shop::open().await;
    let _gate = hung.server.hold();
    let stuck: Vec<_> = (0..200)
        .map(|subject| {
            let hung = Arc::clone(&hung);
            tokio::spawn(async move {
                hung.lend(subject, Wish { until: Instant::now() + Duration::from_millis(400), ..wish(NOW) }).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    for subject in 0..50 {
        assert!(well.lend(subject, hasty(NOW)).await.is_ok(), "{subject}");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_millis(1_500), "{took:?} for 50 calls");
    for one in stuck {
        assert!(one.await.unwrap().is_err());
    }
    // Once it is known to hang, its own are told at once too, and it is not called.
    hung.until_nothing_is_under_way().await;
    let (hits, started) = (hung.hits(), Instant::now());
    for subject in 200..300 {
        let shortfall = hung.lend(subject, wish(NOW)).await.unwrap_err();
        assert!(matches!(shortfall, Shortfall::Trouble(Trouble::Unavailable { .. })), "{shortfall:?}");
    }
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert!(hung.hits() <= hits + 1 && hits <= LIMITS.at_once, "{hits}");
}

#[tokio::test]
async fn orders_beyond_the_queue_are_turned_away_at_once() {
    let shop = Shop::within(Limits { at_once: 1, waiting: 1, ..LIMITS }).await;
    let gate = shop.server.hold();
    for subject in 0..2 {
        assert_eq!(shop.lend(subject, hasty(NOW)).await.unwrap_err(), Shortfall::UnderWay);
    }
    let Err(Shortfall::Trouble(Trouble::Unavailable { code })) = shop.lend(2, wish(NOW)).await else { panic!() };
    assert!(code.contains("too many orders"), "{code}");
    assert_eq!(shop.hits(), 1);
    gate.add_permits(9);
    shop.until_nothing_is_under_way().await;
    assert!(shop.lend(2, wish(NOW + 1)).await.is_ok());
}

#[tokio::test]
async fn callers_beyond_the_seats_are_told_to_come_back_at_once() {
    let shop = Arc::new(Shop::open().await);
    let gate = shop.server.hold();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move { shop.lend(1, wish(NOW)).await })
        })
        .collect();
    while shop.provider.callers.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    let started = Instant::now();
    assert_eq!(shop.lend(1, wish(NOW)).await.unwrap_err(), Shortfall::UnderWay);
    assert!(started.elapsed() < Duration::from_millis(200));
    gate.add_permits(9);
    for one in waiting {
        assert!(one.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn a_no_is_remembered_for_its_own_key_and_a_while() {
    let shop = Shop::open().await;
    shop.says(StatusCode::BAD_REQUEST);
    for _ in 0..10 {
        let shortfall = shop.lend(1, wish(NOW + 9)).await.unwrap_err();
        assert_eq!(shortfall, Shortfall::Trouble(Trouble::Refused { code: "400".into(), help: "trust us" }));
    }
    assert_eq!(shop.hits(), 1);
    assert!(shop.lend(1, fresh(NOW + 9)).await.is_err(), "nor does it help to want a new one");
    assert_eq!(shop.hits(), 1);
    shop.gives(900);
    assert!(shop.lend(2, wish(NOW + 9)).await.is_ok(), "another's is another");
    assert!(shop.lend(1, wish(NOW + 19)).await.is_ok());
    assert_eq!(shop.hits(), 3);
}

#[tokio::test]
async fn a_new_one_is_had_by_who_wants_it_but_not_at_any_pace() {
    let shop = Shop::open().await;
    assert_eq!(jti(shop.lend(1, wish(NOW)).await), "j0");
    for after in [0, 5, 29] {
        assert_eq!(jti(shop.lend(1, fresh(NOW + after)).await), "j0", "{after}");
    }
    assert_eq!(jti(shop.lend(1, fresh(NOW + 30)).await), "j1");
    assert_eq!(jti(shop.lend(1, wish(NOW + 31)).await), "j1", "the new one takes the place of the other");
    for after in 31..60 {
        assert_eq!(jti(shop.lend(1, fresh(NOW + after)).await), "j1", "{after}");
    }
    assert_eq!(shop.hits(), 2);
}

#[tokio::test]
async fn what_was_given_is_lent_while_the_provider_is_away_and_not_once_it_says_no() {
    let shop = Shop::open().await;
    shop.gives(300);
    assert_eq!(jti(shop.lend(1, wish(NOW)).await), "j0");
    shop.says(StatusCode::BAD_GATEWAY);
    assert_eq!(jti(shop.lend(1, fresh(NOW + 30)).await), "j0");
    let hits = shop.hits();
    assert_eq!(jti(shop.lend(1, fresh(NOW + 30)).await), "j0", "and it is not asked again at once");
    assert_eq!(shop.hits(), hits);
    assert_eq!(jti(shop.lend(1, wish(NOW + 289)).await), "j0", "short as it is by now");
    assert!(shop.lend(1, wish(NOW + 291)).await.is_err());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    shop.gives(300);
    assert!(shop.lend(1, wish(NOW + 300)).await.is_ok());
    shop.says(StatusCode::BAD_REQUEST);
    assert!(shop.lend(1, fresh(NOW + 330)).await.is_err());
    assert!(shop.lend(1, wish(NOW + 331)).await.is_err(), "who is told no has nothing any more");
}

#[tokio::test]
async fn one_that_gets_short_is_replaced_before_its_end() {
    let shop = Shop::open().await;
    shop.gives(300);
    assert_eq!(jti(shop.lend(1, wish(NOW)).await), "j0");
    assert_eq!(jti(shop.lend(1, wish(NOW + 260)).await), "j0");
    assert_eq!(jti(shop.lend(1, wish(NOW + 261)).await), "j1");
    // A provider whose credentials are short is not called each time for that.
    shop.gives(40);
    assert_eq!(jti(shop.lend(2, wish(NOW)).await), "j2");
    assert_eq!(jti(shop.lend(2, wish(NOW + 15)).await), "j2");
    assert_eq!(jti(shop.lend(2, wish(NOW + 16)).await), "j3");
}

#[tokio::test]
async fn a_lie_is_no_credential() {
    let shop = Shop::open().await;
    for body in [
        json!({"access_token": "", "expires_in": 900}).to_string(),
        json!({"access_token": "a b", "expires_in": 900}).to_string(),
        json!({"access_token": "a\r\nx: y", "expires_in": 900}).to_string(),
        json!({"access_token": TOKEN, "expires_in": 3}).to_string(),
        TOKEN.to_owned(),
    ] {
        shop.server.serve("/t", body.clone());
        let shortfall = shop.lend(shop.hits(), wish(NOW)).await.unwrap_err();
        assert!(matches!(shortfall, Shortfall::Trouble(Trouble::Invalid { .. })), "{body}: {shortfall:?}");
    }
    let mut keys = Shop::open().await;
    keys.settings.types = &[TokenType::AzureSas];
    let key = Key { way: Arc::new(Way::Fake(keys.settings.clone())), order: keys.key(1).order };
    assert!(keys.provider.lend(key, &wish(NOW)).await.is_ok());
    assert_eq!(shop.hits(), 5);
}
