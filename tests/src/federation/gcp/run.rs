//! Services of Cloud Run, which let in service accounts that show an ID token for them.

use serde_json::json;

use super::project::{Project, Service};
use crate::{
    asked::Asked,
    federation::{
        reply::{Reply, Wrong, wrong},
        seen::Seen,
    },
};

pub fn answer(project: &Project, service: &Service, asked: &Asked, seen: &mut Seen, now: i64) -> Result<Reply, Wrong> {
    seen.operation("run.routes.invoke", service.host.clone());
    let refused = || wrong(401, "Unauthorized", "The access token could not be verified");
    let claims = project.google.own(asked.bearer().ok_or_else(refused)?, now).ok_or_else(refused)?;
    let email = claims.text("email").filter(|_| claims.get("email_verified") == Some(&json!(true)));
    seen.principal = email.or(claims.text("sub")).unwrap_or_default().to_owned();
    if claims.sole_audience() != Some(&format!("https://{}", service.host)) {
        return Err(refused());
    }
    let email = email.filter(|email| service.invokers.iter().any(|invoker| invoker == email));
    let email = email.ok_or_else(|| wrong(403, "Forbidden", "Your client does not have permission to get URL"))?;
    Ok(Reply::json(200, &json!({"service": service.host, "caller": email})))
}

/// A page, as Google's front writes it.
pub fn refusal(wrong: &Wrong) -> Reply {
    let body = format!(
        "<html><head><title>{} {}</title></head><body>{}</body></html>\n",
        wrong.status, wrong.code, wrong.message
    );
    Reply::new(wrong.status, "text/html; charset=UTF-8", body)
        .header("www-authenticate", "Bearer error=\"invalid_token\"")
}
