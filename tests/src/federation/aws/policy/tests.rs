use serde_json::json;

use super::*;

fn rights(statements: Value) -> Result<Policy, String> {
    Policy::read(&json!({"Version": "2012-10-17", "Statement": statements}), Place::Rights)
}

#[test]
fn a_session_policy_opens_one_prefix_of_one_bucket() {
    let policy = rights(json!([
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::reports/team-a/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::reports",
         "Condition": {"StringLike": {"s3:prefix": ["team-a/*"]}}}
    ]))
    .unwrap();
    let nothing = Context::default();
    for (action, resource, wanted) in [
        ("s3:GetObject", "arn:aws:s3:::reports/team-a/q3", Verdict::Allow),
        ("S3:getobject", "arn:aws:s3:::reports/team-a/", Verdict::Allow),
        ("s3:PutObject", "arn:aws:s3:::reports/team-a/q3", Verdict::Silent),
        ("s3:GetObject", "arn:aws:s3:::reports/team-b/q3", Verdict::Silent),
        ("s3:GetObject", "arn:aws:s3:::reports/team-a", Verdict::Silent),
        ("s3:GetObject", "arn:aws:s3:::REPORTS/team-a/q3", Verdict::Silent),
        ("s3:GetObject", "arn:aws:s3:::ledger/team-a/q3", Verdict::Silent),
        ("s3:ListBucket", "arn:aws:s3:::reports", Verdict::Silent),
    ] {
        assert_eq!(policy.verdict(action, resource, &nothing), wanted, "{action} {resource}");
    }
    for (prefix, wanted) in [("team-a/", true), ("team-a/x", true), ("", false), ("team-b/", false), ("team-a", false)]
    {
        let context = Context::default().with("s3:prefix", prefix);
        assert_eq!(policy.allows("s3:ListBucket", "arn:aws:s3:::reports", &context), wanted, "{prefix}");
    }
}

#[test]
fn a_denial_outweighs_a_permission() {
    let policy = rights(json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Sid": "no", "Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:audit"}
    ]))
    .unwrap();
    let context = Context::default();
    assert_eq!(policy.verdict("sqs:SendMessage", "arn:aws:sqs:eu-central-1:1:audit", &context), Verdict::Deny);
    assert_eq!(policy.verdict("sqs:SendMessage", "arn:aws:sqs:eu-central-1:1:jobs", &context), Verdict::Allow);
}

#[test]
fn conditions_hold_by_their_operators() {
    let context = Context::default().with("a", "x").with("many", "x").with("many", "y");
    for (condition, wanted) in [
        (json!({"StringEquals": {"A": "x"}}), true),
        (json!({"StringEquals": {"a": ["y", "x"]}}), true),
        (json!({"StringEquals": {"a": "*"}}), false),
        (json!({"StringLike": {"a": "*"}}), true),
        (json!({"StringEquals": {"a": "x", "b": "x"}}), false),
        (json!({"StringEqualsIfExists": {"a": "x", "b": "x"}}), true),
        (json!({"StringNotEquals": {"b": "x"}}), true),
        (json!({"StringNotEquals": {"a": "x"}}), false),
        (json!({"StringNotLike": {"a": "y*"}}), true),
        (json!({"StringEquals": {"many": "x"}}), false),
        (json!({"ForAnyValue:StringEquals": {"many": "x"}}), true),
        (json!({"ForAllValues:StringEquals": {"many": "x"}}), false),
        (json!({"ForAllValues:StringEquals": {"many": ["x", "y", "z"]}}), true),
        (json!({"Null": {"b": "true", "a": "false"}}), true),
        (json!({"Null": {"a": "true"}}), false),
    ] {
        let statement = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": condition});
        assert_eq!(rights(statement.clone()).unwrap().allows("s3:X", "r", &context), wanted, "{statement}");
    }
}

#[test]
fn what_is_not_known_is_no_policy() {
    let right = json!({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"});
    assert!(rights(right.clone()).is_ok());
    for (member, value) in [
        ("Effect", json!("allow")),
        ("Action", json!([])),
        ("Action", json!("GetObject")),
        ("Resource", json!("reports")),
        ("Resource", json!(7)),
        ("NotAction", json!("s3:*")),
        ("Principal", json!({"AWS": "*"})),
        ("Condition", json!({"NumericEquals": {"a": "1"}})),
        ("Condition", json!({"ForSomeValues:StringEquals": {"a": "1"}})),
        ("Condition", json!("x")),
    ] {
        let mut statement = right.clone();
        statement[member] = value;
        assert!(rights(statement.clone()).is_err(), "{statement}");
    }
    assert!(rights(json!([])).is_err());
    assert!(Policy::read(&json!({"Version": "2008-10-17", "Statement": right}), Place::Rights).is_err());
    let trust = |principal: Value| {
        let statement = json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal});
        Policy::read(&json!({"Version": "2012-10-17", "Statement": statement}), Place::Trust)
    };
    assert!(trust(json!({"AWS": ["arn:aws:iam::1:role/a"]})).is_ok());
    assert!(trust(json!({"AWS": "*"})).is_err());
    assert!(trust(json!("*")).is_err());
}
