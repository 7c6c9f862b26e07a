//! Status and OAuth error code for each reason: the one place where a refusal becomes HTTP.

use http::StatusCode;
use token::reason::Reason;

/// What a refusal looks like in HTTP and OAuth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The HTTP status.
    pub http: StatusCode,
    /// The OAuth error code (RFC 6749, section 5.2; RFC 8693, section 2.2.2).
    pub error: &'static str,
    /// After how many seconds asking again makes sense.
    pub retry_after: Option<u32>,
}

const fn refused(http: StatusCode, error: &'static str) -> Status {
    Status { http, error, retry_after: None }
}

/// The status of `reason`.
pub const fn of(reason: Reason) -> Status {
    match reason {
        // RFC 8693, section 2.2.2: whatever is wrong with the request or with one of its tokens is `invalid_request`.
        Reason::RequestInvalid
        | Reason::ProtocolUnsupported
        | Reason::ActorMismatch
        | Reason::SubjectTokenMissing
        | Reason::SubjectTokenDuplicated
        | Reason::SubjectTokenTooLarge
        | Reason::SubjectTokenMalformed
        | Reason::SubjectAlgorithmRefused
        | Reason::SubjectIssuerUnknown
        | Reason::SubjectKeyUnknown
        | Reason::SubjectSignatureInvalid
        | Reason::SubjectAudienceMismatch
        | Reason::SubjectTokenExpired
        | Reason::SubjectTokenNotYetValid
        | Reason::SubjectClaimMismatch
        | Reason::SubjectRevoked
        | Reason::SubjectTokenReplayed
        | Reason::TokenTypeUnsupported
        | Reason::ActorNotPermitted => refused(StatusCode::BAD_REQUEST, "invalid_request"),
        Reason::TargetUnknown | Reason::PolicyDenied | Reason::ProviderRefused => {
            refused(StatusCode::BAD_REQUEST, "invalid_target")
        }
        Reason::ScopeRefused => refused(StatusCode::BAD_REQUEST, "invalid_scope"),
        Reason::ActorUnknown => refused(StatusCode::UNAUTHORIZED, "invalid_client"),
        Reason::IssuerKeysUnavailable
        | Reason::ReviewUnavailable
        | Reason::ProviderThrottled
        | Reason::ProviderUnavailable
        | Reason::ProviderReplyInvalid
        | Reason::RecordUnavailable
        | Reason::Overloaded => {
            Status { http: StatusCode::SERVICE_UNAVAILABLE, error: "temporarily_unavailable", retry_after: Some(1) }
        }
        // Reasons of the edge. This service does not give them; were it to, the request would still be refused.
        Reason::RouteUnknown
        | Reason::RequestRefused
        | Reason::MethodRefused
        | Reason::PathRefused
        | Reason::ClusterRefused
        | Reason::SignatureRefused
        | Reason::BodyTooLarge
        | Reason::StsUnavailable
        | Reason::StsReplyInvalid
        | Reason::SourceLimited
        | Reason::FilterOverloaded => refused(StatusCode::BAD_REQUEST, "invalid_request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_is_a_server_error_without_a_time_to_come_back() {
        for reason in Reason::ALL {
            let status = of(*reason);
            assert!(!status.http.is_success(), "{reason}");
            assert_eq!(status.http.is_server_error(), status.retry_after.is_some(), "{reason}");
            assert_ne!(status.http, StatusCode::INTERNAL_SERVER_ERROR, "{reason}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_token_is_invalid_request() {
        for reason in Reason::ALL.iter().filter(|reason| reason.code().starts_with("subject_")) {
            assert_eq!(of(*reason), refused(StatusCode::BAD_REQUEST, "invalid_request"), "{reason}");
        }
    }

    /// Reasons that only an edge gives.
    const OF_THE_EDGE: [Reason; 11] = [
        Reason::RouteUnknown,
        Reason::RequestRefused,
        Reason::MethodRefused,
        Reason::PathRefused,
        Reason::ClusterRefused,
        Reason::SignatureRefused,
        Reason::BodyTooLarge,
        Reason::StsUnavailable,
        Reason::StsReplyInvalid,
        Reason::SourceLimited,
        Reason::FilterOverloaded,
    ];

    #[test]
    fn the_reference_has_every_reason_with_the_status_of_both_sides() {
        let rows: Vec<_> =
            include_str!("../../docs/reasons.md").lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), Reason::ALL.len());
        for (row, reason) in rows.iter().zip(Reason::ALL) {
            let sts = if OF_THE_EDGE.contains(reason) { "-".to_owned() } else { of(*reason).http.as_u16().to_string() };
            let edge = filter_core::refusal::row(*reason).status;
            let beginning = format!("| `{reason}` | {sts} | {edge} | ");
            assert!(row.starts_with(&beginning), "expected `{beginning}` in: {row}");
            assert!(row.matches(" | ").count() >= 4, "{row}");
        }
    }
}
