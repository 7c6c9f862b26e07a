//! How a route puts the issued credential into its requests.

use token::{digest::FieldDigest, token_type::TokenType};

use super::{
    choice::{Alternatives, Choice, choice},
    form,
    kind::{Whole, whole},
    member::{optional, or, required},
    object::{object, settings},
};

/// How the issued credential is put into the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injection {
    /// As a header, with an authentication scheme in front or alone.
    Header { name: String, scheme: Option<String> },
    /// As the query of a shared access signature of Azure Storage, behind what the request's own query has.
    AzureSas,
    /// As a signature over the request with short-lived AWS keys (AWS Signature Version 4).
    SigV4(SigV4),
}

settings! {
    /// A header and what stands in it before the token.
    struct HeaderTarget {
        /// Its name, in lower case.
        name: String = required(form::TOKEN_HEADER),
        /// The authentication scheme before the token. If it is left out: `Bearer` in `authorization`, none elsewhere. `DPoP`
        /// takes tokens of that type only, and no other scheme takes those (RFC 9449, section 5).
        scheme: Option<String> = optional(form::SCHEME),
    }
}

settings! {
    /// What requests are signed for, and what of them.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct SigV4 {
        /// The service's name in the signature, such as `s3` or `dynamodb`.
        pub service: String = required(form::AWS_NAME),
        /// The region's name in it.
        pub region: String = required(form::AWS_NAME),
        /// What is signed of the body.
        pub payload: Payload = or(Payload::Reuse, choice()),
        /// The host that the request arrives with, where Envoy's route rewrites it (`host_rewrite_literal`). If it is left out,
        /// the one that the client has sent is signed.
        pub host: Option<String> = optional(form::HOST),
        /// What Envoy's route makes of the path (`prefix_rewrite`). If it is left out, the path as it was sent is signed.
        pub prefix_rewrite: Option<PrefixRewrite> = optional(object()),
        /// The longest body that is read to be signed, in bytes, where `payload` is `"hash"`; no more than Envoy buffers
        /// (`per_connection_buffer_limit_bytes` of the listener).
        pub max_body_bytes: u64 = or(1 << 20, MAX_BODY_BYTES),
    }
}

settings! {
    /// A prefix of the path and what Envoy puts in its place.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PrefixRewrite {
        /// The prefix: that of the route's `match`.
        pub r#match: String = required(form::PATH),
        /// What it becomes: the route's `prefix_rewrite`.
        pub to: String = required(form::PATH),
    }
}

/// What a signature says of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// What the client's own `x-amz-content-sha256` says.
    Reuse,
    /// Nothing.
    Unsigned,
    /// Its digest, for which the filter reads it.
    Hash,
}

impl Choice for Injection {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.object(
            "header",
            "A header and what stands in it before the token.",
            |HeaderTarget { name, scheme }| Self::header(name, scheme),
        );
        listener.word(
            "azure_sas",
            "The query of a shared access signature of Azure Storage, behind what the request's own query has.",
            Self::AzureSas,
        );
        listener.object(
            "sigv4",
            "A signature over the request with short-lived AWS keys (AWS Signature Version 4).",
            Self::SigV4,
        );
    }
}

impl Choice for Payload {
    fn alternatives(listener: &mut impl Alternatives<Self>) {
        listener.word(
            "reuse",
            "What the client's own `x-amz-content-sha256` says; a request with a body and without it is refused.",
            Self::Reuse,
        );
        listener.word("unsigned", "Nothing (`UNSIGNED-PAYLOAD`), which only S3 accepts.", Self::Unsigned);
        listener.word(
            "hash",
            "Its SHA-256, for which the filter reads it. The request is held until the whole body is there, and the plugin \
             needs `reads_bodies`.",
            Self::Hash,
        );
    }
}

impl Injection {
    pub(super) fn header(name: String, scheme: Option<String>) -> Self {
        // `Authorization` without a scheme is no credential that a server could read (RFC 9110, section 11.6.2).
        let default = (name == AUTHORIZATION).then(|| "Bearer".to_owned());
        Self::Header { scheme: scheme.or(default), name }
    }

    /// The type of token that has to be asked for; `None`: it is the route's own choice.
    pub(super) fn token_type(&self) -> Option<TokenType> {
        match self {
            Self::Header { .. } => None,
            Self::AzureSas => Some(TokenType::AzureSas),
            Self::SigV4(_) => Some(TokenType::AwsKeys),
        }
    }

    /// Adds all of it to a digest.
    pub(super) fn digest(&self, digest: FieldDigest) -> FieldDigest {
        match self {
            Self::Header { name, scheme } => digest.field("header").field(name).optional(scheme.as_deref()),
            Self::AzureSas => digest.field("azure sas"),
            Self::SigV4(SigV4 { service, region, payload, host, prefix_rewrite, max_body_bytes }) => {
                let payload = match payload {
                    Payload::Reuse => "reuse",
                    Payload::Unsigned => "unsigned",
                    Payload::Hash => "hash",
                };
                let [from, to] = match prefix_rewrite {
                    Some(PrefixRewrite { r#match, to }) => [Some(r#match), Some(to)],
                    None => [None, None],
                };
                let digest = digest.field("sigv4").field(service).field(region).field(payload);
                digest.optional(host.as_ref()).optional(from).optional(to).field(max_body_bytes.to_be_bytes())
            }
        }
    }
}

impl SigV4 {
    /// Whether S3's rules hold: the path is signed as it is, and what is signed of the body stands in a header.
    pub fn is_s3(&self) -> bool {
        ["s3", "s3-object-lambda", "s3-outposts", "s3express"].contains(&self.service.as_str())
    }
}

pub(super) const AUTHORIZATION: &str = "authorization";
const MAX_BODY_BYTES: Whole<u64> = whole(1, 64 << 20);
