//! A place in a document: the value and the path that leads to it.

use std::borrow::Cow;

use serde_json::Value;

/// A place in a document. Following a member that is not there leads to a place that holds nothing.
#[derive(Clone, Debug)]
pub(super) struct At<'v> {
    pub path: String,
    value: Option<&'v Value>,
}

impl<'v> At<'v> {
    pub fn root(value: &'v Value) -> Self {
        Self { path: String::new(), value: Some(value) }
    }

    /// The member `name`, as a `.proto` file has it or in lowerCamelCase: protobuf's JSON reads both. `null` counts as absent
    /// there, and here.
    pub fn get(&self, name: &str) -> Self {
        let named = |name: &str| self.value.and_then(|value| value.get(name)).filter(|value| !value.is_null());
        let camel = camel_case(name);
        match named(name) {
            None if camel != name && named(&camel).is_some() => self.member(&camel, named(&camel)),
            value => self.member(name, value),
        }
    }

    fn member(&self, name: &str, value: Option<&'v Value>) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, value }
    }

    /// The first of the members that is there; the last if none is.
    pub fn either(&self, names: &[&str]) -> Self {
        let mut places = names.iter().map(|name| self.get(name));
        let found = places.find(Self::exists);
        found.unwrap_or_else(|| self.get(names.last().copied().unwrap_or_default()))
    }

    /// The place at the end of a path of members, as `a.b.c`.
    pub fn follow(&self, path: &str) -> Self {
        path.split('.').fold(self.clone(), |at, name| at.get(name))
    }

    /// The elements of a list.
    pub fn items(&self) -> Vec<Self> {
        let list = self.value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value: Some(value) };
        list.iter().enumerate().map(item).collect()
    }

    /// The members of an object, by the names that they are written with.
    pub fn members(&self) -> Vec<(&'v str, Self)> {
        let map = self.value.and_then(Value::as_object);
        map.into_iter().flatten().map(|(name, _)| (name.as_str(), self.get(name))).collect()
    }

    /// The members of a message, by their names in its `.proto` file.
    pub fn fields(&self) -> Vec<(Cow<'v, str>, Self)> {
        self.members().into_iter().map(|(name, member)| (snake_case(name), member)).collect()
    }

    /// Whether exactly `value` stands here.
    pub fn is(&self, value: &Value) -> bool {
        self.value == Some(value)
    }

    /// Whether `text` stands here or anywhere below.
    pub fn mentions(&self, text: &str) -> bool {
        fn holds(value: &Value, text: &str) -> bool {
            match value {
                Value::String(found) => found == text,
                Value::Array(list) => list.iter().any(|value| holds(value, text)),
                Value::Object(map) => map.values().any(|value| holds(value, text)),
                _ => false,
            }
        }
        self.value.is_some_and(|value| holds(value, text))
    }

    pub fn exists(&self) -> bool {
        self.value.is_some()
    }

    /// Whether there is something other than an empty list, object or text.
    pub fn is_filled(&self) -> bool {
        match self.value {
            None => false,
            Some(Value::Array(list)) => !list.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        }
    }

    pub fn text(&self) -> Option<&'v str> {
        self.value.and_then(Value::as_str)
    }

    /// Whether it is `true`, in either of the forms that protobuf's JSON reads.
    pub fn is_true(&self) -> bool {
        self.value.and_then(Value::as_bool).unwrap_or_else(|| self.text() == Some("true"))
    }

    /// Whether it is `false`, in either of the forms that protobuf's JSON reads.
    pub fn is_false(&self) -> bool {
        self.is(&Value::Bool(false)) || self.text() == Some("false")
    }

    /// A whole number, in either of the forms that protobuf's JSON reads.
    pub fn number(&self) -> Option<u64> {
        self.value.and_then(Value::as_u64).or_else(|| self.text()?.parse().ok())
    }

    /// A duration in seconds, as protobuf's JSON has it: `0.5s`.
    pub fn seconds(&self) -> Option<f64> {
        self.text()?.strip_suffix('s')?.parse().ok().filter(|seconds: &f64| seconds.is_finite())
    }

    /// The name of the message that stands here with its type.
    pub fn message(&self) -> &'v str {
        self.get("@type").text().and_then(|url| url.rsplit('/').next()).unwrap_or_default()
    }

    /// Every object at or below this place whose message is `name`.
    pub fn all_of(&self, name: &str) -> Vec<Self> {
        let mut found = Vec::new();
        let mut places = vec![self.clone()];
        while let Some(at) = places.pop() {
            if at.message() == name {
                found.push(at.clone());
            }
            places.extend(at.items());
            places.extend(at.members().into_iter().map(|(_, member)| member));
        }
        found.sort_by(|left, right| left.path.cmp(&right.path));
        found
    }

    /// What stands here, short enough for a message.
    pub fn shown(&self) -> String {
        match self.value {
            None => "nothing".to_owned(),
            Some(Value::Array(_)) => "a list".to_owned(),
            Some(Value::Object(_)) => "an object".to_owned(),
            Some(Value::String(text)) => format!("`{}`", text.chars().take(64).collect::<String>()),
            Some(other) => format!("`{other}`"),
        }
    }
}

/// `name` in lowerCamelCase, as protobuf derives it (ProtoJSON, "JSON Options").
fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut text, part| {
        let mut characters = part.chars();
        text.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(characters.as_str());
        text
    })
}

fn snake_case(name: &str) -> Cow<'_, str> {
    if !name.contains(|c: char| c.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut text = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_has_two_spellings() {
        let value = json!({"hedgePolicy": {"aB": 1}, "retry_policy": null, "retryPolicy": 2, "@type": "x"});
        let root = At::root(&value);
        assert_eq!(
            (root.get("hedge_policy").path.as_str(), root.get("retry_policy").shown()),
            ("hedgePolicy", "`2`".into())
        );
        assert!(root.follow("hedge_policy.a_b").exists() && !root.get("retry").exists());
        let names: Vec<_> = root.fields().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 4);
        assert!(names.contains(&"hedge_policy".into()) && names.contains(&"@type".into()));
    }

    #[test]
    fn places_know_their_paths_and_absent_ones_hold_nothing() {
        let value = json!({"a": [{"b": {"c": "0.25s"}}], "n": null});
        let root = At::root(&value);
        let c = root.get("a").items()[0].follow("b.c");
        assert_eq!((c.path.as_str(), c.seconds()), ("a[0].b.c", Some(0.25)));
        assert!(!root.follow("x.y").exists() && !root.get("n").exists());
        assert_eq!(root.get("n").shown(), "nothing");
    }

    #[test]
    fn messages_are_found_at_any_depth() {
        let value = json!({"a": [{"@type": "type.googleapis.com/x.Y", "b": {"@type": "type.googleapis.com/x.Y"}}]});
        let paths: Vec<_> = At::root(&value).all_of("x.Y").into_iter().map(|at| at.path).collect();
        assert_eq!(paths, ["a[0]", "a[0].b"]);
    }
}
