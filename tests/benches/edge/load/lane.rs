//! One request at a time: a connection of HTTP/1.1 of its own, or a share of one of HTTP/2.

use std::{net::SocketAddr, sync::Arc};

use harness::{Result, pki::Pki, server::Stream};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Bytes,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::request::{Message, Protocol};

/// The name in the certificate that the edge shows.
const SERVER: &str = "reports.gcp.cloakroom.test";

/// Lanes per connection of HTTP/2.
const STREAMS: usize = 8;

pub enum Lane {
    /// Written and read by hand, to cost little.
    Http1 {
        stream: Box<dyn Stream>,
        buffer: Vec<u8>,
    },
    Http2(SendRequest<Empty<Bytes>>),
}

/// Opens this many.
pub async fn open(address: SocketAddr, protocol: Protocol, pki: &Pki, count: usize) -> Result<Vec<Lane>> {
    let tls = protocol.tls.then(|| connector(protocol, pki)).transpose()?;
    let mut lanes = Vec::with_capacity(count);
    while lanes.len() < count {
        let stream = connect(address, tls.as_ref()).await?;
        if !protocol.http2 {
            lanes.push(Lane::Http1 { stream, buffer: Vec::with_capacity(4096) });
            continue;
        }
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // How it ends is told to whoever sends on it.
        tokio::spawn(async move { _ = connection.await });
        lanes.extend((0..STREAMS).map(|_| Lane::Http2(sender.clone())));
    }
    Ok(lanes)
}

async fn connect(address: SocketAddr, tls: Option<&TlsConnector>) -> Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(tls.connect(ServerName::try_from(SERVER)?, stream).await?),
    })
}

fn connector(protocol: Protocol, pki: &Pki) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.ca())?)?;
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![if protocol.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Lane {
    /// Sends a request and reads its answer.
    pub async fn call(&mut self, message: &Message) -> Result<()> {
        match (self, message) {
            (Self::Http1 { stream, buffer }, Message::Http1(bytes)) => {
                stream.write_all(bytes).await?;
                // TLS may hold back what it has not been told to send.
                stream.flush().await?;
                answer(stream, buffer).await
            }
            (Self::Http2(sender), Message::Http2(request)) => {
                sender.ready().await?;
                let response = sender.send_request(request.clone()).await?;
                let (status, headers) = (response.status(), response.headers().clone());
                let body = response.into_body().collect().await?.to_bytes();
                if status.is_success() {
                    return Ok(());
                }
                Err(format!("not 200: {status} {headers:?} {}", String::from_utf8_lossy(&body)).into())
            }
            _ => Err("a request of one protocol for a lane of the other".into()),
        }
    }
}

/// Reads until the service's answer, whose body is known, has come whole.
async fn answer(stream: &mut Box<dyn Stream>, buffer: &mut Vec<u8>) -> Result<()> {
    const START: &[u8] = b"HTTP/1.1 200 ";
    buffer.clear();
    while !buffer.ends_with(b"\r\n\r\nok") {
        if stream.read_buf(buffer).await? == 0 {
            return Err("Envoy closed a connection".into());
        }
        if buffer.len() >= START.len() && !buffer.starts_with(START) {
            return Err(format!("not 200: {}", String::from_utf8_lossy(buffer)).into());
        }
    }
    Ok(())
}
