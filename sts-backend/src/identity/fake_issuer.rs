//! An issuer that serves what a test tells it to, over real TLS on a free loopback port.

use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
};

use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::sync::Semaphore;

use super::JwksSettings;

/// The issuer. It serves until dropped.
pub struct FakeIssuer {
    /// `https://127.0.0.1:PORT`.
    pub url: String,
    /// Its self-signed certificate.
    pub ca_pem: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    documents: Mutex<HashMap<String, Document>>,
    /// They go before documents.
    deciders: Mutex<HashMap<String, Arc<Decider>>>,
    asked: Mutex<HashMap<String, Vec<Asked>>>,
    /// Where set, an answer needs a permit.
    gate: Mutex<Option<Arc<Semaphore>>>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: http::Method,
    pub query: Option<String>,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

/// What is answered to a request, by what it says.
type Decider = dyn Fn(&Asked) -> (StatusCode, String) + Send + Sync;

#[derive(Clone)]
struct Document {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl FakeIssuer {
    /// Serves `keys` at `/jwks`, and says how to fetch them: its certificate is written into `folder`.
    pub fn publish(&self, keys: serde_json::Value, folder: &Path) -> JwksSettings {
        self.serve("/jwks", serde_json::json!({ "keys": keys }).to_string());
        let ca = folder.join("ca.pem");
        std::fs::write(&ca, &self.ca_pem).unwrap();
        JwksSettings {
            uri: Some(format!("{}/jwks", self.url).parse().unwrap()),
            ca: Some(ca),
            allow_private_addresses: true,
            ..JwksSettings::default()
        }
    }

    /// Starts one that answers 404 to everything.
    pub async fn start() -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                loop {
                    let Ok((connection, _)) = listener.accept().await else { return };
                    tokio::spawn(serve(acceptor.clone(), connection, Arc::clone(&shared)));
                }
            }
        });
        Self { url, ca_pem: certified.cert.pem(), shared, server }
    }

    /// Serves `body` at `path` from now on.
    pub fn serve(&self, path: &str, body: impl Into<String>) {
        self.serve_with(path, StatusCode::OK, &[], body);
    }

    /// Serves `body` with this status and these headers.
    pub fn serve_with(
        &self,
        path: &str,
        status: StatusCode,
        headers: &[(&'static str, &str)],
        body: impl Into<String>,
    ) {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let document = Document { status, headers, body: body.into() };
        self.shared.documents.lock().unwrap().insert(path.to_owned(), document);
    }

    /// Has `decide` say what is served at `path` from now on.
    pub fn serve_by(&self, path: &str, decide: impl Fn(&Asked) -> (StatusCode, String) + Send + Sync + 'static) {
        self.shared.deciders.lock().unwrap().insert(path.to_owned(), Arc::new(decide));
    }

    /// How often `path` was asked for.
    pub fn hits(&self, path: &str) -> usize {
        self.asked(path).len()
    }

    /// Every request for `path`, in order.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().get(path).cloned().unwrap_or_default()
    }

    /// Holds every answer back until the semaphore has a permit for it.
    pub fn hold(&self) -> Arc<Semaphore> {
        let gate = Arc::new(Semaphore::new(0));
        *self.shared.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }
}

impl Drop for FakeIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(acceptor: tokio_rustls::TlsAcceptor, connection: tokio::net::TcpStream, shared: Arc<Shared>) {
    let Ok(connection) = acceptor.accept(connection).await else { return };
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let query = head.uri.query().map(str::to_owned);
            let asked = Asked { method: head.method, query, headers: head.headers, body };
            Ok::<_, Infallible>(answer(&shared, head.uri.path(), asked).await)
        }
    });
    _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

async fn answer(shared: &Shared, path: &str, asked: Asked) -> Response<Full<Bytes>> {
    let decider = shared.deciders.lock().unwrap().get(path).cloned();
    let decided = decider.map(|decide| decide(&asked));
    shared.asked.lock().unwrap().entry(path.to_owned()).or_default().push(asked);
    let gate = shared.gate.lock().unwrap().clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let document = match decided {
        Some((status, body)) => Some(Document { status, headers: Vec::new(), body }),
        None => shared.documents.lock().unwrap().get(path).cloned(),
    };
    let document =
        document.unwrap_or(Document { status: StatusCode::NOT_FOUND, headers: Vec::new(), body: String::new() });
    let mut response = Response::builder().status(document.status);
    if !document.headers.iter().any(|(name, _)| *name == header::CONTENT_TYPE.as_str()) {
        response = response.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in document.headers {
        response = response.header(name, value);
    }
    response.body(Full::from(document.body)).unwrap()
}
