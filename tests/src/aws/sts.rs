//! The STS: `GetCallerIdentity`, judged as AWS judges it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    principal::Principal,
    signed_request::epoch,
    sigv4::{Scope, Signable},
};
use crate::clock;

/// How far a request's date may be from AWS's clock, in seconds.
const WINDOW: i64 = 900;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

#[derive(Default)]
struct Switches {
    outage: bool,
    throttle: bool,
    skew: i64,
    requests: u64,
}

type Shared = Arc<Mutex<Switches>>;

/// AWS's code for what is wrong, with the status it has.
type Wrong = (u16, &'static str);

pub fn router() -> Router {
    Router::new()
        .route("/", post(answer))
        .route("/aws-sts/outage", post(outage))
        .route("/aws-sts/throttle", post(throttle))
        .route("/aws-sts/skew", post(skew))
        .route("/aws-sts/requests", get(requests))
        .with_state(Shared::default())
}

async fn answer(State(state): State<Shared>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let (outage, throttle, now) = {
        let mut state = lock(&state);
        state.requests += 1;
        (state.outage, state.throttle, clock::now() + state.skew)
    };
    if outage {
        return (StatusCode::SERVICE_UNAVAILABLE, "outage\n").into_response();
    }
    if throttle {
        return wrong((400, "Throttling"));
    }
    let query = query.unwrap_or_default();
    let identified = identify(&query, &headers, &body, now);
    let asked = if query.is_empty() { String::from_utf8_lossy(&body).into_owned() } else { query };
    match identified {
        Err(refused) => wrong(refused),
        Ok(_) if !is_the_question(&asked) => wrong((400, "InvalidAction")),
        Ok(principal) => xml(
            200,
            &format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    <Arn>{}</Arn>\n    \
                 <UserId>{}</UserId>\n    <Account>{}</Account>\n  </GetCallerIdentityResult>\n  <ResponseMetadata>\n    \
                 <RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\n  </ResponseMetadata>\n\
                 </GetCallerIdentityResponse>\n",
                principal.arn, principal.user_id, principal.account
            ),
        ),
    }
}

fn identify(query: &str, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Principal, Wrong> {
    const UNREADABLE: Wrong = (400, "IncompleteSignature");
    const UNCONFIRMED: Wrong = (403, "SignatureDoesNotMatch");
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = text("authorization").ok_or((403, "MissingAuthenticationToken"))?;
    let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(UNREADABLE)?;
    let part = |name: &str| {
        let value = parts.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        value.ok_or(UNREADABLE)
    };
    let scope: Vec<_> = part("Credential")?.split('/').collect();
    let [access_key, day, region, service, "aws4_request"] = *scope.as_slice() else { return Err(UNREADABLE) };
    let (signed, signature) = (part("SignedHeaders")?.split(';').collect::<Vec<_>>(), part("Signature")?);

    let principal = Principal::of_key(access_key).ok_or((403, "InvalidClientTokenId"))?;
    if text("x-amz-security-token") != principal.session_token {
        return Err((403, "InvalidClientTokenId"));
    }
    let date = text("x-amz-date").ok_or(UNREADABLE)?;
    let host = text("host").ok_or(UNREADABLE)?;
    let of_region = if host == "sts.amazonaws.com" { "us-east-1" } else { between(host, "sts.", ".amazonaws.com") };
    if (now - epoch(date).ok_or(UNREADABLE)?).abs() > WINDOW
        || !date.starts_with(day)
        || region != of_region
        || service != "sts"
    {
        return Err(UNCONFIRMED);
    }
    let amazons = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    if !["host"].into_iter().chain(amazons).all(|name| signed.contains(&name)) {
        return Err(UNCONFIRMED);
    }
    let headers: Option<Vec<_>> =
        signed.iter().map(|name| Some(((*name).to_owned(), text(name)?.to_owned()))).collect();
    let request = Signable {
        method: Method::POST.to_string(),
        query: query.to_owned(),
        headers: headers.ok_or(UNCONFIRMED)?,
        body: body.to_vec(),
    };
    if request.signature(principal.secret_key, Scope { date, region, service }) != signature {
        return Err(UNCONFIRMED);
    }
    if principal.expired { Err((403, "ExpiredToken")) } else { Ok(principal) }
}

fn is_the_question(parameters: &str) -> bool {
    let mut parameters: Vec<_> = form_urlencoded::parse(parameters.as_bytes()).collect();
    parameters.sort_unstable();
    let wanted = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    parameters.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).eq(wanted)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.strip_prefix(before).and_then(|text| text.strip_suffix(after)).unwrap_or_default()
}

fn wrong((status, code): Wrong) -> Response {
    xml(
        status,
        &format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
             <Message>See the code.</Message>\n  </Error>\n  <RequestId>01234567-89ab-cdef-0123-456789abcdef</RequestId>\n\
             </ErrorResponse>\n"
        ),
    )
}

fn xml(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/xml")], body.to_owned()).into_response()
}

async fn outage(State(state): State<Shared>, RawQuery(query): RawQuery) -> StatusCode {
    lock(&state).outage = query.as_deref() == Some("on=true");
    StatusCode::NO_CONTENT
}

async fn throttle(State(state): State<Shared>, RawQuery(query): RawQuery) -> StatusCode {
    lock(&state).throttle = query.as_deref() == Some("on=true");
    StatusCode::NO_CONTENT
}

async fn skew(State(state): State<Shared>, RawQuery(query): RawQuery) -> StatusCode {
    let seconds = query.as_deref().and_then(|query| query.strip_prefix("seconds=")?.parse().ok());
    match seconds {
        Some(seconds) => {
            lock(&state).skew = seconds;
            StatusCode::NO_CONTENT
        }
        None => StatusCode::BAD_REQUEST,
    }
}

async fn requests(State(state): State<Shared>) -> Json<u64> {
    Json(lock(&state).requests)
}

fn lock(state: &Shared) -> MutexGuard<'_, Switches> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
