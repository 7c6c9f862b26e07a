//! Kinds of settings. Each says once what it accepts: in code for the reader, in words for errors, and as JSON Schema.

use std::marker::PhantomData;

use serde_json::{Value, json};
use token::token_type::TokenType;

use super::node::{ConfigError, Node};

/// One kind of setting.
pub(super) trait Kind {
    /// What it is read into.
    type Value;

    /// Reads it.
    fn read(&self, node: &Node<'_>) -> Result<Self::Value, ConfigError>;

    /// What should stand there, in words.
    fn expected(&self) -> String;

    /// What should stand there, as JSON Schema: it refuses nothing that [`Kind::read`] accepts.
    fn schema(&self) -> Value;
}

/// A kind whose values can be shown as the JSON they are read from.
pub(super) trait Shown: Kind {
    fn show(&self, value: &Self::Value) -> Value;
}

/// A text of ASCII characters, so that its length in bytes is its length in characters.
#[derive(Clone, Copy)]
pub(super) struct Text {
    pub accept: fn(&str) -> bool,
    pub expected: &'static str,
    /// The texts that `accept` does, as a regular expression that means the same everywhere (ECMA-262, RE2, Python).
    pub pattern: &'static str,
    /// Of these, those that it does not.
    pub except: Option<&'static str>,
    pub longest: usize,
}

/// A whole number between bounds.
pub(super) struct Whole<N> {
    least: u64,
    most: u64,
    number: PhantomData<N>,
}

/// One number and no other.
pub(super) struct Exactly(pub u64);

/// `true` or `false`.
pub(super) struct Flag;

/// One of these token types by its URN (RFC 8693, section 3).
pub(super) struct TokenTypeUrn(pub &'static [TokenType]);

/// A list of 64 elements at most.
pub(super) struct List<K> {
    pub of: K,
    pub least: usize,
    pub expected: &'static str,
}

/// An object whose keys are names of the user's choosing; at least one.
pub(super) struct Entries<K> {
    pub name: Text,
    pub of: K,
    /// What one of them is.
    pub what: &'static str,
}

/// A whole number from `least` to `most`.
pub(super) const fn whole(least: u64, most: u64) -> Whole<u64> {
    Whole { least, most, number: PhantomData }
}

/// How many of something, from `least` to `most`.
pub(super) const fn count(least: u64, most: u64) -> Whole<usize> {
    Whole { least, most, number: PhantomData }
}

impl Kind for Text {
    type Value = String;

    fn read(&self, node: &Node<'_>) -> Result<String, ConfigError> {
        node.text(self.accept, self.expected)
    }

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn schema(&self) -> Value {
        let mut schema = json!({ "type": "string", "maxLength": self.longest, "pattern": self.pattern });
        if let (Some(schema), Some(except)) = (schema.as_object_mut(), self.except) {
            schema.insert("not".to_owned(), json!({ "pattern": except }));
        }
        schema
    }
}

impl Shown for Text {
    fn show(&self, value: &String) -> Value {
        json!(value)
    }
}

impl<N: TryFrom<u64>> Kind for Whole<N> {
    type Value = N;

    fn read(&self, node: &Node<'_>) -> Result<N, ConfigError> {
        let number = node.number(self.least, self.most)?;
        N::try_from(number).map_err(|_| node.refuse(self.expected()))
    }

    fn expected(&self) -> String {
        format!("a whole number from {} to {}", self.least, self.most)
    }

    fn schema(&self) -> Value {
        json!({ "type": "integer", "minimum": self.least, "maximum": self.most })
    }
}

impl<N: TryFrom<u64> + Copy + Into<Value>> Shown for Whole<N> {
    fn show(&self, value: &N) -> Value {
        (*value).into()
    }
}

impl Kind for Exactly {
    type Value = ();

    fn read(&self, node: &Node<'_>) -> Result<(), ConfigError> {
        node.number(self.0, self.0).map(drop).map_err(|_| node.refuse(self.expected()))
    }

    fn expected(&self) -> String {
        self.0.to_string()
    }

    fn schema(&self) -> Value {
        json!({ "const": self.0 })
    }
}

impl Kind for Flag {
    type Value = bool;

    fn read(&self, node: &Node<'_>) -> Result<bool, ConfigError> {
        node.flag().ok_or_else(|| node.refuse(self.expected()))
    }

    fn expected(&self) -> String {
        "`true` or `false`".to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "boolean" })
    }
}

impl Shown for Flag {
    fn show(&self, value: &bool) -> Value {
        json!(value)
    }
}

impl Kind for TokenTypeUrn {
    type Value = TokenType;

    fn read(&self, node: &Node<'_>) -> Result<TokenType, ConfigError> {
        let named = node.as_text().and_then(TokenType::from_urn).filter(|named| self.0.contains(named));
        named.ok_or_else(|| node.refuse(self.expected()))
    }

    fn expected(&self) -> String {
        format!("one of {}", self.urns().join(", "))
    }

    fn schema(&self) -> Value {
        json!({ "enum": self.urns() })
    }
}

impl TokenTypeUrn {
    fn urns(&self) -> Vec<&'static str> {
        self.0.iter().map(|named| named.urn()).collect()
    }
}

impl Shown for TokenTypeUrn {
    fn show(&self, value: &TokenType) -> Value {
        json!(value.urn())
    }
}

impl<K: Kind> Kind for List<K> {
    type Value = Vec<K::Value>;

    fn read(&self, node: &Node<'_>) -> Result<Self::Value, ConfigError> {
        let elements = node.elements(self.expected)?;
        if elements.len() < self.least {
            return Err(node.refuse(format_args!("{}, {} at least", self.expected, self.least)));
        }
        if elements.len() > MAX_ELEMENTS {
            return Err(node.refuse(format_args!("{}, {MAX_ELEMENTS} at most", self.expected)));
        }
        elements.iter().map(|element| self.of.read(element)).collect()
    }

    fn expected(&self) -> String {
        self.expected.to_owned()
    }

    fn schema(&self) -> Value {
        json!({ "type": "array", "items": self.of.schema(), "minItems": self.least, "maxItems": MAX_ELEMENTS })
    }
}

impl<K: Shown> Shown for List<K> {
    fn show(&self, value: &Self::Value) -> Value {
        value.iter().map(|element| self.of.show(element)).collect()
    }
}

impl<K: Kind> Kind for Entries<K> {
    type Value = Vec<(String, K::Value)>;

    fn read(&self, node: &Node<'_>) -> Result<Self::Value, ConfigError> {
        let entries = node.entries(&self.expected())?;
        if entries.is_empty() {
            return Err(node.refuse(format_args!("at least one {}", self.what)));
        }
        let read = |(name, node): (&str, Node<'_>)| {
            if !(self.name.accept)(name) {
                let found = format!("a {} of that name", self.what);
                return Err(node.refuse_finding(&found, format_args!("a name of {}", self.name.expected)));
            }
            Ok((name.to_owned(), self.of.read(&node)?))
        };
        entries.into_iter().map(read).collect()
    }

    fn expected(&self) -> String {
        format!("an object from {} name to {}", self.what, self.of.expected())
    }

    fn schema(&self) -> Value {
        json!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": self.name.schema(),
            "additionalProperties": self.of.schema(),
        })
    }
}

const MAX_ELEMENTS: usize = 64;
