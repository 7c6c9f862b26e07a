//! Who is asking: a registered proxy by its certificate, or nobody in particular.

use std::collections::BTreeSet;

use token::{reason::Reason, spiffe::SpiffeId};

use crate::{identity::name, refusal::Refusal, request::TokenRequest};

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

    /// The URI names.
    pub fn into_uri_sans(self) -> Vec<String> {
        self.uri_sans
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

/// Who is asking, verified. Made by [`VerifiedActor::verify`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedActor(Option<SpiffeId>);

impl VerifiedActor {
    /// Verifies that the caller is one of the `registered` proxies of `trust_domain`, and the one `request` says it is. A
    /// caller without a certificate is nobody in particular, and is treated so.
    pub fn verify(
        caller: &Caller,
        request: &TokenRequest,
        registered: &BTreeSet<SpiffeId>,
        trust_domain: &str,
    ) -> Result<Self, Refusal> {
        let certificate = match caller {
            Caller::Proxy(certificate) => certificate,
            Caller::Direct => return Ok(Self(None)),
        };
        let proxy = named(certificate)?;
        if proxy.trust_domain() != trust_domain || name::is_derived(&proxy) || !registered.contains(&proxy) {
            return Err(unknown("the certificate names no registered proxy")
                .got(&proxy)
                .wanted(format!("a proxy of trust domain {trust_domain} that stands under `actors`"))
                .help("register the proxy's SPIFFE ID under `actors`, or give the proxy its certificate"));
        }
        match request.asked().context.actor.as_deref() {
            Some(claimed) if claimed != proxy.as_str() => {
                Err(Refusal::new(Reason::ActorMismatch, "the proxy says it is another than its certificate names")
                    .claim("request_context actor")
                    .got(claimed)
                    .wanted(&proxy)
                    .help("make `sts.actor` in the filter's configuration the SPIFFE ID of the proxy's certificate"))
            }
            _ => Ok(Self(Some(proxy))),
        }
    }

    /// A registered proxy of this name, or a caller without a certificate.
    #[cfg(test)]
    pub(crate) fn for_tests(proxy: Option<&str>) -> Self {
        Self(proxy.map(|proxy| SpiffeId::parse(proxy).unwrap()))
    }

    /// The proxy; absent where the workload asks for itself.
    pub fn proxy(&self) -> Option<&SpiffeId> {
        self.0.as_ref()
    }
}

/// The one name of a certificate (X509-SVID, section 2: exactly one URI).
fn named(certificate: &PeerCertificate) -> Result<SpiffeId, Refusal> {
    match certificate.uri_sans.as_slice() {
        [uri] => SpiffeId::parse(uri)
            .map_err(|error| unknown("the certificate's URI is no SPIFFE ID").got(uri).wanted(error)),
        uris => Err(unknown("the certificate does not have exactly one URI name")
            .got(format!("{} URI names", uris.len()))
            .wanted("one, a SPIFFE ID")),
    }
}

fn unknown(detail: &str) -> Refusal {
    Refusal::new(Reason::ActorUnknown, detail).claim("client certificate")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "spiffe://td.test/edge/egress";

    fn verify(uri_sans: &[&str], claimed: Option<&str>) -> Result<VerifiedActor, Refusal> {
        let caller = Caller::Proxy(PeerCertificate::new(uri_sans.iter().map(ToString::to_string).collect()));
        let context = claimed.map_or("{}".to_owned(), |actor| format!(r#"{{"actor":"{actor}"}}"#));
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE)
            .append_pair("subject_token", "x")
            .append_pair("subject_token_type", token::token_type::TokenType::Jwt.urn())
            .append_pair("request_context", &context)
            .finish();
        let request = TokenRequest::read(form.as_bytes(), None, &caller).unwrap();
        let ids = [PROXY, "spiffe://other.test/edge/egress", "spiffe://td.test/aws/1/role/x"];
        let registered = ids.into_iter().map(|id| SpiffeId::parse(id).unwrap()).collect();
        VerifiedActor::verify(&caller, &request, &registered, "td.test")
    }

    #[test]
    fn a_registered_proxy_is_known_by_its_one_name() {
        assert_eq!(verify(&[PROXY], None).unwrap().proxy().unwrap().as_str(), PROXY);
        assert_eq!(verify(&[PROXY], Some(PROXY)).unwrap().proxy().unwrap().as_str(), PROXY);
    }

    #[test]
    fn everyone_else_is_unknown() {
        for (case, uri_sans) in [
            ("no name", &[][..]),
            ("two names", &[PROXY, "spiffe://td.test/edge/other"]),
            ("no SPIFFE ID", &["https://td.test/edge/egress"]),
            ("not registered", &["spiffe://td.test/edge/other"]),
            ("a longer name", &["spiffe://td.test/edge/egress/x"]),
            ("registered, of another trust domain", &["spiffe://other.test/edge/egress"]),
            ("registered, under a derived prefix", &["spiffe://td.test/aws/1/role/x"]),
        ] {
            assert_eq!(verify(uri_sans, None).unwrap_err().reason(), Reason::ActorUnknown, "{case}");
        }
    }

    #[test]
    fn a_proxy_that_says_it_is_another_is_refused() {
        let refusal = verify(&[PROXY], Some("spiffe://td.test/edge/other")).unwrap_err();
        assert_eq!(refusal.reason(), Reason::ActorMismatch);
        assert_eq!(refusal.wanted_value(), Some(PROXY));
    }
}
