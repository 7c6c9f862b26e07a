//! APIs that take the tokens of one server (RFC 6750).

use serde_json::json;

use super::server::Server;
use crate::{
    asked::Asked,
    federation::{
        reply::{Reply, Wrong, wrong},
        seen::Seen,
    },
};

/// What is wanted of a token for reading, and for anything else.
pub const READ: &str = "reports.read";
pub const WRITE: &str = "reports.write";

pub fn answer(server: &Server, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    let audience = format!("https://{}", asked.host());
    seen.operation(&asked.method, format!("{audience}{}", asked.path));
    let token = asked.bearer().ok_or_else(|| wrong(401, "", "a token is wanted"))?;
    let granted = server.granted(token, now);
    let granted = granted.ok_or_else(|| wrong(401, "invalid_token", "the token is unknown or has ended"))?;
    seen.principal.clone_from(&granted.subject);
    seen.fact("scope", granted.scopes.join(" "));
    if let Some(id) = granted.client_id {
        seen.fact("client_id", id);
    }
    if granted.audience != audience {
        return Err(wrong(401, "invalid_token", "the token is for another audience"));
    }
    let wanted = if ["GET", "HEAD"].contains(&asked.method.as_str()) { READ } else { WRITE };
    if !granted.scopes.iter().any(|scope| scope == wanted) {
        return Err(wrong(403, "insufficient_scope", format!("the scope {wanted} is wanted")));
    }
    Ok(Reply::json(200, &json!({"subject": granted.subject, "path": asked.path, "method": asked.method})))
}

/// A refusal (RFC 6750, section 3).
pub fn refusal(wrong: &Wrong) -> Reply {
    let error = match wrong.code.as_str() {
        "" => String::new(),
        code => format!(" error=\"{code}\", error_description=\"{}\"", wrong.message),
    };
    let body = json!({"error": wrong.code, "error_description": wrong.message});
    Reply::json(wrong.status, &body).header("www-authenticate", format!("Bearer{error}"))
}
