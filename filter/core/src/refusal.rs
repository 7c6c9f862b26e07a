//! A refusal, and the one table that puts it into HTTP.

use std::borrow::Cow;

use token::reason::Reason;

mod response;
mod table;
mod text;

pub use response::Response;
pub use table::{Row, row};

/// Why a request is refused, with what the caller may be told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: Code,
    // Boxed, because a refusal is the rare half of many results.
    said: Box<Said>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    claim: Option<String>,
    got: Option<String>,
    wanted: Option<String>,
    detail: Option<String>,
    decision_id: Option<String>,
    retry_after_s: Option<u64>,
}

/// By what a refusal is named.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Code {
    Known(Reason),
    /// A reason of a newer STS.
    Newer {
        code: String,
        row: Row,
    },
}

impl Refusal {
    /// A refusal for a reason.
    pub fn new(reason: Reason) -> Self {
        Self { code: Code::Known(reason), said: Box::default() }
    }

    /// A refusal for a reason that only a newer STS knows: 403 if it blamed the request, else 503. A code that has not the
    /// form of one is not passed on; then the answer counts as invalid.
    pub fn newer(code: &str, sts_status: u16) -> Self {
        let form = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !(1..=64).contains(&code.len()) || !code.bytes().all(form) {
            return Self::new(Reason::StsReplyInvalid).detail("the STS named no reason that can be passed on");
        }
        let row = table::newer(sts_status);
        Self { code: Code::Newer { code: code.to_owned(), row }, said: Box::default() }
    }

    /// The claim, parameter or header that was wrong.
    #[must_use]
    pub fn claim(mut self, claim: &str) -> Self {
        self.said.claim = Some(printable(claim, 128));
        self
    }

    /// What it was.
    #[must_use]
    pub fn got(mut self, got: &str) -> Self {
        self.said.got = Some(printable(got, 256));
        self
    }

    /// What it should have been.
    #[must_use]
    pub fn wanted(mut self, wanted: &str) -> Self {
        self.said.wanted = Some(printable(wanted, 256));
        self
    }

    /// What else there is to say.
    #[must_use]
    pub fn detail(mut self, detail: &str) -> Self {
        self.said.detail = Some(printable(detail, 512));
        self
    }

    /// The decision's name in the STS's record, if it has the form of one.
    #[must_use]
    pub fn decision_id(mut self, id: &str) -> Self {
        let form = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if (1..=128).contains(&id.len()) && id.bytes().all(form) {
            self.said.decision_id = Some(id.to_owned());
        }
        self
    }

    /// In how many seconds it is of use to ask again (RFC 9110, section 10.2.3).
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.said.retry_after_s = Some(seconds);
        self
    }

    /// The code, for headers, logs and metrics.
    pub fn code(&self) -> &str {
        match &self.code {
            Code::Known(reason) => reason.code(),
            Code::Newer { code, .. } => code,
        }
    }

    /// The code, where it is one of a bounded set.
    pub fn metric_code(&self) -> &'static str {
        match &self.code {
            Code::Known(reason) => reason.code(),
            Code::Newer { .. } => "other",
        }
    }

    /// Status and title.
    pub fn row(&self) -> Row {
        match &self.code {
            Code::Known(reason) => row(*reason),
            Code::Newer { row, .. } => *row,
        }
    }

    /// Whether it says something of the request, and not of our own state.
    pub fn is_final(&self) -> bool {
        self.row().status < 500
    }

    /// The reason, if this version knows it.
    pub fn reason(&self) -> Option<Reason> {
        match &self.code {
            Code::Known(reason) => Some(*reason),
            Code::Newer { .. } => None,
        }
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        let Said { claim, got, wanted, detail, decision_id, retry_after_s: _ } = self.said.as_ref();
        let texts = [claim, got, wanted, detail, decision_id].into_iter().flatten();
        texts.map(String::len).fold(size_of::<Self>().saturating_add(size_of::<Said>()), usize::saturating_add)
    }
}

/// `text` in at most `most` characters, without what could end a line or steer a terminal.
fn printable(text: &str, most: usize) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let (text, dots): (Cow<'_, str>, _) = match text.char_indices().nth(most) {
        Some((end, _)) => (text.get(..end).unwrap_or_default().into(), "..."),
        None => (text.into(), ""),
    };
    text.chars().map(visible).chain(dots.chars()).collect()
}

#[cfg(test)]
mod tests;
