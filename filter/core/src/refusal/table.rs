//! The one table from reason to status. Nobody else chooses a status, and nothing chooses by the OAuth `error`.

use token::reason::Reason;

/// How a refusal looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// 401: another credential may help. 403: none will. 413, 429: less may. 503: it is not the caller's fault.
    pub status: u16,
    /// What happened, for people (RFC 9457, section 3.1.3).
    pub title: &'static str,
}

/// The row of a reason.
pub const fn row(reason: Reason) -> Row {
    let (status, title) = match reason {
        Reason::SubjectTokenMissing => (401, "No credential was sent"),
        Reason::SubjectTokenDuplicated => (401, "More than one credential was sent"),
        Reason::SubjectTokenTooLarge => (401, "The credential is too large"),
        Reason::SubjectTokenMalformed => (401, "The credential is malformed"),
        Reason::SubjectAlgorithmRefused => (401, "The credential's algorithm is not accepted"),
        Reason::SubjectIssuerUnknown => (401, "The credential's issuer is not trusted"),
        Reason::SubjectKeyUnknown => (401, "The credential's key is not known"),
        Reason::SubjectSignatureInvalid => (401, "The credential's signature is not valid"),
        Reason::SubjectAudienceMismatch => (401, "The credential is addressed to somebody else"),
        Reason::SubjectTokenExpired => (401, "The credential has expired"),
        Reason::SubjectTokenNotYetValid => (401, "The credential is not valid yet"),
        Reason::SubjectClaimMismatch => (401, "A claim of the credential is not as it must be"),
        Reason::SubjectRevoked => (401, "The credential has been revoked"),
        Reason::SubjectTokenReplayed => (401, "The credential has been used"),
        Reason::TargetUnknown => (403, "No tokens are issued for this destination"),
        Reason::ScopeRefused => (403, "The scope is not granted"),
        Reason::ActorNotPermitted => (403, "This proxy may not speak for this workload"),
        Reason::PolicyDenied => (403, "Policy does not let this workload reach this destination"),
        Reason::RouteUnknown => (403, "The route is not configured"),
        Reason::RequestRefused => (403, "No credential may travel with this kind of request"),
        Reason::MethodRefused => (403, "The method is outside the grant"),
        Reason::PathRefused => (403, "The path is outside the grant"),
        Reason::ClusterRefused => (403, "The request would go where its credential may not"),
        Reason::ProviderRefused => (403, "The destination's provider refuses"),
        Reason::SignatureRefused => (403, "The request is signed in a way that cannot be replaced"),
        Reason::BodyTooLarge => (413, "The body is too large to be signed here"),
        Reason::SourceLimited => (429, "This source asks for too much"),
        Reason::RequestInvalid => (503, "The token service did not understand the proxy"),
        Reason::ProtocolUnsupported => (503, "The token service is older than the proxy"),
        Reason::ActorUnknown => (503, "The token service does not know the proxy"),
        Reason::ActorMismatch => (503, "The proxy is configured as another than it is"),
        Reason::TokenTypeUnsupported => (503, "The token service does not issue this type of token"),
        Reason::IssuerKeysUnavailable => (503, "The issuer's keys cannot be had"),
        Reason::ReviewUnavailable => (503, "Who vouches for the credential cannot be asked"),
        Reason::ProviderThrottled => (503, "The destination's provider takes no more calls for now"),
        Reason::ProviderUnavailable => (503, "The destination's provider does not answer"),
        Reason::ProviderReplyInvalid => (503, "The destination's provider gave an unusable answer"),
        Reason::RecordUnavailable => (503, "The decision could not be recorded"),
        Reason::Overloaded => (503, "The token service has too much to do"),
        Reason::StsUnavailable => (503, "The token service cannot be reached"),
        Reason::StsReplyInvalid => (503, "The token service gave an unusable answer"),
        Reason::FilterOverloaded => (503, "The proxy has too much to do"),
    };
    Row { status, title }
}

/// The row of a reason this version does not know, by whom the STS blamed.
pub(super) const fn newer(sts_status: u16) -> Row {
    match sts_status {
        400..=499 => Row { status: 403, title: "The token service refused the exchange" },
        _ => Row { status: 503, title: "The token service could not do the exchange" },
    }
}
