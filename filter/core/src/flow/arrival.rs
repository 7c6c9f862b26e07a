//! What the host tells of a request, and of the connection that it came on.

/// A request as the host announces it.
#[derive(Clone, Copy)]
pub struct Arrival<'a> {
    /// The host's name for the request's stream. No two at a time have the same.
    pub stream: u32,
    /// What identifies the route that Envoy chose, if anything does.
    pub route: Option<&'a [u8]>,
    /// Whether more may follow its headers.
    pub has_body: bool,
    pub connection: &'a dyn Connection,
}

/// The connection of a request. Each question costs a call to the host, so it is asked only where the answer decides.
pub trait Connection {
    /// Where the request came from. Asked on a miss only.
    fn source(&self) -> String;

    /// The certificate that the client has shown. Asked only where the route's subject is that.
    fn certificate(&self) -> Option<String>;

    /// The URI name in the certificate that the client has shown. Asked only where it may tell of another's certificate.
    fn uri(&self) -> Option<String>;
}

/// A connection whose answers are known beforehand.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub source: String,
    pub certificate: Option<String>,
    pub uri: Option<String>,
}

#[cfg(test)]
impl Known {
    pub fn from_source(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }
}

#[cfg(test)]
impl Connection for Known {
    fn source(&self) -> String {
        self.source.clone()
    }

    fn certificate(&self) -> Option<String> {
        self.certificate.clone()
    }

    fn uri(&self) -> Option<String> {
        self.uri.clone()
    }
}
