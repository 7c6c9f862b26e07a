//! Any OAuth server: token exchange (RFC 8693), assertions (RFC 7523), identity chaining, client credentials.

use http::Uri;
use token::claims::Scope;

use super::{credential::Credential, means::Means, order::Order, trouble::Trouble};

/// One server, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub token_endpoint: Uri,
    pub grant: Grant,
    /// `aud` of our assertions: the server's issuer identifier.
    pub audience: String,
    /// Our id there, where it knows us as a client; it is shown by a signed assertion (RFC 7523, section 2.2).
    pub client_id: Option<String>,
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
    IdentityChaining { exchange_endpoint: Uri, exchange_audience: String },
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
    /// What is wrong with a destination of this provider, in words for the configuration's findings.
    pub fn check(&self, opening: &Opening, permissions: &Scope) -> Result<(), String> {
        _ = (opening, permissions);
        Ok(())
    }

    /// Has the credential that `order` asks for, which opens `opening`.
    pub async fn obtain(
        &self,
        opening: &Opening,
        order: &Order,
        means: Means<'_>,
        now: u64,
    ) -> Result<Credential, Trouble> {
        _ = (opening, order, means, now);
        Err(Trouble::Unavailable { code: "not built".to_owned() })
    }
}
