//! Any OAuth server: token exchange (RFC 8693), assertions (RFC 7523), identity chaining, client credentials.
//!
//! | part | what it is about |
//! |---|---|
//! | [`check`] | what configuration may say |
//! | [`server`] | what is sent: the form, our assertions |
//! | [`answer`] | a good answer, and what it must have |
//! | [`error`] | a bad one, and whom it blames |
//! | [`chaining`] | the grant that is carried from one server to the other |

pub(super) mod answer;
mod chaining;
mod check;
pub(super) mod error;
pub(super) mod server;

use http::Uri;
use token::{
    claims::Scope,
    jws::Algorithm,
    secret::Secret,
    token_type::{GRANT_TYPE_TOKEN_EXCHANGE, TokenType},
};

use self::{answer::TokenAnswer, server::Server};
use super::{assertion::Signed, credential::Credential, means::Means, order::Order, trouble::Trouble};
use crate::outgoing::fetch::Answered;

/// The grant type of an assertion (RFC 7523, section 2.1).
const GRANT_TYPE_JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// One server, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub token_endpoint: Uri,
    pub grant: Grant,
    /// `aud` of our assertions: the server's issuer identifier (RFC 8414, section 2).
    pub audience: String,
    /// Our id there, where it knows us as a client; it is shown by a signed assertion (RFC 7523, section 2.2).
    pub client_id: Option<String>,
    /// How our assertions are signed: ES256 or RS256.
    pub algorithm: Algorithm,
}

/// The grant that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Our assertion about the workload as `subject_token` (RFC 8693, section 2.1).
    TokenExchange,
    /// Our assertion about the workload as `assertion` (RFC 7523, section 2.1).
    JwtBearer,
    /// In our own name (RFC 6749, section 4.4).
    ClientCredentials,
    /// Both hops of identity chaining: token exchange at the server of our own domain for a JWT authorization grant, and
    /// that as `assertion` at the server of the other domain, which is `token_endpoint`.
    IdentityChaining {
        exchange_endpoint: Uri,
        /// The issuer identifier of the server of our own domain.
        exchange_audience: String,
        /// Our id there, where it knows us as a client.
        exchange_client_id: Option<String>,
    },
}

/// What the credential opens.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Opening {
    /// `resource` (RFC 8707).
    pub resource: Option<String>,
    /// `audience` (RFC 8693, section 2.1).
    pub audience: Option<String>,
}

impl Settings {
    /// What is wrong with a destination of this provider, in words for the configuration's findings. Any permissions can be
    /// asked for: they are the server's own scopes.
    pub fn check(&self, opening: &Opening, _permissions: &Scope) -> Result<(), String> {
        check::settings(self)?;
        check::opening(opening)
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        let shown = self.shown(order, means, now).await?;
        let server = self.server();
        let client = server.client(means.signer, now)?;
        let jti = shown.jti.or_else(|| client.as_ref().map(|client| client.jti.clone()));
        let jti =
            jti.ok_or_else(|| Trouble::unfit("give the provider a `client_id`: this grant is given to a client"))?;
        let scope = order.permissions.to_string();
        let mut parameters = vec![("grant_type", shown.grant_type)];
        parameters.extend(shown.assertion.as_ref().map(|(name, assertion)| (*name, assertion.expose())));
        let exchange = shown.grant_type == GRANT_TYPE_TOKEN_EXCHANGE;
        if exchange {
            parameters.push(("subject_token_type", TokenType::Jwt.urn()));
            parameters.push(("requested_token_type", TokenType::AccessToken.urn()));
        }
        parameters.extend(opening.parameters(&scope));
        let judge = |answered: &Answered| {
            let answer = TokenAnswer::read(answered, now)?.within(order)?;
            if exchange { answer.exchanged_for_access() } else { Ok(answer) }
        };
        means.calls.ask(&server.call(&parameters, client.as_ref()), judge).await?.credential(jti, now)
    }

    async fn shown(&self, order: &Order, means: Means<'_>, now: u64) -> Result<Shown, Trouble> {
        let about_workload = || self.server().about(&order.subject, means.signer, now);
        let by = |grant_type, name, Signed { jwt, jti }: Signed| Shown {
            grant_type,
            assertion: Some((name, jwt)),
            jti: Some(jti),
        };
        Ok(match &self.grant {
            Grant::TokenExchange => by(GRANT_TYPE_TOKEN_EXCHANGE, "subject_token", about_workload()?),
            Grant::JwtBearer => by(GRANT_TYPE_JWT_BEARER, "assertion", about_workload()?),
            Grant::ClientCredentials => Shown { grant_type: "client_credentials", assertion: None, jti: None },
            Grant::IdentityChaining { exchange_endpoint, exchange_audience, exchange_client_id } => {
                let first = Server {
                    endpoint: exchange_endpoint,
                    audience: exchange_audience,
                    client_id: exchange_client_id.as_deref(),
                    algorithm: self.algorithm,
                };
                let grant = chaining::grant(first, self, order, means, now).await?;
                by(GRANT_TYPE_JWT_BEARER, "assertion", grant)
            }
        })
    }

    fn server(&self) -> Server<'_> {
        Server {
            endpoint: &self.token_endpoint,
            audience: &self.audience,
            client_id: self.client_id.as_deref(),
            algorithm: self.algorithm,
        }
    }
}

/// What entitles us to a token.
struct Shown {
    grant_type: &'static str,
    /// The parameter that carries an assertion, and the assertion.
    assertion: Option<(&'static str, Secret)>,
    /// `jti` of our assertion about the workload.
    jti: Option<String>,
}

impl Opening {
    /// What narrows the token: `resource`, `audience`, and `scope` unless it is empty.
    fn parameters<'o>(&'o self, scope: &'o str) -> Vec<(&'static str, &'o str)> {
        let scope = Some(scope).filter(|scope| !scope.is_empty());
        [("resource", self.resource.as_deref()), ("audience", self.audience.as_deref()), ("scope", scope)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
