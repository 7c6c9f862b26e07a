//! A walk over JSON that always knows where it is, so that every mistake can be named by its path.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

/// What is wrong in a configuration, in one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{path}`: found {found}; expected {expected}")]
pub struct ConfigError {
    /// Where: `routes.reports.exchange.clusters[0]`.
    pub path: String,
    pub found: String,
    pub expected: String,
}

/// One value and its path.
#[derive(Clone)]
pub(super) struct Node<'v> {
    path: String,
    value: &'v Value,
}

/// The members of an object, each of which is one of those expected.
pub(super) struct Members<'v> {
    path: String,
    map: &'v Map<String, Value>,
}

impl<'v> Node<'v> {
    pub(super) fn new(path: impl Into<String>, value: &'v Value) -> Self {
        Self { path: path.into(), value }
    }

    /// The error that this value is not what it should be.
    pub(super) fn refuse(&self, expected: impl fmt::Display) -> ConfigError {
        ConfigError { path: self.path.clone(), found: describe(self.value), expected: expected.to_string() }
    }

    /// The error that something else is wrong here.
    pub(super) fn refuse_finding(&self, found: &str, expected: impl fmt::Display) -> ConfigError {
        ConfigError { path: self.path.clone(), found: found.to_owned(), expected: expected.to_string() }
    }

    /// The members, all of them known.
    pub(super) fn members(&self, known: &[&str]) -> Result<Members<'v>, ConfigError> {
        let map = self.value.as_object().ok_or_else(|| self.refuse(format_args!("an object with {}", list(known))))?;
        match map.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Members { path: self.path.clone(), map }),
            Some(name) => Err(ConfigError {
                path: join(&self.path, name),
                found: "a key that is not known".to_owned(),
                expected: format!("only {}", list(known)),
            }),
        }
    }

    /// Every member, whatever its name.
    pub(super) fn entries(&self, expected: &str) -> Result<Vec<(&'v str, Node<'v>)>, ConfigError> {
        let map = self.value.as_object().ok_or_else(|| self.refuse(expected))?;
        Ok(map.iter().map(|(name, value)| (name.as_str(), Node::new(join(&self.path, name), value))).collect())
    }

    /// A choice: `"name"` alone, or `{"name": settings}`.
    pub(super) fn choice(&self) -> Option<(&'v str, Option<Node<'v>>)> {
        match self.value {
            Value::String(name) => Some((name, None)),
            Value::Object(map) => {
                let mut members = map.iter();
                match (members.next(), members.next()) {
                    (Some((name, value)), None) => Some((name, Some(Node::new(join(&self.path, name), value)))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A text for which `accept` holds.
    pub(super) fn text(&self, accept: impl Fn(&str) -> bool, expected: &str) -> Result<String, ConfigError> {
        match self.value.as_str() {
            Some(text) if accept(text) => Ok(text.to_owned()),
            _ => Err(self.refuse(expected)),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, least: u64, most: u64) -> Result<u64, ConfigError> {
        let accepted = self.value.as_u64().filter(|number| (least..=most).contains(number));
        accepted.ok_or_else(|| self.refuse(format_args!("a whole number from {least} to {most}")))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self) -> Option<bool> {
        self.value.as_bool()
    }

    /// Any text.
    pub(super) fn as_text(&self) -> Option<&'v str> {
        self.value.as_str()
    }

    /// The elements of a list.
    pub(super) fn elements(&self, expected: &str) -> Result<Vec<Node<'v>>, ConfigError> {
        let list = self.value.as_array().ok_or_else(|| self.refuse(expected))?;
        let element = |(index, value)| Node::new(format!("{}[{index}]", self.path), value);
        Ok(list.iter().enumerate().map(element).collect())
    }
}

impl<'v> Members<'v> {
    /// The error that the member `name` is missing.
    pub(super) fn missing(&self, name: &str, expected: String) -> ConfigError {
        ConfigError { path: join(&self.path, name), found: "nothing".to_owned(), expected }
    }

    /// Demands one of the members `names` at least.
    pub(super) fn require_one_of(&self, names: &[&str]) -> Result<(), ConfigError> {
        match names.first() {
            Some(first) if names.iter().all(|name| self.optional(name).is_none()) => {
                Err(self.missing(first, format!("one at least of {}", list(names))))
            }
            _ => Ok(()),
        }
    }

    /// The member `name`; `null` counts as absent.
    pub(super) fn optional(&self, name: &str) -> Option<Node<'v>> {
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Node::new(join(&self.path, name), value))
    }
}

/// `a.b`, or `a["b.c"]` where the name itself could be taken for a path.
pub(super) fn join(path: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte));
    match (path.is_empty() || path == ROOT, plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{:?}]", shorten(name)),
    }
}

/// The path of the whole document.
pub(super) const ROOT: &str = "(document)";

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => format!("the text {:?}", shorten(text)),
        Value::Array(list) if list.is_empty() => "an empty list".to_owned(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(map) => match map.keys().next() {
            None => "an empty object".to_owned(),
            Some(name) => format!("an object of {} with the key {:?}", map.len(), shorten(name)),
        },
    }
}

/// Configuration is not secret, but a text pasted into the wrong key may be: no more of it than it takes to recognise it.
fn shorten(text: &str) -> String {
    const SHOWN: usize = 48;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain("...".chars()).collect()
}

/// The names, for a message.
pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
