//! A provider for tests: shows an assertion to one address, and believes what comes back.

use http::{StatusCode, Uri, header};
use serde::Deserialize;
use token::{aws_keys::AwsKeys, jws::Algorithm, secret::Secret, token_type::TokenType};

use super::{
    assertion::Assertion,
    calls::Call,
    credential::{Credential, CredentialKind},
    means::Means,
    order::Order,
    trouble::Trouble,
};

/// Where it is asked, and what it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub uri: Uri,
    /// How many calls one order takes.
    pub calls: usize,
    pub types: &'static [TokenType],
    /// Whether it ends in a bug.
    pub panics: bool,
}

/// 200 with this JSON gives a credential; 400 refuses, 429 throttles, 404 is not yet, and everything else is unavailable.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: u64,
    reference: Option<String>,
}

impl Settings {
    pub fn new(uri: &str) -> Self {
        Self { uri: uri.parse().unwrap(), calls: 1, types: &[TokenType::AccessToken], panics: false }
    }

    pub async fn obtain(&self, order: &Order, means: Means<'_>, now: u64) -> Result<Credential, Trouble> {
        assert!(!self.panics, "as the test wants it");
        let assertion = Assertion {
            issuer: None,
            subject: order.subject.to_string(),
            audience: "https://provider.test".to_owned(),
            typ: "JWT",
            algorithm: Algorithm::Rs256,
            claims: std::collections::BTreeMap::default(),
        };
        let signed = means.signer.sign(&assertion, now)?;
        let form = [("assertion", signed.jwt.expose()), ("scope", &order.permissions.to_string())];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = Call { uri: self.uri.clone(), headers: Vec::new(), body: body.into() };
        for _ in 1..self.calls {
            means.calls.ask(&call, |answered| judge(answered).map(|_| ())).await?;
        }
        let given = means.calls.ask(&call, judge).await?;
        let kind = match self.types[0] {
            TokenType::AwsKeys => {
                let keys = AwsKeys::new("ASIAIOSFODNN7EXAMPLE", &given.access_token, "session").unwrap();
                CredentialKind::AwsKeys(keys)
            }
            TokenType::AzureSas => CredentialKind::AzureSas(Secret::new(given.access_token)),
            _ => CredentialKind::Token { token: Secret::new(given.access_token), token_type: "Bearer".to_owned() },
        };
        let expires_at = now + given.expires_in;
        Ok(Credential { kind, expires_at, jti: signed.jti, provider_reference: given.reference })
    }
}

fn judge(answered: &crate::outgoing::fetch::Answered) -> Result<Given, Trouble> {
    let code = answered.status.as_str().to_owned();
    match answered.status {
        StatusCode::OK => serde_json::from_slice(&answered.body).map_err(|_| Trouble::Invalid { code }),
        StatusCode::BAD_REQUEST => Err(Trouble::Refused { code, help: "trust us" }),
        StatusCode::NOT_FOUND => Err(Trouble::NotYet { code, help: "wait" }),
        StatusCode::TOO_MANY_REQUESTS => {
            let wish = answered.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Err(Trouble::Throttled { code, retry_after: wish })
        }
        _ => Err(Trouble::Unavailable { code }),
    }
}
