use serde_json::{Value, json};
use token::reason::Reason;

use super::{oidc::OidcClaims, *};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OBJECT: &str = "11111111-2222-3333-4444-555555555555";

fn identify(preset: &Preset, claims: &Value) -> Result<Identified, Refusal> {
    preset.check().unwrap();
    preset.identify("src", Claims::new(claims.as_object().unwrap()))
}

fn named(preset: &Preset, claims: &Value) -> String {
    identify(preset, claims).unwrap().segments.join("/")
}

/// Asserts that each change of `claims` is refused, naming the claim. `null` removes a member.
fn refuses_each(preset: &Preset, claims: &Value, changes: &[(&str, Value, &str)]) {
    identify(preset, claims).unwrap();
    for (pointer, value, named) in changes {
        let mut changed = claims.clone();
        let (parent, member) = pointer.rsplit_once(" > ").unwrap_or(("", pointer));
        let mut object = changed.as_object_mut().unwrap();
        for step in parent.split(" > ").filter(|step| !step.is_empty()) {
            object = object.get_mut(step).unwrap().as_object_mut().unwrap();
        }
        if value.is_null() {
            object.remove(member);
        } else {
            object.insert((*member).to_owned(), value.clone());
        }
        let refusal = identify(preset, &changed).expect_err(pointer);
        assert_eq!(refusal.reason(), Reason::SubjectClaimMismatch, "{pointer} = {value}");
        assert_eq!(refusal.claim_name(), Some(*named), "{pointer} = {value}");
        assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{pointer} = {value}");
    }
}

#[test]
fn aws_names_the_role_in_its_account() {
    let preset =
        Preset::AwsOutbound { issuer: "https://u.tokens.sts.global.api.aws".into(), account: "012345678901".into() };
    let claims = |sub: &str| json!({"sub": sub, "https://sts.amazonaws.com/": {"aws_account": "012345678901"}});
    let good = claims("arn:aws:iam::012345678901:role/app-role");
    assert_eq!(named(&preset, &good), "aws/012345678901/role/app-role");
    assert_eq!(named(&preset, &claims("arn:aws:iam::012345678901:role/a/b/my_role")), "aws/012345678901/role/my_role");
    assert_eq!(named(&preset, &claims("arn:aws:iam::012345678901:role/a+b")), "aws/012345678901/role-encoded/a_2bb");
    assert_eq!(named(&preset, &claims("arn:aws:iam::012345678901:role/a_2bb")), "aws/012345678901/role/a_2bb");
    refuses_each(
        &preset,
        &good,
        &[
            ("sub", json!("arn:aws:iam::999999999999:role/app-role"), "sub"),
            ("sub", json!("arn:aws:iam::012345678901:user/app-role"), "sub"),
            ("sub", json!("arn:aws:sts::012345678901:assumed-role/app-role/session"), "sub"),
            ("sub", json!("arn:aws:iam::012345678901:role/"), "sub"),
            ("sub", json!("arn:aws:iam::012345678901:role/a b"), "sub"),
            ("sub", json!("arn:aws:iam:us:012345678901:role/a"), "sub"),
            ("sub", json!(null), "sub"),
            (
                "https://sts.amazonaws.com/ > aws_account",
                json!("999999999999"),
                "https://sts.amazonaws.com/ aws_account",
            ),
            (
                "https://sts.amazonaws.com/ > aws_account",
                json!(12_345_678_901_u64),
                "https://sts.amazonaws.com/ aws_account",
            ),
            ("https://sts.amazonaws.com/", json!(null), "https://sts.amazonaws.com/"),
        ],
    );
}

#[test]
fn google_names_the_service_account_in_its_project() {
    let preset = Preset::Google { projects: vec![] };
    let good =
        json!({"sub": "1122", "azp": "1122", "email": "app@proj-1.iam.gserviceaccount.com", "email_verified": true});
    assert_eq!(named(&preset, &good), "gcp/proj-1/sa/app");
    assert_eq!(identify(&preset, &good).unwrap().subject, "1122", "the e-mail can be made again, the number cannot");
    refuses_each(
        &preset,
        &good,
        &[
            ("sub", json!("reporting"), "sub"),
            ("azp", json!("client.apps.googleusercontent.com"), "azp"),
            ("azp", json!(null), "azp"),
            ("sub", json!(null), "sub"),
            ("email_verified", json!(false), "email_verified"),
            ("email_verified", json!("true"), "email_verified"),
            ("email_verified", json!(null), "email_verified"),
            ("email", json!("someone@gmail.com"), "email"),
            ("email", json!("1-compute@developer.gserviceaccount.com"), "email"),
            ("email", json!("app@iam.gserviceaccount.com"), "email"),
            ("email", json!("app@.iam.gserviceaccount.com"), "email"),
            ("email", json!("app@x/y.iam.gserviceaccount.com"), "email"),
            ("email", json!("a/b@proj.iam.gserviceaccount.com"), "email"),
            ("email", json!("app@proj.iam.gserviceaccount.com.evil.test"), "email"),
        ],
    );
    let limited = Preset::Google { projects: vec!["other".into(), "proj-1".into()] };
    assert_eq!(named(&limited, &good), "gcp/proj-1/sa/app");
    let outside = Preset::Google { projects: vec!["other".into()] };
    assert_eq!(identify(&outside, &good).unwrap_err().claim_name(), Some("email"));
    assert_eq!(preset.issuers(), ["https://accounts.google.com", "accounts.google.com"]);
}

#[test]
fn entra_names_the_object_in_its_tenant() {
    for (preset, ver, issuer) in [
        (Preset::EntraV1 { tenant: TENANT.into() }, "1.0", format!("https://sts.windows.net/{TENANT}/")),
        (Preset::EntraV2 { tenant: TENANT.into() }, "2.0", format!("https://login.microsoftonline.com/{TENANT}/v2.0")),
    ] {
        let good = json!({"tid": TENANT, "oid": OBJECT, "sub": OBJECT, "ver": ver});
        assert_eq!(named(&preset, &good), format!("azure/{TENANT}/{OBJECT}"));
        assert_eq!(preset.issuers(), [issuer]);
        refuses_each(
            &preset,
            &good,
            &[
                ("tid", json!(OBJECT), "tid"),
                ("tid", json!(null), "tid"),
                ("oid", json!("x"), "oid"),
                ("oid", json!(null), "oid"),
                ("ver", json!("9.0"), "ver"),
                ("scp", json!("user_impersonation"), "scp"),
                ("idtyp", json!("user"), "idtyp"),
                ("sub", json!(TENANT), "sub"),
            ],
        );
        let pairwise = json!({"tid": TENANT, "oid": OBJECT, "sub": "pairwise", "ver": ver, "idtyp": "app"});
        assert!(identify(&preset, &pairwise).is_ok());
    }
}

#[test]
fn kubernetes_names_the_service_account_in_its_cluster() {
    let preset = Preset::Kubernetes { issuer: "https://k8s.test".into(), cluster: "prod".into(), token_review: None };
    let good = json!({
        "sub": "system:serviceaccount:payments:api",
        "kubernetes.io": {"namespace": "payments", "serviceaccount": {"name": "api", "uid": "u"}},
    });
    assert_eq!(named(&preset, &good), "k8s/prod/payments/api");
    refuses_each(
        &preset,
        &good,
        &[
            ("sub", json!("system:serviceaccount:payments:admin"), "sub"),
            ("sub", json!("system:serviceaccount:other:api"), "sub"),
            ("kubernetes.io", json!(null), "kubernetes.io"),
            ("kubernetes.io > namespace", json!("other"), "sub"),
            ("kubernetes.io > namespace", json!(null), "kubernetes.io namespace"),
            ("kubernetes.io > serviceaccount > name", json!("admin"), "sub"),
            ("kubernetes.io > serviceaccount", json!("api"), "kubernetes.io serviceaccount"),
        ],
    );
}

#[test]
fn legacy_kubernetes_tokens_are_refused() {
    let preset = Preset::Kubernetes { issuer: "https://k8s.test".into(), cluster: "prod".into(), token_review: None };
    let legacy = json!({
        "iss": "kubernetes/serviceaccount",
        "kubernetes.io/serviceaccount/namespace": "payments",
        "kubernetes.io/serviceaccount/service-account.name": "api",
        "sub": "system:serviceaccount:payments:api",
    });
    let refusal = identify(&preset, &legacy).unwrap_err();
    assert_eq!(refusal.claim_name(), Some("kubernetes.io"));
    assert!(refusal.advice().unwrap().contains("projected"));
    let issuer =
        Preset::Kubernetes { issuer: "kubernetes/serviceaccount".into(), cluster: "prod".into(), token_review: None };
    assert!(issuer.check().is_err());
}

#[test]
fn other_issuers_name_the_source_and_its_subject() {
    let preset = Preset::Oidc {
        issuer: "https://i.test".into(),
        algorithms: vec![Algorithm::Es256],
        claims: OidcClaims::default(),
    };
    assert_eq!(named(&preset, &json!({"sub": "repo:o/r"})), "oidc/src/repo_3ao_2fr");
    refuses_each(
        &preset,
        &json!({"sub": "x"}),
        &[
            ("sub", json!(null), "sub"),
            ("sub", json!(""), "sub"),
            ("sub", json!("a".repeat(256)), "sub"),
            ("sub", json!(7), "sub"),
        ],
    );
}

#[test]
fn a_service_account_that_signs_for_itself_has_the_same_name_as_at_the_metadata_server() {
    let accounts = vec!["app@proj-1.iam.gserviceaccount.com".to_owned(), "b@proj-1.iam.gserviceaccount.com".to_owned()];
    let preset = Preset::GoogleServiceAccount { accounts, max_life: 3600 };
    let good = json!({"iss": "app@proj-1.iam.gserviceaccount.com", "sub": "app@proj-1.iam.gserviceaccount.com"});
    assert_eq!(named(&preset, &good), "gcp/proj-1/sa/app");
    refuses_each(
        &preset,
        &good,
        &[
            ("sub", json!("b@proj-1.iam.gserviceaccount.com"), "sub"),
            ("sub", json!("user@example.com"), "sub"),
            ("sub", json!(null), "sub"),
            ("iss", json!(null), "iss"),
        ],
    );
    let stranger = json!({"iss": "c@proj-1.iam.gserviceaccount.com", "sub": "c@proj-1.iam.gserviceaccount.com"});
    assert_eq!(identify(&preset, &stranger).unwrap_err().claim_name(), Some("iss"));
}

#[test]
fn each_service_account_has_keys_of_its_own_at_an_address_made_of_a_checked_name() {
    let accounts = vec!["app@p.iam.gserviceaccount.com".to_owned(), "b@p.iam.gserviceaccount.com".to_owned()];
    let preset = Preset::GoogleServiceAccount { accounts: accounts.clone(), max_life: 3600 };
    let places = |settings: &JwksSettings| {
        let sources = preset.key_sources(settings).unwrap();
        sources.into_iter().map(|(issuers, source)| (issuers, source.location)).collect::<Vec<_>>()
    };
    let at = |base: &str, account: &String| {
        (vec![account.clone()], KeyLocation::Set(format!("{base}/{account}").parse().unwrap()))
    };
    let google = "https://www.googleapis.com/service_accounts/v1/metadata/jwk";
    assert_eq!(places(&JwksSettings::default()), [at(google, &accounts[0]), at(google, &accounts[1])]);
    let other = JwksSettings { uri: Some("https://keys.test/sa/".parse().unwrap()), ..JwksSettings::default() };
    assert_eq!(places(&other), [at("https://keys.test/sa", &accounts[0]), at("https://keys.test/sa", &accounts[1])]);
    for (accounts, max_life) in [
        (vec![], 60),
        (vec!["a/../b@p.iam.gserviceaccount.com".to_owned()], 60),
        (vec!["a@p/x.iam.gserviceaccount.com".to_owned()], 60),
        (vec!["a?x@p.iam.gserviceaccount.com".to_owned()], 60),
        (vec!["someone@example.com".to_owned()], 60),
        (accounts.clone(), 0),
        (accounts.clone(), 43_201),
    ] {
        assert!(Preset::GoogleServiceAccount { accounts: accounts.clone(), max_life }.check().is_err(), "{accounts:?}");
    }
}

#[test]
fn an_svid_speaks_for_its_own_trust_domain_alone() {
    let preset = Preset::Spiffe { trust_domain: "acme.test".into() };
    let good = json!({"sub": "spiffe://acme.test/ns/a/sa/b", "iss": "anything"});
    let svid = identify(&preset, &good).unwrap();
    assert_eq!((svid.subject.as_str(), svid.segments.len()), ("spiffe://acme.test/ns/a/sa/b", 0));
    refuses_each(
        &preset,
        &good,
        &[
            ("sub", json!("spiffe://acme.test.evil/ns/a"), "sub"),
            ("sub", json!("spiffe://acme.test"), "sub"),
            ("sub", json!("spiffe://acme.test/a/../b"), "sub"),
            ("sub", json!("spiffe://acme.test/a\n"), "sub"),
            ("sub", json!(null), "sub"),
        ],
    );
}

fn ruled(name: &[&str], subject_claims: &[&str], require: &[(&str, &str)]) -> Preset {
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    let require = require.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let claims = OidcClaims { name: owned(name), subject_claims: owned(subject_claims), require };
    Preset::Oidc { issuer: "https://i.test".into(), algorithms: vec![Algorithm::Es256], claims }
}

#[test]
fn a_rule_makes_each_claim_one_segment_and_lacks_none() {
    let preset = ruled(&["{claims.project_id}", "job", "{claims.sub}"], &["sub"], &[("namespace_id", "72")]);
    let good = json!({"sub": "project_path:a/b", "project_id": "22", "namespace_id": "72"});
    assert_eq!(named(&preset, &good), "oidc/src/22/job/project_5fpath_3aa_2fb");
    let sly = json!({"sub": "x", "project_id": "22/job/x", "namespace_id": "72"});
    assert_eq!(named(&preset, &sly), "oidc/src/22_2fjob_2fx/job/x");
    refuses_each(
        &preset,
        &good,
        &[
            ("project_id", json!(null), "project_id"),
            ("project_id", json!(22), "project_id"),
            ("project_id", json!(""), "project_id"),
            ("sub", json!(null), "sub"),
            ("namespace_id", json!(null), "namespace_id"),
            ("namespace_id", json!("73"), "namespace_id"),
            ("namespace_id", json!(72), "namespace_id"),
        ],
    );
    let project = ruled(&["{claims.project_id}"], &["project_id"], &[]);
    assert_eq!(named(&project, &good), "oidc/src/22");
}

#[test]
fn a_rule_that_could_give_two_workloads_one_name_is_refused() {
    for (name, subject_claims) in [
        (&[][..], &["sub"][..]),
        (&["job"], &["sub"]),
        (&["{claims.project_id}"], &["sub"]),
        (&["{claims.project_id}"], &[]),
        (&["{claims.project_id}"], &["project_id", "ref"]),
        (&["a/b", "{claims.sub}"], &["sub"]),
        (&["..", "{claims.sub}"], &["sub"]),
        (&["x-{claims.sub}"], &["sub"]),
        (&["{claims.}", "{claims.sub}"], &["sub"]),
        (&["{claims.a}{claims.sub}"], &["sub"]),
        (&["{claims.sub}"; 9], &["sub"]),
    ] {
        assert!(ruled(name, subject_claims, &[]).check().is_err(), "{name:?} {subject_claims:?}");
    }
}

#[test]
fn settings_that_admit_more_than_meant_are_refused() {
    for preset in [
        Preset::AwsOutbound { issuer: "https://i".into(), account: "12345".into() },
        Preset::EntraV1 { tenant: "common".into() },
        Preset::EntraV2 { tenant: TENANT.to_uppercase() },
        Preset::Google { projects: vec!["a/b".into()] },
        Preset::Kubernetes { issuer: "https://i".into(), cluster: "a/b".into(), token_review: None },
        Preset::Oidc { issuer: "https://i".into(), algorithms: vec![], claims: OidcClaims::default() },
    ] {
        assert!(preset.check().is_err(), "{preset:?}");
    }
}
