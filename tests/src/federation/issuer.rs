//! An issuer that a provider trusts, as a cloud knows it: by its URL alone. Discovery document and keys are fetched over TLS
//! from where that URL leads.

use std::{
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::switches::Switches;
use crate::{Result, client::Client, pki::Pki};

/// One issuer, and its keys as far as they are known.
pub struct Issuer {
    url: String,
    client: Client,
    keys: Mutex<Option<(Instant, Vec<Value>)>>,
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// Discovery document or keys cannot be fetched.
    Unreachable,
    /// The issuer publishes no such key.
    Unknown,
}

impl Issuer {
    /// The issuer at `url`. Its host's name leads to `address`, whatever its port.
    pub fn new(url: &str, address: SocketAddr, pki: &Pki) -> Result<Self> {
        let host = url.strip_prefix("https://").ok_or("an issuer's URL begins with https")?;
        let host = host.split(['/', ':']).next().unwrap_or_default();
        let client = Client::with_hosts(pki, None, &[(host, address)])?;
        Ok(Self { url: url.to_owned(), client, keys: Mutex::default() })
    }

    /// `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL without its scheme, as AWS names providers.
    pub fn name(&self) -> &str {
        self.url.strip_prefix("https://").unwrap_or(&self.url)
    }

    /// The published key of that id. An id that is not known has the keys fetched again.
    pub async fn key(&self, kid: &str, switches: &Switches) -> Result<Value, KeyFault> {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((fetched, keys)) = known.filter(|_| switches.reaches_keys())
            && fetched.elapsed() < KEPT
            && let Some(key) = of_id(&keys, kid)
        {
            return Ok(key);
        }
        switches.count(FETCH);
        if !switches.reaches_keys() {
            return Err(KeyFault::Unreachable);
        }
        let fetched = tokio::time::timeout(PATIENCE, self.fetch()).await;
        let keys = fetched.ok().and_then(Result::ok).ok_or(KeyFault::Unreachable)?;
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), keys.clone()));
        of_id(&keys, kid).ok_or(KeyFault::Unknown)
    }

    async fn fetch(&self) -> Result<Vec<Value>> {
        let discovery = self.document(&format!("{}/.well-known/openid-configuration", self.url)).await?;
        if discovery["issuer"] != self.url.as_str() {
            return Err(format!("{}: the document is of {}", self.url, discovery["issuer"]).into());
        }
        let keys = discovery["jwks_uri"].as_str().filter(|uri| uri.starts_with("https://"));
        let keys = self.document(keys.ok_or("no `jwks_uri` that begins with https")?).await?;
        Ok(keys["keys"].as_array().ok_or("no `keys`")?.clone())
    }

    async fn document(&self, url: &str) -> Result<Value> {
        let answer = self.client.get(url, &[("accept", "application/json")]).await?;
        if answer.status != 200 {
            return Err(format!("{url}: {}", answer.status).into());
        }
        answer.json()
    }
}

fn of_id(keys: &[Value], kid: &str) -> Option<Value> {
    let mut found = keys.iter().filter(|key| key["kid"] == kid && key.get("use").is_none_or(|kind| kind == "sig"));
    // Two keys of one id are none.
    found.next().filter(|_| found.next().is_none()).cloned()
}

/// How a fetch is counted.
pub const FETCH: &str = "keys";

/// How long keys are kept.
const KEPT: Duration = Duration::from_secs(300);

/// How long clouds wait for an issuer.
const PATIENCE: Duration = Duration::from_secs(5);
