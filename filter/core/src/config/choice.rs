//! Choices between alternatives, each written `"word"` or `{"word": {...}}`. The alternatives are told once; who listens
//! reads with them, puts them into words or makes a JSON Schema of them.

use std::marker::PhantomData;

use serde_json::{Value, json};

use super::{
    kind::{Kind, Shown},
    node::{ConfigError, Node},
    object::{Object, described},
};

/// A type that is chosen.
pub(super) trait Choice: Sized {
    /// Tells `listener` each alternative, in the order in which they are to be read about.
    fn alternatives(listener: &mut impl Alternatives<Self>);
}

/// Who is told the alternatives of a [`Choice`].
pub(super) trait Alternatives<T> {
    /// `"word"`.
    fn word(&mut self, word: &'static str, about: &str, value: T);

    /// `{"word": {...}}`.
    fn object<O: Object>(&mut self, word: &'static str, about: &str, into: impl FnOnce(O) -> T);

    /// `word` is known, but this version does not have it yet.
    fn later(&mut self, _word: &'static str) {}
}

/// A value that is such a choice.
pub(super) struct Chosen<T>(PhantomData<T>);

pub(super) const fn choice<T: Choice>() -> Chosen<T> {
    Chosen(PhantomData)
}

impl<T: Choice> Kind for Chosen<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Result<T, ConfigError> {
        let (word, settings) = node.choice().ok_or_else(|| node.refuse(self.expected()))?;
        let mut reader = Reader { node, word, settings, read: None };
        T::alternatives(&mut reader);
        reader.read.unwrap_or_else(|| Err(node.refuse(self.expected())))
    }

    fn expected(&self) -> String {
        expected::<T>()
    }

    fn schema(&self) -> Value {
        let mut listener = InSchema(Vec::new());
        T::alternatives(&mut listener);
        json!({ "oneOf": listener.0 })
    }
}

impl<T: Choice + PartialEq> Shown for Chosen<T> {
    /// Only words can be shown, so only they can be defaults.
    fn show(&self, value: &T) -> Value {
        let mut listener = Word { value, word: None };
        T::alternatives(&mut listener);
        json!(listener.word)
    }
}

fn expected<T: Choice>() -> String {
    let mut listener = InWords(Vec::new());
    T::alternatives(&mut listener);
    listener.0.join(" or ")
}

struct Reader<'n, 'v, T> {
    node: &'n Node<'v>,
    word: &'v str,
    settings: Option<Node<'v>>,
    read: Option<Result<T, ConfigError>>,
}

impl<T: Choice> Alternatives<T> for Reader<'_, '_, T> {
    fn word(&mut self, word: &'static str, _about: &str, value: T) {
        if word == self.word && self.settings.is_none() {
            self.read = Some(Ok(value));
        }
    }

    fn object<O: Object>(&mut self, word: &'static str, _about: &str, into: impl FnOnce(O) -> T) {
        if let (true, Some(settings)) = (word == self.word, &self.settings) {
            self.read = Some(settings.members(O::MEMBERS).and_then(|members| O::read(&members)).map(into));
        }
    }

    fn later(&mut self, word: &'static str) {
        if word == self.word {
            let found = format!("{word:?}, which this version does not have yet");
            self.read = Some(Err(self.node.refuse_finding(&found, expected::<T>())));
        }
    }
}

struct InWords(Vec<String>);

impl<T> Alternatives<T> for InWords {
    fn word(&mut self, word: &'static str, _about: &str, _value: T) {
        self.0.push(format!("{word:?}"));
    }

    fn object<O: Object>(&mut self, word: &'static str, _about: &str, _into: impl FnOnce(O) -> T) {
        const FEW: usize = 3;
        let members = match O::MEMBERS.len() {
            0..=FEW => O::MEMBERS.iter().map(|name| format!("{name:?}: ...")).collect::<Vec<_>>().join(", "),
            _ => "...".to_owned(),
        };
        self.0.push(format!("{{{word:?}: {{{members}}}}}"));
    }
}

struct InSchema(Vec<Value>);

impl<T> Alternatives<T> for InSchema {
    fn word(&mut self, word: &'static str, about: &str, _value: T) {
        self.0.push(json!({ "description": about, "const": word }));
    }

    fn object<O: Object>(&mut self, word: &'static str, about: &str, _into: impl FnOnce(O) -> T) {
        self.0.push(json!({
            "description": about,
            "type": "object",
            "properties": { word: described(&[about], O::schema()) },
            "required": [word],
            "additionalProperties": false,
        }));
    }
}

/// Looks for the word that means a value.
struct Word<'t, T> {
    value: &'t T,
    word: Option<&'static str>,
}

impl<T: PartialEq> Alternatives<T> for Word<'_, T> {
    fn word(&mut self, word: &'static str, _about: &str, value: T) {
        if value == *self.value {
            self.word = Some(word);
        }
    }

    fn object<O: Object>(&mut self, _word: &'static str, _about: &str, _into: impl FnOnce(O) -> T) {}
}
