//! IAM Credentials: tokens of a service account for those who may use it (IAM Service Account Credentials API, v1).

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::project::{Project, Token, Who};
use crate::{
    asked::Asked,
    federation::{
        authority::Header,
        lie::Lie,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

const DENIED: &str = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";

/// The longest life of a token, in seconds.
const LONGEST: i64 = 3600;
const PATH: &str = "/v1/projects/-/serviceAccounts/";

pub async fn answer(
    project: &Project,
    asked: &Asked,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    let (email, method) = asked.path.strip_prefix(PATH).and_then(|rest| rest.split_once(':')).unwrap_or_default();
    let endpoint = match method {
        "generateAccessToken" => "generateAccessToken",
        "generateIdToken" => "generateIdToken",
        _ => return Err(wrong(404, "NOT_FOUND", "Method not found.")),
    };
    seen.operation(endpoint, format!("projects/-/serviceAccounts/{email}"));
    let lie = match switches.enter(endpoint).await {
        Manner::Honest => None,
        Manner::Throttled => {
            return Err(wrong(
                429,
                "RESOURCE_EXHAUSTED",
                "Quota exceeded for quota metric 'Generate credentials requests'",
            ));
        }
        Manner::Outage => return Err(wrong(503, "UNAVAILABLE", "The service is currently unavailable.")),
        Manner::Unaware => return Err(wrong(403, "PERMISSION_DENIED", DENIED)),
        Manner::Lying(lie) => Some(lie),
    };
    let body = body(asked)?;
    let user = user(project, asked, seen, now)?;
    let account = project.service_accounts.iter().find(|account| account.email == email);
    let account = account.ok_or_else(|| wrong(404, "NOT_FOUND", format!("Unknown service account: {email}")))?;
    if !account.users.iter().any(|member| project.is_member(member, &user)) {
        return Err(wrong(403, "PERMISSION_DENIED", DENIED));
    }
    if body.get("delegates").is_some_and(|delegates| !delegates.is_null() && delegates != &json!([])) {
        return Err(invalid("delegates are not taken here"));
    }
    let answer = if endpoint == "generateIdToken" {
        id_token(project, email, &body, lie, now)?
    } else {
        access_token(project, email, &user, &body, lie, now)?
    };
    let reply = Reply::json(200, &answer);
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

fn body(asked: &Asked) -> Result<Map<String, Value>, Wrong> {
    let is_json = asked.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if asked.method != "POST" || !is_json {
        return Err(invalid("JSON is expected"));
    }
    let body: Map<String, Value> =
        serde_json::from_slice(&asked.body).map_err(|_| invalid("Invalid JSON payload received."))?;
    Ok(body)
}

/// The workload that calls, by the federated token it bears.
fn user(project: &Project, asked: &Asked, seen: &mut Seen, now: i64) -> Result<String, Wrong> {
    let token = asked.bearer().and_then(|token| project.token(token, now));
    let token =
        token.ok_or_else(|| wrong(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."))?;
    token.who.note(seen);
    let is_in_scope = token.scopes.iter().any(|scope| {
        ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/iam"]
            .contains(&scope.as_str())
    });
    match token.who {
        _ if token.boundary.is_some() || !is_in_scope => {
            Err(wrong(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes."))
        }
        Who::Federated(name) => Ok(name),
        Who::ServiceAccount { email, .. } => Ok(email),
    }
}

fn access_token(
    project: &Project,
    email: &str,
    user: &str,
    body: &Map<String, Value>,
    lie: Option<Lie>,
    now: i64,
) -> Result<Value, Wrong> {
    only(body, &["scope", "lifetime", "delegates"])?;
    let scopes: Option<Vec<_>> = body
        .get("scope")
        .and_then(Value::as_array)
        .map(|all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
    let scopes = scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(|| invalid("scope is required"))?;
    if scopes.iter().any(|scope| !scope.starts_with("https://www.googleapis.com/auth/")) {
        return Err(invalid("Invalid OAuth scope or ID token audience provided."));
    }
    let lifetime = match body.get("lifetime") {
        None => LONGEST,
        Some(lifetime) => {
            let seconds = lifetime.as_str().and_then(|text| text.strip_suffix('s')?.parse::<i64>().ok());
            seconds.filter(|seconds| (1..=LONGEST).contains(seconds)).ok_or_else(|| invalid("lifetime: 1s to 3600s"))?
        }
    };
    let who = Who::ServiceAccount { email: email.to_owned(), user: user.to_owned() };
    let token = project.issue("ya29.c.", Token { who, scopes, expires: now + lifetime, boundary: None });
    let expires = match lie {
        Some(Lie::Ended) => now - 60,
        Some(Lie::Endless) => now + 3_153_600_000,
        _ => now + lifetime,
    };
    // In whole seconds: clients read no others.
    let moment = OffsetDateTime::from_unix_timestamp(expires).ok().and_then(|moment| moment.format(&Rfc3339).ok());
    Ok(
        json!({"accessToken": lie.map_or(token.clone(), |lie| lie.bend(&token)), "expireTime": moment.unwrap_or_default()}),
    )
}

fn id_token(
    project: &Project,
    email: &str,
    body: &Map<String, Value>,
    lie: Option<Lie>,
    now: i64,
) -> Result<Value, Wrong> {
    only(body, &["audience", "includeEmail", "delegates"])?;
    let audience = body.get("audience").and_then(Value::as_str).filter(|audience| !audience.is_empty());
    let audience = audience.ok_or_else(|| invalid("audience is required"))?;
    let audience = if lie == Some(Lie::Wider) { "https://other.test" } else { audience };
    let life = match lie {
        Some(Lie::Ended) => -60,
        Some(Lie::Endless) => 3_153_600_000,
        _ => 3600,
    };
    let id = token::digest::sha256(email).iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let id = format!("1{id:020}");
    let mut claims = json!({
        "iss": project.google.url(), "aud": audience, "azp": id, "sub": id, "iat": now, "exp": now + life
    });
    if body.get("includeEmail") == Some(&json!(true)) {
        let email = if lie == Some(Lie::OtherRole) { "administrator@acme-data.iam.gserviceaccount.com" } else { email };
        (claims["email"], claims["email_verified"]) = (json!(email), json!(true));
    }
    let claims = claims.as_object().cloned().unwrap_or_default();
    let token =
        project.google.sign(Header::RS256, claims).map_err(|error| wrong(500, "INTERNAL", error.to_string()))?;
    Ok(json!({"token": lie.map_or(token.clone(), |lie| lie.bend(&token))}))
}

fn only(body: &Map<String, Value>, known: &[&str]) -> Result<(), Wrong> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(&format!("Invalid JSON payload received. Unknown name \"{name}\""))),
        None => Ok(()),
    }
}

fn invalid(message: &str) -> Wrong {
    wrong(400, "INVALID_ARGUMENT", message)
}
