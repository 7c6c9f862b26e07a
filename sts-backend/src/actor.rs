//! Who is asking: a registered proxy by its certificate, or nobody in particular.

use token::spiffe::SpiffeId;

/// What TLS verified of the peer: the URI names of its certificate, all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    uri_sans: Vec<String>,
}

impl PeerCertificate {
    /// The URI names that stand in the verified certificate.
    pub fn new(uri_sans: Vec<String>) -> Self {
        Self { uri_sans }
    }
}

/// Who is on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A client whose certificate chains to the clients' CA.
    Proxy(PeerCertificate),
    /// A caller on the listener without client certificates.
    Direct,
}

/// Who is asking, verified. Made by this module alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedActor {
    /// A registered proxy.
    Proxy(SpiffeId),
    /// The workload itself, known by nothing but its token.
    Direct,
}
