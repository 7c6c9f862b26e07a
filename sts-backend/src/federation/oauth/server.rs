//! What a token endpoint is sent: a form, and assertions of ours that are made for this server alone.

use std::collections::BTreeMap;

use http::Uri;
use token::{jws::Algorithm, spiffe::SpiffeId};

use crate::federation::{
    assertion::{Assertion, Signed, Signer},
    calls::Call,
    form,
    trouble::Trouble,
};

/// `client_assertion_type` (RFC 7523, section 2.2).
pub const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `typ` of a client assertion (draft-ietf-oauth-rfc7523bis, section 4): it can be taken for nothing else.
const CLIENT_ASSERTION_TYP: &str = "client-authentication+jwt";

/// `typ` of an assertion about a workload. The plain one: many servers refuse any other in a grant or a subject token.
const WORKLOAD_ASSERTION_TYP: &str = "JWT";

/// One server, as it is asked.
#[derive(Clone, Copy)]
pub struct Server<'s> {
    pub endpoint: &'s Uri,
    /// Its issuer identifier, the only `aud` of what we sign for it: an assertion made for one server is worth nothing at
    /// another (draft-ietf-oauth-rfc7523bis, section 4).
    pub audience: &'s str,
    pub client_id: Option<&'s str>,
    pub algorithm: Algorithm,
}

impl Server<'_> {
    /// Our assertion about `workload` (RFC 7523, section 3).
    pub fn about(&self, workload: &SpiffeId, signer: &dyn Signer, now: u64) -> Result<Signed, Trouble> {
        let assertion = Assertion {
            issuer: None,
            subject: workload.as_str().to_owned(),
            audience: self.audience.to_owned(),
            typ: WORKLOAD_ASSERTION_TYP,
            algorithm: self.algorithm,
            claims: BTreeMap::new(),
        };
        signer.sign(&assertion, now)
    }

    /// What shows that it is us who ask, where the server knows us: `iss` and `sub` are our id there (RFC 7523, section 3).
    pub fn client(&self, signer: &dyn Signer, now: u64) -> Result<Option<Signed>, Trouble> {
        let Some(client_id) = self.client_id else { return Ok(None) };
        let assertion = Assertion {
            issuer: Some(client_id.to_owned()),
            subject: client_id.to_owned(),
            audience: self.audience.to_owned(),
            typ: CLIENT_ASSERTION_TYP,
            algorithm: self.algorithm,
            claims: BTreeMap::new(),
        };
        signer.sign(&assertion, now).map(Some)
    }

    /// The call that sends `parameters`, and `client` as the client assertion.
    pub fn call(&self, parameters: &[(&str, &str)], client: Option<&Signed>) -> Call {
        let mut fields = parameters.to_vec();
        if let Some((client_id, client)) = self.client_id.zip(client) {
            fields.push(("client_id", client_id));
            fields.push(("client_assertion_type", CLIENT_ASSERTION_TYPE));
            fields.push(("client_assertion", client.jwt.expose()));
        }
        form::call(self.endpoint.clone(), &fields, "application/json")
    }
}
