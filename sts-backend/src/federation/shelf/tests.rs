use http::Uri;
use token::{claims::Scope, secret::Secret, spiffe::SpiffeId};

use super::*;
use crate::federation::{
    credential::{Credential, CredentialKind},
    fake_provider, oauth,
};

const NOW: u64 = 1_800_000_000;

fn key(subject: usize) -> Arc<Key> {
    let order = Order {
        subject: SpiffeId::parse(&format!("spiffe://td.test/w{subject}")).unwrap(),
        target: "reports".into(),
        permissions: Scope::parse("read").unwrap(),
        life: 300,
    };
    Arc::new(Key { way: Arc::new(Way::Fake(fake_provider::Settings::new("https://provider.test"))), order })
}

fn kept(life: u64) -> Arc<Kept> {
    let kind = CredentialKind::Token { token: Secret::new("t"), token_type: "Bearer".into() };
    let credential = Credential { kind, expires_at: NOW + life, jti: "j".into(), provider_reference: None };
    Arc::new(Kept::check(credential, NOW).unwrap())
}

fn refused() -> Trouble {
    Trouble::Refused { code: "no".into(), help: "h" }
}

fn unavailable() -> Trouble {
    Trouble::Unavailable { code: "down".into() }
}

fn find(shelf: &Shelf, key: &Key, now: u64) -> (bool, Option<Trouble>) {
    shelf.slot(key).map_or((false, None), |slot| (slot.kept(now).is_some(), slot.trouble(now).cloned()))
}

#[test]
fn nothing_is_found_under_a_key_that_differs_in_anything() {
    let mut shelf = Shelf::new(10);
    let first = key(1);
    shelf.keep(&first, kept(900), NOW);
    assert_eq!(find(&shelf, &Key { way: Arc::clone(&first.way), order: first.order.clone() }, NOW), (true, None));
    let order = |change: fn(&mut Order)| {
        let mut order = first.order.clone();
        change(&mut order);
        Key { way: Arc::clone(&first.way), order }
    };
    let oauth = |audience: &str| oauth::Settings {
        token_endpoint: Uri::from_static("https://as.test/token"),
        grant: oauth::Grant::TokenExchange,
        audience: audience.into(),
        client_id: None,
        algorithm: token::jws::Algorithm::Es256,
    };
    let other_way = |way| Key { way: Arc::new(way), order: first.order.clone() };
    for other in [
        order(|order| order.subject = SpiffeId::parse("spiffe://td.test/w2").unwrap()),
        order(|order| order.target.push('x')),
        order(|order| order.permissions = Scope::parse("read write").unwrap()),
        order(|order| order.life += 1),
        other_way(Way::Fake(fake_provider::Settings::new("https://provider.test/other"))),
        other_way(Way::Oauth(oauth("a"), oauth::Opening::default())),
        other_way(Way::Oauth(oauth("b"), oauth::Opening::default())),
    ] {
        assert!(shelf.slot(&other).is_none(), "{other:?}");
    }
}

#[test]
fn a_credential_lasts_until_its_margin_and_a_no_for_some_seconds() {
    let mut shelf = Shelf::new(10);
    shelf.keep(&key(1), kept(900), NOW);
    assert_eq!(find(&shelf, &key(1), NOW + 889), (true, None));
    assert_eq!(find(&shelf, &key(1), NOW + 890), (false, None));
    for (trouble, seconds) in [
        (refused(), 10),
        (Trouble::NotYet { code: "c".into(), help: "h" }, 5),
        (Trouble::Invalid { code: "c".into() }, 5),
        (Trouble::Throttled { code: "c".into(), retry_after: Some(7) }, 7),
        (Trouble::Throttled { code: "c".into(), retry_after: Some(9_999) }, 60),
        (Trouble::Throttled { code: "c".into(), retry_after: Some(0) }, 1),
        (unavailable(), 1),
    ] {
        shelf.remember(&key(2), &trouble, NOW);
        assert_eq!(find(&shelf, &key(2), NOW + seconds - 1), (false, Some(trouble.clone())));
        assert_eq!(find(&shelf, &key(2), NOW + seconds), (false, None), "{trouble:?}");
        assert_eq!(find(&shelf, &key(2), NOW - 11), (false, None), "the clock was set back");
    }
}

#[test]
fn an_outage_leaves_what_is_there_and_a_refusal_takes_it() {
    let mut shelf = Shelf::new(10);
    shelf.keep(&key(1), kept(900), NOW);
    shelf.remember(&key(1), &unavailable(), NOW + 5);
    assert_eq!(find(&shelf, &key(1), NOW + 5), (true, Some(unavailable())));
    shelf.remember(&key(1), &refused(), NOW + 6);
    assert_eq!(find(&shelf, &key(1), NOW + 6), (false, Some(refused())));
    shelf.keep(&key(1), kept(900), NOW + 7);
    assert_eq!(find(&shelf, &key(1), NOW + 7), (true, None), "and a yes takes the no");
    assert_eq!(shelf.keys(), 1);
}

#[test]
fn what_is_kept_is_bounded_the_dead_go_first_and_then_the_oldest() {
    let mut shelf = Shelf::new(4);
    shelf.remember(&key(0), &unavailable(), NOW);
    for number in 1..4 {
        shelf.keep(&key(number), kept(900), NOW);
    }
    shelf.keep(&key(4), kept(900), NOW + 2);
    assert_eq!(shelf.keys(), 4);
    assert!(shelf.slot(&key(0)).is_none(), "it was over");
    shelf.keep(&key(5), kept(900), NOW + 2);
    assert!(shelf.slot(&key(1)).is_none() && shelf.slot(&key(2)).is_some());
    for number in 0..1_000 {
        shelf.keep(&key(number), kept(900), NOW);
        if number % 3 == 0 {
            shelf.remember(&key(number), &refused(), NOW);
        }
    }
    assert_eq!((shelf.keys(), shelf.by_age.len(), shelf.by_death.len()), (4, 4, 4));
}
