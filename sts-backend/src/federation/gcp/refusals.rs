//! Google's errors, in both of the forms that its services answer with, and whom they blame.

use http::StatusCode;
use serde_json::{Map, Value};
use token::json;

use crate::{
    federation::{retry_after, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// The longest code that is passed on.
const LONGEST: usize = 64;

/// The trouble that an answer other than 200 means. Nothing of its body is passed on but the code.
pub fn trouble(answered: &Answered, now: u64) -> Trouble {
    let status = answered.status;
    let retry_after = retry_after::read(&answered.headers, now);
    let found = json::parse_object(&answered.body).ok().and_then(|body| code(&body));
    let known = found.as_deref().unwrap_or_default();
    let code = found.clone().unwrap_or_else(|| format!("status {} without a code", status.as_u16()));
    match (status, known) {
        (StatusCode::TOO_MANY_REQUESTS, _) | (_, "RESOURCE_EXHAUSTED") => Trouble::Throttled { code, retry_after },
        (StatusCode::REQUEST_TIMEOUT, _)
        | (
            _,
            "UNAVAILABLE" | "INTERNAL" | "DEADLINE_EXCEEDED" | "ABORTED" | "temporarily_unavailable" | "server_error",
        ) => Trouble::Unavailable { code },
        (status, _) if status.is_server_error() => Trouble::Unavailable { code },
        (status, known) if status.is_client_error() && !known.is_empty() => {
            Trouble::Refused { help: help(known), code }
        }
        _ => Trouble::Invalid { code },
    }
}

/// `error` of the token endpoint (RFC 6749, section 5.2), or `error.status` of an API (AIP-193).
fn code(body: &Map<String, Value>) -> Option<String> {
    let error = body.get("error")?;
    let code = error.as_str().or_else(|| error.get("status")?.as_str())?;
    let plain =
        (1..=LONGEST).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    plain.then(|| code.to_owned())
}

fn help(code: &str) -> &'static str {
    match code {
        "invalid_grant" => {
            "compare the pool provider's issuer, allowed audiences and keys with ours, and set this service's clock: Google \
             does not take the assertion"
        }
        "invalid_target" => {
            "look whether the pool and its provider exist and are enabled, and whether `provider` names them"
        }
        "unauthorized_client" => {
            "have the pool provider's attribute condition let in the workload's name, `assertion.sub`"
        }
        "invalid_request" | "invalid_scope" | "INVALID_ARGUMENT" => {
            "compare `provider`, the target's scopes or audience and `max_life_seconds` with what Google takes"
        }
        "PERMISSION_DENIED" | "access_denied" => {
            "grant `roles/iam.workloadIdentityUser` on the service account to the workload's principal, or to a principal set \
             that it is in"
        }
        "NOT_FOUND" => "look whether the service account exists, and whether `service_account` names it",
        "UNAUTHENTICATED" => "look whether the pool's provider is enabled: Google does not take the token that it gave",
        "FAILED_PRECONDITION" => "look whether the service account is enabled, and which organisation policies bind it",
        _ => "look the code up in Google's own documentation",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn told(status: u16, body: &str) -> Trouble {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, "7".parse().unwrap())]);
        trouble(&Answered { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() }, 0)
    }

    fn oauth(code: &str) -> String {
        format!(r#"{{"error":"{code}","error_description":"ID Token issued at 1 is stale to sign-in."}}"#)
    }

    fn api(status: u16, code: &str) -> String {
        format!(r#"{{"error":{{"code":{status},"message":"Permission denied.","status":"{code}","details":[]}}}}"#)
    }

    #[test]
    fn a_refusal_of_either_form_has_google_s_code_and_names_what_to_mend() {
        for (status, body, code, advice) in [
            (400, oauth("invalid_grant"), "invalid_grant", "clock"),
            (400, oauth("invalid_target"), "invalid_target", "enabled"),
            (400, oauth("invalid_request"), "invalid_request", "`provider`"),
            (400, oauth("unauthorized_client"), "unauthorized_client", "attribute condition"),
            (403, api(403, "PERMISSION_DENIED"), "PERMISSION_DENIED", "roles/iam.workloadIdentityUser"),
            (404, api(404, "NOT_FOUND"), "NOT_FOUND", "`service_account`"),
            (401, api(401, "UNAUTHENTICATED"), "UNAUTHENTICATED", "pool's provider"),
            (400, api(400, "INVALID_ARGUMENT"), "INVALID_ARGUMENT", "`max_life_seconds`"),
            (400, oauth("something_new"), "something_new", "Google's own documentation"),
        ] {
            let Trouble::Refused { code: told, help } = told(status, &body) else { panic!("{body}") };
            assert_eq!(told, code);
            assert!(help.contains(advice), "{code}: {help}");
        }
    }

    #[test]
    fn what_google_may_take_later_is_worth_another_try() {
        for (status, body, code) in [
            (429, api(429, "RESOURCE_EXHAUSTED"), "RESOURCE_EXHAUSTED"),
            (429, String::new(), "status 429 without a code"),
        ] {
            assert_eq!(told(status, &body), Trouble::Throttled { code: code.to_owned(), retry_after: Some(7) });
        }
        for (status, body, code) in [
            (503, api(503, "UNAVAILABLE"), "UNAVAILABLE"),
            (500, api(500, "INTERNAL"), "INTERNAL"),
            (409, api(409, "ABORTED"), "ABORTED"),
            (400, oauth("temporarily_unavailable"), "temporarily_unavailable"),
            (502, "<html>".to_owned(), "status 502 without a code"),
            (408, String::new(), "status 408 without a code"),
        ] {
            assert_eq!(told(status, &body), Trouble::Unavailable { code: code.to_owned() });
        }
    }

    #[test]
    fn what_is_no_error_of_google_s_is_told_by_its_status() {
        let long = oauth(&"a".repeat(LONGEST + 1));
        for body in
            ["", "[]", r#"{"error":7}"#, r#"{"error":"a b"}"#, r#"{"error":{}}"#, r#"{"error":"a","error":"b"}"#, &long]
        {
            let wanted = Trouble::Invalid { code: "status 403 without a code".to_owned() };
            assert_eq!(told(403, body), wanted, "{body}");
        }
        assert_eq!(told(302, ""), Trouble::Invalid { code: "status 302 without a code".to_owned() });
        assert_eq!(told(302, &oauth("invalid_grant")), Trouble::Invalid { code: "invalid_grant".to_owned() });
    }
}
