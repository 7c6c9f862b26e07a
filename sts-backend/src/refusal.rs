//! Why an exchange was refused: the facts, without HTTP and without a byte of any token.

use std::fmt::Display;

use token::reason::Reason;

/// The most characters of a value that a refusal quotes. What a caller sends must not decide how much we write.
pub const MAX_QUOTED: usize = 200;

/// A refusal: the stable reason, and what was found where what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Box<Facts>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    reason: Reason,
    detail: String,
    claim: Option<String>,
    got: Option<String>,
    wanted: Option<String>,
    help: Option<String>,
    source: Option<String>,
    retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal for `reason`; `detail` is one sentence, without final stop.
    pub fn new(reason: Reason, detail: impl Display) -> Self {
        let detail = quote(detail);
        Self(Box::new(Facts {
            reason,
            detail,
            claim: None,
            got: None,
            wanted: None,
            help: None,
            source: None,
            retry_after: None,
        }))
    }

    /// Names the claim or parameter that was wrong.
    #[must_use]
    pub fn claim(mut self, name: impl Display) -> Self {
        self.0.claim = Some(quote(name));
        self
    }

    /// Quotes what it was. Never call this with a token.
    #[must_use]
    pub fn got(mut self, value: impl Display) -> Self {
        self.0.got = Some(quote(value));
        self
    }

    /// Says what it should have been.
    #[must_use]
    pub fn wanted(mut self, value: impl Display) -> Self {
        self.0.wanted = Some(quote(value));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, advice: impl Display) -> Self {
        self.0.help = Some(quote(advice));
        self
    }

    /// Says after how many seconds asking again makes sense, where that is known better than the reason alone says.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Says which trust source refuses. What to do stands in the table of reasons, where nothing better is known.
    #[must_use]
    pub fn of_source(mut self, name: &str) -> Self {
        let reason = self.0.reason;
        self.0.help.get_or_insert_with(|| format!("`{reason}` in the table of reasons says what to do"));
        self.0.source = Some(quote(name));
        self
    }

    /// The trust source that refuses, once it is known which one it is.
    pub fn source(&self) -> Option<&str> {
        self.0.source.as_deref()
    }

    /// After how many seconds asking again makes sense, where the reason alone does not say.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.retry_after
    }

    /// The stable code.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What went wrong, in words.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The claim or parameter that was wrong.
    pub fn claim_name(&self) -> Option<&str> {
        self.0.claim.as_deref()
    }

    /// What it was.
    pub fn got_value(&self) -> Option<&str> {
        self.0.got.as_deref()
    }

    /// What it should have been.
    pub fn wanted_value(&self) -> Option<&str> {
        self.0.wanted.as_deref()
    }

    /// What to do.
    pub fn advice(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

/// `value` as it may be printed: bounded, and without control characters.
pub fn quote(value: impl Display) -> String {
    let text = value.to_string();
    let mut quoted: String = text.chars().take(MAX_QUOTED).map(printable).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        quoted.push_str("...");
    }
    quoted
}

fn printable(character: char) -> char {
    if character.is_control() { '?' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_bounded_and_printable() {
        let refusal = Refusal::new(Reason::RequestInvalid, "x").got("a\nb\u{0}".to_owned() + &"c".repeat(1_000));
        let got = refusal.got_value().unwrap();
        assert!(got.starts_with("a?b?cc"));
        assert_eq!(got.chars().count(), MAX_QUOTED + 3);
    }
}
