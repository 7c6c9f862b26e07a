//! Clients that show who they are by a signed assertion (RFC 7523, section 2.2).

use super::server::Server;
use crate::{
    asked::{Asked, Form},
    federation::{
        assertion::Shown,
        reply::{Wrong, wrong},
        seen::Seen,
        switches::Switches,
    },
};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client that asks, if it says who it is.
pub async fn authenticate(
    server: &Server,
    asked: &Asked,
    form: &Form,
    switches: &Switches,
    seen: &mut Seen,
    now: i64,
) -> Result<Option<String>, Wrong> {
    let invalid = |why: &str| wrong(401, "invalid_client", why);
    if asked.headers.contains_key("authorization") {
        return Err(invalid("no client here has a secret"));
    }
    let Some(assertion) = form.get("client_assertion") else {
        return if server.setup.wants_client || form.get("client_id").is_some() {
            Err(invalid("client_assertion is missing"))
        } else {
            Ok(None)
        };
    };
    if form.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(invalid("client_assertion_type"));
    }
    let shown = Shown::parse(assertion).map_err(|_| invalid("client_assertion is no JWT"))?;
    let types = ["JWT", "client-authentication+jwt"];
    let claims = shown.prove(&server.client_keys, switches, &["RS256", "ES256"], &types).await;
    let claims = claims.map_err(|fault| invalid(&format!("client_assertion: {fault:?}")))?;
    seen.fact("client_assertion", claims.to_value());
    let id = claims.text("iss").filter(|id| claims.text("sub") == Some(id)).ok_or_else(|| invalid("iss is not sub"))?;
    if !server.setup.clients.iter().any(|client| client == id) {
        return Err(invalid("the client is unknown"));
    }
    if form.get("client_id").is_some_and(|other| other != id) {
        return Err(invalid("client_id is another client's"));
    }
    // The issuer identifier alone: an assertion for one server must be worth nothing at another.
    if claims.sole_audience() != Some(server.setup.url) {
        return Err(invalid("aud is not this server's issuer identifier"));
    }
    claims.in_force(now, 0, false).map_err(|stale| invalid(&format!("client_assertion: {stale:?}")))?;
    server.spend(id, claims.text("jti"), claims.ends(), now).map_err(invalid)?;
    seen.fact("client_id", id);
    Ok(Some(id.to_owned()))
}
