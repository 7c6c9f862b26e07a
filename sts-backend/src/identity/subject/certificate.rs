//! A certificate that a proxy vouches for, verified as an X509-SVID (sections 2 to 5) of a trust domain that the proxy may
//! vouch for.

use rustls::CertificateError;
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};
use token::{reason::Reason, secret::Secret, spiffe::SpiffeId};

use super::VerifiedSubject;
use crate::{
    actor::VerifiedActor,
    identity::{
        assertion::{Assertions, Voucher},
        name,
        preset::Platform,
    },
    refusal::Refusal,
    tls::peer,
};

/// Verifies `text`, the certificate as Envoy writes it (PEM, percent-encoded), at `now`.
pub(super) fn verify(
    assertions: &Assertions,
    asker: &VerifiedActor,
    text: &Secret,
    now: u64,
) -> Result<VerifiedSubject, Refusal> {
    let proxy = asker.proxy().ok_or_else(|| {
        refuse(Reason::ActorNotPermitted, "only a proxy can vouch for a certificate: it has seen its owner")
            .got("a caller without a certificate of its own")
            .wanted("a registered proxy")
    })?;
    let leaf = read(text.expose())?;
    let svid = peer::read_svid(&leaf).map_err(|error| {
        refuse(Reason::SubjectTokenMalformed, error).got("another certificate").wanted("an X509-SVID of a workload")
    })?;
    let workload = named(&svid.uris)?;
    let voucher = voucher(assertions, proxy, &workload)?;
    let at = UnixTime::since_unix_epoch(std::time::Duration::from_secs(now));
    voucher.verifier().verify_client_cert(&leaf, &[], at).map_err(|error| refuse_chain(&error, &svid, now))?;
    if name::is_derived(&workload) {
        return Err(refuse(Reason::SubjectClaimMismatch, "the certificate's name is one that only this service makes")
            .got(&workload)
            .wanted(format!("a path that does not begin with {}", name::DERIVED.join(", "))));
    }
    if !voucher.covers(&workload) {
        return Err(refuse(Reason::ActorNotPermitted, "the proxy may not vouch for this workload")
            .got(&workload)
            .wanted(voucher.subjects())
            .help("name the workload under `actors.vouches_for.subjects`, if the proxy may"));
    }
    let trust_domain = voucher.trust_domain();
    Ok(VerifiedSubject {
        source: format!("certificate:{trust_domain}"),
        platform: Platform::Spiffe,
        issuer: format!("spiffe://{trust_domain}"),
        subject: workload.to_string(),
        attributes: vec![("asserted_by", proxy.to_string())],
        asserted_by: Some(proxy.clone()),
        name: workload,
        expires_at: svid.not_after,
    })
}

/// The one certificate that stands there.
fn read(text: &str) -> Result<CertificateDer<'static>, Refusal> {
    let malformed = || {
        refuse(Reason::SubjectTokenMalformed, "the certificate cannot be read")
            .got("something else")
            .wanted("one certificate as PEM, percent-encoded")
    };
    let pem = percent_decoded(text.trim_ascii()).ok_or_else(malformed)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem);
    match (certificates.next(), certificates.next()) {
        (Some(Ok(leaf)), None) => Ok(leaf),
        _ => Err(malformed()),
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let hex = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                hex(bytes.next())?.checked_mul(16)?.checked_add(hex(bytes.next())?)?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

fn named(uris: &[String]) -> Result<SpiffeId, Refusal> {
    let [uri] = uris else {
        return Err(refuse(Reason::SubjectClaimMismatch, "the certificate does not have exactly one URI name")
            .got(format!("{} URI names", uris.len()))
            .wanted("one, a SPIFFE ID"));
    };
    let id = SpiffeId::parse(uri).map_err(|error| error.to_string());
    id.and_then(|id| if id.path().is_empty() { Err("it names a whole trust domain".to_owned()) } else { Ok(id) })
        .map_err(|error| {
            refuse(Reason::SubjectClaimMismatch, "the certificate's URI names no workload").got(uri).wanted(error)
        })
}

fn voucher<'a>(assertions: &'a Assertions, proxy: &SpiffeId, workload: &SpiffeId) -> Result<&'a Voucher, Refusal> {
    let vouchers = assertions.of(proxy);
    vouchers.iter().find(|voucher| voucher.trust_domain() == workload.trust_domain()).ok_or_else(|| {
        let known: Vec<_> = vouchers.iter().map(Voucher::trust_domain).collect();
        refuse(Reason::SubjectIssuerUnknown, "the proxy may vouch for no workload of this trust domain")
            .got(workload.trust_domain())
            .wanted(if known.is_empty() { "nothing: it vouches for nobody".to_owned() } else { known.join(", ") })
            .help("name the trust domain under `actors.vouches_for`, if the proxy may vouch for its workloads")
    })
}

fn refuse_chain(error: &rustls::Error, svid: &peer::Svid, now: u64) -> Refusal {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            refuse(Reason::SubjectTokenExpired, "the certificate has expired")
                .got(svid.not_after)
                .wanted(format!("later than {now}"))
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        ) => refuse(Reason::SubjectTokenNotYetValid, "the certificate is not valid yet")
            .got("a later beginning")
            .wanted(format!("at most {now}")),
        _ => {
            refuse(Reason::SubjectSignatureInvalid, "the certificate does not chain to its trust domain's authorities")
                .got("another issuer, or a use that is not that of a client")
                .wanted("a certificate that an authority in `bundle_file` has signed for clients")
        }
    }
}

fn refuse(reason: Reason, detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(reason, detail).claim("client certificate")
}

#[cfg(test)]
mod tests;
