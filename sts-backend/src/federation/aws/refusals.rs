//! AWS's errors, and whom they blame.

use http::StatusCode;

use crate::{
    aws::answer,
    federation::{retry_after, trouble::Trouble},
    outgoing::fetch::Answered,
};

/// The trouble that an answer other than 200 means; `by_keys` if a role was assumed with the keys of another.
pub fn trouble(answered: &Answered, by_keys: bool, now: u64) -> Trouble {
    let status = answered.status;
    let Some(answer::Failure { code, keys_out_of_reach }) = answer::failure(&answered.body) else {
        let code = format!("status {} without a code", status.as_u16());
        return match status {
            StatusCode::TOO_MANY_REQUESTS => {
                Trouble::Throttled { code, retry_after: retry_after::read(&answered.headers, now) }
            }
            StatusCode::REQUEST_TIMEOUT => Trouble::Unavailable { code },
            status if status.is_server_error() => Trouble::Unavailable { code },
            _ => Trouble::Invalid { code },
        };
    };
    match code.as_str() {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => {
            Trouble::Throttled { code, retry_after: retry_after::read(&answered.headers, now) }
        }
        // AWS could not fetch our keys in time. It says so by one of two codes, the second of which has other causes too.
        "IDPCommunicationError" | "IDPCommunicationErrorException" => Trouble::Unavailable { code },
        "InvalidIdentityToken" if keys_out_of_reach => Trouble::Unavailable { code },
        _ if status.is_server_error() => Trouble::Unavailable { code },
        known => Trouble::Refused { help: help(known, by_keys), code },
    }
}

fn help(code: &str, by_keys: bool) -> &'static str {
    match code {
        "AccessDenied" | "AccessDeniedException" if by_keys => {
            "have the trust policy of each role in `then_roles` allow the role before it `sts:AssumeRole`, `sts:TagSession` and \
             `sts:SetSourceIdentity`, and that role's own policies all three on it"
        }
        "AccessDenied" | "AccessDeniedException" => {
            "look whether the role exists, and its trust policy allows `sts:AssumeRoleWithWebIdentity`, `sts:TagSession` and \
             `sts:SetSourceIdentity` to our issuer for this workload and our `audience`"
        }
        "InvalidIdentityToken" | "InvalidIdentityTokenException" | "IDPRejectedClaim" | "IDPRejectedClaimException" => {
            "register our issuer as an OIDC provider in the role's account, with `audience` among its client ids; its keys must \
             be reachable from the internet"
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "SignatureDoesNotMatch" => {
            "set this service's clock; AWS finds what was just made outdated"
        }
        "MalformedPolicyDocument"
        | "MalformedPolicyDocumentException"
        | "PackedPolicyTooLarge"
        | "PackedPolicyTooLargeException" => {
            "shorten the destination's `prefix`: session policy and tags together are more than AWS takes"
        }
        "RegionDisabledException" | "OptInRequired" => {
            "switch STS on for this region in the account, or choose another `region`"
        }
        "ValidationError" | "ValidationException" => {
            "compare the role's longest session with the destination's `max_life_seconds`, and its ARN with `role_arn`"
        }
        _ => "look the code up in AWS's own documentation of its STS",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::{aws::answer::NAMESPACE, refusal::MAX_QUOTED};

    fn answered(status: u16, code: &str, message: &str) -> Answered {
        let body = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        );
        plain(status, &body)
    }

    fn plain(status: u16, body: &str) -> Answered {
        let headers = HeaderMap::from_iter([(http::header::RETRY_AFTER, "7".parse().unwrap())]);
        Answered { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() }
    }

    #[test]
    fn a_refusal_names_what_to_mend() {
        for (status, code, by_keys, advice) in [
            (400, "InvalidIdentityToken", false, "OIDC provider"),
            (403, "IDPRejectedClaim", false, "OIDC provider"),
            (403, "AccessDenied", false, "trust policy allows `sts:AssumeRoleWithWebIdentity`"),
            (403, "AccessDenied", true, "trust policy of each role in `then_roles`"),
            (400, "ExpiredTokenException", false, "clock"),
            (403, "SignatureDoesNotMatch", true, "clock"),
            (400, "MalformedPolicyDocument", false, "`prefix`"),
            (400, "PackedPolicyTooLarge", true, "`prefix`"),
            (403, "RegionDisabledException", false, "region"),
            (400, "ValidationError", false, "`role_arn`"),
            (400, "SomethingNew", false, "AWS's own documentation"),
        ] {
            let trouble = trouble(&answered(status, code, "m"), by_keys, 0);
            let Trouble::Refused { code: told, help } = &trouble else { panic!("{code}: {trouble:?}") };
            assert_eq!(told, code);
            assert!(help.contains(advice), "{code}: {help}");
            assert!(help.len() <= MAX_QUOTED, "{code}: its end would be cut off");
            assert!(!trouble.is_retryable());
        }
    }

    #[test]
    fn what_aws_may_take_later_is_worth_another_try() {
        for code in ["Throttling", "ThrottlingException", "RequestLimitExceeded"] {
            let wanted = Trouble::Throttled { code: code.to_owned(), retry_after: Some(7) };
            assert_eq!(trouble(&answered(400, code, "Rate exceeded"), false, 0), wanted);
        }
        let out_of_reach = "Couldn't retrieve verification key from your identity provider,  please reference";
        for (status, code, message) in [
            (400, "IDPCommunicationError", "m"),
            (400, "InvalidIdentityToken", out_of_reach),
            (500, "InternalFailure", "m"),
            (503, "ServiceUnavailable", "m"),
        ] {
            let wanted = Trouble::Unavailable { code: code.to_owned() };
            assert_eq!(trouble(&answered(status, code, message), false, 0), wanted);
        }
    }

    #[test]
    fn what_is_no_error_of_aws_s_is_told_by_its_status() {
        let told = |status| trouble(&plain(status, "<html>secret</html>"), false, 0);
        let code = |status: u16| format!("status {status} without a code");
        assert_eq!(told(429), Trouble::Throttled { code: code(429), retry_after: Some(7) });
        assert_eq!(told(502), Trouble::Unavailable { code: code(502) });
        assert_eq!(told(408), Trouble::Unavailable { code: code(408) });
        for status in [204, 302, 400, 403, 404] {
            assert_eq!(told(status), Trouble::Invalid { code: code(status) });
        }
    }
}
