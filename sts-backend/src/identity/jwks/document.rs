//! What an issuer publishes: found, fetched or read from a file, and taken apart.

use std::path::Path;

use http::Uri;
use serde::Deserialize;
use thiserror::Error;
use token::jwk::JwkSet;
use tokio::io::AsyncReadExt;

use super::{DEFAULT_FRESH, FILE_FRESH, MAX_FRESH, MIN_FRESH, bundle::Bundle};
use crate::{
    identity::preset::KeyLocation,
    outgoing::fetch::{DOCUMENT, FetchError, Fetched, Fetcher},
};

/// Where keys come from, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    pub location: KeyLocation,
    pub form: KeyForm,
    /// The hosts (`HOST` or `HOST:PORT`) that a discovery document may name besides its own.
    pub hosts: Vec<String>,
}

/// The form in which keys are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// A JWK Set (RFC 7517, section 5).
    KeySet,
    /// A SPIFFE trust bundle (SPIFFE Trust Domain and Bundle, section 4).
    SpiffeBundle,
}

/// The keys of one document.
pub struct Document {
    pub set: JwkSet,
    /// How long they stay fresh, in seconds.
    pub fresh_for: u64,
    /// The bundle's version, where it has one.
    pub sequence: Option<u64>,
    /// What the issuer's clock said when it answered, in seconds since the epoch.
    pub date: Option<u64>,
}

/// Why a fetch gave no keys.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchKeysError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("`{file}` cannot be read: {problem}")]
    File { file: String, problem: String },
    #[error("`{0}` is not a discovery document with `issuer` and `jwks_uri`")]
    Discovery(String),
    #[error("the discovery document is of issuer `{got}`; `{wanted}` was expected")]
    OtherIssuer { got: String, wanted: String },
    #[error(
        "the discovery document names keys at `{0}`, on another host than the issuer; add the host to `jwks.hosts` or set \
         `jwks.uri` if that is meant"
    )]
    OtherHost(String),
    #[error("`{0}` is not a key set with a key that can verify signatures")]
    NoKeys(String),
    #[error("`{0}` is not a SPIFFE trust bundle")]
    Bundle(String),
    #[error("the bundle's `spiffe_sequence` is {got}; it was {held} before and never goes back")]
    OlderBundle { got: String, held: u64 },
}

impl KeySource {
    /// Reads the keys.
    pub async fn read(&self, fetcher: &Fetcher) -> Result<Document, FetchKeysError> {
        if let KeyLocation::File(file) = &self.location {
            let document = self.take_apart(&read(file).await?, &file.display().to_string())?;
            return Ok(Document { fresh_for: FILE_FRESH, ..document });
        }
        let uri = self.locate(fetcher).await?;
        let Fetched { body, fresh_for, date } = fetcher.fetch(&uri).await?;
        let mut document = self.take_apart(&body, &uri.to_string())?;
        if self.form == KeyForm::KeySet {
            document.fresh_for = fresh_for.unwrap_or(DEFAULT_FRESH).clamp(MIN_FRESH, MAX_FRESH);
        }
        Ok(Document { date, ..document })
    }

    fn take_apart(&self, body: &[u8], place: &str) -> Result<Document, FetchKeysError> {
        match self.form {
            KeyForm::KeySet => {
                let set = JwkSet::from_json(body).ok().filter(|set| !set.keys().is_empty());
                let set = set.ok_or_else(|| FetchKeysError::NoKeys(place.to_owned()))?;
                Ok(Document { set, fresh_for: DEFAULT_FRESH, sequence: None, date: None })
            }
            KeyForm::SpiffeBundle => {
                let bundle = Bundle::from_json(body).ok_or_else(|| FetchKeysError::Bundle(place.to_owned()))?;
                let fresh_for = bundle.refresh_hint.unwrap_or(DEFAULT_FRESH).clamp(MIN_FRESH, MAX_FRESH);
                Ok(Document { set: bundle.set, fresh_for, sequence: bundle.sequence, date: None })
            }
        }
    }

    /// Where the key set is (OpenID Connect Discovery, section 4). A document that sends us to a host that nobody listed is not
    /// followed: whoever can write it could make us fetch anything.
    async fn locate(&self, fetcher: &Fetcher) -> Result<Uri, FetchKeysError> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let issuer = match &self.location {
            KeyLocation::Set(uri) => return Ok(uri.clone()),
            KeyLocation::Discovery(issuer) => issuer,
            KeyLocation::File(file) => return Err(FetchKeysError::Discovery(file.display().to_string())),
        };
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let uri: Uri = address.parse().map_err(|_| FetchKeysError::Discovery(address.clone()))?;
        let body = fetcher.fetch(&uri).await?.body;
        let document: Discovery = serde_json::from_slice(&body).map_err(|_| FetchKeysError::Discovery(address))?;
        if document.issuer != *issuer {
            return Err(FetchKeysError::OtherIssuer { got: document.issuer, wanted: issuer.clone() });
        }
        let listed = |authority: &str| self.hosts.iter().any(|host| host.eq_ignore_ascii_case(authority));
        let keys: Option<Uri> = document.jwks_uri.parse().ok();
        keys.filter(|keys| {
            keys.authority() == uri.authority() || keys.authority().is_some_and(|keys| listed(keys.as_str()))
        })
        .ok_or(FetchKeysError::OtherHost(document.jwks_uri))
    }
}

impl From<KeyLocation> for KeySource {
    fn from(location: KeyLocation) -> Self {
        Self { location, form: KeyForm::KeySet, hosts: Vec::new() }
    }
}

async fn read(file: &Path) -> Result<Vec<u8>, FetchKeysError> {
    let error = |problem: String| FetchKeysError::File { file: file.display().to_string(), problem };
    let opened = tokio::fs::File::open(file).await.map_err(|cause| error(cause.to_string()))?;
    let mut bytes = Vec::new();
    let most = u64::try_from(DOCUMENT.body).unwrap_or(u64::MAX).saturating_add(1);
    opened.take(most).read_to_end(&mut bytes).await.map_err(|cause| error(cause.to_string()))?;
    if bytes.len() > DOCUMENT.body {
        Err(error(format!("it is longer than {} bytes", DOCUMENT.body)))
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
