//! What a cloud's own record would say of one call, and what came with it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::asked::Asked;

/// One call, allowed or refused.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Seen {
    /// `sts`, `s3`, `iamcredentials`, ...
    pub service: String,
    /// As the cloud names it: `GetObject`, `generateAccessToken`.
    pub operation: String,
    /// What it was made on: an ARN, a resource name.
    pub resource: String,
    /// Who called, as far as it was found out.
    pub principal: String,
    /// What else the cloud would write down: `source_identity`, `tags`, the claims of an `assertion`.
    pub facts: BTreeMap<String, Value>,
    pub status: u16,
    /// The cloud's code, where it refused.
    pub code: String,
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names and values in the order of arrival.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it is text and no longer than [`MAX_BODY`].
    pub body: String,
    pub body_length: usize,
}

/// All calls of one provider, the oldest first.
#[derive(Debug, Default)]
pub struct Record(Mutex<VecDeque<Seen>>);

impl Seen {
    /// What is known of a call before it is judged.
    pub fn of(asked: &Asked) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        let body = asked.body.get(..MAX_BODY).unwrap_or(&asked.body);
        Self {
            method: asked.method.clone(),
            path: format!("{}{query}", asked.path),
            headers: asked.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body: String::from_utf8_lossy(body).into_owned(),
            body_length: asked.body.len(),
            ..Self::default()
        }
    }

    /// Notes what is done on what.
    pub fn operation(&mut self, operation: &str, resource: impl Into<String>) {
        (self.operation, self.resource) = (operation.to_owned(), resource.into());
    }

    /// Notes something else.
    pub fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Whether a text stands anywhere in what arrived.
    pub fn holds(&self, text: &str) -> bool {
        self.path.contains(text)
            || self.body.contains(text)
            || self.headers.iter().any(|(_, value)| value.contains(text))
    }
}

impl Record {
    /// Adds one.
    pub fn push(&self, seen: Seen) {
        let mut all = self.lock();
        if all.len() == MAX_CALLS {
            all.pop_front();
        }
        all.push_back(seen);
    }

    /// All of them.
    pub fn all(&self) -> Vec<Seen> {
        self.lock().iter().cloned().collect()
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_CALLS: usize = 20_000;

/// How much of a body is kept, in bytes.
pub const MAX_BODY: usize = 16 * 1024;
