use std::time::{Duration, Instant};

use serde_json::json;
use token::{claims::Scope, secret::Secret, spiffe::SpiffeId};

use super::*;
use crate::{
    federation::{
        assertion::{Assertion, Signed},
        fake_provider,
        order::Order,
        way::Way,
    },
    identity::fake_issuer::FakeIssuer,
};

const NOW: u64 = 1_800_000_000;

struct Ink;

impl Signer for Ink {
    fn sign(&self, _: &Assertion, _: u64) -> Result<Signed, Trouble> {
        Ok(Signed { jwt: Secret::new("a.b.c"), jti: "j".into() })
    }
}

fn common() -> Common {
    Common { signer: Arc::new(Ink), trust_domain: "td.test".into(), capacity: 100, waiting_callers: 10 }
}

/// A server, and a provider's settings that lead to it.
struct World {
    server: FakeIssuer,
    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let world = Self { server: FakeIssuer::start().await, folder: tempfile::tempdir().unwrap() };
        world.server.serve("/t", json!({"access_token": "t", "expires_in": 900}).to_string());
        std::fs::write(world.ca(), &world.server.ca_pem).unwrap();
        world
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn settings(&self, name: &str) -> ProviderSettings {
        ProviderSettings {
            name: name.into(),
            kind: Kind::Fake(self.fake()),
            ca: Some(self.ca()),
            allow_private_addresses: true,
            limits: Limits {
                at_once: 4,
                waiting: 4,
                timeout: Duration::from_secs(1),
                calls_per_second: 100,
                burst: 100,
            },
        }
    }

    fn fake(&self) -> fake_provider::Settings {
        fake_provider::Settings::new(&format!("{}/t", self.server.url))
    }

    async fn lend(&self, providers: &Providers, name: &str) -> Result<Lent, Shortfall> {
        let order = Order {
            subject: SpiffeId::parse("spiffe://td.test/w").unwrap(),
            target: "reports".into(),
            permissions: Scope::default(),
            life: 300,
        };
        let wish = Wish { life: 60, no_cache: false, until: Instant::now() + Duration::from_secs(5), now: NOW };
        providers.lend(name, Key { way: Arc::new(Way::Fake(self.fake())), order }, &wish).await
    }
}

#[tokio::test]
async fn a_reload_keeps_a_provider_about_which_nothing_changed_and_what_it_gave() {
    let world = World::start().await;
    let (a, b) = (world.settings("a"), world.settings("b"));
    let before = Providers::new(vec![a.clone(), b.clone()], &common(), None).unwrap();
    for name in ["a", "b"] {
        world.lend(&before, name).await.unwrap();
    }
    let changed = ProviderSettings { limits: Limits { at_once: 5, ..b.limits }, ..b };
    let after = Providers::new(vec![a.clone(), changed], &common(), Some(&before)).unwrap();
    assert!(Arc::ptr_eq(before.of("a").unwrap(), after.of("a").unwrap()));
    assert!(!Arc::ptr_eq(before.of("b").unwrap(), after.of("b").unwrap()));
    let again = world.lend(&after, "a").await.unwrap();
    assert!(!again.is_first());
    assert_eq!(world.server.hits("/t"), 2);
    assert!(world.lend(&after, "b").await.unwrap().is_first());
    assert_eq!(world.server.hits("/t"), 3);
    let shortfall = world.lend(&after, "c").await.unwrap_err();
    assert!(matches!(shortfall, Shortfall::Trouble(Trouble::Unavailable { .. })));
}

#[tokio::test]
async fn each_change_makes_another_provider_of_it() {
    let world = World::start().await;
    let settings = world.settings("a");
    let before = Providers::new(vec![settings.clone()], &common(), None).unwrap();
    let is_kept = |settings: ProviderSettings, common: &Common| {
        let after = Providers::new(vec![settings], common, Some(&before)).unwrap();
        Arc::ptr_eq(before.of("a").unwrap(), after.of("a").unwrap())
    };
    assert!(is_kept(settings.clone(), &common()));
    let other = Kind::Fake(fake_provider::Settings::new("https://other.test"));
    assert!(!is_kept(ProviderSettings { kind: other, ..settings.clone() }, &common()));
    assert!(!is_kept(ProviderSettings { allow_private_addresses: false, ..settings.clone() }, &common()));
    assert!(!is_kept(settings.clone(), &Common { capacity: 7, ..common() }));
    assert!(!is_kept(settings.clone(), &Common { waiting_callers: 7, ..common() }));
    // The same name, and other authorities in the file.
    std::fs::write(world.ca(), crate::fixture::Authority::new().pem()).unwrap();
    assert!(!is_kept(settings, &common()));
}

#[tokio::test]
async fn what_is_counted_goes_on_and_what_left_is_no_longer_shown() {
    let world = World::start().await;
    let before = Providers::new(vec![world.settings("a"), world.settings("b")], &common(), None).unwrap();
    for name in ["a", "b"] {
        world.lend(&before, name).await.unwrap();
    }
    let after = Providers::new(vec![world.settings("a")], &common(), Some(&before)).unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    after.meters().register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains(r#"credentials_kept{provider="a"} 1"#), "{text}");
    assert!(!text.contains(r#"credentials_kept{provider="b"}"#), "{text}");
    assert!(!text.contains(r#"breaker_open{provider="b""#), "{text}");
    assert!(text.contains(r#"provider_calls_total{provider="b",outcome="answered"} 1"#), "{text}");
}

#[test]
fn authorities_that_are_not_there_are_named() {
    let settings = ProviderSettings {
        name: "a".into(),
        kind: Kind::Fake(fake_provider::Settings::new("https://a.test")),
        ca: Some("no-such-file.pem".into()),
        allow_private_addresses: false,
        limits: Limits { at_once: 1, waiting: 1, timeout: Duration::from_secs(1), calls_per_second: 1, burst: 1 },
    };
    let error = Providers::new(vec![settings], &common(), None).err().unwrap().to_string();
    assert!(error.contains("provider `a`") && error.contains("no-such-file.pem"), "{error}");
}
