//! What one route wants.

use std::sync::Arc;

use token::{digest::FieldDigest, token_type::TokenType};

use super::{
    choice::{Alternatives, Choice, choice},
    form,
    inject::{AUTHORIZATION, Injection, Payload, SigV4},
    kind::{Flag, List, Text, TokenTypeUrn},
    lifetime::{self, Lifetime},
    member::{optional, or, required},
    node::{ConfigError, ROOT, join},
    object::settings,
};
use crate::{key::RouteFacts, sas};

/// What is done with the requests of a route.
#[derive(Clone, Debug)]
pub enum RouteMode {
    /// The native token is exchanged for one of the destination's.
    Exchange(Arc<ExchangeRoute>),
    /// Nothing is changed, except that headers of our own namespace are removed.
    Untouched,
}

/// Where the subject token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectSource {
    /// `Authorization: Bearer` (RFC 6750, section 2.1).
    Authorization,
    /// The whole value of another header.
    Header { name: String },
    /// The certificate that the client showed to this proxy in TLS. There is no token.
    PeerCertificate,
    /// The certificate that the proxy in front of this one was shown, as it says in `x-forwarded-client-cert`. It is believed
    /// if it is `hop`, a SPIFFE ID, and nobody else is.
    ForwardedCertificate { hop: String },
}

/// A route in exchange mode.
#[derive(Clone, Debug)]
pub struct ExchangeRoute {
    facts: Arc<RouteFacts>,
    subject: SubjectSource,
    inject: Injection,
    clusters: Vec<String>,
    strip_headers: Vec<String>,
    lifetime: Lifetime,
}

/// A route as it is written.
pub(super) enum WrittenRoute {
    Exchange(Box<ExchangeSettings>),
    Untouched,
}

settings! {
    /// What is exchanged, for what, and where it may go.
    pub(super) struct ExchangeSettings {
        /// Where the workload's own token comes from.
        subject: SubjectSource = or(SubjectSource::Authorization, choice()),
        /// Its type (RFC 8693, section 3). Without meaning where the subject is a certificate.
        subject_token_type: TokenType = or(TokenType::Jwt, TokenTypeUrn(&TokenType::TOKENS)),
        /// Where the issued token is for, as a URI (RFC 8707).
        resource: Option<String> = optional(form::RESOURCE),
        /// Where the issued token is for, as a name that the STS knows (RFC 8693, section 2.1).
        audience: Option<String> = optional(form::VISIBLE),
        /// The scope that is asked for; policy may narrow it.
        scope: Option<String> = optional(form::SCOPE),
        /// The type of token that is asked for, an access token if it is left out. `azure_sas` and `sigv4` have types of their
        /// own; there it must be left out.
        requested_token_type: Option<TokenType> = optional(TokenTypeUrn(&TokenType::HEADER_TOKENS)),
        /// How the issued credential is put into the request; as `authorization` with `Bearer` if it is left out.
        inject: Option<Injection> = optional(choice()),
        /// The clusters the issued token may go to.
        clusters: Vec<String> = required(CLUSTERS),
        /// Headers to remove besides the known carriers of credentials.
        strip_headers: Vec<String> = or(Vec::new(), STRIP_HEADERS),
        /// In the place of `defaults.expiry_margin_seconds`.
        expiry_margin_seconds: Option<u64> = optional(lifetime::EXPIRY_MARGIN),
        /// In the place of `defaults.request_timeout_seconds`.
        request_timeout_seconds: Option<u64> = optional(lifetime::REQUEST_TIMEOUT),
        /// In the place of `defaults.survive_outage_seconds`.
        survive_outage_seconds: Option<u64> = optional(lifetime::SURVIVE_OUTAGE),
        /// In the place of `defaults.refresh_ahead`.
        refresh_ahead: Option<bool> = optional(Flag),
    }
    one_of { resource, audience }
}

settings! {
    /// A header by its name.
    struct HeaderSource {
        /// Its name, in lower case.
        name: String = required(form::TOKEN_HEADER),
    }
}

settings! {
    /// A proxy in front of this one.
    struct TrustedHop {
        /// The SPIFFE ID in its certificate; it must be the client of this proxy itself.
        hop: String = required(form::HOP),
    }
}

/// What a route takes over from the levels above it.
pub(super) struct Inherited<'c> {
    pub listener: &'c str,
    pub actor: &'c str,
    pub lifetime: Lifetime,
    pub reads_bodies: bool,
}

impl Choice for WrittenRoute {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.word("untouched", "Nothing is swapped; only `x-cloakroom-*` headers are removed.", Self::Untouched);
        listener.object(
            "exchange",
            "The workload's own token is exchanged for one of the destination's.",
            |settings| Self::Exchange(Box::new(settings)),
        );
        listener.later("verify");
        listener.later("observe");
    }
}

impl RouteMode {
    pub(super) fn new(name: String, written: WrittenRoute, inherited: &Inherited<'_>) -> Result<Self, ConfigError> {
        Ok(match written {
            WrittenRoute::Untouched => Self::Untouched,
            WrittenRoute::Exchange(settings) => {
                settings.check(&name, inherited)?;
                Self::Exchange(Arc::new(ExchangeRoute::new(name, *settings, inherited)))
            }
        })
    }
}

impl ExchangeSettings {
    /// Refuses settings that contradict each other, or those of the plugin.
    fn check(&self, name: &str, inherited: &Inherited<'_>) -> Result<(), ConfigError> {
        let refuse = |setting: &str, found: String, expected: &str| {
            let path = format!("{}.exchange.{setting}", join(&join(ROOT, "routes"), name));
            Err(ConfigError { path, found, expected: expected.to_owned() })
        };
        let Some(inject) = &self.inject else { return Ok(()) };
        if let (Some(own), Some(asked)) = (inject.token_type(), self.requested_token_type) {
            let found = format!("{asked} with an `inject` that needs {own}");
            return refuse("requested_token_type", found, "it to be left out: it follows from `inject`");
        }
        match inject {
            Injection::SigV4(sigv4) if sigv4.payload == Payload::Unsigned && !sigv4.is_s3() => {
                let found = format!("\"unsigned\" for the service `{}`", sigv4.service);
                refuse("inject.sigv4.payload", found, "\"hash\" or \"reuse\": only S3 takes bodies that are not signed")
            }
            Injection::SigV4(SigV4 { payload: Payload::Hash, .. }) if !inherited.reads_bodies => refuse(
                "inject.sigv4.payload",
                "\"hash\" in a plugin that reads no bodies".to_owned(),
                "`reads_bodies` `true` beside `routes`, and `allow_on_headers_stop_iteration: true` in Envoy's settings of \
                 the plugin",
            ),
            _ => Ok(()),
        }
    }
}

impl ExchangeRoute {
    fn new(name: String, settings: ExchangeSettings, inherited: &Inherited<'_>) -> Self {
        let Lifetime { expiry_margin_seconds, request_timeout_seconds, survive_outage_seconds, refresh_ahead } =
            inherited.lifetime;
        let lifetime = Lifetime {
            expiry_margin_seconds: settings.expiry_margin_seconds.unwrap_or(expiry_margin_seconds),
            request_timeout_seconds: settings.request_timeout_seconds.unwrap_or(request_timeout_seconds),
            survive_outage_seconds: settings.survive_outage_seconds.unwrap_or(survive_outage_seconds),
            refresh_ahead: settings.refresh_ahead.unwrap_or(refresh_ahead),
        };
        let inject = settings.inject.unwrap_or_else(|| Injection::header(AUTHORIZATION.to_owned(), None));
        let ExchangeSettings { subject, clusters, strip_headers, .. } = settings;
        let facts = RouteFacts {
            listener: inherited.listener.to_owned(),
            route: name,
            settings: settings_digest(&subject, &inject, &clusters, &strip_headers, &lifetime),
            actor: inherited.actor.to_owned(),
            subject_token_type: match subject {
                SubjectSource::PeerCertificate | SubjectSource::ForwardedCertificate { .. } => {
                    TokenType::PeerCertificate
                }
                _ => settings.subject_token_type,
            },
            resource: settings.resource,
            audience: settings.audience,
            scope: settings.scope,
            requested_token_type: inject
                .token_type()
                .or(settings.requested_token_type)
                .unwrap_or(TokenType::AccessToken),
            binding_key: None,
            epoch: 0,
        };
        Self { facts: Arc::new(facts), subject, inject, clusters, strip_headers, lifetime }
    }

    /// Everything of a cache key but the subject.
    pub fn facts(&self) -> &Arc<RouteFacts> {
        &self.facts
    }

    /// The route's name.
    pub fn name(&self) -> &str {
        &self.facts.route
    }

    /// Where the subject token comes from.
    pub fn subject(&self) -> &SubjectSource {
        &self.subject
    }

    /// How the issued credential is put into the request.
    pub fn inject(&self) -> &Injection {
        &self.inject
    }

    /// Where the issued credential may go.
    pub fn clusters(&self) -> &[String] {
        &self.clusters
    }

    /// Whether the issued credential may go to `cluster`.
    pub fn permits_cluster(&self, cluster: &[u8]) -> bool {
        self.clusters.iter().any(|permitted| permitted.as_bytes() == cluster)
    }

    /// Credential carriers that are removed besides the known ones.
    pub fn strip_headers(&self) -> &[String] {
        &self.strip_headers
    }

    /// How long before its end an issued token is no longer sent, in milliseconds: what clocks may differ by.
    pub fn expiry_margin_ms(&self) -> u64 {
        self.lifetime.expiry_margin_seconds.saturating_mul(1000)
    }

    /// How long a request, and the token in it, may be under way before it arrives, in milliseconds.
    pub fn request_timeout_ms(&self) -> u64 {
        self.lifetime.request_timeout_seconds.saturating_mul(1000)
    }

    /// How long warm traffic is promised to go on without the STS, in milliseconds.
    pub fn survive_outage_ms(&self) -> Option<u64> {
        Some(self.lifetime.survive_outage_seconds.saturating_mul(1000)).filter(|&promised| promised > 0)
    }

    /// Whether tokens in use are replaced before they end.
    pub fn refresh_ahead(&self) -> bool {
        self.lifetime.refresh_ahead
    }

    /// The proxy that is believed in what it says of its client's certificate, if that is the subject.
    pub fn trusted_hop(&self) -> Option<&str> {
        match &self.subject {
            SubjectSource::ForwardedCertificate { hop } => Some(hop),
            _ => None,
        }
    }

    /// The header the subject token is read from, if there is a token.
    pub fn subject_header(&self) -> Option<&str> {
        match &self.subject {
            SubjectSource::Authorization => Some(AUTHORIZATION),
            SubjectSource::Header { name } => Some(name),
            SubjectSource::PeerCertificate | SubjectSource::ForwardedCertificate { .. } => None,
        }
    }

    /// The header the issued credential is written to, if it is one header.
    pub fn injected_header(&self) -> Option<&str> {
        match &self.inject {
            Injection::Header { name, .. } => Some(name),
            Injection::AzureSas | Injection::SigV4(_) => None,
        }
    }

    /// For what requests are signed, if that is how the credential is used.
    pub fn sigv4(&self) -> Option<&SigV4> {
        match &self.inject {
            Injection::SigV4(sigv4) => Some(sigv4),
            Injection::Header { .. } | Injection::AzureSas => None,
        }
    }

    /// Whether the bodies of its requests are read, which the plugin has to be able to: [`super::Config::reads_bodies`].
    pub fn reads_bodies(&self) -> bool {
        self.sigv4().is_some_and(|sigv4| sigv4.payload == Payload::Hash)
    }

    /// Whether the filter writes a header of this name, given in lower case, into requests of the route. What decides about
    /// Envoy's routes must not be among them.
    pub fn writes_header(&self, name: &str) -> bool {
        match &self.inject {
            Injection::Header { name: written, .. } => name == written,
            Injection::AzureSas => name == ":path",
            Injection::SigV4(_) => SIGNATURE_HEADERS.contains(&name),
        }
    }

    /// Whether the filter writes a query parameter of this name into requests of the route.
    pub fn writes_parameter(&self, name: &str) -> bool {
        match &self.inject {
            Injection::AzureSas => sas::is_parameter(name),
            Injection::Header { .. } | Injection::SigV4(_) => false,
        }
    }
}

impl Choice for SubjectSource {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.word("authorization", "`Authorization: Bearer` (RFC 6750, section 2.1).", Self::Authorization);
        listener.object("header", "The whole value of another header.", |HeaderSource { name }| Self::Header { name });
        listener.word(
            "peer_certificate",
            "The certificate that the client showed to this proxy; the proxy vouches for that.",
            Self::PeerCertificate,
        );
        listener.object(
            "forwarded_certificate",
            "The certificate that a trusted proxy in front of this one was shown, from `x-forwarded-client-cert`.",
            |TrustedHop { hop }| Self::ForwardedCertificate { hop },
        );
    }
}

/// A digest over what decides how a token is read and used and until when it is kept, so that no token outlives a change
/// of it.
///
/// The margins are in it because the end of a kept token was computed with them: kept under short ones it would be sent
/// too late for longer ones. When a token is refreshed is not: a change of that may wait for the next refresh, and is no
/// reason to have every token asked for again.
fn settings_digest(
    subject: &SubjectSource,
    inject: &Injection,
    clusters: &[String],
    strip_headers: &[String],
    lifetime: &Lifetime,
) -> [u8; 32] {
    let digest = FieldDigest::new("cloakroom route settings 3")
        .field(lifetime.expiry_margin_seconds.to_be_bytes())
        .field(lifetime.request_timeout_seconds.to_be_bytes());
    let digest = match subject {
        SubjectSource::Authorization => digest.field("authorization"),
        SubjectSource::Header { name } => digest.field("header").field(name),
        SubjectSource::PeerCertificate => digest.field("peer certificate"),
        SubjectSource::ForwardedCertificate { hop } => digest.field("forwarded certificate").field(hop),
    };
    let digest = inject.digest(digest).field((clusters.len() as u64).to_be_bytes());
    let digest = clusters.iter().fold(digest, FieldDigest::field);
    strip_headers.iter().fold(digest, FieldDigest::field).finish()
}

/// What a signature consists of (AWS Signature Version 4, "Add the signature to the request").
const SIGNATURE_HEADERS: [&str; 4] = [AUTHORIZATION, "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
const CLUSTERS: List<Text> =
    List { of: form::CLUSTER, least: 1, expected: "a list of the clusters the token may be sent to" };
const STRIP_HEADERS: List<Text> = List { of: form::SPARE_HEADER, least: 0, expected: "a list of header names" };
