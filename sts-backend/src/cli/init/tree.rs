//! What is printed, as values, and how a value is written in each of the languages.
//!
//! Nothing of a value can end it: whatever stands in a text, it is one text where it is read again.

use std::fmt::Write as _;

/// A value: texts, lists and objects of them, as policies and settings are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Text(String),
    List(Vec<Tree>),
    /// The members in the order in which they are printed.
    Object(Vec<(String, Tree)>),
}

/// The languages that are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Terraform's. A value is an expression.
    Hcl,
    /// POSIX shell. A text is a word, a list as many words, an object a word that holds JSON.
    Shell,
    /// YAML 1.2. A value stands on one line.
    Yaml,
    /// JSON (RFC 8259).
    Json,
}

impl Tree {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// A text, or a list of them where there are several: policies of AWS take either.
    pub fn one_or_list(texts: impl IntoIterator<Item = String>) -> Self {
        let mut texts: Vec<_> = texts.into_iter().collect();
        match texts.len() {
            1 => Self::Text(texts.swap_remove(0)),
            _ => Self::texts(texts),
        }
    }

    /// An object.
    pub fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(name, member)| (name.into(), member)).collect())
    }

    /// The value as `language` has it. Where it takes several lines, all but the first begin with `indent` spaces.
    pub fn written(&self, language: Language, indent: usize) -> String {
        match (language, self) {
            (Language::Hcl, _) => self.hcl(indent),
            (Language::Json, _) => self.json(indent),
            (Language::Yaml, _) => self.yaml(),
            (Language::Shell, Self::Text(text)) => shell_word(text),
            (Language::Shell, Self::List(list)) => {
                list.iter().map(|item| item.written(language, indent)).collect::<Vec<_>>().join(" ")
            }
            (Language::Shell, Self::Object(_)) => shell_word(&self.json(0)),
        }
    }

    fn is_short(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::List(list) => list.iter().all(|item| matches!(item, Self::Text(_))),
            Self::Object(members) => members.is_empty(),
        }
    }

    fn json(&self, indent: usize) -> String {
        let inner = indent + 2;
        match self {
            Self::Text(text) => json_text(text),
            Self::List(list) if self.is_short() => {
                format!("[{}]", list.iter().map(|item| item.json(inner)).collect::<Vec<_>>().join(", "))
            }
            Self::List(list) => block(('[', ']'), ",", "", indent, list.iter().map(|item| item.json(inner)).collect()),
            Self::Object(members) if members.is_empty() => "{}".to_owned(),
            Self::Object(members) => {
                let lines = members.iter().map(|(name, member)| format!("{}: {}", json_text(name), member.json(inner)));
                block(('{', '}'), ",", "", indent, lines.collect())
            }
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::Text(text) => yaml_text(text),
            Self::List(list) => format!("[{}]", list.iter().map(Self::yaml).collect::<Vec<_>>().join(", ")),
            Self::Object(members) => {
                let members = members.iter().map(|(name, member)| format!("{}: {}", yaml_text(name), member.yaml()));
                format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn hcl(&self, indent: usize) -> String {
        let inner = indent + 2;
        match self {
            Self::Text(text) => hcl_text(text),
            Self::List(list) if self.is_short() => {
                format!("[{}]", list.iter().map(|item| item.hcl(inner)).collect::<Vec<_>>().join(", "))
            }
            Self::List(list) => block(('[', ']'), ",", ",", indent, list.iter().map(|item| item.hcl(inner)).collect()),
            Self::Object(members) if members.is_empty() => "{}".to_owned(),
            Self::Object(members) => block(('{', '}'), "", "", indent, hcl_members(members, inner)),
        }
    }
}

/// The members of an object, with the `=` of neighbours that take one line each below each other, as `terraform fmt` has it.
fn hcl_members(members: &[(String, Tree)], indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for group in members.chunk_by(|(_, left), (_, right)| left.is_short() && right.is_short()) {
        let names: Vec<_> = group.iter().map(|(name, _)| hcl_name(name)).collect();
        let width = names.iter().map(String::len).max().unwrap_or_default();
        for (name, (_, member)) in names.iter().zip(group) {
            lines.push(format!("{name:width$} = {}", member.hcl(indent)));
        }
    }
    lines
}

/// Lines between brackets, each deeper by two.
fn block((open, close): (char, char), between: &str, last: &str, indent: usize, lines: Vec<String>) -> String {
    let mut text = String::from(open);
    let count = lines.len();
    for (index, line) in lines.into_iter().enumerate() {
        let end = if index + 1 == count { last } else { between };
        _ = write!(text, "\n{:width$}{line}{end}", "", width = indent + 2);
    }
    _ = write!(text, "\n{:indent$}{close}", "");
    text
}

fn hcl_name(name: &str) -> String {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let bare = starts && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if bare { name.to_owned() } else { hcl_text(name) }
}

/// A quoted template of HCL in which nothing is a template: `${` and `%{` begin one, so their first character is written by
/// its number (HCL native syntax, "Template Expressions").
fn hcl_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let template = matches!(character, '$' | '%') && characters.peek() == Some(&'{');
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if !template && is_plain(character) => quoted.push(character),
            _ => quoted.push_str(&escaped(character)),
        }
    }
    quoted.push('"');
    quoted
}

/// A double-quoted scalar (YAML 1.2.2, section 7.3.1), all of it printable ASCII.
fn yaml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if is_plain(character) => quoted.push(character),
            _ => quoted.push_str(&escaped(character)),
        }
    }
    quoted.push('"');
    quoted
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~')
}

/// `\uNNNN`, and beyond that `\UNNNNNNNN`: the same in HCL and YAML.
fn escaped(character: char) -> String {
    match u32::from(character) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// One word of a POSIX shell (POSIX.1-2017, volume 3, section 2.2.2).
fn shell_word(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !text.is_empty() && text.bytes().all(safe) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
