//! What a verified client certificate says of the client (X509-SVID, sections 2 to 5).

use thiserror::Error;
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use crate::actor::PeerCertificate;

/// A client on the listener that requires certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The names by which it is known.
    pub certificate: PeerCertificate,
    /// The last second its certificate is valid, since the epoch: no connection outlives it.
    pub not_after: u64,
}

/// Why a certificate that chains to the clients' CA still names no client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    #[error("the client's certificate is not a certificate")]
    Malformed,
    #[error("the client's certificate is a signing one (CA, keyCertSign or cRLSign); an X509-SVID must be a leaf")]
    Signing,
    #[error("the certificate's key usage does not say digitalSignature; an X509-SVID's must")]
    Usage,
}

/// Reads the leaf certificate of a client. The chain was verified by TLS; what stands in it was not.
pub fn read(leaf: &[u8]) -> Result<Peer, PeerError> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(leaf).map_err(|_| PeerError::Malformed)?;
    if !rest.is_empty() {
        return Err(PeerError::Malformed);
    }
    if may_sign(&certificate)? {
        return Err(PeerError::Signing);
    }
    let names = certificate.subject_alternative_name().map_err(|_| PeerError::Malformed)?;
    let uris = names.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    Ok(Peer {
        certificate: PeerCertificate::new(uris.collect()),
        not_after: u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0),
    })
}

/// What an X509-SVID says of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svid {
    /// Its URI names, all of them.
    pub uris: Vec<String>,
    /// The last second it is valid, since the epoch.
    pub not_after: u64,
}

/// Reads the leaf certificate of a workload. Nothing of it is verified. Beyond what [`read`] asks for it must say that its
/// key is for digital signatures (X509-SVID, section 4.3).
pub fn read_svid(leaf: &[u8]) -> Result<Svid, PeerError> {
    let Peer { certificate, not_after } = read(leaf)?;
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| PeerError::Malformed)?;
    let usage = parsed.key_usage().map_err(|_| PeerError::Malformed)?;
    if !usage.is_some_and(|usage| usage.value.digital_signature()) {
        return Err(PeerError::Usage);
    }
    Ok(Svid { uris: certificate.into_uri_sans(), not_after })
}

fn may_sign(certificate: &X509Certificate<'_>) -> Result<bool, PeerError> {
    let constraints = certificate.basic_constraints().map_err(|_| PeerError::Malformed)?;
    let usage = certificate.key_usage().map_err(|_| PeerError::Malformed)?;
    Ok(constraints.is_some_and(|extension| extension.value.ca)
        || usage.is_some_and(|extension| extension.value.key_cert_sign() || extension.value.crl_sign()))
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["edge.test".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2040, 1, 1);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    #[test]
    fn every_uri_name_and_the_end_of_validity_are_read() {
        let leaf = certificate(|params| {
            params.subject_alt_names.push(uri("spiffe://td/edge/a"));
            params.subject_alt_names.push(uri("spiffe://td/edge/b"));
        });
        let peer = read(&leaf).unwrap();
        let names = vec!["spiffe://td/edge/a".to_owned(), "spiffe://td/edge/b".to_owned()];
        assert_eq!(peer.certificate, PeerCertificate::new(names));
        assert_eq!(peer.not_after, 2_208_988_800);
    }

    #[test]
    fn a_certificate_without_uri_names_has_none() {
        assert_eq!(read(&certificate(|_| {})).unwrap().certificate, PeerCertificate::new(vec![]));
    }

    #[test]
    fn a_signing_certificate_is_no_client() {
        let ca = certificate(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
        assert_eq!(read(&ca), Err(PeerError::Signing));
        let signer = certificate(|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign));
        assert_eq!(read(&signer), Err(PeerError::Signing));
    }

    #[test]
    fn rubbish_is_refused() {
        assert_eq!(read(b"no certificate"), Err(PeerError::Malformed));
        let mut longer = certificate(|_| {});
        longer.push(0);
        assert_eq!(read(&longer), Err(PeerError::Malformed));
    }
}
