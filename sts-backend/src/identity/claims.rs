//! Reading claims of a verified payload, each refusal naming claim, got and wanted.

use serde_json::{Map, Value};
use token::reason::Reason;

use crate::refusal::Refusal;

/// The longest string claim that is read, in bytes.
const MAX_CLAIM: usize = 1024;

/// The largest integer that every JSON reader reads alike (RFC 8259, section 6).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Claims, or one object among them.
#[derive(Clone, Copy)]
pub struct Claims<'c> {
    members: &'c Map<String, Value>,
    /// What precedes member names in refusals.
    path: &'c str,
}

impl<'c> Claims<'c> {
    /// The claims of a payload.
    pub fn new(members: &'c Map<String, Value>) -> Self {
        Self { members, path: "" }
    }

    /// The member `name`, whatever it is.
    pub fn value(&self, name: &str) -> Option<&'c Value> {
        self.members.get(name)
    }

    /// The object `name`. `path` is how its members are named in refusals.
    pub fn object(&self, name: &str, path: &'c str) -> Result<Self, Refusal> {
        match self.members.get(name) {
            Some(Value::Object(members)) => Ok(Self { members, path }),
            other => Err(self.mismatch(name, other, "an object")),
        }
    }

    /// The text `name`, not empty and not longer than any real one.
    pub fn text(&self, name: &str) -> Result<&'c str, Refusal> {
        match self.members.get(name) {
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_CLAIM => Ok(text),
            other => Err(self.mismatch(name, other, &format!("a text of 1 to {MAX_CLAIM} bytes"))),
        }
    }

    /// Refuses unless `name` is exactly the text `wanted`.
    pub fn expect(&self, name: &str, wanted: &str) -> Result<(), Refusal> {
        match self.members.get(name) {
            Some(Value::String(text)) if text == wanted => Ok(()),
            other => Err(self.mismatch(name, other, wanted)),
        }
    }

    /// The date `name` in whole seconds, rounded down (RFC 7519, section 2: a NumericDate may have a fraction).
    pub fn date(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.members.get(name) else { return Ok(None) };
        let seconds = value.as_u64().or_else(|| {
            let seconds = value.as_f64().filter(|seconds| (0.0..=MAX_SAFE_INTEGER as f64).contains(seconds))?;
            Some(seconds as u64)
        });
        match seconds.filter(|seconds| *seconds <= MAX_SAFE_INTEGER) {
            Some(seconds) => Ok(Some(seconds)),
            None => Err(Refusal::new(Reason::SubjectTokenMalformed, format!("`{name}` is not a date"))
                .claim(name)
                .got(describe(Some(value)))
                .wanted("seconds since the epoch, as a number")),
        }
    }

    /// A refusal of the member `name`.
    pub fn mismatch(&self, name: &str, got: Option<&Value>, wanted: &str) -> Refusal {
        let detail = match got {
            None => "the token lacks a claim that its trust source pins",
            Some(_) => "a claim has another value than its trust source pins",
        };
        Refusal::new(Reason::SubjectClaimMismatch, detail)
            .claim(format!("{}{name}", self.path))
            .got(describe(got))
            .wanted(wanted)
    }
}

/// A claim's value as a refusal may quote it.
pub fn describe(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(other) => other.to_string(),
    }
}
