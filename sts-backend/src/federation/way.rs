//! The providers by kind, and the ways by which they open destinations.

use token::{claims::Scope, token_type::TokenType};

#[cfg(test)]
use super::fake_provider;
use super::{
    aws, azure,
    credential::{Credential, CredentialKind},
    gcp,
    means::Means,
    oauth,
    order::Order,
    trouble::Trouble,
};

/// A provider's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Aws(aws::Settings),
    Gcp(gcp::Settings),
    Azure(azure::Settings),
    Oauth(oauth::Settings),
    #[cfg(test)]
    Fake(fake_provider::Settings),
}

/// A provider's settings with what they are to open: never those of one kind with the opening of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    Aws(aws::Settings, aws::Opening),
    Gcp(gcp::Settings, gcp::Opening),
    Azure(azure::Settings, azure::Opening),
    Oauth(oauth::Settings, oauth::Opening),
    #[cfg(test)]
    Fake(fake_provider::Settings),
}

impl Kind {
    /// The settings, if it is Azure.
    pub const fn azure(&self) -> Option<&azure::Settings> {
        match self {
            Self::Azure(settings) => Some(settings),
            _ => None,
        }
    }
}

impl Way {
    /// What is wrong with it, in words for the configuration's findings.
    pub fn check(&self, permissions: &Scope) -> Result<(), String> {
        match self {
            Self::Aws(settings, opening) => settings.check(opening, permissions),
            Self::Gcp(settings, opening) => settings.check(opening, permissions),
            Self::Azure(settings, opening) => settings.check(opening, permissions),
            Self::Oauth(settings, opening) => settings.check(opening, permissions),
            #[cfg(test)]
            Self::Fake(_) => Ok(()),
        }
    }

    /// The types by which what it gives may be asked for. The first is the one to ask for.
    pub fn types(&self) -> &'static [TokenType] {
        match self {
            Self::Aws(..) => &[TokenType::AwsKeys],
            Self::Azure(_, azure::Opening::Container { .. }) => &[TokenType::AzureSas],
            // Who takes an ID token takes it where an access token would stand.
            Self::Gcp(_, gcp::Opening::IdToken { .. }) => &[TokenType::IdToken, TokenType::Jwt, TokenType::AccessToken],
            Self::Gcp(..) | Self::Azure(..) | Self::Oauth(..) => &[TokenType::AccessToken],
            #[cfg(test)]
            Self::Fake(settings) => settings.types,
        }
    }

    /// Has the credential that `order` asks for.
    pub async fn obtain(&self, order: &Order, means: Means<'_>, now: u64) -> Result<Credential, Trouble> {
        let credential = match self {
            Self::Aws(settings, opening) => settings.obtain(opening, order, means, now).await,
            Self::Gcp(settings, opening) => settings.obtain(opening, order, means, now).await,
            Self::Azure(settings, opening) => settings.obtain(opening, order, means, now).await,
            Self::Oauth(settings, opening) => settings.obtain(opening, order, means, now).await,
            #[cfg(test)]
            Self::Fake(settings) => settings.obtain(order, means, now).await,
        }?;
        let fits = match (&credential.kind, self.types().first()) {
            (CredentialKind::AwsKeys(_), Some(TokenType::AwsKeys))
            | (CredentialKind::AzureSas(_), Some(TokenType::AzureSas)) => true,
            (CredentialKind::Token { .. }, Some(kind)) => TokenType::HEADER_TOKENS.contains(kind),
            _ => false,
        };
        if fits { Ok(credential) } else { Err(Trouble::Invalid { code: "a credential of another kind".to_owned() }) }
    }
}
