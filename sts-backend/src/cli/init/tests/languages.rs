//! What is written of a value is read as that value, whatever stands in it.

use proptest::prelude::*;

use super::{
    super::tree::{Language, Tree},
    hcl::{self, Token},
    shell,
};

/// Texts that mean something in one of the languages.
const MEANT: [&str; 18] = [
    "",
    " ",
    "'",
    "\"",
    "\\",
    "\\\"",
    "'\\''",
    "$(touch x)",
    "`touch x`",
    "${x}",
    "$${x}",
    "%{if x}",
    "{{name}}",
    "a\nb: c",
    "# x",
    "-x",
    "true",
    "\u{85}\u{2028}\u{7f}\u{1f600}\u{feff}",
];

/// Any text without a zero byte, which no command can be given.
pub fn texts() -> impl Strategy<Value = String> {
    let parts = prop_oneof![prop::sample::select(MEANT.to_vec()).prop_map(str::to_owned), "[^\0]{0,6}"];
    prop::collection::vec(parts, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_text_of_hcl_is_that_text(text in texts(), name in texts()) {
        let tree = Tree::object([(name.clone(), Tree::texts([text.clone()]))]);
        let tokens = hcl::tokens(&tree.written(Language::Hcl, 2)).unwrap();
        let name_fits = match &tokens[1] {
            Token::Text(said) => *said == name,
            Token::Other(said) => *said == format!("{name}="),
            _ => false,
        };
        prop_assert!(name_fits, "{:?}", tokens);
        prop_assert!(tokens.contains(&Token::Text(text)), "{:?}", tokens);
        prop_assert!(tokens.len() <= 8 && !tokens.iter().any(|token| matches!(token, Token::Template(_) | Token::Comment(_))));
    }

    #[test]
    fn a_text_of_yaml_and_json_is_that_text(text in texts(), name in texts()) {
        let tree = Tree::object([(name.clone(), Tree::texts([text.clone(), text.clone()]))]);
        let wanted = serde_json::json!({name: [text, text]});
        let yaml = tree.written(Language::Yaml, 0);
        prop_assert!(!yaml.contains('\n') && yaml.is_ascii());
        prop_assert_eq!(&serde_saphyr::from_str::<serde_json::Value>(&yaml).unwrap(), &wanted);
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&tree.written(Language::Json, 4)).unwrap(), &wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_word_of_a_shell_is_that_word(words in prop::collection::vec(texts().prop_filter("told apart by it", |text| !text.is_empty()), 1..8)) {
        let script = format!("aws {}", Tree::texts(words.clone()).written(Language::Shell, 0));
        let wanted: Vec<_> = std::iter::once("aws".to_owned()).chain(words).collect();
        prop_assert_eq!(shell::commands(&script), vec![wanted]);
    }
}

#[test]
fn an_empty_word_is_a_word() {
    assert_eq!(Tree::text("").written(Language::Shell, 0), "''");
}
