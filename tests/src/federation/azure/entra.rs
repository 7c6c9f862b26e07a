//! Entra's token endpoint, for an app that shows an assertion of an issuer it trusts (Microsoft identity platform, "client
//! credentials flow", third case).

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::tenant::{App, Tenant};
use crate::{
    asked::{Asked, Form},
    federation::{
        assertion::{Claims, Fault, Shown},
        authority::Header,
        issuer::KeyFault,
        random,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub async fn answer(
    tenant: &Tenant,
    asked: &Asked,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    seen.operation = "token".to_owned();
    let lie = match switches.enter("token").await {
        Manner::Honest => None,
        Manner::Throttled => return Err(aadsts(429, 90_055, "The request was throttled by the service.")),
        Manner::Outage => return Err(aadsts(503, 90_033, "A transient error has occurred. Please try again.")),
        Manner::Unaware => {
            return Err(aadsts(401, 70_021, "No matching federated identity record found for presented assertion."));
        }
        Manner::Lying(lie) => Some(lie),
    };
    let of_tenant = asked.path.strip_prefix('/').and_then(|path| path.strip_suffix("/oauth2/v2.0/token"));
    if of_tenant != Some(tenant.id.as_str()) {
        return Err(aadsts(400, 90_002, &format!("Tenant '{}' not found.", of_tenant.unwrap_or_default())));
    }
    let form = asked
        .form()
        .ok_or_else(|| aadsts(400, 900_144, "The request body must contain the following parameter: 'grant_type'."))?;
    let (app, resource) = order(tenant, &form)?;
    seen.resource = format!("{resource}/.default");
    let jwt = form.get("client_assertion").unwrap_or_default();
    let claims = believe(tenant, app, jwt, switches, now).await?;
    seen.principal.clone_from(&app.object_id);
    seen.fact("client_id", app.client_id.clone());
    seen.fact("assertion", claims.to_value());

    let life = 3599 + now.rem_euclid(1800);
    let body = json!({
        "aud": resource, "iss": tenant.entra.url(), "iat": now, "nbf": now, "exp": now + life, "appid": app.client_id,
        "appidacr": "2", "idtyp": "app", "oid": app.object_id, "sub": app.object_id, "tid": tenant.id,
        "uti": random::word(22), "ver": "1.0"
    });
    let token = tenant.entra.sign(Header::RS256, body.as_object().cloned().unwrap_or_default());
    let token = token.map_err(|error| aadsts(500, 90_033, &error.to_string()))?;
    let mut answer = json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token});
    if let Some(lie) = lie {
        lie.bend_token(&mut answer);
    }
    let reply = Reply::json(200, &answer).header("cache-control", "no-store, no-cache");
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

/// The app, and the resource that it wants a token for.
fn order<'t>(tenant: &'t Tenant, form: &Form) -> Result<(&'t App, &'t str), Wrong> {
    for name in ["grant_type", "client_id", "scope", "client_assertion", "client_assertion_type"] {
        if form.get(name).is_none() {
            return Err(aadsts(
                400,
                900_144,
                &format!("The request body must contain the following parameter: '{name}'."),
            ));
        }
    }
    if let Some(name) = form.doubled(&[]) {
        return Err(aadsts(400, 90_013, &format!("Invalid input received from the user: '{name}' stands twice.")));
    }
    if form.get("grant_type") != Some("client_credentials") {
        return Err(aadsts(400, 70_003, "The app requested an unsupported grant type."));
    }
    if form.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(aadsts(400, 900_144, "The client_assertion_type is not supported."));
    }
    let client_id = form.get("client_id").unwrap_or_default();
    let app = tenant.apps.iter().find(|app| app.client_id == client_id).ok_or_else(|| {
        let message =
            format!("Application with identifier '{client_id}' was not found in the directory '{}'.", tenant.id);
        aadsts(400, 700_016, &message)
    })?;
    let scope = form.get("scope").unwrap_or_default();
    let resource = scope.strip_suffix("/.default").ok_or_else(|| {
        aadsts(400, 1_002_012, &format!("The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."))
    })?;
    let resource = tenant.resources.iter().find(|known| *known == resource);
    let resource =
        resource.ok_or_else(|| aadsts(400, 500_011, "The resource principal was not found in the tenant."))?;
    Ok((app, resource))
}

async fn believe(tenant: &Tenant, app: &App, jwt: &str, switches: &Switches, now: i64) -> Result<Claims, Wrong> {
    let malformed = || aadsts(400, 50_027, "JWT token is invalid or malformed.");
    let shown = Shown::parse(jwt).map_err(|_| malformed())?;
    if shown.algorithm() != "RS256" {
        let message = format!("Invalid JWT token. Unsupported key for the signing algorithm {}.", shown.algorithm());
        return Err(aadsts(401, 5_002_738, &message));
    }
    match_credential(app, shown.claims())?;
    if tenant.issuer.url() != shown.claims().text("iss").unwrap_or_default() {
        return Err(aadsts(401, 50_166, "Request to External OIDC endpoint failed."));
    }
    let claims = shown.prove(&tenant.issuer, switches, &["RS256"], &["JWT"]).await.map_err(|fault| match fault {
        Fault::Key(KeyFault::Unreachable) => aadsts(401, 50_166, "Request to External OIDC endpoint failed."),
        Fault::Key(KeyFault::Unknown) | Fault::NoKeyId => aadsts(
            401,
            7_000_272,
            "The signing key for the provided client assertion could not be found in the issuer's metadata.",
        ),
        Fault::Signature => aadsts(401, 700_027, "Client assertion failed signature validation."),
        Fault::Malformed | Fault::Type(_) | Fault::Algorithm(_) => malformed(),
    })?;
    claims
        .in_force(now, 0, true)
        .map_err(|_| aadsts(401, 700_024, "Client assertion is not within its valid time range."))?;
    Ok(claims)
}

/// All three of a credential must be those of the assertion, in this order of complaints.
fn match_credential(app: &App, claims: &Claims) -> Result<(), Wrong> {
    let said = [claims.text("iss"), claims.text("sub"), claims.sole_audience()].map(Option::unwrap_or_default);
    let complaints = [(700_211, "issuer"), (700_213, "subject"), (700_212, "audience")];
    let mut left: Vec<_> = app
        .credentials
        .iter()
        .map(|credential| [&credential.issuer, &credential.subject, &credential.audience])
        .collect();
    for (at, (code, what)) in complaints.into_iter().enumerate() {
        let same: Vec<_> = left.iter().copied().filter(|credential| credential[at] == said[at]).collect();
        let value = said[at];
        if same.is_empty() {
            let but_for_case = left.iter().any(|credential| credential[at].eq_ignore_ascii_case(value));
            let (code, only) = if but_for_case { (7_002_138, " except case-insensitively") } else { (code, "") };
            let message =
                format!("No matching federated identity record found for presented assertion {what} '{value}'{only}.");
            return Err(aadsts(401, code, &message));
        }
        left = same;
    }
    Ok(())
}

/// A refusal, as Entra writes it.
pub fn refusal(wrong: &Wrong) -> Reply {
    let number: u64 = wrong.code.trim_start_matches("AADSTS").parse().unwrap_or_default();
    let error = match number {
        90_055 | 90_033 => "temporarily_unavailable",
        700_016 => "unauthorized_client",
        70_003 => "unsupported_grant_type",
        1_002_012 => "invalid_scope",
        500_011 => "invalid_resource",
        _ if wrong.status == 401 => "invalid_client",
        _ => "invalid_request",
    };
    let (trace, correlation) = (random::guid(), random::guid());
    let timestamp = OffsetDateTime::from_unix_timestamp(crate::clock::now()).ok();
    let timestamp =
        timestamp.map(|at| format!("{} {:02}:{:02}:{:02}Z", at.date(), at.hour(), at.minute(), at.second()));
    let timestamp = timestamp.unwrap_or_default();
    let body = json!({
        "error": error,
        "error_description": format!(
            "{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}", wrong.code, wrong.message
        ),
        "error_codes": [number], "timestamp": timestamp, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}")
    });
    let reply = Reply::json(wrong.status, &body);
    if wrong.status == 429 { reply.header("retry-after", "2") } else { reply }
}

/// Who bears a token for `resource`: the object, if it is one of ours and in force.
pub fn bearer(tenant: &Tenant, asked: &Asked, resource: &str, now: i64) -> Option<String> {
    let claims = tenant.entra.own(asked.bearer()?, now)?;
    let fits = claims.sole_audience() == Some(resource) && claims.get("tid") == Some(&Value::from(tenant.id.as_str()));
    claims.text("oid").filter(|_| fits).map(str::to_owned)
}

fn aadsts(status: u16, code: u64, message: &str) -> Wrong {
    wrong(status, format!("AADSTS{code}"), message)
}
