//! Workloads that hold no token: each is known by the certificate that it showed to a proxy, and the proxy vouches for that.
//!
//! What the proxy says is that somebody with the certificate's key is on the other end of its connection. Everything else is
//! judged here: that the certificate chains to the trust domain's authorities, is an X509-SVID of it, is valid now, and names
//! a workload that this very proxy may vouch for. Nobody may by default.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::CertificateDer;
use token::spiffe::SpiffeId;

pub mod pattern;

use pattern::SubjectPattern;

use crate::tls::TlsError;

/// What one proxy may vouch for in one trust domain.
#[derive(Clone)]
pub struct Voucher {
    trust_domain: String,
    verifier: Arc<dyn ClientCertVerifier>,
    subjects: Vec<SubjectPattern>,
}

/// What each proxy may vouch for.
#[derive(Clone, Debug, Default)]
pub struct Assertions {
    by_proxy: BTreeMap<SpiffeId, Vec<Voucher>>,
}

impl Voucher {
    /// For `subjects` of `trust_domain`, whose certificates chain to `authorities`.
    pub fn new(
        trust_domain: &str,
        authorities: Vec<CertificateDer<'static>>,
        subjects: Vec<SubjectPattern>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for (index, certificate) in authorities.into_iter().enumerate() {
            roots.add(certificate).map_err(|error| TlsError::Anchor { position: index + 1, error })?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(TlsError::Verifier)?;
        Ok(Self { trust_domain: trust_domain.to_owned(), verifier, subjects })
    }

    /// The trust domain.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// What judges certificates.
    pub(super) fn verifier(&self) -> &dyn ClientCertVerifier {
        &*self.verifier
    }

    /// Whether `workload` is among the subjects.
    pub(super) fn covers(&self, workload: &SpiffeId) -> bool {
        self.subjects.iter().any(|pattern| pattern.matches(workload))
    }

    /// The subjects, in words.
    pub(super) fn subjects(&self) -> String {
        self.subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Voucher").field("trust_domain", &self.trust_domain).field("subjects", &self.subjects).finish()
    }
}

impl Assertions {
    /// Lets `proxy` vouch for what `voucher` says. The trust domains of one proxy differ.
    pub fn allow(&mut self, proxy: SpiffeId, voucher: Voucher) {
        self.by_proxy.entry(proxy).or_default().push(voucher);
    }

    /// What `proxy` may vouch for.
    pub fn of(&self, proxy: &SpiffeId) -> &[Voucher] {
        self.by_proxy.get(proxy).map(Vec::as_slice).unwrap_or_default()
    }
}
