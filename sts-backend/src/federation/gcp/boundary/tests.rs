use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rules(prefix: Option<&str>, permissions: &[Permission]) -> Value {
    let options = boundary("bucket-one", prefix, &permissions.iter().copied().collect()).unwrap();
    let options: Value = serde_json::from_str(&options).unwrap();
    options["accessBoundary"]["accessBoundaryRules"].clone()
}

#[test]
fn a_folder_is_opened_for_what_the_words_say() {
    let options = boundary("bucket-one", Some("team-a/"), &BTreeSet::from([Read, List])).unwrap();
    assert_eq!(
        options,
        r#"{"accessBoundary":{"accessBoundaryRules":[{"availableResource":"//storage.googleapis.com/projects/_/buckets/bucket-one","availablePermissions":["inRole:roles/storage.legacyObjectReader"],"availabilityCondition":{"expression":"resource.name.startsWith('projects/_/buckets/bucket-one/objects/team-a/')"}},{"availableResource":"//storage.googleapis.com/projects/_/buckets/bucket-one","availablePermissions":["inRole:roles/storage.legacyBucketReader"],"availabilityCondition":{"expression":"api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team-a/')"}}]}}"#
    );
}

#[test]
fn a_bucket_is_opened_without_condition_and_each_word_has_its_role() {
    let roles = |permissions: &[Permission]| -> Vec<String> {
        let rules = rules(None, permissions);
        for rule in rules.as_array().unwrap() {
            assert!(rule.get("availabilityCondition").is_none());
            assert_eq!(rule["availableResource"], "//storage.googleapis.com/projects/_/buckets/bucket-one");
        }
        let roles = rules.as_array().unwrap().iter().flat_map(|rule| rule["availablePermissions"].as_array().unwrap());
        roles.map(|role| role.as_str().unwrap().trim_start_matches("inRole:roles/storage.").to_owned()).collect()
    };
    assert_eq!(roles(&[Read]), ["legacyObjectReader"]);
    assert_eq!(roles(&[List]), ["legacyBucketReader"]);
    assert_eq!(roles(&[Write]), ["objectCreator"]);
    assert_eq!(roles(&[Read, Write]), ["legacyObjectReader", "objectCreator"]);
    assert_eq!(
        roles(&[Read, List, Write, Delete]),
        ["legacyObjectReader", "objectCreator", "legacyBucketWriter", "legacyBucketReader"]
    );
}

#[test]
fn deleting_is_not_given_where_its_role_would_give_more() {
    for permissions in [vec![Delete], vec![Delete, Write], vec![Delete, List, Read]] {
        let problem = boundary("bucket-one", None, &permissions.into_iter().collect()).unwrap_err();
        assert!(problem.contains("without `write` and `list`"), "{problem}");
    }
    assert_eq!(rules(None, &[List, Write, Delete]).as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_written_plainly_is_refused_in_words() {
    let long = format!("{}/", "a".repeat(1000));
    for (bucket, prefix, complaint) in [
        ("bucket') || true || ('", None, "`bucket` is"),
        ("bucket-one", Some("team-a"), "end it with `/`"),
        ("bucket-one", Some("') || true || a.startsWith('/"), "has `\\'`"),
        ("bucket-one", Some("a\\/"), "has `\\\\`"),
        ("bucket-one", Some(long.as_str()), "shorten `prefix`"),
    ] {
        let problem = boundary(bucket, prefix, &BTreeSet::from([Read, List])).unwrap_err();
        assert!(problem.contains(complaint), "{problem}");
    }
    assert_eq!(json!(rules(None, &[Read])).as_array().unwrap().len(), 1);
}

/// The texts of an expression that is nothing but `CALL('...').startsWith('...')`, read as CEL reads them; nothing where it is
/// anything else (CEL, "Syntax": a text ends at the first quote that no backslash stands before).
fn texts(expression: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    let mut frame = String::new();
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        if character != '\'' {
            frame.push(character);
            continue;
        }
        let mut text = String::new();
        loop {
            match characters.next()? {
                '\'' => break,
                '\\' => text.push(characters.next()?),
                character => text.push(character),
            }
        }
        frame.push('_');
        texts.push(text);
    }
    matches!(frame.as_str(), "resource.name.startsWith(_)" | "api.getAttribute(_, _).startsWith(_)").then_some(texts)
}

proptest! {
    #[test]
    fn no_prefix_and_no_bucket_say_more_than_their_own_text(
        bucket in prop_oneof!["[a-z0-9'\"\\\\(.)|-]{1,12}", Just("bucket-one".to_owned())],
        prefix in prop_oneof!["[ab'\"\\\\(){}|$\n é]{0,10}/", "\\PC{0,20}/?", "[a-z=/-]{1,900}/"],
        permissions in proptest::sample::subsequence(Permission::ALL.to_vec(), 1..=4),
    ) {
        let permissions: BTreeSet<_> = permissions.into_iter().collect();
        let Ok(options) = boundary(&bucket, Some(&prefix), &permissions) else { return Ok(()) };
        prop_assert!(options.len() <= LONGEST);
        let options: Value = serde_json::from_str(&options).unwrap();
        let rules = options["accessBoundary"]["accessBoundaryRules"].as_array().unwrap();
        prop_assert!((1..=2).contains(&rules.len()));
        for rule in rules {
            let expression = rule["availabilityCondition"]["expression"].as_str().unwrap();
            let texts = texts(expression);
            prop_assert!(texts.is_some(), "{}", expression);
            let texts = texts.unwrap();
            match texts.as_slice() {
                [name] => prop_assert_eq!(name, &format!("projects/_/buckets/{bucket}/objects/{prefix}")),
                [attribute, absent, listed] => {
                    prop_assert_eq!(attribute, "storage.googleapis.com/objectListPrefix");
                    prop_assert_eq!((absent.as_str(), listed), ("", &prefix));
                }
                _ => prop_assert!(false, "{}", expression),
            }
        }
    }
}
