//! A YAML or JSON file read twice: once into the type that is wanted, once into the lines its members stand on.
//!
//! The second reading is what lets every finding name a line, without a span beside every value of the first.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::Spanned;

use crate::finding::Finding;

/// Where the members of a document stand.
#[derive(Debug, Default)]
pub struct Lines(BTreeMap<String, u64>);

impl Lines {
    /// The line of the member at `path`; where it is absent, the line of the nearest member around it.
    pub fn line(&self, path: &str) -> Option<u64> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

/// Reads `text` as `T`. The error is a finding of `file`: the line, what stands there, what was expected.
pub fn parse<T: DeserializeOwned>(file: &std::path::Path, text: &str) -> Result<(T, Lines), Box<Finding>> {
    let options = serde_saphyr::options! { with_snippet: false };
    let value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location();
        Box::new(Finding {
            file: file.to_owned(),
            line: location.map(|location| location.line()),
            path: String::new(),
            found: one_line(&error.without_snippet().to_string()),
            expected: "a document of the form the reference describes".to_owned(),
            remedy: "correct the line".to_owned(),
        })
    })?;
    let mut lines = Lines::default();
    if let Ok(root) = serde_saphyr::from_str::<Spanned<Node>>(text) {
        collect(&root, String::new(), &mut lines);
    }
    Ok((value, lines))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn collect(node: &Spanned<Node>, path: String, lines: &mut Lines) {
    match &node.value {
        Node::Scalar => {}
        Node::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{path}[{index}]"), lines);
            }
        }
        Node::Mapping(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(member, path, lines);
            }
        }
    }
    lines.0.insert(path, node.referenced.line());
}

enum Node {
    Scalar,
    Sequence(Vec<Spanned<Node>>),
    Mapping(Vec<(String, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_entry()? {
            list.push(member);
        }
        Ok(Node::Mapping(list))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_member_has_its_line_and_absent_ones_their_parents() {
        let text = "a: 1\nb:\n  - c: x\n  - c: y\n    d: {e: 2}\n";
        let (_, lines) = parse::<serde_json::Value>(Path::new("f.yaml"), text).unwrap();
        assert_eq!(lines.line("a"), Some(1));
        assert_eq!(lines.line("b[0].c"), Some(3));
        assert_eq!(lines.line("b[1].d.e"), Some(5));
        assert_eq!(lines.line("b[1].absent"), Some(4));
        assert_eq!(lines.line("absent"), None);
    }

    #[test]
    fn json_is_read_too() {
        let text = "{\n \"a\": [true, null,\n {\"b\": 1.5}]}";
        let (value, lines) = parse::<serde_json::Value>(Path::new("f.json"), text).unwrap();
        assert_eq!(value["a"][2]["b"], 1.5);
        assert_eq!(lines.line("a[2].b"), Some(3));
    }

    #[test]
    fn a_syntax_error_names_the_line_and_shows_none_of_the_text() {
        let finding = parse::<serde_json::Value>(Path::new("f.yaml"), "a: 1\nb: [s3cret\n").unwrap_err();
        assert!(finding.line.is_some());
        assert!(!finding.to_string().contains("s3cret"), "{finding}");
    }

    #[test]
    fn a_doubled_member_is_refused() {
        let finding = parse::<serde_json::Value>(Path::new("f.yaml"), "a: 1\na: 2\n").unwrap_err();
        assert!(finding.to_string().starts_with("f.yaml:2"), "{finding}");
    }
}
