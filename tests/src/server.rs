//! Serving an axum router, with or without TLS, until dropped.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::{Result, pki::Pki};

/// A server of this process.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// A byte stream of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

impl Server {
    /// Serves `router` over plain HTTP. `tap` may wrap each connection, to see what its bytes are.
    pub fn plain<S: Stream>(
        listener: TcpListener,
        router: Router,
        tap: impl Fn(TcpStream) -> S + Send + Sync + 'static,
    ) -> Result<Self> {
        let tap = Arc::new(tap);
        Self::accept(listener, move |stream| {
            let (tap, router) = (Arc::clone(&tap), router.clone());
            async move { serve(tap(stream), router).await }
        })
    }

    /// Serves `router` over TLS with the certificate of `party`.
    pub fn tls(listener: TcpListener, router: Router, pki: &Pki, party: &str) -> Result<Self> {
        let chain = CertificateDer::pem_file_iter(pki.certificate(party))?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(pki.key(party))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider().into();
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        Self::accept(listener, move |stream| {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            async move {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    serve(stream, router).await;
                }
            }
        })
    }

    fn accept<F>(listener: TcpListener, connection: impl Fn(TcpStream) -> F + Send + 'static) -> Result<Self>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(async move {
            // Dropping the set ends every connection with its server.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        _ = stream.set_nodelay(true);
                        connections.spawn(connection(stream));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: impl Stream, router: Router) {
    let service = TowerToHyperService::new(router);
    // A connection that breaks is the peer's affair.
    _ = auto::Builder::new(TokioExecutor::new()).http1_only().serve_connection(TokioIo::new(stream), service).await;
}

/// A listener on `address`; port 0 takes a free one.
pub async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}").into())
}

const HANDSHAKE: Duration = Duration::from_secs(5);
