//! An HTTP client for tests: a private CA, an optional certificate, and every header as it is given.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Pool,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioIo},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tower::Service;

use crate::{Result, pki::Pki};

/// A request's body.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A client with a pool of connections of its own.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector<Hosts>>, Body>,
}

/// Where names lead, before the system is asked.
#[derive(Clone, Default)]
struct Hosts(Arc<BTreeMap<String, SocketAddr>>);

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// From the first byte sent to the last one received.
    pub elapsed: Duration,
}

impl Client {
    /// A client that trusts the CA of `pki` and shows no certificate.
    pub fn new(pki: &Pki) -> Result<Self> {
        Self::trusting(Some(&pki.ca()))
    }

    /// A client that trusts this CA, or none at all.
    pub fn trusting(ca: Option<&Path>) -> Result<Self> {
        Ok(Self::with(builder(ca)?.with_no_client_auth()))
    }

    /// A client that shows the certificate of `party`.
    pub fn with_certificate(pki: &Pki, party: &str) -> Result<Self> {
        Ok(Self::with(identified(pki, party)?))
    }

    /// A client of a host whose `/etc/hosts` leads these names elsewhere, ports included.
    pub fn with_hosts(pki: &Pki, party: Option<&str>, hosts: &[(&str, SocketAddr)]) -> Result<Self> {
        let hosts = hosts.iter().map(|(name, address)| ((*name).to_owned(), *address)).collect();
        let tls = match party {
            Some(party) => identified(pki, party)?,
            None => builder(Some(&pki.ca()))?.with_no_client_auth(),
        };
        Ok(Self::resolving(tls, Hosts(Arc::new(hosts))))
    }

    fn with(tls: ClientConfig) -> Self {
        Self::resolving(tls, Hosts::default())
    }

    fn resolving(tls: ClientConfig, hosts: Hosts) -> Self {
        let mut connector = HttpConnector::new_with_resolver(hosts);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        Self { pool: Pool::builder(TokioExecutor::new()).build(connector) }
    }

    /// Sends a request and reads the answer.
    pub async fn send(&self, request: Request<Body>) -> Result<Answer> {
        let (started, target) = (Instant::now(), request.uri().to_string());
        let exchange = async {
            let (head, body) = self.pool.request(request).await.map_err(|error| chain(&error))?.into_parts();
            let body = body.collect().await.map_err(|error| chain(&error))?.to_bytes();
            Ok::<_, String>(Answer { status: head.status, headers: head.headers, body, elapsed: started.elapsed() })
        };
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("{target}: {}", error).into()),
            Err(_) => Err(format!("{target}: no answer within {PATIENCE:?}").into()),
        }
    }

    /// `GET url` with headers.
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        self.request(Method::GET, url, headers, "").await
    }

    /// `POST url` with a form.
    pub async fn post_form(&self, url: &str, form: &[(&str, &str)]) -> Result<Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.request(Method::POST, url, &headers, body).await
    }

    /// Any method, headers in the order given, doubled ones too.
    pub async fn request(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(full(body))?).await
    }
}

impl Service<Name> for Hosts {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let known = self.0.get(name.as_str()).copied();
        Box::pin(async move {
            let addresses = match known {
                Some(address) => vec![address],
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            Ok(addresses.into_iter())
        })
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("{error} in {}: {}", self.status, self.text()).into())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's first value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A body known beforehand.
pub fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

/// `GET path` over a Unix socket, as the admin interfaces of our Envoys want it.
pub async fn get_over_socket(socket: &Path, path: &str) -> Result<Answer> {
    let started = Instant::now();
    let stream = tokio::net::UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get(path).header("host", "admin").body(full(""))?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Answer { status: head.status, headers: head.headers, body, elapsed: started.elapsed() })
}

fn identified(pki: &Pki, party: &str) -> Result<ClientConfig> {
    let chain = CertificateDer::pem_file_iter(pki.certificate(party))?.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(pki.key(party))?;
    Ok(builder(Some(&pki.ca()))?.with_client_auth_cert(chain, key)?)
}

fn builder(ca: Option<&Path>) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    if let Some(ca) = ca {
        for certificate in CertificateDer::pem_file_iter(ca)? {
            roots.add(certificate?)?;
        }
    }
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots))
}

fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

const PATIENCE: Duration = Duration::from_secs(30);
