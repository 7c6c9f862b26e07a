//! The connection of the current request, as Envoy tells of it. Nothing in a request can change what it says.

use filter_core::flow::Connection;

use crate::host;

/// The connection of the request that is being decided on.
pub struct CurrentConnection;

impl Connection for CurrentConnection {
    /// The address without its port. Nobody's if Envoy does not say: all such share a limit.
    fn source(&self) -> String {
        let address = property("source\0address").unwrap_or_default();
        address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).to_owned()
    }

    /// As Envoy writes it: PEM, percent-encoded. A client that shows one has proven that it has the key; whether anybody
    /// should believe the certificate is for the STS to say.
    fn certificate(&self) -> Option<String> {
        property("connection\0peer_certificate")
    }

    /// The first one, if there are several. That an authority the listener trusts has signed it is for the listener to see to.
    fn uri(&self) -> Option<String> {
        property("connection\0uri_san_peer_certificate")
    }
}

fn property(path: &str) -> Option<String> {
    let text = host::property(path).ok().flatten()?;
    str::from_utf8(&text).ok().map(str::to_owned)
}
