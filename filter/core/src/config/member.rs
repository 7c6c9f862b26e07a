//! Members of an object: what holds where one is not there.

use serde_json::Value;

use super::{
    kind::{Kind, Shown},
    node::{ConfigError, Members},
};

/// A member of an object.
pub(super) trait Member {
    /// What it is read into.
    type Value;

    /// Whether it has to be there.
    const REQUIRED: bool = false;

    /// Reads the member `name`.
    fn read(&self, members: &Members<'_>, name: &str) -> Result<Self::Value, ConfigError>;

    /// What may stand there, and what holds if nothing does.
    fn schema(&self) -> Value;
}

/// A member with a value where it is not there.
pub(super) trait Defaulted: Member {
    fn default(self) -> Self::Value;
}

/// It has to be there.
pub(super) struct Required<K>(K);

/// It may be left out, which is a setting of its own.
pub(super) struct Optional<K>(K);

/// Where it is left out, this holds.
pub(super) struct Or<K: Kind> {
    default: K::Value,
    kind: K,
}

/// Where it is left out, the defaults of its own members hold.
pub(super) struct OrDefaults<K>(K);

pub(super) fn required<K: Kind>(kind: K) -> Required<K> {
    Required(kind)
}

pub(super) fn optional<K: Kind>(kind: K) -> Optional<K> {
    Optional(kind)
}

pub(super) fn or<K: Kind>(default: K::Value, kind: K) -> Or<K> {
    Or { default, kind }
}

pub(super) fn or_defaults<K: Kind>(kind: K) -> OrDefaults<K> {
    OrDefaults(kind)
}

impl<K: Kind> Member for Required<K> {
    type Value = K::Value;

    const REQUIRED: bool = true;

    fn read(&self, members: &Members<'_>, name: &str) -> Result<K::Value, ConfigError> {
        match members.optional(name) {
            Some(node) => self.0.read(&node),
            None => Err(members.missing(name, self.0.expected())),
        }
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}

impl<K: Kind> Member for Optional<K> {
    type Value = Option<K::Value>;

    fn read(&self, members: &Members<'_>, name: &str) -> Result<Self::Value, ConfigError> {
        members.optional(name).map(|node| self.0.read(&node)).transpose()
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}

impl<K: Shown<Value: Clone>> Member for Or<K> {
    type Value = K::Value;

    fn read(&self, members: &Members<'_>, name: &str) -> Result<K::Value, ConfigError> {
        members.optional(name).map_or_else(|| Ok(self.default.clone()), |node| self.kind.read(&node))
    }

    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("default".to_owned(), self.kind.show(&self.default));
        }
        schema
    }
}

impl<K: Shown<Value: Clone>> Defaulted for Or<K> {
    fn default(self) -> K::Value {
        self.default
    }
}

impl<K: Kind<Value: Default>> Member for OrDefaults<K> {
    type Value = K::Value;

    fn read(&self, members: &Members<'_>, name: &str) -> Result<K::Value, ConfigError> {
        members.optional(name).map_or_else(|| Ok(K::Value::default()), |node| self.0.read(&node))
    }

    fn schema(&self) -> Value {
        self.0.schema()
    }
}
