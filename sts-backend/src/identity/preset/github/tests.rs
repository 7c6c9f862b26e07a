use serde_json::{Value, json};
use token::reason::Reason;

use super::*;

fn jobs() -> GithubJobs {
    GithubJobs {
        issuer: ISSUER.into(),
        owner_ids: vec!["65".into()],
        repository_ids: vec![],
        events: EVENTS.map(str::to_owned).to_vec(),
    }
}

fn claims(sub: &str) -> Value {
    json!({
        "sub": sub, "repository": "octo-org/octo.repo", "repository_id": "74", "repository_owner": "octo-org",
        "repository_owner_id": "65", "ref": "refs/heads/main", "event_name": "push", "base_ref": "", "head_ref": "",
        "job_workflow_ref": "octo-org/octo.repo/.github/workflows/ci.yml@refs/heads/main",
        "runner_environment": "github-hosted",
    })
}

fn with(mut claims: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        claims[*name] = value.clone();
    }
    claims
}

fn identify(jobs: &GithubJobs, claims: &Value) -> Result<Identified, Refusal> {
    check(jobs).unwrap();
    super::identify(jobs, Claims::new(claims.as_object().unwrap()))
}

const OLD: &str = "repo:octo-org/octo.repo:ref:refs/heads/main";
const NEW: &str = "repo:octo-org@65/octo.repo@74:ref:refs/heads/main";

#[test]
fn both_forms_of_a_subject_name_the_same_job_by_ids() {
    for sub in [OLD, NEW] {
        let job = identify(&jobs(), &claims(sub)).unwrap();
        assert_eq!(job.segments.join("/"), "github/65/74/ref/refs_2fheads_2fmain");
        for (name, value) in [
            ("owner", "octo-org"),
            ("owner_id", "65"),
            ("repository", "octo-org/octo.repo"),
            ("repository_id", "74"),
            ("ref", "refs/heads/main"),
            ("event_name", "push"),
            ("runner_environment", "github-hosted"),
        ] {
            assert!(job.attributes.contains(&(name, value.to_owned())), "{name}");
        }
        assert!(job.attributes.iter().all(|(name, _)| *name != "environment"));
    }
}

#[test]
fn an_environment_names_the_job_and_is_no_ref() {
    let place = |environment: &str, sub: &str| {
        let claims = with(claims(sub), &[("environment", json!(environment))]);
        identify(&jobs(), &claims).map(|job| job.segments.join("/"))
    };
    let named = place("prod", "repo:octo-org@65/octo.repo@74:environment:prod").unwrap();
    assert_eq!(named, "github/65/74/environment/prod");
    let sly = place("a/ref:b", "repo:octo-org/octo.repo:environment:a/ref%3Ab").unwrap();
    assert_eq!(sly, "github/65/74/environment/a_2fref_3ab");
    assert!(place("prod", OLD).is_err(), "the subject speaks of a ref");
    assert!(identify(&jobs(), &claims("repo:octo-org/octo.repo:environment:prod")).is_err(), "no such claim");
}

#[test]
fn each_claim_that_disagrees_is_refused_by_name() {
    for (claim, changes) in [
        ("repository_owner_id", json!({"repository_owner_id": "66"})),
        ("repository_owner_id", json!({"repository_owner_id": 65})),
        ("repository_owner_id", json!({"repository_owner_id": null})),
        ("repository_id", json!({"repository_id": "074"})),
        ("repository_id", json!({"repository_id": "7/4"})),
        ("repository", json!({"repository": "octo-org2/octo.repo"})),
        ("repository", json!({"repository": "octo-org/a/b"})),
        ("repository", json!({"repository": "octo-org/.."})),
        ("sub", json!({"repository": "octo-org/other"})),
        ("sub", json!({"repository_id": "75", "sub": NEW})),
        ("sub", json!({"sub": "repo:octo-org@66/octo.repo@74:ref:refs/heads/main"})),
        ("sub", json!({"sub": "repo:octo-org/octo.repo:ref:refs/heads/main2"})),
        ("sub", json!({"sub": "repo:octo-org/octo.repo:pull_request"})),
        ("sub", json!({"sub": "repo:octo-org/octo.repo:job_workflow_ref:x"})),
        ("sub", json!({"sub": "octo-org/octo.repo:ref:refs/heads/main"})),
        ("sub", json!({"sub": format!("{OLD}\n")})),
        ("ref", json!({"ref": "", "sub": "repo:octo-org/octo.repo:ref:"})),
        ("event_name", json!({"event_name": "pull_request"})),
        ("event_name", json!({"event_name": "pull_request_target"})),
        ("event_name", json!({"event_name": "workflow_run"})),
        ("environment", json!({"environment": 7})),
    ] {
        let changes: Vec<_> =
            changes.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let refusal = identify(&jobs(), &with(claims(OLD), &changes)).expect_err(claim);
        assert_eq!(
            (refusal.reason(), refusal.claim_name()),
            (Reason::SubjectClaimMismatch, Some(claim)),
            "{changes:?}"
        );
        assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{changes:?}");
    }
}

#[test]
fn repositories_and_events_may_be_listed() {
    let listed = GithubJobs { repository_ids: vec!["75".into()], ..jobs() };
    assert_eq!(identify(&listed, &claims(OLD)).unwrap_err().claim_name(), Some("repository_id"));
    let listed = GithubJobs { repository_ids: vec!["74".into()], events: vec!["pull_request".into()], ..jobs() };
    let pull = [("event_name", json!("pull_request")), ("ref", json!("refs/pull/7/merge"))];
    let job = identify(&listed, &with(claims("repo:octo-org/octo.repo:pull_request"), &pull)).unwrap();
    assert_eq!(job.segments.join("/"), "github/65/74/ref/refs_2fpull_2f7_2fmerge");
}

#[test]
fn issuers_are_those_of_github_to_the_letter() {
    for (issuer, prefix) in [
        (ISSUER, "github"),
        ("https://token.actions.githubusercontent.com/acme-inc", "github"),
        ("https://token.actions.acme.ghe.com", "github/acme.ghe.com"),
        ("https://git.acme.example/_services/token", "github/git.acme.example"),
    ] {
        assert_eq!(check(&GithubJobs { issuer: issuer.into(), ..jobs() }), Ok(()), "{issuer}");
        assert_eq!(name_prefix(issuer), prefix);
    }
    for issuer in [
        "https://token.actions.githubusercontent.com/",
        "https://token.actions.githubusercontent.com/a/b",
        "https://token.actions.githubusercontent.com/..",
        "https://token.actions.githubusercontent.com.evil.example",
        "https://token.actions.githubusercontent.com@evil.example",
        "https://token.actions.a.b.ghe.com",
        "https://token.actions.ghe.com",
        "https://token.actions.acme.ghe.com/x",
        "https://65/_services/token",
        "https://1.2.3.4/_services/token",
        "https://git.acme.example/_services/token/",
        "https://git.acme.example/x/_services/token",
        "https://_services/token",
        "http://git.acme.example/_services/token",
    ] {
        assert!(check(&GithubJobs { issuer: issuer.into(), ..jobs() }).is_err(), "{issuer}");
    }
}

#[test]
fn settings_that_admit_strangers_are_refused() {
    for jobs in [
        GithubJobs { owner_ids: vec![], ..jobs() },
        GithubJobs { owner_ids: vec!["octo-org".into()], ..jobs() },
        GithubJobs { repository_ids: vec!["".into()], ..jobs() },
        GithubJobs { events: vec![], ..jobs() },
        GithubJobs { events: vec!["*".into()], ..jobs() },
    ] {
        assert!(check(&jobs).is_err(), "{jobs:?}");
    }
}
