use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use token::{
    claims::{AccessTokenClaims, Actor, Confirmation, MayAct, Scope},
    constraint::Constraint,
    token_type::TokenType,
};

use super::*;
use crate::{
    actor::Caller,
    audit::{Audit, Trail},
    keys::SigningKeys,
    store::EmbeddedStore,
};

const NOW: u64 = 1_800_000_000;

/// Who mints and records.
struct Desk {
    keys: SigningKeys,
    audit: Audit,
}

impl Desk {
    async fn open() -> Self {
        let store = Arc::new(EmbeddedStore::in_memory().unwrap());
        let keys = SigningKeys::load_or_create(&*store, &[7; 32], NOW).await.unwrap();
        Self { keys, audit: Audit::new(store) }
    }

    fn form(&self) -> Form {
        let claims = AccessTokenClaims {
            iss: "https://sts.test".into(),
            sub: "spiffe://td.test/oidc/test/job".into(),
            aud: "https://reports.test".into(),
            exp: 0,
            iat: 0,
            nbf: 0,
            jti: String::new(),
            client_id: "spiffe://td.test/edge/egress".into(),
            scope: Scope::parse("a").unwrap(),
            act: Some(Actor::new("spiffe://td.test/edge/egress")),
            may_act: None,
            asserted_by: None,
            cnf: None,
            authorization_details: vec![Constraint::new(Some(vec!["GET".into()]), None)],
        };
        Form {
            claims,
            kind: TokenType::AccessToken,
            kid: self.keys.es256().kid().to_owned(),
            longest_life: 60,
            policy: "p".into(),
            policy_reason: None,
            policy_version: "v".into(),
        }
    }

    async fn release(&self, draft: &Draft, origin: Origin) -> Released {
        let issued = Issued::mint(draft.clone(), origin, &self.keys).unwrap();
        let trail = Trail::begin("decision".into(), &Caller::Direct, "v", NOW);
        self.audit.release(issued, trail).await.unwrap()
    }
}

fn draft(form: &Form, life: u64, now: u64) -> Draft {
    Draft::for_tests(form.clone(), life, now)
}

#[tokio::test]
async fn each_difference_of_form_is_a_miss() {
    let desk = Desk::open().await;
    let form = desk.form();
    let reissues = Reissues::new(10);
    let first = desk.release(&draft(&form, 60, NOW), Origin::Minted).await;
    reissues.keep(&first, NOW);
    type Change = fn(&mut Form);
    let changes: [(&str, Change); 19] = [
        ("iss", |form| form.claims.iss.push('x')),
        ("sub", |form| form.claims.sub.push('x')),
        ("aud", |form| form.claims.aud.push('x')),
        ("client_id", |form| form.claims.client_id.push('x')),
        ("scope", |form| form.claims.scope = Scope::parse("b").unwrap()),
        ("no scope", |form| form.claims.scope = Scope::default()),
        ("act", |form| form.claims.act = Some(Actor::new("spiffe://td.test/edge/other"))),
        ("act within", |form| form.claims.act.as_mut().unwrap().act = Some(Box::new(Actor::new("x")))),
        ("may_act", |form| form.claims.may_act = Some(MayAct { sub: "x".into(), iss: None })),
        ("cnf", |form| form.claims.cnf = Some(Confirmation { jkt: Some("x".into()), x5t_s256: None })),
        ("no constraint", |form| form.claims.authorization_details.clear()),
        ("methods", |form| form.claims.authorization_details[0].methods = Some(vec!["PUT".into()])),
        ("paths", |form| form.claims.authorization_details[0].paths = Some(vec![])),
        ("type", |form| form.kind = TokenType::Jwt),
        ("kid", |form| form.kid.push('x')),
        ("longest_life", |form| form.longest_life += 1),
        ("policy", |form| form.policy.push('x')),
        ("policy_reason", |form| form.policy_reason = Some("x".into())),
        ("policy_version", |form| form.policy_version.push('x')),
    ];
    for (name, change) in changes {
        let mut changed = form.clone();
        change(&mut changed);
        assert!(reissues.find(&draft(&changed, 60, NOW)).is_none(), "{name}");
        assert!(
            Issued::again(Arc::clone(first.issued().minted().unwrap()), &draft(&changed, 60, NOW)).is_none(),
            "{name}"
        );
    }
    let found = reissues.find(&draft(&form, 60, NOW)).unwrap();
    assert_eq!((found.jti(), found.origin()), (first.issued().jti(), Origin::Kept));
}

#[tokio::test]
async fn bound_tokens_and_those_of_direct_callers_are_not_kept() {
    let desk = Desk::open().await;
    let reissues = Reissues::new(10);
    let mut bound = desk.form();
    bound.claims.cnf = Some(Confirmation { jkt: Some("x".into()), x5t_s256: None });
    let mut direct = desk.form();
    direct.claims.act = None;
    for form in [bound, direct] {
        assert!(!reissues.covers(&form));
        reissues.keep(&desk.release(&draft(&form, 60, NOW), Origin::Minted).await, NOW);
    }
    // Whoever said that it is for one request alone is believed too.
    reissues.keep(&desk.release(&draft(&desk.form(), 60, NOW), Origin::Single).await, NOW);
    assert_eq!(reissues.entries(), 0);
}

#[tokio::test]
async fn no_capacity_keeps_nothing() {
    let desk = Desk::open().await;
    let reissues = Reissues::new(0);
    assert!(!reissues.covers(&desk.form()));
    reissues.keep(&desk.release(&draft(&desk.form(), 60, NOW), Origin::Minted).await, NOW);
    assert_eq!(reissues.entries(), 0);
    assert!(reissues.find(&draft(&desk.form(), 60, NOW)).is_none());
}

#[tokio::test]
async fn the_dead_make_room_before_the_oldest_does() {
    let desk = Desk::open().await;
    let reissues = Reissues::new(3);
    let named = |name: &str| {
        let mut form = desk.form();
        form.claims.sub = name.to_owned();
        form
    };
    for (name, life, now) in [("old", 60, NOW), ("dead", 5, NOW), ("young", 60, NOW + 1), ("new", 60, NOW + 5)] {
        reissues.keep(&desk.release(&draft(&named(name), life, now), Origin::Minted).await, now);
    }
    let found = |name: &str| reissues.find(&draft(&named(name), 60, NOW + 5)).is_some();
    assert!(found("old") && found("young") && found("new"));
    reissues.keep(&desk.release(&draft(&named("newest"), 60, NOW + 5), Origin::Minted).await, NOW + 5);
    assert!(!found("old") && found("young") && found("new") && found("newest"));
    assert_eq!(reissues.entries(), 3);
}

/// One step of a schedule: some workload asks, some time after the one before.
#[derive(Clone, Debug)]
struct Step {
    workload: u8,
    scope: u8,
    longest_life: u64,
    left_of_subject: u64,
    later: i64,
    no_cache: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let later = prop_oneof![12 => 0..9_i64, 1 => -40..0_i64, 1 => 50..200_i64];
    let lives = prop_oneof![1 => Just(1_u64), 1 => Just(10), 4 => Just(60), 4 => Just(61)];
    (0..2_u8, 0..2_u8, lives, 1..200_u64, later, prop::bool::weighted(0.1)).prop_map(
        |(workload, scope, longest_life, left_of_subject, later, no_cache)| Step {
            workload,
            scope,
            longest_life,
            left_of_subject,
            later,
            no_cache,
        },
    )
}

/// Whatever is asked, in whatever order, with clocks that jump: what is found was made for an equal grant, is within every
/// bound that a new token would have, and is the last one made for it; and if nothing was evicted, what could be found is.
#[test]
fn no_schedule_gives_a_token_of_another_grant_or_past_a_bound() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let desk = runtime.block_on(Desk::open());
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let hits = std::cell::Cell::new(0);
    runner
        .run(
            &(proptest::collection::vec(step(), 1..60), prop_oneof![Just(2_usize), Just(1_000)]),
            |(steps, capacity)| {
                let reissues = Reissues::new(capacity);
                let mut last: HashMap<Form, (String, u64)> = HashMap::new();
                let (mut now, mut latest) = (NOW, NOW);
                for step in steps {
                    now = now.saturating_add_signed(step.later);
                    latest = latest.max(now);
                    let mut form = desk.form();
                    form.claims.sub = format!("spiffe://td.test/oidc/test/job{}", step.workload);
                    form.claims.scope = Scope::parse(["a", "a b"][usize::from(step.scope)]).unwrap();
                    form.longest_life = step.longest_life;
                    let life = step.longest_life.min(step.left_of_subject);
                    let draft = draft(&form, life, now);
                    let could =
                        last.get(&form).filter(|(_, exp)| *exp <= now + life && (exp - now.min(*exp)) * 2 >= life);
                    let found = if step.no_cache { None } else { reissues.find(&draft) };
                    if let Some(found) = &found {
                        hits.set(hits.get() + 1);
                        prop_assert_eq!(found.minted().unwrap().form(), &form);
                        prop_assert_eq!(could.map(|(jti, exp)| (jti.as_str(), *exp)), Some((found.jti(), found.exp())));
                        prop_assert!(found.response().expires_in >= 1);
                        prop_assert_eq!(found.response().expires_in, found.exp() - now);
                    } else {
                        // What was once dead may have been cleared away, though the clock went back since.
                        let there = could.filter(|(_, exp)| *exp > latest && capacity == 1_000);
                        prop_assert!(step.no_cache || there.is_none());
                        let origin = if step.no_cache { Origin::Renewed } else { Origin::Minted };
                        let released = runtime.block_on(desk.release(&draft, origin));
                        reissues.keep(&released, now);
                        last.insert(form, (released.issued().jti().to_owned(), released.issued().exp()));
                    }
                    prop_assert!(reissues.entries() <= capacity);
                }
                Ok(())
            },
        )
        .unwrap();
    assert!(hits.get() > 100, "{} hits: the schedules try nothing", hits.get());
}
