//! The schema as the README's table of settings shows it.

use serde_json::{Map, Value};

/// Settings of an exchange route are named without the way to them.
const ROUTE: &str = "routes.NAME.exchange.";

/// The rows of the table, one for each setting, in the order of their names.
pub fn rows(schema: &Value) -> Vec<String> {
    let mut rows = Vec::new();
    add_members(schema, "", &mut rows);
    rows
}

/// The row that begins with the setting `path`.
fn add(setting: &Value, path: &str, default: &str, rows: &mut Vec<String>) {
    let about = setting["description"].as_str().unwrap_or("One of them.");
    let shown = path.strip_prefix(ROUTE).map_or_else(|| path.to_owned(), |rest| format!("…{rest}"));
    rows.push(format!("| `{shown}` | {default} | {} | {about}{} |", values(setting), alternatives(setting)));
    add_members(setting, path, rows);
    for alternative in setting["oneOf"].as_array().into_iter().flatten() {
        // The alternative `{"word": {...}}` is no setting, but what stands in it is.
        for (word, settings) in members(alternative) {
            add_members(settings, &format!("{path}.{word}"), rows);
        }
    }
    if setting["additionalProperties"].is_object() {
        add(&setting["additionalProperties"], &format!("{path}.NAME"), "", rows);
    }
}

fn add_members(object: &Value, path: &str, rows: &mut Vec<String>) {
    for (name, setting) in members(object) {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let required = object["required"].as_array().is_some_and(|names| names.contains(&Value::from(name.as_str())));
        let default = match setting.get("default") {
            _ if required => "required".to_owned(),
            Some(Value::Array(list)) if list.is_empty() => "none".to_owned(),
            Some(default) => format!("`{}`", shortened(default)),
            None if is_one_of_several(object, name) => "one of them".to_owned(),
            None => String::new(),
        };
        add(setting, &path, &default, rows);
    }
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.get("properties").and_then(Value::as_object).map(Map::iter).into_iter().flatten()
}

/// Whether `name` or another member has to be there.
fn is_one_of_several(object: &Value, name: &str) -> bool {
    let several = object.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    several.flat_map(|one| one["required"].as_array()).flatten().any(|required| required == name)
}

/// A token type by its last part.
fn shortened(value: &Value) -> String {
    value.to_string().replace("urn:ietf:params:oauth:token-type:", "…:")
}

/// What may stand there, where that can be said in a word.
fn values(setting: &Value) -> String {
    if let (Some(least), Some(most)) = (setting["minimum"].as_u64(), setting["maximum"].as_u64()) {
        return format!("{least} to {most}");
    }
    if let Some(only) = setting.get("const") {
        return format!("`{only}`");
    }
    if let Some(urns) = setting["enum"].as_array() {
        return urns.iter().map(|urn| format!("`{}`", shortened(urn))).collect::<Vec<_>>().join(", ");
    }
    match setting["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") => format!("list of {} to {}", setting["minItems"], setting["maxItems"]),
        _ => String::new(),
    }
}

/// The alternatives of a choice, each with what it means.
fn alternatives(setting: &Value) -> String {
    let alternatives = setting["oneOf"].as_array().into_iter().flatten();
    alternatives
        .map(|alternative| {
            let about = alternative["description"].as_str().unwrap_or_default();
            let written = match members(alternative).next() {
                Some((word, _)) => format!("{{\"{word}\": {{…}}}}"),
                None => alternative["const"].to_string(),
            };
            format!(" `{written}`: {about}")
        })
        .collect()
}
