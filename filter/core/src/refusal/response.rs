//! A refusal as an HTTP response: problem details (RFC 9457), and what else its status asks for.

use serde::Serialize;
use token::{message::DECISION_ID_HEADER, reason::Reason};

use super::{Code, Refusal};

/// The header that names the reason.
pub const REASON_HEADER: &str = "x-cloakroom-reason";

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Problem<'r> {
    #[serde(rename = "type")]
    kind: String,
    title: &'r str,
    status: u16,
    detail: &'r str,
    reason: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<&'r str>,
    decision_id: &'r str,
}

impl Refusal {
    /// The response. `fallback_id` names the decision where the STS took none.
    pub fn to_response(&self, fallback_id: &str) -> Response {
        let row = self.row();
        let decision_id = self.said.decision_id.as_deref().unwrap_or(fallback_id);
        let problem = Problem {
            kind: format!("https://cloakroom.dev/reasons/{}", self.code()),
            title: row.title,
            status: row.status,
            detail: self.said.detail.as_deref().unwrap_or(row.title),
            reason: self.code(),
            claim: self.said.claim.as_deref(),
            got: self.said.got.as_deref(),
            wanted: self.said.wanted.as_deref(),
            decision_id,
        };
        let mut headers = vec![
            ("content-type", "application/problem+json".to_owned()),
            ("cache-control", "no-store".to_owned()),
            (DECISION_ID_HEADER, decision_id.to_owned()),
            (REASON_HEADER, self.code().to_owned()),
        ];
        match row.status {
            401 => headers.push(("www-authenticate", self.challenge())),
            429 | 503 => {
                let seconds = self.said.retry_after_s.unwrap_or(RETRY_AFTER_SECONDS);
                headers.push(("retry-after", seconds.to_string()));
            }
            _ => {}
        }
        // A struct of texts and a number always has a JSON form; without one the headers still say everything.
        Response { status: row.status, headers, body: serde_json::to_vec(&problem).unwrap_or_default() }
    }

    /// RFC 6750, section 3.1: no error code where no credential was sent. Only words of our own stand in it.
    fn challenge(&self) -> String {
        let realm = "Bearer realm=\"cloakroom\"";
        match self.code {
            Code::Known(Reason::SubjectTokenMissing) => realm.to_owned(),
            Code::Known(Reason::SubjectTokenDuplicated) => {
                format!("{realm}, error=\"invalid_request\", error_description=\"{}\"", self.row().title)
            }
            _ => format!("{realm}, error=\"invalid_token\", error_description=\"{}\"", self.row().title),
        }
    }
}

const RETRY_AFTER_SECONDS: u64 = 1;
