//! What was said, what was left out and what is wrong.

use std::fmt;

use super::form::Form;

/// An option that cannot be what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub option: &'static str,
    pub found: String,
    pub expected: String,
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; expected {}; {}", self.option, self.found, self.expected, self.remedy)
    }
}

/// Collects mistakes, and gives a placeholder for what is not known.
#[derive(Debug, Default)]
pub(super) struct Answers {
    mistakes: Vec<Mistake>,
}

impl Answers {
    /// What `form` asks for, if it was said and can be.
    pub fn said(&mut self, form: &Form, said: Option<&str>) -> Option<String> {
        let text = said?;
        if (form.fits)(text) {
            return Some(text.to_owned());
        }
        self.wrong(form.option, format!("`{}`", shown(text)), form.expected, format!("it is {}", form.what));
        None
    }

    /// The same, or what stands for it.
    pub fn said_or_placeholder(&mut self, form: &Form, said: Option<&str>) -> String {
        self.said(form, said).unwrap_or_else(|| form.placeholder.to_owned())
    }

    pub fn wrong(
        &mut self,
        option: &'static str,
        found: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let mistake = Mistake { option, found: found.into(), expected: expected.into(), remedy: remedy.into() };
        self.mistakes.push(mistake);
    }

    /// `value`, if nothing was wrong.
    pub fn conclude<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.mistakes.is_empty() { Ok(value) } else { Err(self.mistakes) }
    }
}

/// What was said, short and in one line.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
