//! Whether a request is signed as it says, judged as AWS judges it: everything is computed anew from what arrived.

use super::{
    signed_request::epoch,
    sigv4::{Scope, Signable},
};
use crate::asked::Asked;

/// How far a request's date may be from AWS's clock, in seconds.
const WINDOW: i64 = 900;

/// What a request says of its signature. Nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct Claimed<'r> {
    pub access_key: &'r str,
    day: &'r str,
    region: &'r str,
    service: &'r str,
    signed: Vec<&'r str>,
    signature: &'r str,
    date: &'r str,
}

/// With what it must have been signed.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    pub secret_key: &'w str,
    /// Of temporary credentials.
    pub session_token: Option<&'w str>,
    pub region: &'w str,
    pub service: &'w str,
    /// The body's hash, or what S3 takes in its place.
    pub payload: &'w str,
}

/// What is wrong with a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is none.
    Absent,
    /// One in the query besides.
    Twice,
    /// It cannot be read; the text says what.
    Unreadable(&'static str),
    /// For another region or service, or another day than its date.
    Scope(String),
    /// Its date is too far from now.
    Skewed,
    /// The session token is not that of the key.
    SessionToken,
    /// A header that must be signed is not.
    Unsigned(String),
    /// It is that of another request or of another key.
    Mismatch,
}

impl<'r> Claimed<'r> {
    /// Reads the `Authorization` header.
    pub fn read(asked: &'r Asked) -> Result<Self, Fault> {
        let in_query = asked.parameters().pairs().any(|(name, _)| ["X-Amz-Signature", "Signature"].contains(&name));
        if !asked.headers.contains_key("authorization") {
            return Err(Fault::Absent);
        }
        if in_query {
            return Err(Fault::Twice);
        }
        let authorization = asked.header("authorization").ok_or(Fault::Unreadable("Authorization"))?;
        let parts = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(Fault::Unreadable("algorithm"))?;
        let part = |name: &'static str| {
            let mut values = parts.split(',').filter_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            match (values.next(), values.next()) {
                (Some(value), None) => Ok(value),
                _ => Err(Fault::Unreadable(name)),
            }
        };
        let scope: Vec<_> = part("Credential")?.split('/').collect();
        let [access_key, day, region, service, "aws4_request"] = *scope.as_slice() else {
            return Err(Fault::Unreadable("Credential"));
        };
        let signed: Vec<_> = part("SignedHeaders")?.split(';').collect();
        // In order, each once, in lower case: else two spellings of one request would have two signatures.
        if !signed.is_sorted_by(|one, next| one < next)
            || signed.iter().any(|name| name.chars().any(char::is_uppercase))
        {
            return Err(Fault::Unreadable("SignedHeaders"));
        }
        let date = asked.header("x-amz-date").ok_or(Fault::Unreadable("X-Amz-Date"))?;
        Ok(Self { access_key, day, region, service, signed, signature: part("Signature")?, date })
    }

    /// Whether `asked` was signed by who has `wanted`, at about `now`.
    pub fn check(&self, asked: &Asked, wanted: Wanted<'_>, now: i64) -> Result<(), Fault> {
        if asked.header("x-amz-security-token") != wanted.session_token {
            return Err(Fault::SessionToken);
        }
        if (self.region, self.service) != (wanted.region, wanted.service) {
            return Err(Fault::Scope(format!("'{}/{}'", wanted.region, wanted.service)));
        }
        let moment = epoch(self.date).ok_or(Fault::Unreadable("X-Amz-Date"))?;
        if !self.date.starts_with(self.day) {
            return Err(Fault::Scope(format!("'{}'", self.date)));
        }
        if (now - moment).abs() > WINDOW {
            return Err(Fault::Skewed);
        }
        let amazons = asked.headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
        if let Some(name) = ["host"].into_iter().chain(amazons).find(|name| !self.signed.contains(name)) {
            return Err(Fault::Unsigned(name.to_owned()));
        }
        let headers: Option<Vec<_>> =
            self.signed.iter().map(|name| Some(((*name).to_owned(), asked.joined(name)?))).collect();
        let request = Signable {
            method: asked.method.clone(),
            path: asked.path.clone(),
            query: asked.query.clone(),
            headers: headers.ok_or(Fault::Mismatch)?,
            payload: wanted.payload.to_owned(),
        };
        let scope = Scope { date: self.date, region: self.region, service: self.service };
        let signature = request.signature(wanted.secret_key, scope);
        if signature == self.signature { Ok(()) } else { Err(Fault::Mismatch) }
    }
}

#[cfg(test)]
mod tests;
