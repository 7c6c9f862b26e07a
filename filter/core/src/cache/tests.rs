use std::sync::Arc;

use token::{reason::Reason, secret::Secret};

use super::*;
use crate::{
    issued::Credential,
    key::{Subject, tests::facts},
};

fn at(ms: u64) -> Now {
    Now { unix_ms: 1_800_000_000_000 + ms, steady_ms: ms }
}

fn entry(until_ms: u64) -> Entry {
    let life = Life { usable_until: at(0).after(until_ms), refresh_at: None, interval_ms: 1 };
    let credential = Credential::Header(Secret::new("Bearer x"));
    let issued = Rc::new(Issued { credential, constraints: Vec::new(), lent_until: None });
    Entry { issued, asked: at(0), life, used: false, planned: false, failures: 0 }
}

fn refusal(reason: Reason) -> Rc<Refusal> {
    Rc::new(Refusal::new(reason))
}

#[test]
fn a_ticket_leads_to_its_own_token_only() {
    let facts = Arc::new(facts());
    let probe = Probe::new(&facts, Subject::Token("t")).unwrap();
    let mut cache = Cache::new(Limits::default());
    let old = cache.keep(probe.to_key(), entry(60_000), at(0), |_| ()).unwrap();
    let new = cache.keep(probe.to_key(), entry(60_000), at(0), |_| ()).unwrap();
    cache.forget(old);
    assert!(cache.entry(old).is_none() && cache.key(old).is_none());
    assert!(matches!(cache.look_up(probe, at(1)), Known::Issued(_, _, ticket) if ticket == new));
    cache.forget(new);
    assert!(matches!(cache.look_up(probe, at(1)), Known::Nothing));
}

#[test]
fn what_the_sts_says_of_the_request_ends_its_token_and_that_it_is_away_does_not() {
    let facts = Arc::new(facts());
    let probe = Probe::new(&facts, Subject::Token("t")).unwrap();
    let mut cache = Cache::new(Limits::default());
    cache.keep(probe.to_key(), entry(60_000), at(0), |_| ());
    cache.keep_refusal(probe.to_key(), refusal(Reason::StsUnavailable), at(0).after(500), at(0));
    assert!(matches!(cache.look_up(probe, at(1)), Known::Issued(..)));
    cache.keep_refusal(probe.to_key(), refusal(Reason::PolicyDenied), at(0).after(500), at(0));
    assert!(matches!(cache.look_up(probe, at(1)), Known::Refused(_)));
    assert!(matches!(cache.look_up(probe, at(500)), Known::Nothing));
}

#[test]
fn refusals_do_not_push_out_tokens() {
    let facts = Arc::new(facts());
    let limits = Limits { cached_tokens: 4, ..Limits::default() };
    let mut cache = Cache::new(limits);
    let good = Probe::new(&facts, Subject::Token("good")).unwrap();
    cache.keep(good.to_key(), entry(60_000), at(0), |_| ());
    for garbage in 0..1_000 {
        let text = format!("garbage-{garbage}");
        let probe = Probe::new(&facts, Subject::Token(&text)).unwrap();
        cache.keep_refusal(probe.to_key(), refusal(Reason::SubjectTokenMalformed), at(5_000).after(0), at(1));
    }
    assert!(matches!(cache.look_up(good, at(2)), Known::Issued(..)));
    assert_eq!(cache.refusals(), 4);
}
