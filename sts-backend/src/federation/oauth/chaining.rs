//! The first hop of identity chaining (draft-ietf-oauth-identity-chaining, section 2.3), and the grant that it gives.
//!
//! The grant is for the other domain's server to judge. Here it is read for one thing: that it was made for that server, and
//! is not a token that opens something at home, which we would then carry out of the house.

use http::Uri;
use serde_json::Value;
use token::{
    base64url, json,
    jws::MAX_TOKEN_LENGTH,
    secret::Secret,
    token_type::{GRANT_TYPE_TOKEN_EXCHANGE, TokenType},
};

use super::{Settings, TokenAnswer, answer::invalid, server::Server};
use crate::{
    federation::{assertion::Signed, means::Means, order::Order, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// Has a grant of `first` for the server of `second`, with the `jti` of the assertion that it is given for.
pub async fn grant(
    first: Server<'_>,
    second: &Settings,
    order: &Order,
    means: Means<'_>,
    now: u64,
) -> Result<Signed, Trouble> {
    let about = first.about(&order.subject, means.signer, now)?;
    let client = first.client(means.signer, now)?;
    // `resource` is for addresses, `audience` for other names (section 2.3.1).
    let target = if second.audience.starts_with("https://") { "resource" } else { "audience" };
    let scope = order.permissions.to_string();
    let mut parameters = vec![
        ("grant_type", GRANT_TYPE_TOKEN_EXCHANGE),
        ("subject_token", about.jwt.expose()),
        ("subject_token_type", TokenType::Jwt.urn()),
        ("requested_token_type", TokenType::Jwt.urn()),
        (target, second.audience.as_str()),
    ];
    if !scope.is_empty() {
        parameters.push(("scope", &scope));
    }
    let call = first.call(&parameters, client.as_ref());
    let judge = |answered: &Answered| judge(answered, second, order, now);
    let jwt = means.calls.ask(&call, judge).await.map_err(of_the_first_hop)?;
    Ok(Signed { jwt, jti: about.jti })
}

fn judge(answered: &Answered, second: &Settings, order: &Order, now: u64) -> Result<Secret, Trouble> {
    let answer = TokenAnswer::read(answered, now)?.within(order)?;
    if answer.issued_token_type.as_deref() != Some(TokenType::Jwt.urn()) {
        return Err(invalid("an `issued_token_type` that is no JWT"));
    }
    // RFC 8693, section 2.2.1: what is issued here is no access token.
    if !answer.token_type.eq_ignore_ascii_case("N_A") {
        return Err(invalid("a `token_type` other than N_A: what it issued can be used as an access token"));
    }
    for_server(answer.token.expose(), &second.audience, &second.token_endpoint, now)?;
    Ok(answer.token)
}

/// Whether `jwt` says that it is an authorization grant for this server, and still counts. Its signature is not ours to judge.
fn for_server(jwt: &str, issuer: &str, token_endpoint: &Uri, now: u64) -> Result<(), Trouble> {
    let object = |part: &str| base64url::decode(part).ok().and_then(|bytes| json::parse_object(&bytes).ok());
    let parts: Vec<_> = jwt.split('.').collect();
    let (header, claims) = match parts.as_slice() {
        [header, claims, signature] if jwt.len() <= MAX_TOKEN_LENGTH && base64url::decode(signature).is_ok() => {
            object(header).zip(object(claims)).ok_or_else(|| invalid("a grant that is no JWT"))?
        }
        _ => return Err(invalid("a grant that is no JWT")),
    };
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if matches!(typ.strip_prefix("application/").unwrap_or(&typ), "at+jwt" | "id+jwt" | "dpop+jwt") {
        return Err(invalid("a grant whose `typ` is that of another kind of token"));
    }
    // One audience, the server's issuer identifier or its token endpoint (section 2.4.2).
    let audience = match claims.get("aud") {
        Some(Value::String(audience)) => Some(audience.as_str()),
        Some(Value::Array(list)) if list.len() == 1 => list.first().and_then(Value::as_str),
        _ => None,
    };
    if !audience.is_some_and(|audience| audience == issuer || token_endpoint == audience) {
        return Err(invalid("a grant whose `aud` is not the other server alone"));
    }
    match claims.get("exp").and_then(Value::as_u64) {
        Some(end) if end > now => Ok(()),
        _ => Err(invalid("a grant whose `exp` is missing or past")),
    }
}

/// Says of which of the two servers a trouble comes.
fn of_the_first_hop(mut trouble: Trouble) -> Trouble {
    let (Trouble::Refused { code, .. }
    | Trouble::Throttled { code, .. }
    | Trouble::Unavailable { code }
    | Trouble::NotYet { code, .. }
    | Trouble::Invalid { code }) = &mut trouble;
    code.push_str(" at the `exchange_endpoint`");
    trouble
}

#[cfg(test)]
pub(super) mod tests;
