//! The forms of an answer: JSON that nobody stores, documents that anybody may, and refusals.

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use token::{
    message::{DECISION_ID_HEADER, ErrorResponse, ExchangeResponse},
    reason::Reason,
};

use super::status;
use crate::refusal::Refusal;

/// JSON that no cache may keep (RFC 6749, section 5.1).
pub fn json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// A public JSON document that may be kept for `seconds`.
pub fn document(body: String, seconds: u32) -> Response {
    let mut response = json(StatusCode::OK, body);
    response.headers_mut().remove(header::PRAGMA);
    set(&mut response, header::CACHE_CONTROL, &format!("public, max-age={seconds}"));
    response
}

/// A granted exchange (RFC 8693, section 2.2.1).
pub fn granted(granted: &ExchangeResponse, decision_id: &str) -> Response {
    let Ok(body) = granted.to_json() else {
        // The response is plain strings and numbers; were it ever not to become JSON, nothing is released.
        return refused(&Refusal::new(Reason::Overloaded, "the answer could not be written"), Some(decision_id));
    };
    let mut response = json(StatusCode::OK, body);
    set(&mut response, HeaderName::from_static(DECISION_ID_HEADER), decision_id);
    response
}

/// A refusal (RFC 6749, section 5.2), with the status its reason has.
pub fn refused(refusal: &Refusal, decision_id: Option<&str>) -> Response {
    let mut status = status::of(refusal.reason());
    // Sent, and of another kind. One that is missing or sent twice is an invalid request like any other parameter.
    if refusal.claim_name() == Some("grant_type") && refusal.got_value() == Some("another") {
        status.error = "unsupported_grant_type";
    }
    let mut response = refused_with(status.http, status.error, refusal, decision_id);
    if let Some(seconds) = status.retry_after.map(|usual| refusal.retry_after_seconds().unwrap_or(u64::from(usual))) {
        set(&mut response, header::RETRY_AFTER, &seconds.to_string());
    }
    if status.http == StatusCode::UNAUTHORIZED {
        // RFC 9110 wants a challenge with a 401. TLS client certificates have no scheme of their own; this is the one
        // that RFC 6749, section 5.2 wants for clients that tried a password.
        let challenge = HeaderValue::from_static(r#"Basic realm="a TLS client certificate is required""#);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// A refusal by HTTP itself, before there is anything to decide.
pub fn http_refused(status: StatusCode, detail: &str, got: Option<&str>, wanted: &str) -> Response {
    let mut refusal = Refusal::new(Reason::RequestInvalid, detail).wanted(wanted);
    if let Some(got) = got {
        refusal = refusal.got(got);
    }
    refused_with(status, "invalid_request", &refusal, None)
}

fn refused_with(status: StatusCode, error: &str, refusal: &Refusal, decision_id: Option<&str>) -> Response {
    let body = ErrorResponse {
        error: error.to_owned(),
        error_description: description(&match refusal.source() {
            Some(source) => format!("source {source}: {}", refusal.detail()),
            None => refusal.detail().to_owned(),
        }),
        reason: Some(refusal.reason().code().to_owned()),
        claim: refusal.claim_name().map(str::to_owned),
        got: refusal.got_value().map(str::to_owned),
        wanted: refusal.wanted_value().map(str::to_owned),
        decision_id: decision_id.map(str::to_owned),
        help: refusal.advice().map(str::to_owned),
    };
    let text = serde_json::to_string(&body).unwrap_or_else(|_| r#"{"error":"invalid_request"}"#.to_owned());
    let mut response = json(status, text);
    if let Some(decision_id) = decision_id {
        set(&mut response, HeaderName::from_static(DECISION_ID_HEADER), decision_id);
    }
    response
}

/// `text` in the characters RFC 6749, section 5.2 allows: %x20-21 / %x23-5B / %x5D-7E.
fn description(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '`' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}

/// No such path.
pub async fn not_found() -> Response {
    http_refused(StatusCode::NOT_FOUND, "there is nothing at this path", None, "a path of the published metadata")
}

/// Another method than POST.
pub async fn only_post(method: http::Method) -> Response {
    only(&method, "POST")
}

/// Another method than GET.
pub async fn only_get(method: http::Method) -> Response {
    only(&method, "GET, HEAD")
}

fn only(method: &http::Method, allowed: &'static str) -> Response {
    let detail = "this path does not answer the method";
    let mut response = http_refused(StatusCode::METHOD_NOT_ALLOWED, detail, Some(method.as_str()), allowed);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_has_only_the_characters_oauth_allows() {
        let text = description("a \"b\" `c` \\d\u{e9}\n");
        assert_eq!(text, "a 'b' 'c' /d??");
        assert!(text.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }

    #[test]
    fn a_wrong_grant_type_has_its_own_oauth_code() {
        let refusal = Refusal::new(Reason::RequestInvalid, "x").claim("grant_type").got("password");
        let response = refused(&refusal, Some("d"));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[DECISION_ID_HEADER], "d");
    }

    #[test]
    fn an_unknown_client_is_challenged_and_a_busy_service_says_when_to_come_back() {
        let unknown = refused(&Refusal::new(Reason::ActorUnknown, "x"), None);
        assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
        assert!(unknown.headers().contains_key(header::WWW_AUTHENTICATE));
        let busy = refused(&Refusal::new(Reason::Overloaded, "x"), None);
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[header::RETRY_AFTER], "1");
        assert_eq!(busy.headers()[header::CACHE_CONTROL], "no-store");
        let throttled = refused(&Refusal::new(Reason::ProviderThrottled, "x").retry_after(30), None);
        assert_eq!(throttled.headers()[header::RETRY_AFTER], "30", "a provider's wish is passed on");
        let final_one = refused(&Refusal::new(Reason::PolicyDenied, "x").retry_after(30), None);
        assert!(!final_one.headers().contains_key(header::RETRY_AFTER));
    }
}
