//! An access token of Entra for our assertion (Microsoft identity platform, "client credentials flow", third case: access
//! token request with a federated credential).

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, StatusCode, Uri};
use token::{jws::Algorithm, secret::Secret, spiffe::SpiffeId};

use super::{Settings, aadsts, correlation};
use crate::{
    federation::{
        assertion::Assertion,
        form,
        means::Means,
        oauth::{
            answer::{TokenAnswer, invalid},
            server::CLIENT_ASSERTION_TYPE,
        },
        trouble::Trouble,
        unverified,
    },
    outgoing::fetch::Answered,
};

/// Entra's address in Azure's public cloud.
const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";

/// What Entra gave.
pub struct Granted {
    pub token: Secret,
    /// Seconds; 60 to 90 minutes as a rule, and not to be chosen.
    pub life: u64,
    /// `jti` of the assertion.
    pub jti: String,
}

impl Granted {
    /// Whose token it is, an object of the directory, where it can be read. Its form is a matter between Entra and whom it is
    /// for, so it tells nothing where it is another.
    pub fn object(&self) -> Option<String> {
        Some(unverified::claims(self.token.expose())?.get("oid")?.as_str()?.to_owned())
    }
}

/// Has a token for `scope`. The request's id, which Entra keeps with the sign-in as its correlation id, is made of the
/// assertion's `jti`.
pub async fn access_token(
    settings: &Settings,
    scope: &str,
    workload: &SpiffeId,
    means: Means<'_>,
    now: u64,
) -> Result<Granted, Trouble> {
    let assertion = Assertion {
        issuer: None,
        subject: settings.subject_of(workload).to_owned(),
        audience: settings.audience.clone(),
        typ: "JWT",
        // The only one that Entra takes of a federated issuer.
        algorithm: Algorithm::Rs256,
        claims: BTreeMap::new(),
    };
    let signed = means.signer.sign(&assertion, now)?;
    let fields = [
        ("client_assertion", signed.jwt.expose()),
        ("client_assertion_type", CLIENT_ASSERTION_TYPE),
        ("client_id", &settings.client_id),
        ("grant_type", "client_credentials"),
        ("scope", scope),
    ];
    let mut call = form::call(token_endpoint(settings)?, &fields, "application/json");
    let request_id = header_value(&correlation::id(&signed.jti))?;
    call.headers.push((HeaderName::from_static("client-request-id"), request_id));
    let answer = means.calls.ask(&call, |answered| judge(answered, scope, now)).await?;
    Ok(Granted { token: answer.token, life: answer.life, jti: signed.jti })
}

fn token_endpoint(settings: &Settings) -> Result<Uri, Trouble> {
    let authority = settings.authority.as_ref().map(ToString::to_string);
    let authority = authority.as_deref().unwrap_or(PUBLIC_AUTHORITY).trim_end_matches('/');
    address(&format!("{authority}/{}/oauth2/v2.0/token", settings.tenant))
}

fn judge(answered: &Answered, scope: &str, now: u64) -> Result<TokenAnswer, Trouble> {
    if answered.status != StatusCode::OK {
        return Err(aadsts::trouble(answered, now));
    }
    let answer = TokenAnswer::read_good(answered)?;
    if !answer.token_type.eq_ignore_ascii_case("Bearer") {
        return Err(invalid("a `token_type` other than Bearer"));
    }
    // Entra says nothing of it to apps, which means that it is what was asked for (RFC 6749, section 5.1).
    if answer.scope.as_ref().is_some_and(|said| said.iter().any(|said| said != scope)) {
        return Err(invalid("a `scope` that is not what was asked for"));
    }
    Ok(answer)
}

/// The address that `text` is.
pub fn address(text: &str) -> Result<Uri, Trouble> {
    text.parse().map_err(|_| Trouble::Invalid { code: "no address can be made of the settings".to_owned() })
}

/// The header's value that `text` is.
pub fn header_value(text: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(text).map_err(|_| Trouble::Invalid { code: "no header can be made of it".to_owned() })
}
