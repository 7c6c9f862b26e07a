//! The token endpoint: token exchange (RFC 8693), assertions (RFC 7523, section 2.1), client credentials (RFC 6749,
//! section 4.4), and the grants of identity chaining (draft-ietf-oauth-identity-chaining).

use serde_json::{Value, json};

use super::{
    client,
    server::{Granted, Server},
};
use crate::{
    asked::{Asked, Form},
    federation::{
        assertion::{Claims, Shown},
        authority::{Header, RS256},
        random,
        reply::{Reply, Wrong, wrong},
        seen::Seen,
        switches::{Manner, Switches},
    },
};

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How long tokens and grants live, in seconds.
const LIFE: i64 = 300;
const GRANT_LIFE: i64 = 60;

pub async fn answer(
    server: &Server,
    endpoint: &'static str,
    asked: &Asked,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Reply, Wrong> {
    let lie = match switches.enter(endpoint).await {
        Manner::Honest => None,
        Manner::Throttled => return Err(wrong(429, "temporarily_unavailable", "too many requests")),
        Manner::Outage => return Err(wrong(503, "temporarily_unavailable", "out of order")),
        Manner::Unaware => return Err(wrong(400, "invalid_grant", "the issuer is not trusted")),
        Manner::Lying(lie) => Some(lie),
    };
    let form = asked.form().filter(|_| asked.method == "POST" && asked.query.is_empty());
    let form = form.ok_or_else(|| wrong(400, "invalid_request", "a form is expected"))?;
    if let Some(name) = form.doubled(&["resource", "audience"]) {
        return Err(wrong(400, "invalid_request", format!("{name} stands twice")));
    }
    let grant_type = form.get("grant_type").unwrap_or_default();
    seen.operation(grant_type, server.setup.url);
    let client_id = client::authenticate(server, asked, &form, switches, seen, now).await?;
    let mut answer = match grant_type {
        EXCHANGE => exchange(server, &form, client_id, switches, seen, now).await?,
        JWT_BEARER if !server.setup.gives_grants => bearer(server, &form, client_id, switches, seen, now).await?,
        "client_credentials" if !server.setup.gives_grants => {
            let id = client_id.ok_or_else(|| wrong(401, "invalid_client", "client_assertion is missing"))?;
            seen.principal.clone_from(&id);
            issued(server, &form, id.clone(), Some(id), form.get("scope"), now)?
        }
        "" => return Err(wrong(400, "invalid_request", "grant_type is missing")),
        _ => return Err(wrong(400, "unsupported_grant_type", grant_type)),
    };
    if let Some(lie) = lie {
        lie.bend_token(&mut answer);
    }
    let reply = Reply::json(200, &answer).header("cache-control", "no-store");
    Ok(lie.map_or(reply.clone(), |lie| lie.bend_reply(reply)))
}

/// A refusal (RFC 6749, section 5.2).
pub fn refusal(wrong: &Wrong) -> Reply {
    let reply = Reply::json(wrong.status, &json!({"error": wrong.code, "error_description": wrong.message}));
    match wrong.status {
        401 => reply.header("www-authenticate", "Basic"),
        429 => reply.header("retry-after", "2"),
        _ => reply,
    }
}

async fn exchange(
    server: &Server,
    form: &Form,
    client_id: Option<String>,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Value, Wrong> {
    let invalid = |why: &str| wrong(400, "invalid_request", why);
    if form.get("subject_token_type") != Some(JWT) {
        return Err(invalid("subject_token_type"));
    }
    let kind = if server.setup.gives_grants { JWT } else { ACCESS_TOKEN };
    if form.get("requested_token_type").unwrap_or(ACCESS_TOKEN) != kind {
        return Err(invalid("requested_token_type"));
    }
    let jwt = form.get("subject_token").ok_or_else(|| invalid("subject_token is missing"))?;
    // RFC 8693, section 2.2.2, wants this code for a subject token that is not believed.
    let claims = believe(server, jwt, switches, now).await.map_err(|why| invalid(&why))?;
    seen.fact("assertion", claims.to_value());
    let subject = claims.text("sub").unwrap_or_default().to_owned();
    seen.principal.clone_from(&subject);
    let mut answer = if server.setup.gives_grants {
        grant(server, form, &subject, now)?
    } else {
        issued(server, form, subject, client_id, form.get("scope"), now)?
    };
    answer["issued_token_type"] = json!(kind);
    Ok(answer)
}

async fn bearer(
    server: &Server,
    form: &Form,
    client_id: Option<String>,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Value, Wrong> {
    let jwt = form.get("assertion").ok_or_else(|| wrong(400, "invalid_request", "assertion is missing"))?;
    let claims = believe(server, jwt, switches, now).await.map_err(|why| wrong(400, "invalid_grant", why))?;
    seen.fact("assertion", claims.to_value());
    let subject = claims.text("sub").unwrap_or_default().to_owned();
    seen.principal.clone_from(&subject);
    // A grant that names scopes is for no others.
    let granted = claims.text("scope");
    let asked = form.get("scope").or(granted);
    if let (Some(granted), Some(asked)) = (granted, asked)
        && let Some(more) = asked.split(' ').find(|scope| !granted.split(' ').any(|other| other == *scope))
    {
        return Err(wrong(400, "invalid_scope", format!("{more} is not granted")));
    }
    issued(server, form, subject, client_id, asked, now)
}

/// What an assertion about somebody says, if an issuer that is trusted made it for this server.
async fn believe(server: &Server, jwt: &str, switches: &Switches, now: i64) -> Result<Claims, String> {
    let shown = Shown::parse(jwt).map_err(|_| "no JWT".to_owned())?;
    let issuer = shown.claims().text("iss").unwrap_or_default().to_owned();
    let trusted = server.trusted.iter().find(|trusted| trusted.url() == issuer);
    let trusted = trusted.ok_or_else(|| format!("the issuer {issuer} is not trusted"))?;
    let types = ["JWT", "authorization-grant+jwt"];
    let claims =
        shown.prove(trusted, switches, &["RS256", "ES256"], &types).await.map_err(|fault| format!("{fault:?}"))?;
    if claims.sole_audience() != Some(server.setup.url) {
        return Err("aud is not this server's issuer identifier".into());
    }
    claims.in_force(now, 0, false).map_err(|stale| format!("{stale:?}"))?;
    let subject = claims.text("sub").unwrap_or_default();
    if !subject.starts_with(&server.setup.subjects) {
        return Err(format!("the subject {subject} is unknown"));
    }
    server.spend(&issuer, claims.text("jti"), claims.ends(), now)?;
    Ok(claims)
}

fn targets(form: &Form) -> Vec<&str> {
    let mut targets: Vec<_> = form.all("resource").chain(form.all("audience")).collect();
    targets.dedup();
    targets
}

/// An access token.
fn issued(
    server: &Server,
    form: &Form,
    subject: String,
    client_id: Option<String>,
    scope: Option<&str>,
    now: i64,
) -> Result<Value, Wrong> {
    let (audience, scopes) = server.target(&targets(form), scope)?;
    let scope = scopes.join(" ");
    let token = server.issue(Granted { subject, client_id, audience, scopes, expires: now + LIFE });
    Ok(json!({"access_token": token, "token_type": "Bearer", "expires_in": LIFE, "scope": scope}))
}

/// A grant for another server.
fn grant(server: &Server, form: &Form, subject: &str, now: i64) -> Result<Value, Wrong> {
    let (audience, scopes) = server.target(&targets(form), form.get("scope"))?;
    let scope = scopes.join(" ");
    let claims = json!({
        "iss": server.setup.url, "sub": subject, "aud": audience, "iat": now, "exp": now + GRANT_LIFE,
        "jti": random::word(22), "scope": scope
    });
    let header = Header { algorithm: "RS256", typ: "authorization-grant+jwt", kid: Some(RS256) };
    let grant = server.authority.sign(header, claims.as_object().cloned().unwrap_or_default());
    let grant = grant.map_err(|error| wrong(500, "server_error", error.to_string()))?;
    Ok(json!({"access_token": grant, "token_type": "N_A", "expires_in": GRANT_LIFE, "scope": scope}))
}
