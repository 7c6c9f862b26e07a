//! Google's STS: `POST /v1/token`, for an assertion of ours or for a token that is to open less (RFC 8693, in Google's
//! dialect).

use serde_json::{Value, json};

use super::{
    boundary::Boundary,
    expression::Facts,
    project::{Project, Token, Who},
    roles,
};
use crate::{
    asked::{Asked, Form},
    federation::{
        assertion::{Claims, Fault, Shown, Stale},
        issuer::KeyFault,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const KNOWN: [&str; 8] = [
    "grant_type",
    "audience",
    "scope",
    "requested_token_type",
    "subject_token",
    "subject_token_type",
    "options",
    "actor_token",
];

const NO_TARGET: &str = "The target service indicated by the \"audience\" parameters is invalid";

/// How long a federated token lives, in seconds.
const LIFE: i64 = 3599;

/// How old an assertion may be that is still in force, in seconds.
const STALE: i64 = 24 * 3600;

pub async fn answer(
    project: &Project,
    asked: &Asked,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    let form = asked.form().ok_or_else(|| invalid("a form is expected"))?;
    let narrows = form.get("subject_token_type") == Some(ACCESS_TOKEN);
    let endpoint = if narrows { "downscope" } else { "exchange" };
    seen.operation = endpoint.to_owned();
    let manner = switches.enter(endpoint).await;
    let lie = match manner {
        Manner::Honest => None,
        Manner::Throttled => {
            return Err(wrong(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Token exchange requests'"));
        }
        Manner::Outage => return Err(wrong(503, "UNAVAILABLE", "The service is currently unavailable.")),
        Manner::Unaware => return Err(wrong(400, "invalid_target", NO_TARGET)),
        Manner::Lying(lie) => Some(lie),
    };
    // An invalid one makes it fail, and a valid one does nobody here have.
    if asked.headers.contains_key("authorization") {
        return Err(wrong(401, "invalid_client", "The client credential is invalid"));
    }
    if let Some(name) = form.doubled(&[]) {
        return Err(invalid(&format!("the parameter {name} stands twice")));
    }
    if let Some((name, _)) = form.pairs().find(|(name, _)| !KNOWN.contains(name)) {
        return Err(invalid(&format!("the parameter {name} is unknown")));
    }
    for (name, wanted) in [("grant_type", EXCHANGE), ("requested_token_type", ACCESS_TOKEN)] {
        if form.get(name) != Some(wanted) {
            return Err(invalid(&format!("Invalid value for \"{name}\"")));
        }
    }
    let mut answer = if narrows {
        narrow(project, &form, seen, now)?
    } else {
        exchange(project, &form, switches, seen, now).await?
    };
    if let Some(lie) = lie {
        lie.bend_token(&mut answer);
    }
    let reply = Reply::json(200, &answer).header("cache-control", "no-store");
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

/// A refusal. Of quota and outage Google's front tells, in its own form.
pub fn refusal(wrong: &Wrong) -> Reply {
    if matches!(wrong.status, 429 | 503) {
        return super::refusal(wrong);
    }
    Reply::json(wrong.status, &json!({"error": wrong.code, "error_description": wrong.message}))
}

async fn exchange(
    project: &Project,
    form: &Form,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Value, Wrong> {
    let audience = form.get("audience").unwrap_or_default();
    seen.resource = audience.to_owned();
    if !audience.starts_with("//iam.googleapis.com/projects/") || !audience.contains("/providers/") {
        return Err(invalid("Invalid value for \"audience\". It must be the full resource name of the provider"));
    }
    if audience != project.provider {
        return Err(wrong(400, "invalid_target", NO_TARGET));
    }
    let scope = form.get("scope").ok_or_else(|| invalid("Invalid value for \"scope\""))?;
    let kind = form.get("subject_token_type").unwrap_or_default();
    if !["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"].contains(&kind) {
        return Err(invalid("Invalid value for \"subject_token_type\""));
    }
    let claims = believe(project, form.get("subject_token").unwrap_or_default(), switches, now).await?;
    seen.fact("assertion", claims.to_value());
    let subject = claims.text("sub").filter(|subject| subject.len() <= 127);
    let subject =
        subject.ok_or_else(|| invalid_grant("The mapped google.subject is empty or longer than 127 bytes"))?;
    if project.attribute_condition.as_ref().is_some_and(|condition| !condition.holds(&claims)) {
        return Err(wrong(400, "unauthorized_client", "The given credential is rejected by the attribute condition."));
    }
    let who = Who::Federated(format!("principal://{}/subject/{subject}", project.pool));
    who.note(seen);
    let token = Token { who, scopes: words(scope), expires: now + LIFE, boundary: None };
    Ok(json!({
        "access_token": project.issue("ya29.d.", token), "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": LIFE
    }))
}

async fn believe(project: &Project, jwt: &str, switches: &Switches, now: i64) -> Result<Claims, Wrong> {
    let shown = Shown::parse(jwt).map_err(|_| invalid_grant("The ID Token is malformed"))?;
    if shown.claims().text("iss") != Some(project.issuer.url()) {
        return Err(invalid_grant("The issuer in ID Token does not match the expected one"));
    }
    let claims =
        shown.prove(&project.issuer, switches, &["RS256", "ES256"], &["JWT"]).await.map_err(|fault| match fault {
            Fault::Key(KeyFault::Unreachable) => invalid_grant("Error connecting to the given credential's issuer."),
            fault => invalid_grant(&format!("Unable to verify the ID Token: {fault:?}")),
        })?;
    claims.in_force(now, 0, false).map_err(|stale| match stale {
        Stale::Missing(claim) => invalid_grant(&format!("The claim {claim} is missing in the ID Token")),
        Stale::Ended => invalid_grant("ID Token is expired"),
        Stale::Early => invalid_grant("ID Token is issued in the future"),
    })?;
    let issued = claims.get("iat").and_then(Value::as_i64).unwrap_or_default();
    if now - issued > STALE {
        return Err(invalid_grant(&format!("ID Token issued at {issued} is stale to sign-in.")));
    }
    match claims.sole_audience() {
        Some(audience) if project.allowed_audiences.iter().any(|allowed| allowed == audience) => Ok(claims),
        _ => Err(invalid_grant("The audience in ID Token does not match the expected audience.")),
    }
}

/// A token that opens less, and ends when the one it was made of ends.
fn narrow(project: &Project, form: &Form, seen: &mut Seen, now: i64) -> Result<Value, Wrong> {
    if form.get("audience").or(form.get("scope")).is_some() {
        return Err(invalid("\"audience\" and \"scope\" must not be given with an access token"));
    }
    let source = project.token(form.get("subject_token").unwrap_or_default(), now);
    let source = source.ok_or_else(|| invalid_grant("The subject token is invalid or expired"))?;
    source.who.note(seen);
    if source.boundary.is_some() {
        return Err(invalid_grant("A downscoped token cannot be downscoped again"));
    }
    if !roles::is_in_scope(&source.scopes, roles::GET) {
        return Err(invalid_grant("The subject token has no scope of Cloud Storage"));
    }
    let options = form.get("options").ok_or_else(|| invalid("\"options\" is missing"))?;
    let options = options_json(options).ok_or_else(|| invalid("\"options\" is no JSON"))?;
    seen.fact("access_boundary", options["accessBoundary"].clone());
    let members = options.as_object().ok_or_else(|| invalid("\"options\" is no object"))?;
    if members.keys().any(|name| !["accessBoundary", "userProject"].contains(&name.as_str())) {
        return Err(invalid("\"options\" has an unknown member"));
    }
    let boundary = Boundary::read(&options["accessBoundary"]).map_err(|why| invalid(&why))?;
    let expires_in = source.expires - now;
    let token = Token { boundary: Some(boundary), ..source };
    Ok(json!({
        "access_token": project.issue("ya29.dr.", token), "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": expires_in
    }))
}

/// Some clients encode the JSON once more than the form wants it.
fn options_json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&crate::federation::aws::decoded(text)?).ok())
}

impl Facts for Claims {
    fn variable(&self, name: &str) -> Option<String> {
        let claim = if name == "google.subject" { "sub" } else { name.strip_prefix("assertion.")? };
        self.text(claim).map(str::to_owned)
    }

    fn attribute(&self, _: &str) -> Option<String> {
        None
    }
}

pub(super) fn words(scope: &str) -> Vec<String> {
    scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn invalid(message: &str) -> Wrong {
    wrong(400, "invalid_request", message)
}

fn invalid_grant(message: &str) -> Wrong {
    wrong(400, "invalid_grant", message)
}
