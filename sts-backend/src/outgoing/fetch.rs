//! Fetching what issuers publish, and asking their servers: https only, no redirects, bounded in size and time, and only
//! at addresses that configuration allows.

use std::{
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use thiserror::Error;

use super::address::{self, uri_problem};

/// What a document that an issuer publishes may take.
pub const DOCUMENT: Bounds = Bounds { body: 256 * 1024, time: Duration::from_secs(5) };

/// For how long connections are kept open between calls. A second less than servers usually do.
const IDLE: Duration = Duration::from_secs(4);

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    #[error("`{uri}` {problem}")]
    Refused { uri: String, problem: &'static str },
    #[error("`{uri}` could not be reached: {cause}")]
    Unreachable { uri: String, cause: String },
    #[error("`{uri}` did not answer within {within:?}")]
    TimedOut { uri: String, within: Duration },
    #[error("`{uri}` answered {status}; 200 was expected (redirects are not followed)")]
    Status { uri: String, status: StatusCode },
    #[error("`{uri}` answered with more than {most} bytes")]
    TooLarge { uri: String, most: usize },
}

/// What one call may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most bytes that are read of the answer.
    pub body: usize,
    /// How long it may take from the first step to the last byte.
    pub time: Duration,
}

/// An answer of any status.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A document.
#[derive(Debug)]
pub struct Fetched {
    pub body: Bytes,
    /// How long the answer may be kept, in seconds, where it says so (RFC 9111, section 4.2).
    pub fresh_for: Option<u64>,
    /// What the issuer's clock said when it answered, in seconds since the epoch (RFC 9110, section 6.6.1), as far as it tells.
    pub date: Option<u64>,
}

/// Fetches for one issuer, or asks one platform.
#[derive(Clone)]
pub struct Fetcher {
    client: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    allow_private_addresses: bool,
}

impl Fetcher {
    /// A fetcher that believes `authorities` alone. Its connections are used once: one that is kept between fetches minutes
    /// apart has gone stale.
    pub fn new(authorities: RootCertStore, allow_private_addresses: bool) -> Result<Self, rustls::Error> {
        Self::keeping(0, authorities, allow_private_addresses)
    }

    /// The same for requests that follow one another closely: up to `idle` connections are kept for some seconds.
    pub fn keeping(
        idle: usize,
        authorities: RootCertStore,
        allow_private_addresses: bool,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver { allow_private_addresses });
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(DOCUMENT.time));
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(idle)
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(https);
        Ok(Self { client, allow_private_addresses })
    }

    /// The JSON document at `uri`.
    pub async fn fetch(&self, uri: &Uri) -> Result<Fetched, FetchError> {
        let name = || uri.to_string();
        let request = Request::get(uri)
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|_| FetchError::Refused { uri: name(), problem: "is no URI that can be fetched" })?;
        let Answered { status, headers, body } = self.send(request, DOCUMENT).await?;
        if status != StatusCode::OK {
            return Err(FetchError::Status { uri: name(), status });
        }
        Ok(Fetched { body, fresh_for: fresh_for(&headers), date: date(&headers) })
    }

    /// Sends `request` to the address it has. Redirects are answers like any other.
    pub async fn send(&self, mut request: Request<Full<Bytes>>, bounds: Bounds) -> Result<Answered, FetchError> {
        let uri = request.uri().to_string();
        if let Some(problem) = uri_problem(request.uri(), self.allow_private_addresses) {
            return Err(FetchError::Refused { uri, problem });
        }
        let agent = HeaderValue::from_static(concat!("cloakroom/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        match tokio::time::timeout(bounds.time, self.answer(request, &uri, bounds.body)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::TimedOut { uri, within: bounds.time }),
        }
    }

    async fn answer(&self, request: Request<Full<Bytes>>, uri: &str, most: usize) -> Result<Answered, FetchError> {
        let unreachable = |cause| FetchError::Unreachable { uri: uri.to_owned(), cause };
        let answer = self.client.request(request).await.map_err(|error| unreachable(innermost(&error)))?;
        let (parts, body) = answer.into_parts();
        match Limited::new(body, most).collect().await {
            Ok(body) => Ok(Answered { status: parts.status, headers: parts.headers, body: body.to_bytes() }),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge { uri: uri.to_owned(), most }),
            Err(error) => Err(unreachable(innermost(&*error))),
        }
    }
}

/// The authorities in a PEM file's text.
pub fn read_authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        authorities.add(certificate).map_err(|error| error.to_string())?;
    }
    if authorities.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(authorities) }
}

/// The system's authorities. Those that cannot be read are passed over; there may be none.
pub fn system_authorities() -> RootCertStore {
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    authorities
}

/// `max-age` less `Age`; 0 where keeping is forbidden.
fn fresh_for(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let directives = text(header::CACHE_CONTROL)?.to_ascii_lowercase();
    let directives: Vec<_> = directives.split(',').map(str::trim).collect();
    if directives.iter().any(|directive| matches!(*directive, "no-store" | "no-cache")) {
        return Some(0);
    }
    let max_age = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?.parse::<u64>().ok()?;
    let age = text(header::AGE).and_then(|age| age.parse().ok()).unwrap_or(0);
    Some(max_age.saturating_sub(age))
}

/// `Date`, and for an answer from a cache the time it has lain there since.
fn date(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let date = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    let age = text(header::AGE).map_or(Some(0), |age| age.parse().ok())?;
    date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs().checked_add(age)
}

/// The last cause in a chain: "connection refused" says more than "client error".
fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

/// Resolves host names, and refuses them when any of their addresses is not to be reached. What is connected to is what was
/// judged: nothing is resolved twice.
#[derive(Clone)]
struct GuardedResolver {
    allow_private_addresses: bool,
}

impl tower::Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let allow_private_addresses = self.allow_private_addresses;
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match addresses.iter().find(|found| !address::is_public(found.ip())) {
                Some(special) if !allow_private_addresses => Err(std::io::Error::other(format!(
                    "`{}` resolves to {}, which is a loopback, private or otherwise special address; set \
                     `allow_private_addresses` beside the address to reach it",
                    name.as_str(),
                    special.ip()
                ))),
                _ => Ok(addresses.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freshness(cache_control: &'static str, age: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, cache_control.parse().unwrap());
        if let Some(age) = age {
            headers.insert(header::AGE, age.parse().unwrap());
        }
        fresh_for(&headers)
    }

    #[test]
    fn freshness_is_what_the_answer_says() {
        assert_eq!(freshness("public, max-age=100, must-revalidate", None), Some(100));
        assert_eq!(freshness("max-age=100", Some("30")), Some(70));
        assert_eq!(freshness("Max-Age=100", Some("300")), Some(0));
        assert_eq!(freshness("no-store, max-age=100", None), Some(0));
        assert_eq!(freshness("public", None), None);
        assert_eq!(fresh_for(&HeaderMap::new()), None);
    }

    #[test]
    fn the_issuer_s_clock_is_read_off_its_answer() {
        let mut headers = HeaderMap::new();
        assert_eq!(date(&headers), None);
        headers.insert(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap());
        assert_eq!(date(&headers), Some(784_111_777));
        headers.insert(header::AGE, "23".parse().unwrap());
        assert_eq!(date(&headers), Some(784_111_800));
        headers.insert(header::AGE, "x".parse().unwrap());
        assert_eq!(date(&headers), None);
    }

    #[tokio::test]
    async fn a_name_for_the_loopback_is_refused_before_a_connection_is_made() {
        let fetcher = Fetcher::new(RootCertStore::empty(), false).unwrap();
        let error = fetcher.fetch(&"https://localhost:1/x".parse().unwrap()).await.unwrap_err();
        let FetchError::Unreachable { cause, .. } = error else { panic!("{error:?}") };
        assert!(cause.contains("allow_private_addresses"), "{cause}");
        let literal = fetcher.fetch(&"https://127.0.0.1:1/x".parse().unwrap()).await.unwrap_err();
        assert!(matches!(literal, FetchError::Refused { .. }), "{literal:?}");
    }
}
