//! Files with holes, and what goes into them.

use super::tree::{Language, Tree};

/// What goes into a hole.
#[derive(Clone, Debug)]
pub(super) enum Filling {
    /// A value, written as the language has it. Its hole stands where an expression, a word or a scalar does, never between
    /// quotation marks.
    Value(Tree),
    /// A name that is written as it is.
    Name(Name),
    /// Text that came out of a template itself.
    Filled(Filled),
}

/// A name that means the same in every language, inside quotation marks and out of them: `[a-z0-9_]` and no digit first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

/// Text of which every part that was put in was written as its language has it. Made by [`fill`] alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled(String);

impl Name {
    /// `text` as a name: what it may not have becomes `_`.
    pub fn of(text: &str) -> Self {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let name: String = text.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        Self(if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() { format!("_{name}") } else { name })
    }
}

impl Filled {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Several, one after the other.
    pub fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        Self(parts.into_iter().map(|part| part.0).collect())
    }
}

impl From<Tree> for Filling {
    fn from(tree: Tree) -> Self {
        Self::Value(tree)
    }
}

impl From<&str> for Filling {
    fn from(text: &str) -> Self {
        Self::Value(Tree::text(text))
    }
}

impl From<&String> for Filling {
    fn from(text: &String) -> Self {
        Self::Value(Tree::text(text))
    }
}

/// The fillings of a template's holes, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Fillings(Vec<(&'static str, Filling)>);

impl Fillings {
    /// These and one more.
    pub fn and(mut self, hole: &'static str, filling: impl Into<Filling>) -> Self {
        self.0.push((hole, filling.into()));
        self
    }

    pub fn and_name(mut self, hole: &'static str, name: Name) -> Self {
        self.0.push((hole, Filling::Name(name)));
        self
    }

    pub fn and_filled(mut self, hole: &'static str, filled: Filled) -> Self {
        self.0.push((hole, Filling::Filled(filled)));
        self
    }

    fn get(&self, hole: &str) -> Option<&Filling> {
        self.0.iter().find(|(name, _)| *name == hole).map(|(_, filling)| filling)
    }
}

/// `template` with every `{{hole}}` filled. A hole that nothing is for stays, and a test finds it.
pub(super) fn fill(language: Language, template: &str, fillings: &Fillings) -> Filled {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, hole, after)) = next_hole(rest) {
        text.push_str(before);
        let line = text.rsplit('\n').next().unwrap_or_default();
        let indent = line.len() - line.trim_start_matches(' ').len();
        match fillings.get(hole) {
            Some(Filling::Value(tree)) => text.push_str(&tree.written(language, indent)),
            Some(Filling::Name(name)) => text.push_str(&name.0),
            Some(Filling::Filled(filled)) => text.push_str(&filled.0),
            None => text.push_str(&format!("{{{{{hole}}}}}")),
        }
        rest = after;
    }
    text.push_str(rest);
    Filled(text)
}

fn next_hole(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (hole, after) = rest.split_once("}}")?;
    Some((before, hole, after))
}
