//! Opaque tokens: their server is asked what they are worth (RFC 7662).
//!
//! Nothing in such a token can be checked here, so everything rests on the answer, and the answer is held to what is asked
//! of a JWT: our audience and no other, the issuer, an end.

use http::StatusCode;
use rustls::RootCertStore;
use serde_json::{Map, Value};
use token::{json, reason::Reason, secret::Secret};

use super::{
    audience,
    claims::{self, Claims},
    inquiry::{Inquiry, Question, ServerSettings, Trouble},
    preset::{
        Identified,
        oidc::{self, OidcClaims},
    },
    validity,
};
use crate::refusal::Refusal;

/// A server that issues opaque tokens, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntrospectionSettings {
    /// Its name: `iss` of its answers, where they have one.
    pub issuer: String,
    /// Its introspection endpoint.
    pub server: ServerSettings,
    /// `token_type_hint`: which of its tokens it may look at first.
    pub hint: Option<String>,
    /// How long a token may count from now on, in seconds, whatever its end; the end of one that has none.
    pub max_life: Option<u64>,
}

/// A server that issues opaque tokens.
pub struct Introspection {
    inquiry: Inquiry<Vouched>,
    source: String,
    audience: String,
    issuer: String,
    hint: Option<String>,
    max_life: Option<u64>,
}

/// What is kept of an answer that held up. Whether its dates do is asked each time.
#[derive(Clone)]
struct Vouched {
    identified: Identified,
    dates: Map<String, Value>,
}

impl Introspection {
    /// The server at `settings`, asked about tokens for `audience`.
    pub fn new(
        source: &str,
        audience: &str,
        settings: IntrospectionSettings,
        authorities: RootCertStore,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            inquiry: Inquiry::new(source, settings.server, authorities)?,
            source: source.to_owned(),
            audience: audience.to_owned(),
            issuer: settings.issuer,
            hint: settings.hint,
            max_life: settings.max_life,
        })
    }

    /// Whose `token` is at `now`, and until when it counts.
    pub async fn of(&self, token: &Secret, now: u64) -> Result<(Identified, u64), Refusal> {
        let question = self.question(token);
        let Vouched { identified, mut dates } = self
            .inquiry
            .ask(token, now, question, |answer| {
                let members = json::parse_object(answer).map_err(|_| Trouble::Answer("a JSON object"))?;
                match members.get("active") {
                    Some(Value::Bool(true)) => Ok(self.judge(Claims::new(&members))),
                    Some(Value::Bool(false)) => Ok(Err(inactive())),
                    _ => Err(Trouble::Answer("one that says `active`, true or false")),
                }
            })
            .await?;
        let latest = self.max_life.map(|life| now.saturating_add(life));
        if let Some(latest) = latest {
            dates.entry("exp").or_insert(latest.into());
        }
        let claims = Claims::new(&dates);
        let expires_at =
            validity::check(claims, now, validity::MAX_LIFE).map_err(|refusal| match claims.value("exp") {
                None => refusal.help("have the server say `exp`, or set `max_life_seconds`"),
                Some(_) => refusal,
            })?;
        Ok((identified, latest.map_or(expires_at, |latest| latest.min(expires_at))))
    }

    fn question(&self, token: &Secret) -> Question {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token.expose());
        if let Some(hint) = &self.hint {
            form.append_pair("token_type_hint", hint);
        }
        Question {
            content_type: "application/x-www-form-urlencoded",
            body: form.finish().into(),
            answered: StatusCode::OK,
            permission: "to introspect tokens",
        }
    }

    fn judge(&self, claims: Claims<'_>) -> Result<Vouched, Refusal> {
        audience::check(claims.value("aud"), &self.audience)?;
        if claims.value("iss").is_some() {
            claims.expect("iss", &self.issuer)?;
        }
        unbound(claims)?;
        let identified = oidc::identify(&self.source, &OidcClaims::default(), claims)?;
        let mut dates = Map::new();
        for name in ["exp", "nbf", "iat"] {
            if let Some(date) = claims.date(name)? {
                dates.insert(name.to_owned(), date.into());
            }
        }
        Ok(Vouched { identified, dates })
    }
}

/// Refuses a token that is worth something only together with a key (RFC 7800, RFC 9449), which nobody has shown us, and one
/// that is no access token: servers look among all that they have issued.
fn unbound(claims: Claims<'_>) -> Result<(), Refusal> {
    let bearer = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case("bearer"));
    let access = |value: &Value| value.as_str() == Some("access_token");
    let refused = |name, wanted| Err(claims.mismatch(name, claims.value(name), wanted));
    if claims.value("cnf").is_some() {
        return refused("cnf", "no key that the token is bound to");
    }
    if claims.value("token_type").is_some_and(|value| !bearer(value)) {
        return refused("token_type", "Bearer");
    }
    if claims.value("token_use").is_some_and(|value| !access(value)) {
        return refused("token_use", "access_token");
    }
    let other = ["refresh", "offline", "id"];
    let typ = claims.value("typ").map(|value| claims::describe(Some(value)));
    if typ.is_some_and(|typ| other.iter().any(|other| typ.eq_ignore_ascii_case(other))) {
        return refused("typ", "an access token");
    }
    Ok(())
}

fn inactive() -> Refusal {
    Refusal::new(Reason::SubjectRevoked, "the token's server does not vouch for it")
        .claim("active")
        .got("false")
        .wanted("a token that is known to the server, not expired and not revoked")
        .help("get a fresh token; servers do not say which of these it was")
}

#[cfg(test)]
mod tests;
