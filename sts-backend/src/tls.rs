//! TLS of the two listeners that face the network: versions, identity, and whose client certificates are believed.

use std::sync::Arc;

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use thiserror::Error;

pub mod peer;

/// Why files do not make a TLS configuration. None of the messages shows key material.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("it is not PEM: {0}")]
    Pem(pem::Error),
    #[error("it holds no certificate")]
    NoCertificate,
    #[error("it holds no private key")]
    NoKey,
    #[error("certificate {position} in it cannot be a trust anchor: {error}")]
    Anchor { position: usize, error: rustls::Error },
    #[error("it yields no verifier of client certificates: {0}")]
    Verifier(rustls::server::VerifierBuilderError),
    #[error("certificate and private key do not go together: {0}")]
    Identity(rustls::Error),
}

/// A certificate chain, leaf first, with its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The certificates of a PEM file; there must be one at least.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(TlsError::Pem)?;
    if chain.is_empty() { Err(TlsError::NoCertificate) } else { Ok(chain) }
}

/// The private key of a PEM file (PKCS#8, PKCS#1 or SEC 1).
pub fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        other => TlsError::Pem(other),
    })
}

impl Identity {
    /// A chain and its key; whether they go together is found out when a configuration is made of them.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Self {
        Self { chain, key }
    }
}

/// TLS 1.2 and 1.3 with a client certificate required, that must chain to `client_ca`.
///
/// Sessions are not resumed: a resumed session would speak for a certificate that was verified long ago. Proxies keep
/// their connections open, so a full handshake is rare.
pub fn requiring_client_certificates(
    identity: Identity,
    client_ca: Vec<CertificateDer<'static>>,
) -> Result<ServerConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in client_ca.into_iter().enumerate() {
        roots.add(certificate).map_err(|error| TlsError::Anchor { position: index + 1, error })?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().map_err(TlsError::Verifier)?;
    let mut config = builder()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(identity.chain, identity.key)
        .map_err(TlsError::Identity)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(speaking_http(config))
}

/// TLS 1.2 and 1.3 for callers that have no certificate. Its session storage is its own: nothing that was established
/// here can be resumed on the listener that requires certificates, nor the other way round.
pub fn without_client_certificates(identity: Identity) -> Result<ServerConfig, TlsError> {
    let config =
        builder()?.with_no_client_auth().with_single_cert(identity.chain, identity.key).map_err(TlsError::Identity)?;
    Ok(speaking_http(config))
}

fn builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, TlsError> {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Identity)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn speaking_http(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
