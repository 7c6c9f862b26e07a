use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn bucket(prefix: Option<&str>) -> Opening {
    Opening::Bucket { bucket: "bucket-one".to_owned(), prefix: prefix.map(str::to_owned) }
}

fn policy(opening: &Opening, permissions: &[Permission]) -> Value {
    let text = session_policy(opening, &permissions.iter().copied().collect(), Partition::Aws).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_bucket_is_opened_for_what_the_words_say() {
    let text = session_policy(&bucket(Some("team-a/")), &BTreeSet::from([Read, List]), Partition::Aws).unwrap();
    assert_eq!(
        text,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::bucket-one/team-a/*"]},{"Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::bucket-one"],"Condition":{"StringLike":{"s3:prefix":"team-a/*"}}}]}"#
    );
    let whole = policy(&bucket(None), &[Read, List, Write, Delete]);
    assert_eq!(
        whole["Statement"],
        json!([
            {"Effect": "Allow", "Resource": ["arn:aws:s3:::bucket-one/*"], "Action": [
                "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:DeleteObject"
            ]},
            {"Effect": "Allow", "Resource": ["arn:aws:s3:::bucket-one"], "Action": ["s3:ListBucket"]},
        ])
    );
    let listing = policy(&bucket(Some("a/")), &[List]);
    assert_eq!(listing["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(listing["Statement"][0]["Action"], json!(["s3:ListBucket"]));
}

#[test]
fn arns_are_of_the_role_s_partition() {
    for (partition, arn) in [
        (Partition::China, "arn:aws-cn:s3:::bucket-one/a/*"),
        (Partition::GovCloud, "arn:aws-us-gov:s3:::bucket-one/a/*"),
    ] {
        let text = session_policy(&bucket(Some("a/")), &BTreeSet::from([Read]), partition).unwrap();
        assert!(text.contains(arn), "{text}");
    }
}

#[test]
fn a_table_is_opened_with_its_indexes_where_they_are_read() {
    let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t11";
    let opening = Opening::Table { arn: arn.to_owned() };
    let reading = policy(&opening, &[Read]);
    assert_eq!(reading["Statement"][0]["Resource"], json!([arn, format!("{arn}/index/*")]));
    assert_eq!(
        reading["Statement"][0]["Action"],
        json!(["dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:Query"])
    );
    let writing = policy(&opening, &[Write]);
    assert_eq!(writing["Statement"][0]["Resource"], json!([arn]));
    assert_eq!(writing["Statement"][0]["Action"], json!(["dynamodb:PutItem", "dynamodb:UpdateItem"]));
    let batch = |permissions: &[Permission]| policy(&opening, permissions).to_string().contains("BatchWriteItem");
    assert!(batch(&[Write, Delete]));
    assert!(!batch(&[Write]) && !batch(&[Delete]) && !batch(&[Read, List, Write]), "it deletes too");
}

#[test]
fn a_queue_is_opened_for_what_the_words_say() {
    let arn = "arn:aws:sqs:us-east-1:123456789012:q";
    let opening = Opening::Queue { arn: arn.to_owned() };
    for (permission, action) in [
        (Read, json!(["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility"])),
        (List, json!(["sqs:GetQueueAttributes", "sqs:GetQueueUrl"])),
        (Write, json!(["sqs:SendMessage"])),
        (Delete, json!(["sqs:DeleteMessage"])),
    ] {
        let policy = policy(&opening, &[permission]);
        assert_eq!(policy["Statement"], json!([{"Effect": "Allow", "Action": action, "Resource": [arn]}]));
    }
}

#[test]
fn what_is_no_bucket_table_or_queue_is_refused_in_words() {
    let too_long = format!("{}/", "a".repeat(1000));
    for (opening, complaint) in [
        (Opening::Bucket { bucket: "*".into(), prefix: None }, "`bucket` is `*`"),
        (Opening::Bucket { bucket: "b?cket".into(), prefix: None }, "`bucket` is"),
        (Opening::Bucket { bucket: "Bucket".into(), prefix: None }, "`bucket` is"),
        (Opening::Bucket { bucket: "bucket/x".into(), prefix: None }, "`bucket` is"),
        (Opening::Bucket { bucket: "-bucket".into(), prefix: None }, "`bucket` is"),
        (Opening::Bucket { bucket: "b\"],".into(), prefix: None }, "`bucket` is"),
        (bucket(Some("team-a")), "end it with `/`"),
        (bucket(Some("")), "end it with `/`"),
        (bucket(Some("*/")), "has `*`"),
        (bucket(Some("${aws:userid}/")), "has `$`"),
        (bucket(Some(&too_long)), "shorten `prefix`"),
        (Opening::Table { arn: "t".into() }, "`table` is `t`"),
        (Opening::Queue { arn: "q".into() }, "`queue` is `q`"),
    ] {
        let all = Permission::ALL.into_iter().collect();
        let problem = session_policy(&opening, &all, Partition::Aws).unwrap_err();
        assert!(problem.contains(complaint), "{problem}");
    }
}

/// What IAM makes of a pattern (IAM JSON policy elements, "Resource" and "StringLike").
fn like(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(rest, &text[at..]))
        }
        Some(one) => {
            let mut characters = text.chars();
            let fits = characters.next().is_some_and(|character| one == '?' || one == character);
            fits && like(&pattern[one.len_utf8()..], characters.as_str())
        }
    }
}

/// Whether the policy lets `action` be done to `resource`, of a listing with `prefix`.
fn allows(policy: &Value, action: &str, resource: &str, prefix: &str) -> bool {
    policy["Statement"].as_array().unwrap().iter().any(|statement| {
        let any = |member: &str, text: &str| {
            statement[member].as_array().unwrap().iter().any(|pattern| like(pattern.as_str().unwrap(), text))
        };
        let condition = statement["Condition"]["StringLike"]["s3:prefix"].as_str();
        any("Action", action) && any("Resource", resource) && condition.is_none_or(|pattern| like(pattern, prefix))
    })
}

proptest! {
    #[test]
    fn no_prefix_opens_what_does_not_begin_with_it(
        prefix in "[ab*?$'\"\\\\{}é:= ./-]{0,7}/?",
        key in "[ab*?$'\"\\\\{}é:= ./-]{0,12}",
        permissions in proptest::sample::subsequence(Permission::ALL.to_vec(), 1..=4),
    ) {
        let permissions: BTreeSet<_> = permissions.into_iter().collect();
        let Ok(text) = session_policy(&bucket(Some(&prefix)), &permissions, Partition::Aws) else { return Ok(()) };
        let policy: Value = serde_json::from_str(&text).unwrap();
        prop_assert!(!text.contains('$') && !text.contains('?') && text.len() <= LONGEST);
        for key in [key.clone(), format!("{prefix}{key}"), prefix.clone(), prefix.trim_end_matches('/').to_owned()] {
            let object = format!("arn:aws:s3:::bucket-one/{key}");
            let inside = key.starts_with(&prefix);
            prop_assert_eq!(allows(&policy, "s3:GetObject", &object, ""), inside && permissions.contains(&Read), "{}", key);
            prop_assert_eq!(allows(&policy, "s3:PutObject", &object, ""), inside && permissions.contains(&Write), "{}", key);
            prop_assert_eq!(allows(&policy, "s3:DeleteObject", &object, ""), inside && permissions.contains(&Delete));
            let bucket = "arn:aws:s3:::bucket-one";
            prop_assert_eq!(allows(&policy, "s3:ListBucket", bucket, &key), inside && permissions.contains(&List), "{}", key);
            let next_door = format!("arn:aws:s3:::bucket-two/{key}");
            prop_assert!(!allows(&policy, "s3:GetObject", &next_door, ""));
            prop_assert!(!allows(&policy, "s3:ListBucket", "arn:aws:s3:::bucket-two", &key));
        }
    }

    #[test]
    fn whatever_is_configured_the_policy_is_json_of_bounded_length(
        bucket in "\\PC{0,70}",
        prefix in proptest::option::of("\\PC{0,1100}"),
        permissions in proptest::sample::subsequence(Permission::ALL.to_vec(), 1..=4),
    ) {
        let opening = Opening::Bucket { bucket, prefix };
        if let Ok(text) = session_policy(&opening, &permissions.into_iter().collect(), Partition::Aws) {
            prop_assert!(text.len() <= LONGEST && text.is_ascii());
            let policy: Value = serde_json::from_str(&text).unwrap();
            for statement in policy["Statement"].as_array().unwrap() {
                let resource = statement["Resource"][0].as_str().unwrap();
                prop_assert!(!resource.trim_end_matches('*').contains('*'), "{resource}");
            }
        }
    }
}
