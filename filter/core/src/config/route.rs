//! What one route wants.

use std::sync::Arc;

use token::{digest::FieldDigest, token_type::TokenType};

use super::{
    form,
    node::{ConfigError, Node},
    use_settings::UseSettings,
};
use crate::key::RouteFacts;

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
}

/// How the issued credential is put into the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injection {
    /// As a header, with an authentication scheme in front or alone.
    Header { name: String, scheme: Option<String> },
}

/// A route in exchange mode.
#[derive(Clone, Debug)]
pub struct ExchangeRoute {
    facts: Arc<RouteFacts>,
    subject: SubjectSource,
    inject: Injection,
    clusters: Vec<String>,
    strip_headers: Vec<String>,
    uses: UseSettings,
}

/// What a route takes over from the levels above it.
pub(super) struct Inherited<'c> {
    pub(super) listener: &'c str,
    pub(super) actor: &'c str,
    pub(super) defaults: UseSettings,
}

impl RouteMode {
    pub(super) fn read(name: &str, node: &Node<'_>, inherited: &Inherited<'_>) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "\"untouched\" or {\"exchange\": {...}}";
        match node.choice(EXPECTED)? {
            ("untouched", None) => Ok(Self::Untouched),
            ("exchange", Some(settings)) => {
                Ok(Self::Exchange(Arc::new(ExchangeRoute::read(name, &settings, inherited)?)))
            }
            (mode @ ("verify" | "observe"), _) => {
                Err(node
                    .refuse_finding(&format!("the mode \"{mode}\", which this version does not have yet"), EXPECTED))
            }
            _ => Err(node.refuse(EXPECTED)),
        }
    }
}

impl ExchangeRoute {
    fn read(name: &str, node: &Node<'_>, inherited: &Inherited<'_>) -> Result<Self, ConfigError> {
        let members = node.members(&[
            "subject",
            "subject_token_type",
            "resource",
            "audience",
            "scope",
            "requested_token_type",
            "inject",
            "clusters",
            "strip_headers",
            "expiry_margin_seconds",
            "request_timeout_seconds",
            "survive_outage_seconds",
            "refresh_ahead",
        ])?;
        let uses = inherited.defaults.overridden(&members)?;
        let text = |key, accept: fn(&str) -> bool, expected| {
            members.optional(key).map(|node| node.text(accept, expected)).transpose()
        };
        let token_type = |key, default: TokenType| match members.optional(key) {
            None => Ok(default),
            Some(node) => {
                let urns = TokenType::ALL.map(TokenType::urn).join(", ");
                let urn = node.text(|text| TokenType::from_urn(text).is_some(), &format!("one of {urns}"))?;
                Ok(TokenType::from_urn(&urn).unwrap_or(default))
            }
        };
        let subject = match members.optional("subject") {
            None => SubjectSource::Authorization,
            Some(node) => SubjectSource::read(&node)?,
        };
        let inject = match members.optional("inject") {
            None => Injection::Header { name: "authorization".to_owned(), scheme: Some("Bearer".to_owned()) },
            Some(node) => Injection::read(&node)?,
        };
        let clusters = names(
            &members.required("clusters", "a list of the clusters the token may be sent to")?,
            form::is_name,
            "a cluster name: 1 to 255 visible ASCII characters without `;`, `=` and `\"`",
        )?;
        if clusters.is_empty() {
            return Err(members.required("clusters", "")?.refuse("at least one cluster the token may be sent to"));
        }
        let strip_headers = match members.optional("strip_headers") {
            None => Vec::new(),
            Some(node) => {
                names(&node, form::may_carry_a_token, "a header name in lower case that the message can spare")?
            }
        };
        let resource = text("resource", form::is_resource, "an absolute URI without fragment (RFC 8707)")?;
        let audience = text("audience", form::is_visible, "1 to 2048 visible ASCII characters")?;
        if resource.is_none() && audience.is_none() {
            return Err(members
                .required("resource", "`resource`, `audience` or both")
                .err()
                .unwrap_or_else(|| node.refuse("`resource`, `audience` or both")));
        }
        let mut facts = RouteFacts {
            listener: inherited.listener.to_owned(),
            route: name.to_owned(),
            actor: inherited.actor.to_owned(),
            subject_token_type: token_type("subject_token_type", TokenType::Jwt)?,
            resource,
            audience,
            scope: text("scope", form::is_scope, "scope tokens with one space between them (RFC 6749, section 3.3)")?,
            requested_token_type: token_type("requested_token_type", TokenType::AccessToken)?,
            settings: [0; 32],
            binding_key: None,
            epoch: 0,
        };
        facts.settings = settings_digest(&subject, &inject, &clusters, &strip_headers, &uses);
        Ok(Self { facts: Arc::new(facts), subject, inject, clusters, strip_headers, uses })
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
        self.uses.expiry_margin_seconds.saturating_mul(1000)
    }

    /// How long a request, and the token in it, may be under way before it arrives, in milliseconds.
    pub fn request_timeout_ms(&self) -> u64 {
        self.uses.request_timeout_seconds.saturating_mul(1000)
    }

    /// How long warm traffic is promised to go on without the STS, in milliseconds.
    pub fn survive_outage_ms(&self) -> Option<u64> {
        Some(self.uses.survive_outage_seconds.saturating_mul(1000)).filter(|&promised| promised > 0)
    }

    /// Whether tokens in use are replaced before they end.
    pub fn refresh_ahead(&self) -> bool {
        self.uses.refresh_ahead
    }

    /// The header the subject token is read from.
    pub fn subject_header(&self) -> &str {
        match &self.subject {
            SubjectSource::Authorization => "authorization",
            SubjectSource::Header { name } => name,
        }
    }

    /// The header the issued credential is written to.
    pub fn injected_header(&self) -> &str {
        match &self.inject {
            Injection::Header { name, .. } => name,
        }
    }
}

impl SubjectSource {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "\"authorization\" or {\"header\": {\"name\": ...}}";
        match node.choice(EXPECTED)? {
            ("authorization", None) => Ok(Self::Authorization),
            ("header", Some(settings)) => {
                let name = settings.members(&["name"])?.required("name", TOKEN_HEADER)?;
                Ok(Self::Header { name: name.text(form::may_carry_a_token, TOKEN_HEADER)? })
            }
            _ => Err(node.refuse(EXPECTED)),
        }
    }
}

impl Injection {
    fn read(node: &Node<'_>) -> Result<Self, ConfigError> {
        const EXPECTED: &str = "{\"header\": {\"name\": ..., \"scheme\": ...}}";
        let ("header", Some(settings)) = node.choice(EXPECTED)? else {
            return Err(node.refuse(EXPECTED));
        };
        let members = settings.members(&["name", "scheme"])?;
        let name = members.required("name", TOKEN_HEADER)?.text(form::may_carry_a_token, TOKEN_HEADER)?;
        let scheme = members.optional("scheme").map(|node| node.text(form::is_scheme, "an authentication scheme"));
        // `Authorization` without a scheme is no credential that a server could read (RFC 9110, section 11.6.2).
        let default = (name == "authorization").then(|| "Bearer".to_owned());
        Ok(Self::Header { scheme: scheme.transpose()?.or(default), name })
    }
}

fn names(node: &Node<'_>, accept: fn(&str) -> bool, expected: &str) -> Result<Vec<String>, ConfigError> {
    const MAX: usize = 64;
    let elements = node.elements("a list of texts")?;
    if elements.len() > MAX {
        return Err(node.refuse(format_args!("at most {MAX} elements")));
    }
    elements.iter().map(|element| element.text(accept, expected)).collect()
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
    uses: &UseSettings,
) -> [u8; 32] {
    let digest = FieldDigest::new("cloakroom route settings 2")
        .field(uses.expiry_margin_seconds.to_be_bytes())
        .field(uses.request_timeout_seconds.to_be_bytes());
    let digest = match subject {
        SubjectSource::Authorization => digest.field("authorization"),
        SubjectSource::Header { name } => digest.field("header").field(name),
    };
    let Injection::Header { name, scheme } = inject;
    let digest = digest.field("header").field(name).optional(scheme.as_deref());
    let digest = digest.field((clusters.len() as u64).to_be_bytes());
    let digest = clusters.iter().fold(digest, FieldDigest::field);
    strip_headers.iter().fold(digest, FieldDigest::field).finish()
}

const TOKEN_HEADER: &str = "a header name in lower case, not one that frames, routes or describes the message";
