//! An STS for the stand-ins' own tests: it publishes keys where ours would, and signs whatever a test wants shown.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::authority::{Authority, Header};
use crate::{
    Result,
    asked::Asked,
    client::{Answer, Client},
    clock,
    pki::Pki,
    server::{Server, bind},
};

/// The issuer that the stand-ins trust.
pub const ISSUER: &str = "https://sts.cloakroom.test";

/// A workload of ours.
pub const WORKLOAD: &str = "spiffe://cloakroom.test/k8s/prod/payments/api";

/// The STS of one test.
pub struct Rehearsal {
    pub pki: Pki,
    pub client: Client,
    pub authority: Arc<Authority>,
    pub server: Server,
    _folder: TempDir,
}

impl Rehearsal {
    /// Starts it.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let pki = Pki::create(folder.path())?;
        let authority = Authority::lasting(ISSUER)?;
        let listener = bind("127.0.0.1:0".parse()?).await?;
        let server = Server::tls(listener, authority.router(), &pki, "sts")?;
        Ok(Self { client: Client::new(&pki)?, pki, authority, server, _folder: folder })
    }

    /// Sends a request to `address`, whatever its host.
    pub async fn send(&self, address: SocketAddr, asked: &Asked) -> Result<Answer> {
        let client = Client::with_hosts(&self.pki, None, &[(asked.host(), address)])?;
        let query = if asked.query.is_empty() { String::new() } else { format!("?{}", asked.query) };
        let url = format!("https://{}{}{query}", asked.host(), asked.path);
        let headers: Vec<_> =
            asked.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
        client.request(asked.method.parse()?, &url, &headers, asked.body.clone()).await
    }

    /// An assertion for [`WORKLOAD`] with some claims changed, or left out where they are `null`.
    pub fn assertion(&self, audience: &str, changes: Value) -> Result<String> {
        self.assertion_under(Header::RS256, audience, changes)
    }

    /// The same under another header.
    pub fn assertion_under(&self, header: Header<'_>, audience: &str, changes: Value) -> Result<String> {
        self.authority.sign(header, claims(audience, changes))
    }
}

/// Right claims, with changes.
pub fn claims(audience: &str, changes: Value) -> Map<String, Value> {
    let now = clock::now();
    let mut claims = json!({
        "iss": ISSUER, "sub": WORKLOAD, "aud": audience, "iat": now, "nbf": now, "exp": now + 60,
        "jti": super::random::word(22)
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    match claims {
        Value::Object(claims) => claims.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// A request without headers but `host`, and those that are given.
pub fn request(method: &str, url: &str, headers: &[(&'static str, &str)], body: &str) -> Asked {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    let (host, target) = rest.split_once('/').unwrap_or((rest, ""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut asked = Asked {
        method: method.into(),
        path: format!("/{path}"),
        query: query.into(),
        body: body.to_owned().into(),
        ..Asked::default()
    };
    for (name, value) in [("host", host)].iter().chain(headers) {
        asked.headers.insert(*name, value.parse().expect("it can stand in a header"));
    }
    asked
}
