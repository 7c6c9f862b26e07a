use std::time::Instant;

use token::{claims::Scope, spiffe::SpiffeId};

use super::*;
use crate::{
    config::LogSettings,
    federation::{fake_provider, order::Order, provider::Wish, shelf::Key, way::Way},
    fixture::{Fixture, POLICY},
};

async fn reloader(fixture: &Fixture) -> Reloader {
    let reading = Config::read(&fixture.config());
    let config = reading.outcome.map_err(|found| finding::lines(&found)).unwrap();
    let service = fixture.service().await;
    let parts = Parts {
        app: service.app,
        audit: service.audit,
        mtls: Tls::new(Arc::clone(&config.listeners.mtls.tls)),
        direct: config.listeners.direct.as_ref().map(|direct| Tls::new(Arc::clone(&direct.listener.tls))),
        log: LogControl::start(&LogSettings { level: tracing::Level::ERROR, libraries: vec![] }),
    };
    Reloader::new(&fixture.config(), Watched::of(&config, reading.files), parts)
}

fn counted(reloader: &Reloader) -> (bool, bool) {
    let text = reloader.parts.app.metrics.text(&[]).unwrap();
    (text.contains("cloakroom_reloads_total 1"), text.contains("cloakroom_reload_failures_total 1"))
}

#[tokio::test]
async fn unchanged_files_change_nothing() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    let before = reloader.parts.app.in_force();
    reloader.reload_if_changed().await;
    assert!(Arc::ptr_eq(&before, &reloader.parts.app.in_force()));
    assert_eq!(counted(&reloader), (false, false));
}

#[tokio::test]
async fn a_changed_policy_is_taken_over() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    let before = reloader.parts.app.in_force();
    fixture.write("policy/example.cedar", POLICY.replace("60s", "30s"));
    reloader.reload_if_changed().await;
    let after = reloader.parts.app.in_force();
    assert_ne!(before.policy_version, after.policy_version);
    assert_eq!(before.configuration_version, after.configuration_version);
    assert_eq!(counted(&reloader), (true, false));
}

#[tokio::test]
async fn a_bad_change_leaves_everything_as_it_was_until_it_is_corrected() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    let before = reloader.parts.app.in_force();
    fixture.write("policy/example.cedar", "permit (");
    reloader.reload_if_changed().await;
    assert!(Arc::ptr_eq(&before, &reloader.parts.app.in_force()));
    assert_eq!(counted(&reloader), (false, true));
    reloader.reload_if_changed().await;
    assert_eq!(counted(&reloader), (false, true), "the same mistake is told once");
    fixture.write("policy/example.cedar", POLICY.replace("60s", "30s"));
    reloader.reload_if_changed().await;
    assert_ne!(before.policy_version, reloader.parts.app.in_force().policy_version);
}

#[tokio::test]
async fn a_file_that_a_bad_configuration_names_is_watched_too() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    fixture.edit("[policy/example.cedar]", "[policy/later.cedar]");
    reloader.reload_if_changed().await;
    assert_eq!(counted(&reloader), (false, true));
    fixture.write("policy/later.cedar", POLICY);
    reloader.reload_if_changed().await;
    assert_eq!(counted(&reloader), (true, true));
}

#[tokio::test]
async fn a_mounted_folder_that_is_swapped_by_its_link_is_noticed() {
    let fixture = Fixture::new().without_network();
    let link = |to: &str| {
        let (old, new) = (fixture.path("policy"), fixture.path("policy.next"));
        std::os::unix::fs::symlink(fixture.path(to), &new).unwrap();
        std::fs::rename(new, old).unwrap();
    };
    std::fs::rename(fixture.path("policy"), fixture.path("first")).unwrap();
    link("first");
    let mut reloader = reloader(&fixture).await;
    let before = reloader.parts.app.in_force();
    fixture.write("second/example.cedar", POLICY.replace("60s", "30s"));
    link("second");
    reloader.reload_if_changed().await;
    assert_ne!(before.policy_version, reloader.parts.app.in_force().policy_version);
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_nothing_of_the_change_is_taken() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    let before = reloader.parts.app.in_force();
    fixture.edit("0.0.0.0:8443", "0.0.0.0:9443");
    fixture.edit("path: cloakroom.redb", "path: other.redb");
    fixture.write("policy/example.cedar", POLICY.replace("60s", "30s"));
    let error = reloader.attempt().unwrap_err().to_string();
    assert!(error.starts_with("listeners.mtls.address, store: "), "{error}");
    assert!(error.contains("restart"), "{error}");
    assert!(Arc::ptr_eq(&before, &reloader.parts.app.in_force()));
}

#[tokio::test]
async fn new_limits_and_lives_are_taken_over() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    fixture.edit("exchanges_in_flight: 1024", "exchanges_in_flight: 7");
    reloader.reload_if_changed().await;
    assert_eq!(reloader.parts.app.in_force().exchanges_in_flight, 7);
}

#[tokio::test]
async fn kept_tokens_survive_a_reload_that_keeps_as_many() {
    let fixture = Fixture::new().without_network();
    let mut reloader = reloader(&fixture).await;
    let reissues = |reloader: &Reloader| Arc::clone(reloader.parts.app.in_force().exchange.reissues());
    let before = reissues(&reloader);
    fixture.edit("exchanges_in_flight: 1024", "exchanges_in_flight: 7");
    reloader.reload_if_changed().await;
    assert!(Arc::ptr_eq(&before, &reissues(&reloader)));
    fixture.edit("reissue_cache_entries: 20000", "reissue_cache_entries: 0");
    reloader.reload_if_changed().await;
    assert_eq!((before.capacity(), reissues(&reloader).capacity()), (20_000, 0));
}

#[tokio::test]
async fn a_provider_survives_a_reload_that_says_the_same_of_it() {
    let fixture = Fixture::new().without_network();
    let provider = "providers:\n  - name: partner\n    oauth: { token_endpoint: \"https://127.0.0.1:1/token\", \
                    grant: token_exchange, audience: \"https://as.partner.example\" }\n    ca_file: tls/ca.crt\n    \
                    allow_private_addresses: true\n    limits: { at_once: 4 }\n";
    let target = "targets:\n  - { name: partner, resource: \"https://api.partner.example\", provider: partner, permissions: [read] }\n";
    fixture.edit("targets:\n", &format!("{provider}{target}"));
    let mut reloader = reloader(&fixture).await;
    let running = |reloader: &Reloader| {
        let in_force = reloader.parts.app.in_force();
        Arc::clone(in_force.exchange.providers().of("partner").unwrap())
    };
    let before = running(&reloader);
    let key = Key {
        way: Arc::new(Way::Fake(fake_provider::Settings::new("https://127.0.0.1:1/token"))),
        order: Order {
            subject: SpiffeId::parse("spiffe://cloakroom.test/w").unwrap(),
            target: "partner".into(),
            permissions: Scope::default(),
            life: 300,
        },
    };
    let wish = Wish { life: 60, no_cache: false, until: Instant::now(), now: 1_800_000_000 };
    assert!(before.lend(key, &wish).await.is_err(), "nobody answers there");
    let looked = r#"cloakroom_credentials_total{provider="partner",result="miss"} 1"#;
    let shown = |reloader: &Reloader| reloader.parts.app.metrics.text(&[]).unwrap();
    assert!(shown(&reloader).contains(looked), "{}", shown(&reloader));
    fixture.edit("level: info", "level: warn");
    fixture.write("policy/example.cedar", POLICY.replace("60s", "30s"));
    reloader.reload_if_changed().await;
    assert_eq!(counted(&reloader), (true, false));
    assert!(Arc::ptr_eq(&before, &running(&reloader)));
    fixture.edit("at_once: 4", "at_once: 5");
    reloader.reload_if_changed().await;
    let after = running(&reloader);
    assert!(!Arc::ptr_eq(&before, &after));
    // The same file, and other authorities in it.
    fixture.write("tls/ca.crt", crate::fixture::Authority::new().pem());
    reloader.reload_if_changed().await;
    assert!(!Arc::ptr_eq(&after, &running(&reloader)));
    assert!(shown(&reloader).contains(looked), "what was counted stays");
}
