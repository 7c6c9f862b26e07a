//! Objects. `settings!` declares one: the type, its reader and its JSON Schema come from what is written there once, the
//! schema's descriptions from the documentation comments.

use std::marker::PhantomData;

use serde_json::{Map, Value, json};

use super::{
    kind::Kind,
    member::Member,
    node::{ConfigError, Members, Node, list},
};

/// An object with these members and no other; implemented by `settings!`.
pub(super) trait Object: Sized {
    const MEMBERS: &'static [&'static str];
    fn read(members: &Members<'_>) -> Result<Self, ConfigError>;
    fn schema() -> Value;
}

/// A value that is such an object.
pub(super) struct Nested<T>(PhantomData<T>);

pub(super) const fn object<T: Object>() -> Nested<T> {
    Nested(PhantomData)
}

impl<T: Object> Kind for Nested<T> {
    type Value = T;

    fn read(&self, node: &Node<'_>) -> Result<T, ConfigError> {
        T::read(&node.members(T::MEMBERS)?)
    }

    fn expected(&self) -> String {
        format!("an object with {}", list(T::MEMBERS))
    }

    fn schema(&self) -> Value {
        T::schema()
    }
}

/// Declares an object. A member is `name: Type = member`, where `member` is one of the module `member`. With `: Default`
/// behind the name the type has that trait, and every member needs a default. `one_of { a, b }` at the end demands one of
/// these members at least.
macro_rules! settings {
    (
        $(#[doc = $about:literal])* $(#[derive($($derive:ident),*)])?
        $vis:vis struct $name:ident: Default {
            $( $(#[doc = $doc:literal])* $field_vis:vis $field:ident: $type:ty = $member:expr, )*
        }
    ) => {
        settings! {
            $(#[doc = $about])* $(#[derive($($derive),*)])?
            $vis struct $name { $( $(#[doc = $doc])* $field_vis $field: $type = $member, )* }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::config::member::Defaulted::default($member), )* }
            }
        }
    };
    (
        $(#[doc = $about:literal])* $(#[derive($($derive:ident),*)])?
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $field_vis:vis $field:ident: $type:ty = $member:expr, )*
        }
        $(one_of { $($either:ident),* })?
    ) => {
        $(#[doc = $about])* $(#[derive($($derive),*)])?
        $vis struct $name { $( $(#[doc = $doc])* $field_vis $field: $type, )* }

        impl $crate::config::object::Object for $name {
            const MEMBERS: &'static [&'static str] =
                &[$($crate::config::object::member_name(stringify!($field))),*];

            fn read(
                members: &$crate::config::node::Members<'_>,
            ) -> Result<Self, $crate::config::node::ConfigError> {
                $( members.require_one_of(&[$(stringify!($either)),*])?; )?
                Ok(Self { $(
                    $field: $crate::config::member::Member::read(
                        &$member,
                        members,
                        $crate::config::object::member_name(stringify!($field)),
                    )?,
                )* })
            }

            fn schema() -> serde_json::Value {
                $crate::config::object::schema(
                    &[$($about),*],
                    vec![$( $crate::config::object::property::<$type, _>(
                        $crate::config::object::member_name(stringify!($field)),
                        &[$($doc),*],
                        &$member,
                    ), )*],
                    &[$($(stringify!($either)),*)?],
                )
            }
        }
    };
}

pub(super) use settings;

/// What the member of a field is called: a field whose name is a word of the language is written `r#NAME`.
pub(super) const fn member_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', name @ ..] => match str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => field,
        },
        _ => field,
    }
}

/// A member as the schema shows it.
pub(super) struct Property {
    name: &'static str,
    schema: Value,
    required: bool,
}

/// `T` is there so that a member's kind is known by the type of its field.
pub(super) fn property<T, M: Member<Value = T>>(name: &'static str, about: &[&str], member: &M) -> Property {
    Property { name, schema: described(about, member.schema()), required: M::REQUIRED }
}

/// The schema of an object with these properties, of which one of `one_of` must be there.
pub(super) fn schema(about: &[&str], properties: Vec<Property>, one_of: &[&str]) -> Value {
    let required: Vec<&str> = properties.iter().filter(|property| property.required).map(|it| it.name).collect();
    let properties: Map<_, _> = properties.into_iter().map(|it| (it.name.to_owned(), it.schema)).collect();
    let mut schema =
        Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), properties.into())]);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    if !one_of.is_empty() {
        let alternatives = one_of.iter().map(|name| json!({ "required": [name] })).collect();
        schema.insert("anyOf".to_owned(), alternatives);
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    described(about, schema.into())
}

/// The schema with `about` as its description, in the place of the one it may have.
pub(super) fn described(about: &[&str], schema: Value) -> Value {
    let about = about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let mut described = Map::from_iter([("description".to_owned(), json!(about))]);
    if let Value::Object(schema) = schema {
        described.extend(schema.into_iter().filter(|(name, _)| name != "description"));
    }
    described.into()
}
