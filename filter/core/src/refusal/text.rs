//! A refusal as text, for workers that tell each other.

use serde::{Deserialize, Serialize};
use token::reason::Reason;

use super::{Code, Refusal};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    code: String,
    /// Where the code is one of a newer STS: the status that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    newer: Option<u16>,
    claim: Option<String>,
    got: Option<String>,
    wanted: Option<String>,
    detail: Option<String>,
    decision_id: Option<String>,
}

impl Refusal {
    /// The refusal as text. `None` cannot happen: it is a struct of texts.
    pub(crate) fn to_text(&self) -> Option<String> {
        let newer = match &self.code {
            Code::Known(_) => None,
            Code::Newer { row, .. } => Some(row.status),
        };
        let said = self.said.as_ref().clone();
        let text = Text {
            code: self.code().to_owned(),
            newer,
            claim: said.claim,
            got: said.got,
            wanted: said.wanted,
            detail: said.detail,
            decision_id: said.decision_id,
        };
        serde_json::to_string(&text).ok()
    }

    /// The refusal that a text says. What is in it is bounded and made printable as if it came from an STS; a code that
    /// this version does not know counts only where it is marked as a newer STS's.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let text: Text = serde_json::from_str(text).ok()?;
        let refusal = match text.newer {
            None => Self::new(Reason::from_code(&text.code)?),
            Some(status) => Self::newer(&text.code, status),
        };
        let with = |refusal: Self, said: Option<String>, put: fn(Self, &str) -> Self| match said {
            Some(said) => put(refusal, &said),
            None => refusal,
        };
        let refusal = with(refusal, text.claim, Self::claim);
        let refusal = with(refusal, text.got, Self::got);
        let refusal = with(refusal, text.wanted, Self::wanted);
        let refusal = with(refusal, text.detail, Self::detail);
        Some(with(refusal, text.decision_id, Self::decision_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_comes_back_as_it_was() {
        for reason in Reason::ALL {
            let refusal = Refusal::new(*reason).claim("aud").got("a\"b").wanted("c").detail("d\n").decision_id("d-1");
            assert_eq!(Refusal::from_text(&refusal.to_text().unwrap()), Some(refusal));
        }
        for status in [400, 503] {
            let refusal = Refusal::newer("moon_phase_wrong", status).detail("x");
            assert_eq!(Refusal::from_text(&refusal.to_text().unwrap()), Some(refusal));
        }
    }

    #[test]
    fn a_text_that_says_nothing_known_is_no_refusal() {
        for text in ["", "{}", "7", r#"{"code":"moon_phase_wrong"}"#, r#"{"code":"policy_denied","more":1}"#] {
            assert_eq!(Refusal::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_text_says_is_bounded_and_printable() {
        let said = "\u{1b}[2J\r\n".repeat(500);
        let text = serde_json::json!({"code": "policy_denied", "claim": said, "got": said, "detail": said});
        let response = Refusal::from_text(&text.to_string()).unwrap().to_response("id");
        let body = String::from_utf8(response.body).unwrap();
        assert!(body.len() < 3_000 && !body.contains("\\u001b") && !body.contains("\\r"), "{body}");
    }
}
