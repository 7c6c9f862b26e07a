//! For whom a token is asked, verified in the way that belongs to the form in which it comes.
//!
//! Which way that is follows from the declared type and the configured sources. Nothing is ever tried one after another.

use token::{reason::Reason, spiffe::SpiffeId, token_type::TokenType};

use super::{
    assertion::Assertions,
    name,
    preset::{Identified, Platform},
    source::SourceSettings,
    sources::Sources,
};
use crate::{actor::VerifiedActor, refusal::Refusal, request::TokenRequest};

mod aws_request;
mod certificate;
mod jwt;
#[cfg(test)]
mod matrix;
mod opaque;

/// For whom a token is asked, verified. Made by its verification alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSubject {
    name: SpiffeId,
    source: String,
    platform: Platform,
    issuer: String,
    subject: String,
    attributes: Vec<(&'static str, String)>,
    /// The proxy on whose word alone it is known that the workload asks.
    asserted_by: Option<SpiffeId>,
    expires_at: u64,
}

impl VerifiedSubject {
    /// Verifies the subject token of `request` at `now` by the trust source its issuer belongs to. That it is known who asks
    /// is a condition: to strangers we do not judge tokens.
    pub(crate) async fn verify(
        sources: &Sources,
        assertions: &Assertions,
        asker: &VerifiedActor,
        request: &TokenRequest,
        now: u64,
    ) -> Result<Self, Refusal> {
        let token = request.subject_token();
        match request.subject_token_type() {
            TokenType::AccessToken if !opaque::is_jws(token) => match sources.introspecting(asker) {
                Some((source, server)) => opaque::verify(sources, source, server, token, now).await,
                None => jwt::verify(sources, asker, token, now).await,
            },
            TokenType::Jwt | TokenType::IdToken | TokenType::AccessToken => {
                jwt::verify(sources, asker, token, now).await
            }
            TokenType::PeerCertificate => certificate::verify(assertions, asker, token, now),
            TokenType::Aws4Request => aws_request::verify(sources, asker, request, now).await,
            // Requests with these are refused when they are read.
            kind @ (TokenType::AwsKeys | TokenType::AzureSas) => {
                Err(Refusal::new(Reason::RequestInvalid, "subject tokens of this type are not read")
                    .claim("subject_token_type")
                    .got(kind))
            }
        }
    }

    /// The subject that `source` vouches for, with everything checked that makes it vouch.
    fn vouched(
        sources: &Sources,
        source: &SourceSettings,
        issuer: String,
        identified: Identified,
        expires_at: u64,
    ) -> Result<Self, Refusal> {
        let Identified { segments, subject, attributes } = identified;
        let name = if segments.is_empty() {
            name::keep(sources.trust_domain(), &subject)?
        } else {
            name::derive(sources.trust_domain(), &segments)?
        };
        Ok(Self {
            name,
            source: source.name.clone(),
            platform: source.preset.platform(),
            issuer,
            subject,
            attributes,
            asserted_by: None,
            expires_at,
        })
    }

    /// A subject as a verified token of an OpenID Connect source would give it.
    #[cfg(test)]
    pub(crate) fn for_tests(name: &str, attributes: &[(&'static str, &str)]) -> Self {
        Self {
            name: SpiffeId::parse(name).unwrap(),
            source: "test".into(),
            platform: Platform::Oidc,
            issuer: "https://issuer.test".into(),
            subject: "job".into(),
            attributes: attributes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            asserted_by: None,
            expires_at: u64::MAX,
        }
    }

    /// The workload's name: `sub` of what is issued.
    pub fn name(&self) -> &SpiffeId {
        &self.name
    }

    /// The trust source that vouches for it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where it runs.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Its issuer, as the token spells it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The platform's own, stable name for it.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What policy may read of it besides, by the names of the schema.
    pub fn attributes(&self) -> &[(&'static str, String)] {
        &self.attributes
    }

    /// The proxy on whose word alone it is known that the workload asks; absent where a token proves it.
    pub fn asserted_by(&self) -> Option<&SpiffeId> {
        self.asserted_by.as_ref()
    }

    /// When its token dies, in seconds since the epoch. Nothing issued on its strength may outlive it.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }
}
