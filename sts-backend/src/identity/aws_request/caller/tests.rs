use super::*;
use crate::identity::aws_request::sample;

fn caller(arn: &str, user_id: &str, account: &str) -> CallerIdentity {
    CallerIdentity { arn: arn.into(), user_id: user_id.into(), account: account.into() }
}

fn role(arn: &str) -> CallerIdentity {
    caller(arn, "AROAEXAMPLEID:i-0abc", "123456789012")
}

const ROLE_ARN: &str = "arn:aws:sts::123456789012:assumed-role/app-role/i-0abc";

#[test]
fn a_role_is_named_as_its_jwts_name_it_whatever_its_session_is_called() {
    let settings = sample::settings();
    for session in ["i-0abc", "123456789012", "admin", "a=b,c@d"] {
        let arn = format!("arn:aws:sts::123456789012:assumed-role/app-role/{session}");
        let caller = caller(&arn, &format!("AROAEXAMPLEID:{session}"), "123456789012");
        let identified = identify(&settings, &caller).unwrap();
        assert_eq!(identified.segments.join("/"), "aws/123456789012/role/app-role");
        assert_eq!(identified.subject, "arn:aws:iam::123456789012:role/app-role");
        let attributes = [("account", "123456789012".to_owned()), ("unique_id", "AROAEXAMPLEID".to_owned())];
        assert_eq!(identified.attributes, attributes);
    }
    let encoded = identify(&settings, &role("arn:aws:sts::123456789012:assumed-role/a+b/s")).unwrap();
    assert_eq!(encoded.segments.join("/"), "aws/123456789012/role-encoded/a_2bb");
}

#[test]
fn whoever_is_no_role_of_a_listed_account_is_refused() {
    let settings = sample::settings();
    for arn in [
        "arn:aws:sts::999999999999:assumed-role/app-role/i-0abc",
        "arn:aws-cn:sts::123456789012:assumed-role/app-role/i-0abc",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:user/app-role",
        "arn:aws:iam::123456789012:role/app-role",
        "arn:aws:sts::123456789012:federated-user/app-role",
        "arn:aws:sts::123456789012:assumed-role/app-role",
        "arn:aws:sts::123456789012:assumed-role/app-role/",
        "arn:aws:sts::123456789012:assumed-role//i-0abc",
        "arn:aws:sts::123456789012:assumed-role/path/app-role/i-0abc",
        "arn:aws:sts::123456789012:assumed-role/app role/i-0abc",
        "arn:aws:sts:us-east-1:123456789012:assumed-role/app-role/i-0abc",
        "arn:aws:s3::123456789012:assumed-role/app-role/i-0abc",
        "aws:sts::123456789012:assumed-role/app-role/i-0abc",
        "",
    ] {
        let refusal = identify(&settings, &role(arn)).expect_err(arn);
        assert_eq!(refusal.reason(), Reason::SubjectClaimMismatch, "{arn}");
        assert!(refusal.claim_name().is_some() && refusal.got_value().is_some() && refusal.wanted_value().is_some());
    }
    for (user_id, account) in [
        ("AROAEXAMPLEID:i-0abc", "999999999999"),
        ("AIDAEXAMPLEID:i-0abc", "123456789012"),
        ("AROA:i-0abc", "123456789012"),
        ("AROAexample:i-0abc", "123456789012"),
        ("", "123456789012"),
    ] {
        assert!(identify(&settings, &caller(ROLE_ARN, user_id, account)).is_err(), "{user_id} {account}");
    }
}

#[test]
fn a_role_that_was_made_anew_is_another() {
    let mut settings = sample::settings();
    settings.role_ids.insert("AROAEXAMPLEID".into());
    assert!(identify(&settings, &role(ROLE_ARN)).is_ok());
    let again = caller(ROLE_ARN, "AROAANOTHERID:i-0abc", "123456789012");
    let refusal = identify(&settings, &again).unwrap_err();
    assert_eq!((refusal.claim_name(), refusal.got_value()), (Some("GetCallerIdentity UserId"), Some("AROAANOTHERID")));
}

#[test]
fn users_are_known_where_the_source_says_so_and_root_never_is() {
    let settings = AwsRequestSettings { allow_users: true, ..sample::settings() };
    let user = |arn: &str| caller(arn, "AIDAEXAMPLEID", "123456789012");
    let identified = identify(&settings, &user("arn:aws:iam::123456789012:user/ops/batch/jane")).unwrap();
    assert_eq!(identified.segments.join("/"), "aws/123456789012/user/jane");
    assert_eq!(identified.subject, "arn:aws:iam::123456789012:user/jane");
    for arn in ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:federated-user/jane"] {
        assert!(identify(&settings, &user(arn)).is_err(), "{arn}");
        assert!(identify(&settings, &caller(arn, "123456789012", "123456789012")).is_err(), "{arn}");
    }
}
