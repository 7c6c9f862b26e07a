//! The STS: `GetCallerIdentity`, judged as AWS judges it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    principal::Principal,
    signature::{Claimed, Fault, Wanted},
    sigv4::hash,
};
use crate::{asked::Asked, clock};

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

async fn answer(State(state): State<Shared>, asked: Asked) -> Response {
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
    let question = if asked.query.is_empty() { &asked.body } else { asked.query.as_bytes() };
    match identify(&asked, now) {
        Err(refused) => wrong(refused),
        Ok(_) if !is_the_question(question) => wrong((400, "InvalidAction")),
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

fn identify(asked: &Asked, now: i64) -> Result<Principal, Wrong> {
    let claimed = Claimed::read(asked).map_err(|fault| code(&fault))?;
    let principal = Principal::of_key(claimed.access_key).ok_or((403, "InvalidClientTokenId"))?;
    let host = asked.header("host").unwrap_or_default();
    let region = if host == "sts.amazonaws.com" { "us-east-1" } else { between(host, "sts.", ".amazonaws.com") };
    let payload = hash(&asked.body);
    let wanted = Wanted {
        secret_key: principal.secret_key,
        session_token: principal.session_token,
        region,
        service: "sts",
        payload: &payload,
    };
    claimed.check(asked, wanted, now).map_err(|fault| code(&fault))?;
    if principal.expired { Err((403, "ExpiredToken")) } else { Ok(principal) }
}

/// As the STS says it.
fn code(fault: &Fault) -> Wrong {
    match fault {
        Fault::Absent => (403, "MissingAuthenticationToken"),
        Fault::Twice | Fault::Unreadable(_) => (400, "IncompleteSignature"),
        Fault::SessionToken => (403, "InvalidClientTokenId"),
        Fault::Scope(_) | Fault::Skewed | Fault::Unsigned(_) | Fault::Mismatch => (403, "SignatureDoesNotMatch"),
    }
}

fn is_the_question(parameters: &[u8]) -> bool {
    let mut parameters: Vec<_> = form_urlencoded::parse(parameters).collect();
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
