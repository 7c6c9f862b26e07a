//! What the configuration of an OAuth server may say.

use http::Uri;
use token::jws::Algorithm;

use super::{Grant, Opening, Settings};

/// The longest name of any kind that is sent, in bytes.
const MAX_LENGTH: usize = 1024;

/// What is wrong with `settings`.
pub fn settings(settings: &Settings) -> Result<(), String> {
    let Settings { token_endpoint, grant, audience, client_id, algorithm } = settings;
    endpoint("token_endpoint", token_endpoint)?;
    name("audience", audience)?;
    optional("client_id", client_id.as_deref())?;
    if !matches!(algorithm, Algorithm::Es256 | Algorithm::Rs256) {
        return Err(format!("`algorithm` is {algorithm}; give ES256 or RS256: we have no other keys"));
    }
    match grant {
        Grant::TokenExchange | Grant::JwtBearer => Ok(()),
        Grant::ClientCredentials if client_id.is_some() => Ok(()),
        Grant::ClientCredentials => Err(
            "`client_id` is missing; the grant `client_credentials` is given to a client, so give our id at the server"
                .to_owned(),
        ),
        Grant::IdentityChaining { exchange_endpoint, exchange_audience, exchange_client_id } => {
            endpoint("exchange_endpoint", exchange_endpoint)?;
            name("exchange_audience", exchange_audience)?;
            optional("exchange_client_id", exchange_client_id.as_deref())?;
            if exchange_audience == audience {
                return Err(format!(
                    "`exchange_audience` and `audience` are both `{audience}`; they are issuer identifiers of two servers: \
                     that of our own domain, and that of the other"
                ));
            }
            Ok(())
        }
    }
}

/// What is wrong with `opening`.
pub fn opening(opening: &Opening) -> Result<(), String> {
    if let Some(resource) = &opening.resource {
        name("resource", resource)?;
        // RFC 8707, section 2.
        let absolute = resource.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
        if !absolute || resource.contains('#') {
            return Err(format!(
                "`resource` is `{resource}`; give an absolute URI without a fragment, as the server knows the resource, or use \
                 `audience` for a name that is none"
            ));
        }
    }
    optional("audience", opening.audience.as_deref())
}

fn endpoint(what: &str, uri: &Uri) -> Result<(), String> {
    match (uri.scheme_str(), uri.authority()) {
        (Some("https"), Some(authority)) if !authority.as_str().contains('@') => Ok(()),
        _ => Err(format!("`{what}` is `{uri}`; give an https address without a user's name")),
    }
}

fn optional(what: &str, value: Option<&str>) -> Result<(), String> {
    value.map_or(Ok(()), |value| name(what, value))
}

fn name(what: &str, value: &str) -> Result<(), String> {
    let visible = |byte: u8| (0x20..0x7f).contains(&byte);
    if value.is_empty() || value.len() > MAX_LENGTH || !value.bytes().all(visible) || value.trim() != value {
        return Err(format!(
            "`{what}` is empty, longer than {MAX_LENGTH} bytes, or has other characters than visible ASCII; give it exactly as \
             the server has it"
        ));
    }
    Ok(())
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests;
