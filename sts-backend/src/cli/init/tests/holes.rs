//! Every template with arbitrary texts in every hole, also those that no option would let through: what is around the holes
//! stays what it is, and what is in them is one value.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    super::{
        template::{Filled, Fillings, Name, fill},
        tree::{Language, Tree},
    },
    hcl::{self, Token},
    languages::texts,
    shell,
};

const TEMPLATES: [(Language, &str); 17] = [
    (Language::Hcl, include_str!("../templates/aws.tf")),
    (Language::Hcl, include_str!("../templates/azure-app.tf")),
    (Language::Hcl, include_str!("../templates/azure-managed.tf")),
    (Language::Hcl, include_str!("../templates/azure-roles.tf")),
    (Language::Hcl, include_str!("../templates/gcp.tf")),
    (Language::Shell, include_str!("../templates/aws.sh")),
    (Language::Shell, include_str!("../templates/azure-app-credential.sh")),
    (Language::Shell, include_str!("../templates/azure-app.sh")),
    (Language::Shell, include_str!("../templates/azure-managed-credential.sh")),
    (Language::Shell, include_str!("../templates/azure-managed.sh")),
    (Language::Shell, include_str!("../templates/azure-roles.sh")),
    (Language::Shell, include_str!("../templates/gcp-binding.sh")),
    (Language::Shell, include_str!("../templates/gcp-grant.sh")),
    (Language::Shell, include_str!("../templates/gcp.sh")),
    (Language::Yaml, include_str!("../templates/aws.yaml")),
    (Language::Yaml, include_str!("../templates/azure.yaml")),
    (Language::Yaml, include_str!("../templates/envoy.yaml")),
];

/// What stands in every hole to compare with. It needs quotation marks everywhere.
const HARMLESS: &str = "har mless";

fn holes(template: &'static str) -> Vec<&'static str> {
    template.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0).collect()
}

/// `template` with `text` in every hole that holds a value.
fn filled(language: Language, template: &'static str, text: &str) -> Filled {
    let mut fillings = Fillings::default();
    for hole in holes(template) {
        fillings = match hole {
            "label" => fillings.and_name(hole, Name::of("reports-prod")),
            "lines" | "bindings" | "grants" | "who" => fillings.and_filled(hole, Filled::default()),
            "condition" if language == Language::Hcl && template.contains("jsonencode") => {
                fillings.and(hole, object(text))
            }
            "credential" | "credentials" | "policy" | "trust" => fillings.and(hole, object(text)),
            "members" | "own" | "permissions" | "roles" => fillings.and(hole, Tree::texts([text, text])),
            _ => fillings.and(hole, text),
        };
    }
    fill(language, template, &fillings)
}

fn object(text: &str) -> Tree {
    Tree::object([("k:1", Tree::text(text)), ("k:2", Tree::object([("k:3", Tree::texts([text]))]))])
}

/// `value` with `text` where there was the harmless one.
fn exchanged(value: &Value, text: &str) -> Value {
    match value {
        Value::String(said) => Value::String(said.replace(HARMLESS, text)),
        Value::Array(list) => list.iter().map(|item| exchanged(item, text)).collect(),
        Value::Object(map) => map.iter().map(|(name, item)| (name.clone(), exchanged(item, text))).collect(),
        other => other.clone(),
    }
}

fn check(language: Language, template: &'static str, text: &str) {
    let [with, without] = [text, HARMLESS].map(|text| filled(language, template, text));
    let (with, without) = (with.as_str(), without.as_str());
    match language {
        Language::Hcl => {
            let exchange = |token: Token| match token {
                Token::Text(said) if said == HARMLESS => Token::Text(text.to_owned()),
                other => other,
            };
            let wanted: Vec<_> = hcl::tokens(without).unwrap().into_iter().map(exchange).collect();
            assert_eq!(hcl::tokens(with).unwrap(), wanted, "{with}");
        }
        Language::Shell => {
            let word = |word: &String| match serde_json::from_str::<Value>(word) {
                Ok(object @ Value::Object(_)) => exchanged(&object, text),
                _ => Value::String(word.replace(HARMLESS, text)),
            };
            let given = |word: &String| match serde_json::from_str::<Value>(word) {
                Ok(object @ Value::Object(_)) => object,
                _ => Value::String(word.clone()),
            };
            // A line may use what the line before it has set.
            let run = |script: &str| shell::commands(&format!("CLIENT_ID=c PRINCIPAL_ID=p\n{script}"));
            let wanted: Vec<Vec<_>> = run(without).iter().map(|command| command.iter().map(word).collect()).collect();
            let found: Vec<Vec<_>> = run(with).iter().map(|command| command.iter().map(given).collect()).collect();
            assert_eq!(found, wanted, "{with}");
        }
        Language::Yaml | Language::Json => {
            let read = |text: &str| serde_saphyr::from_str::<Value>(text).unwrap();
            assert_eq!(read(with), exchanged(&read(without), text), "{with}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_gets_out_of_a_hole(text in texts().prop_filter("words are told apart by it", |text| !text.is_empty())) {
        for (language, template) in TEMPLATES {
            check(language, template, &text);
        }
    }
}

#[test]
fn the_comparison_sees_what_gets_out() {
    let passes = |language, template: &'static str| {
        std::panic::catch_unwind(|| check(language, template, "x\"; touch 'y' #")).is_ok()
    };
    assert!(passes(Language::Hcl, "a = {{name}}\n") && !passes(Language::Hcl, "a = \"{{name}}\"\n"));
    assert!(passes(Language::Shell, "aws {{name}}\n") && !passes(Language::Shell, "aws '{{name}}'\n"));
    assert!(passes(Language::Yaml, "a: {{name}}\n") && !passes(Language::Yaml, "a: \"{{name}}\"\n"));
    assert!(!passes(Language::Hcl, "# {{name}}\n"));
}

#[test]
fn no_hole_stands_in_a_comment() {
    for (_, template) in TEMPLATES {
        for line in template.lines().filter(|line| line.trim_start().starts_with('#')) {
            assert_eq!(holes(line), [""; 0], "{line}");
        }
    }
}
