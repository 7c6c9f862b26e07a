use std::fmt::Write;

use token::{message::RequestContext, reason::Reason, token_type::TokenType};

use super::*;
use crate::{
    actor::{Caller, PeerCertificate},
    request::TokenRequest,
};

const PROXY: &str = "spiffe://td.test/edge/egress";
const JOB: &str = "spiffe://td.test/oidc/test/job";

const PAIR: &str = r#"permit(principal, action == Cloakroom::Action::"act_for", resource);"#;

/// A policy on the pair every test asks about.
fn on_pair(annotations: &str, effect: &str, conditions: &str) -> String {
    format!(
        r#"{annotations} {effect}(principal == Cloakroom::Workload::"{JOB}", action == Cloakroom::Action::"exchange",
           resource == Cloakroom::Target::"https://reports.test") {conditions};"#
    )
}

fn load(text: &str) -> Result<Policy, Vec<String>> {
    Policy::load(&[("policy.cedar".into(), text.into())])
        .map_err(|findings| findings.iter().map(ToString::to_string).collect())
}

fn faults(text: &str) -> String {
    let faults = load(text).err().expect(text);
    assert!(faults.iter().all(|fault| fault.starts_with("policy.cedar: ")), "{faults:?}");
    faults.join("\n")
}

struct Asking {
    scope: Option<&'static str>,
    route: Option<&'static str>,
    proxy: bool,
}

const PLAIN: Asking = Asking { scope: None, route: Some("r1"), proxy: true };

/// What is decided: the permit with the granted scope, or the denial.
fn decide(policy: &Policy, asking: &Asking) -> Result<(String, String), Denial> {
    let caller = if asking.proxy { Caller::Proxy(PeerCertificate::new(vec![PROXY.into()])) } else { Caller::Direct };
    let form = format!(
        "grant_type={}&subject_token=x&subject_token_type={}",
        token::token_type::GRANT_TYPE_TOKEN_EXCHANGE,
        TokenType::Jwt.urn()
    );
    let request = TokenRequest::read(form.as_bytes(), None, &caller).unwrap();
    let registered = [token::spiffe::SpiffeId::parse(PROXY).unwrap()].into();
    let actor = VerifiedActor::verify(&caller, &request, &registered, "td.test").unwrap();
    let subject = VerifiedSubject::for_tests(JOB, &[("namespace", "payments")]);
    let target = Target { max_life: 60, ..Target::for_tests("reports", "https://reports.test") };
    let asked = Asked {
        scope: asking.scope.map(|scope| Scope::parse(scope).unwrap()),
        audience: None,
        requested_token_type: TokenType::AccessToken,
        context: RequestContext { actor: None, listener: None, route: asking.route.map(str::to_owned) },
    };
    let grant = policy.decide(&actor, &subject, &target, &asked)?;
    Ok((grant.policy().to_owned(), grant.scope().to_string()))
}

fn granted(policy: &Policy, scope: Option<&'static str>) -> (String, String) {
    decide(policy, &Asking { scope, ..PLAIN }).unwrap()
}

fn denied(policy: &Policy, scope: Option<&'static str>) -> (Reason, String) {
    let denial = decide(policy, &Asking { scope, ..PLAIN }).unwrap_err();
    let refusal = denial.refusal;
    assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{refusal:?}");
    (refusal.reason(), refusal.advice().unwrap_or_default().to_owned())
}

fn own(pair: (&str, &str)) -> (String, String) {
    (pair.0.to_owned(), pair.1.to_owned())
}

#[test]
fn nothing_is_permitted_that_no_policy_permits() {
    let (reason, help) = denied(&load("").unwrap(), None);
    assert_eq!(reason, Reason::ActorNotPermitted);
    assert_eq!(help, "no permit names this pair");
    let (reason, help) = denied(&load(PAIR).unwrap(), None);
    assert_eq!(reason, Reason::PolicyDenied);
    assert_eq!(help, "no permit names this pair");
}

#[test]
fn a_pair_is_permitted_by_both_halves() {
    let permit = on_pair(r#"@id("p")"#, "permit", "");
    assert_eq!(denied(&load(&permit).unwrap(), None).0, Reason::ActorNotPermitted);
    assert_eq!(granted(&load(&format!("{PAIR}{permit}")).unwrap(), None), own(("p", "")));
}

#[test]
fn facts_in_the_key_can_be_read() {
    let conditions = r#"when {
        context.actor == Cloakroom::Proxy::"spiffe://td.test/edge/egress" && context.scope.isEmpty()
        && context has route && context.route == "r1" && !(context has listener) && !(context has audience)
        && context.requested_token_type == "urn:ietf:params:oauth:token-type:access_token"
        && principal.source == "test" && principal.platform == "oidc" && principal.issuer == "https://issuer.test"
        && principal.subject == "job" && principal has namespace && principal.namespace == "payments"
        && !(principal has account) && resource.name == "reports" }"#;
    let policy = load(&format!("{PAIR}{}", on_pair(r#"@id("p")"#, "permit", conditions))).unwrap();
    assert_eq!(granted(&policy, None), own(("p", "")));
    let other = decide(&policy, &Asking { route: Some("r2"), ..PLAIN }).unwrap_err();
    assert!(other.refusal.advice().unwrap().contains("permit `p` names this pair"), "{other:?}");
}

#[test]
fn a_fact_outside_the_key_refuses_the_load_and_names_policy_fact_and_annotation() {
    for (condition, fact, annotation) in [
        (r#"when { context.method == "GET" }"#, "context.method", "@methods"),
        (r#"when { context["path"] like "/a/*" }"#, "context.path", "@paths"),
        (r#"unless { context has method && context.method == "GET" }"#, "context.method", "@methods"),
        (r#"when { !(context has path) }"#, "context.path", "@paths"),
        (r#"when { context.hour < 9 }"#, "context.hour", "no fact"),
        (r#"when { context.source_ip == "10.0.0.1" }"#, "context.source_ip", "no fact"),
    ] {
        let text = faults(&on_pair(r#"@id("mine")"#, "permit", condition));
        for wanted in ["policy `mine`", fact, annotation] {
            assert!(text.contains(wanted), "{condition}: {text}");
        }
    }
}

#[test]
fn strict_validation_refuses_what_can_never_be_meant() {
    for text in [
        on_pair(r#"@id("p")"#, "permit", r#"when { principal.colour == "red" }"#),
        on_pair(r#"@id("p")"#, "permit", r#"when { principal.namespace == "x" }"#),
        on_pair(r#"@id("p")"#, "permit", r#"when { principal.source == 7 }"#),
        on_pair(r#"@id("p")"#, "permit", r#"when { context.route == "r" }"#),
        r#"@id("p") permit(principal == Cloakroom::Proxy::"x", action == Cloakroom::Action::"exchange", resource);"#.into(),
        r#"@id("p") permit(principal, action == Cloakroom::Action::"exchange", resource == Cloakroom::Taget::"x");"#.into(),
        r#"@id("p") permit(principal, action == Cloakroom::Action::"exchnge", resource);"#.into(),
        r#"@id("p") permit(principal, action == Cloakroom::Action::"exchange_directly", resource)
           when { context.actor == Cloakroom::Proxy::"x" };"#.into(),
        r#"permit(principal, action == Cloakroom::Action::"act_for", resource) when { context.route == "x" };"#.into(),
        r#"@id("p") permit(principal, action, resource);"#.into(),
        r#"@id("p") permit(principal, action in [Cloakroom::Action::"act_for", Cloakroom::Action::"exchange"], resource);"#.into(),
        r#"@id("p") permit(principal == ?principal, action == Cloakroom::Action::"exchange", resource);"#.into(),
        "permit(".into(),
        "not a policy".into(),
    ] {
        faults(&text);
    }
}

#[test]
fn permits_are_named_once_and_annotations_are_known() {
    assert!(faults(&on_pair("", "permit", "")).contains("@id"));
    let twice = on_pair(r#"@id("p")"#, "permit", "");
    assert!(faults(&format!("{twice}{twice}")).contains("same `@id`"));
    assert!(faults(&on_pair(r#"@id("p") @hours("9-17")"#, "permit", "")).contains("@hours"));
    assert!(faults(&on_pair(r#"@id("p") @ttl("1 day")"#, "permit", "")).contains("@ttl"));
    assert!(faults(&on_pair(r#"@id("p") @scope("a")"#, "forbid", "")).contains("@scope"));
    let act_for = r#"@ttl("5s") permit(principal, action == Cloakroom::Action::"act_for", resource);"#;
    assert!(faults(act_for).contains("@ttl"));
}

#[test]
fn a_fault_in_the_text_is_told_by_its_line() {
    assert!(faults(&format!("{PAIR}\n\npermit(principl, action, resource);")).contains("line 3"));
}

#[test]
fn one_permit_decides_and_terms_are_never_mixed() {
    let policy = load(&format!(
        "{PAIR}{}{}{}",
        on_pair(r#"@id("narrow") @scope("a")"#, "permit", ""),
        on_pair(r#"@id("wide") @scope("a b")"#, "permit", ""),
        on_pair(r#"@id("other") @scope("c")"#, "permit", ""),
    ))
    .unwrap();
    assert_eq!(granted(&policy, None), own(("narrow", "a")), "the first, whole");
    assert_eq!(granted(&policy, Some("a")), own(("narrow", "a")));
    assert_eq!(granted(&policy, Some("a b")), own(("wide", "a b")), "the first that covers everything");
    assert_eq!(granted(&policy, Some("a c")), own(("narrow", "a")), "no one covers it: the first that covers some");
    assert_eq!(granted(&policy, Some("b x")), own(("wide", "b")));
    assert_eq!(denied(&policy, Some("x")).0, Reason::ScopeRefused);
}

#[test]
fn a_permit_without_scope_grants_none() {
    let policy = load(&format!("{PAIR}{}", on_pair(r#"@id("p")"#, "permit", ""))).unwrap();
    assert_eq!(granted(&policy, None), own(("p", "")));
    assert_eq!(denied(&policy, Some("a")).0, Reason::ScopeRefused);
}

#[test]
fn a_forbid_on_scope_is_not_evaded_by_asking_for_nothing() {
    let policy = load(&format!(
        "{PAIR}{}{}{}",
        on_pair(r#"@id("admin") @scope("admin read")"#, "permit", ""),
        on_pair(r#"@id("read") @scope("read")"#, "permit", ""),
        on_pair(r#"@id("no-admin") @reason("frozen")"#, "forbid", r#"when { context.scope.contains("admin") }"#),
    ))
    .unwrap();
    assert_eq!(granted(&policy, None), own(("read", "read")), "the first permit would grant what is forbidden");
    let denial = decide(&policy, &Asking { scope: Some("admin"), ..PLAIN }).unwrap_err();
    assert_eq!(denial.policy.as_deref(), Some("no-admin"));
    assert_eq!(denial.refusal.advice(), Some("policy `no-admin` forbids it: frozen"));
}

#[test]
fn a_condition_on_scope_must_hold_for_what_is_granted() {
    let needs_both = r#"when { context.scope.containsAll(["a", "b"]) }"#;
    let policy = load(&format!("{PAIR}{}", on_pair(r#"@id("p") @scope("a")"#, "permit", needs_both))).unwrap();
    assert_eq!(denied(&policy, Some("a b")).0, Reason::PolicyDenied, "narrowed to `a` the permit no longer holds");
}

#[test]
fn an_error_in_any_policy_that_is_evaluated_denies() {
    let overflow = r#"when { 9223372036854775807 + (if context.scope.isEmpty() then 1 else 0) > 0 }"#;
    let policy = load(&format!(
        "{PAIR}{}{}",
        on_pair(r#"@id("p")"#, "permit", ""),
        on_pair(r#"@id("broken")"#, "forbid", overflow)
    ))
    .unwrap();
    let (reason, help) = denied(&policy, None);
    assert_eq!(reason, Reason::PolicyDenied);
    assert!(help.contains("could not be evaluated"), "{help}");
}

#[test]
fn direct_callers_have_permits_of_their_own() {
    let exchange = on_pair(r#"@id("by-proxy")"#, "permit", "");
    let direct = exchange.replace("exchange\"", "exchange_directly\"").replace("by-proxy", "direct");
    let asking = Asking { proxy: false, ..PLAIN };
    let by_proxy = load(&format!("{PAIR}{exchange}")).unwrap();
    assert_eq!(decide(&by_proxy, &asking).unwrap_err().refusal.reason(), Reason::PolicyDenied);
    let both = load(&format!("{PAIR}{exchange}{direct}")).unwrap();
    assert_eq!(decide(&both, &asking).unwrap(), own(("direct", "")), "no proxy, so no pair to permit");
    assert_eq!(decide(&both, &PLAIN).unwrap(), own(("by-proxy", "")));
}

#[test]
fn a_forbid_without_an_action_counts_everywhere() {
    let forbid = r#"@id("freeze") forbid(principal, action, resource);"#;
    let policy = load(&format!("{PAIR}{}{forbid}", on_pair(r#"@id("p")"#, "permit", ""))).unwrap();
    assert_eq!(denied(&policy, None), (Reason::ActorNotPermitted, "policy `freeze` forbids it".into()));
    let direct = decide(&policy, &Asking { proxy: false, ..PLAIN }).unwrap_err();
    assert_eq!(direct.policy.as_deref(), Some("freeze"));
}

#[test]
fn the_order_of_files_is_the_order_of_permits() {
    let file = |name: &str, text: String| (PathBuf::from(name), text);
    let first = on_pair(r#"@id("z") @scope("a")"#, "permit", "");
    let second = on_pair(r#"@id("a") @scope("a")"#, "permit", "");
    let files = [file("1.cedar", format!("{PAIR}{first}")), file("2.cedar", second)];
    let policy = Policy::load(&files).map_err(|findings| findings[0].to_string()).unwrap();
    assert_eq!(granted(&policy, None), own(("z", "a")));
    let swapped =
        Policy::load(&[files[1].clone(), files[0].clone()]).map_err(|findings| findings[0].to_string()).unwrap();
    assert_eq!(granted(&swapped, None), own(("a", "a")));
    assert_ne!(policy.version(), swapped.version());
}

#[test]
fn many_policies_keep_their_order_and_none_is_lost() {
    let mut text = PAIR.to_owned();
    for index in 0..120 {
        let route = format!(r#"when {{ context has route && context.route == "r{index}" }}"#);
        writeln!(text, "{}", on_pair(&format!(r#"@id("p{index}")"#), "permit", &route)).unwrap();
    }
    let policy = load(&text).unwrap();
    for index in 0..120 {
        let route = Box::leak(format!("r{index}").into_boxed_str());
        let decided = decide(&policy, &Asking { route: Some(route), ..PLAIN }).unwrap();
        assert_eq!(decided.0, format!("p{index}"));
    }
    assert!(decide(&policy, &Asking { route: Some("r120"), ..PLAIN }).is_err());
}
