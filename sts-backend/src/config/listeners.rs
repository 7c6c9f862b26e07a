//! `listeners`: addresses and TLS.

use std::{net::SocketAddr, sync::Arc};

use token::digest::{FieldDigest, fingerprint};

use super::{
    DirectListener, Listeners, TlsListener,
    checker::Checker,
    files,
    raw::{RawDirect, RawListeners, RawMtls},
    service,
};
use crate::tls;

const ADDRESS: &str = "an IP address and a port, as `127.0.0.1:8443` or `[::]:8443`";

/// How long a token for a caller without certificate lives. Cloud SDKs treat one with less than 225 s left as expired.
const DIRECT_DEFAULT_LIFE: u64 = 300;

pub(super) fn check(checker: &mut Checker<'_>, raw: RawListeners, issuer: Option<&str>) -> Option<Listeners> {
    let (mtls, client_ca) = mtls(checker, raw.mtls, issuer).unzip();
    let (direct, direct_fine) = optional(raw.no_client_certificate.map(|raw| direct(checker, raw, issuer)));
    let (operations, operations_fine) =
        optional(raw.operations.map(|raw| address(checker, "listeners.operations.address", &raw.address)));
    distinct(
        checker,
        [
            ("mtls", mtls.as_ref().map(|listener| listener.address)),
            ("no_client_certificate", direct.as_ref().map(|direct| direct.listener.address)),
            ("operations", operations),
        ],
    );
    (direct_fine && operations_fine).then_some(Listeners { mtls: mtls?, direct, client_ca: client_ca?, operations })
}

/// What was configured, and whether it was fine; not configured is fine.
fn optional<T>(checked: Option<Option<T>>) -> (Option<T>, bool) {
    match checked {
        None => (None, true),
        Some(value) => {
            let fine = value.is_some();
            (value, fine)
        }
    }
}

fn mtls(checker: &mut Checker<'_>, raw: RawMtls, issuer: Option<&str>) -> Option<(TlsListener, String)> {
    let at = "listeners.mtls";
    let address = address(checker, &format!("{at}.address"), &raw.address);
    let url = url(checker, at, raw.url, issuer);
    let identity = files::identity(checker, at, &raw.certificate_file, &raw.private_key_file);
    let client_ca = files::certificates(checker, &format!("{at}.client_ca_file"), &raw.client_ca_file);
    let client_ca = client_ca?;
    let digest = fingerprint(client_ca.iter().fold(FieldDigest::new("client CA"), FieldDigest::field).finish());
    let config = tls::requiring_client_certificates(identity?, client_ca);
    Some((finish(checker, at, address, url, config)?, digest))
}

fn direct(checker: &mut Checker<'_>, raw: RawDirect, issuer: Option<&str>) -> Option<DirectListener> {
    let at = "listeners.no_client_certificate";
    let address = address(checker, &format!("{at}.address"), &raw.address);
    let url = url(checker, at, raw.url, issuer);
    let default_life =
        service::life(checker, &format!("{at}.default_life_seconds"), raw.default_life_seconds, DIRECT_DEFAULT_LIFE);
    let identity = files::identity(checker, at, &raw.certificate_file, &raw.private_key_file);
    let config = tls::without_client_certificates(identity?);
    Some(DirectListener { listener: finish(checker, at, address, url, config)?, default_life })
}

fn finish(
    checker: &mut Checker<'_>,
    at: &str,
    address: Option<SocketAddr>,
    url: Option<String>,
    config: Result<rustls::ServerConfig, tls::TlsError>,
) -> Option<TlsListener> {
    match config {
        Ok(config) => Some(TlsListener { address: address?, tls: Arc::new(config), url: url? }),
        Err(error) => {
            let expected = "a certificate, its own private key and, for mtls, a CA certificate";
            checker.wrong(at, error.to_string(), expected, "check which files belong together");
            None
        }
    }
}

fn address(checker: &mut Checker<'_>, at: &str, text: &str) -> Option<SocketAddr> {
    text.parse()
        .map_err(|_| {
            checker.wrong(at, format!("`{text}`"), ADDRESS, "names are not resolved: write the address itself");
        })
        .ok()
}

fn url(checker: &mut Checker<'_>, at: &str, url: Option<String>, issuer: Option<&str>) -> Option<String> {
    match url {
        None => issuer.map(str::to_owned),
        Some(url) => service::base_url(checker, &format!("{at}.url"), url),
    }
}

fn distinct(checker: &mut Checker<'_>, listeners: [(&str, Option<SocketAddr>); 3]) {
    for (index, (name, address)) in listeners.iter().enumerate() {
        let taken = listeners[..index].iter().find(|(_, other)| other.is_some() && other == address);
        if let (Some(address), Some((other, _))) = (address, taken)
            && address.port() != 0
        {
            let found = format!("`{address}`, the address of `listeners.{other}`");
            checker.wrong(
                format!("listeners.{name}.address"),
                found,
                "an address of its own",
                "change the port of one of them",
            );
        }
    }
}
