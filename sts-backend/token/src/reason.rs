//! The stable codes by which a refusal is named on the wire, in logs, in records and in the docs.
//!
//! The STS says why with one of these; the filter turns it into a status by a single table of its own. Codes are never
//! renamed and never reused.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in the order of the flow.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }
        }
    };
}

reasons! {
    /// The exchange request itself is malformed: a parameter is missing, doubled, too long or not understood.
    RequestInvalid = "request_invalid",
    /// The request speaks a newer filter protocol than this STS.
    ProtocolUnsupported = "protocol_unsupported",
    /// The caller's certificate names no registered actor.
    ActorUnknown = "actor_unknown",
    /// The caller says it is another actor than its certificate names.
    ActorMismatch = "actor_mismatch",
    /// No credential was sent where the route expects one.
    SubjectTokenMissing = "subject_token_missing",
    /// More than one credential was sent where the route expects one.
    SubjectTokenDuplicated = "subject_token_duplicated",
    /// The credential is longer than the bound.
    SubjectTokenTooLarge = "subject_token_too_large",
    /// The credential is not a well-formed compact JWS, or a claim has the wrong form.
    SubjectTokenMalformed = "subject_token_malformed",
    /// The credential's algorithm is not one its issuer's keys may have.
    SubjectAlgorithmRefused = "subject_algorithm_refused",
    /// No trust source is configured for the credential's issuer.
    SubjectIssuerUnknown = "subject_issuer_unknown",
    /// The issuer publishes no key with the credential's `kid`.
    SubjectKeyUnknown = "subject_key_unknown",
    /// The signature does not verify.
    SubjectSignatureInvalid = "subject_signature_invalid",
    /// The credential is addressed to somebody else.
    SubjectAudienceMismatch = "subject_audience_mismatch",
    /// The credential has expired.
    SubjectTokenExpired = "subject_token_expired",
    /// The credential is not valid yet.
    SubjectTokenNotYetValid = "subject_token_not_yet_valid",
    /// A claim that the trust source pins is absent or has another value.
    SubjectClaimMismatch = "subject_claim_mismatch",
    /// The platform says that the credential, or what it was given to, is no more.
    SubjectRevoked = "subject_revoked",
    /// The credential is good once, or for its first user, and has been used.
    SubjectTokenReplayed = "subject_token_replayed",
    /// The issuer's keys could not be fetched and none are held.
    IssuerKeysUnavailable = "issuer_keys_unavailable",
    /// The server or platform that must be asked about the credential gave no usable answer.
    ReviewUnavailable = "review_unavailable",
    /// The destination asked for is not one this STS issues tokens for.
    TargetUnknown = "target_unknown",
    /// The scope asked for is not one that policy grants.
    ScopeRefused = "scope_refused",
    /// The token type asked for cannot be issued.
    TokenTypeUnsupported = "token_type_unsupported",
    /// No policy lets this actor speak for this subject.
    ActorNotPermitted = "actor_not_permitted",
    /// No policy lets this subject reach this destination, or one forbids it.
    PolicyDenied = "policy_denied",
    /// The destination's provider says no to what it was shown, or to what it was asked for.
    ProviderRefused = "provider_refused",
    /// The destination's provider takes no more calls for now, or this STS makes no more, to stay below its limit.
    ProviderThrottled = "provider_throttled",
    /// The destination's provider did not answer in time, could not be reached, or is left alone for a moment.
    ProviderUnavailable = "provider_unavailable",
    /// The destination's provider answered something that must not become a credential.
    ProviderReplyInvalid = "provider_reply_invalid",
    /// The decision could not be recorded, so nothing was released.
    RecordUnavailable = "record_unavailable",
    /// The STS is shutting down or carries all the work it may.
    Overloaded = "overloaded",
    /// Envoy's route is not one the filter's configuration names.
    RouteUnknown = "route_unknown",
    /// The request asks for something no credential may travel with: CONNECT, or an upgrade the route does not allow.
    RequestRefused = "request_refused",
    /// The request's method is outside the grant.
    MethodRefused = "method_refused",
    /// The request's path is outside the grant.
    PathRefused = "path_refused",
    /// After the swap Envoy would send the request to a cluster the route does not name.
    ClusterRefused = "cluster_refused",
    /// The request is signed in a way that the proxy cannot replace: chunk by chunk, or in its query.
    SignatureRefused = "signature_refused",
    /// The request's body is larger than the route reads to sign it.
    BodyTooLarge = "body_too_large",
    /// The STS did not answer in time, or could not be reached.
    StsUnavailable = "sts_unavailable",
    /// The STS answered something that must not become a credential.
    StsReplyInvalid = "sts_reply_invalid",
    /// The source of the request has as many exchanges under way, or refused of late, as one source may.
    SourceLimited = "source_limited",
    /// The filter holds as many waiting requests or pending exchanges as it may.
    FilterOverloaded = "filter_overloaded",
}

impl Reason {
    /// The reason that `code` names.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::from_code(&code).ok_or_else(|| serde::de::Error::custom("unknown reason code"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_lead_back() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Reason::from_code("no_such_code"), None);
    }
}
