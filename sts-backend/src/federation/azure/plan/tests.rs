use proptest::prelude::*;

use super::*;
use crate::federation::azure::KeptKeys;

const ISSUER: &str = "https://sts.cloakroom.test";
const TENANT: &str = "22222222-2222-2222-2222-222222222222";

fn settings(client_id: &str, subject: &str, own_credentials: impl IntoIterator<Item = String>) -> Settings {
    Settings {
        tenant: TENANT.to_owned(),
        client_id: client_id.to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
        subject: subject.to_owned(),
        own_credentials: own_credentials.into_iter().collect(),
        authority: None,
        storage_endpoint: None,
        keys: KeptKeys::default(),
    }
}

fn workloads(numbers: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    numbers.map(|number| format!("spiffe://td/k8s/prod/shop/w{number}"))
}

#[test]
fn an_app_needs_each_credential_once_however_often_it_is_configured() {
    let all = [
        settings("a", "cloakroom", workloads(0..2)),
        settings("b", "cloakroom", []),
        settings("a", "cloakroom", workloads(1..3)),
    ];
    let plans = plan(ISSUER, &all);
    let counted: Vec<_> = plans.iter().map(|plan| (plan.client_id.as_str(), plan.credentials.len())).collect();
    assert_eq!(counted, [("a", 4), ("b", 1)]);
    assert_eq!(
        plans[1].credentials.first().unwrap(),
        &FederatedCredential {
            issuer: ISSUER.to_owned(),
            subject: "cloakroom".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
        }
    );
    assert!(plans.iter().all(|plan| plan.problems().is_empty()));
    assert!(plan(ISSUER, []).is_empty());
}

#[test]
fn apps_of_one_id_in_two_tenants_are_two() {
    let other =
        Settings { tenant: "33333333-3333-3333-3333-333333333333".to_owned(), ..settings("a", "cloakroom", []) };
    assert_eq!(plan(ISSUER, [&other, &settings("a", "cloakroom", [])]).len(), 2);
}

#[test]
fn there_is_a_warning_near_the_limit_and_an_error_beyond_it() {
    for (own, needed, warning) in [(14, 15, None), (15, 16, Some(true)), (19, 20, Some(true)), (20, 21, Some(false))] {
        let plans = plan(ISSUER, &[settings("a", "cloakroom", workloads(0..own))]);
        assert_eq!(plans[0].credentials.len(), needed);
        let problems = plans[0].problems();
        assert_eq!(problems.first().map(PlanProblem::is_warning), warning, "{needed}");
        assert_eq!(problems.len(), usize::from(warning.is_some()));
        for problem in problems {
            assert!(problem.to_string().contains(&needed.to_string()), "{problem}");
        }
    }
}

#[test]
fn one_subject_with_two_audiences_has_no_place() {
    let other = Settings { audience: "api://other".to_owned(), ..settings("a", "cloakroom", []) };
    let plans = plan(ISSUER, [&settings("a", "cloakroom", workloads(0..1)), &other]);
    let problems = plans[0].problems();
    let wanted = PlanProblem::TwoAudiences { client_id: "a".to_owned(), subject: "cloakroom".to_owned() };
    assert!(!wanted.is_warning());
    assert_eq!(problems, [wanted]);
    // Subjects are told apart by case.
    let cased = settings("a", "Cloakroom", []);
    assert!(plan(ISSUER, [&settings("a", "cloakroom", []), &cased])[0].problems().is_empty());
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing(apps in proptest::collection::vec(("[ab]", "[st]", 0_usize..4), 0..8)) {
        let all: Vec<_> = apps.iter().map(|(app, subject, own)| settings(app, subject, workloads(0..*own))).collect();
        let once = plan(ISSUER, &all);
        prop_assert_eq!(&once, &plan(ISSUER, all.iter().rev()));
        prop_assert_eq!(&once, &plan(ISSUER, all.iter().chain(&all)));
        let counted: usize = once.iter().map(|plan| plan.credentials.len()).sum();
        let distinct: BTreeSet<_> = apps
            .iter()
            .flat_map(|(app, subject, own)| {
                workloads(0..*own).chain([subject.clone()]).map(move |subject| (app.clone(), subject))
            })
            .collect();
        prop_assert_eq!(counted, distinct.len());
    }
}
