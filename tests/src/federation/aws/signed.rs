//! Who signed a request, among the sessions of an account.

use std::sync::Arc;

use super::{account::Account, session::Session};
use crate::{
    asked::Asked,
    aws::signature::{Claimed, Fault, Wanted},
    federation::reply::{Wrong, wrong},
};

/// Why nobody is believed to have signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stranger {
    Signature(Fault),
    UnknownKey,
    Expired,
}

/// The session whose keys signed `asked` for `service`.
pub fn caller(
    account: &Account,
    asked: &Asked,
    service: &str,
    payload: &str,
    now: i64,
) -> Result<Arc<Session>, Stranger> {
    let claimed = Claimed::read(asked).map_err(Stranger::Signature)?;
    let session = account.session(claimed.access_key).ok_or(Stranger::UnknownKey)?;
    let wanted = Wanted {
        secret_key: &session.secret_key,
        session_token: Some(&session.token),
        region: &account.region,
        service,
        payload,
    };
    claimed.check(asked, wanted, now).map_err(Stranger::Signature)?;
    if now < session.expires { Ok(session) } else { Err(Stranger::Expired) }
}

/// As the query API of the STS says it.
pub fn query_code(stranger: &Stranger) -> Wrong {
    match stranger {
        Stranger::UnknownKey | Stranger::Signature(Fault::SessionToken) => {
            wrong(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        Stranger::Expired => wrong(403, "ExpiredToken", "The security token included in the request is expired"),
        Stranger::Signature(Fault::Absent) => {
            wrong(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Stranger::Signature(Fault::Twice | Fault::Unreadable(_)) => {
            wrong(400, "IncompleteSignature", "Authorization header cannot be read")
        }
        Stranger::Signature(fault) => wrong(403, "SignatureDoesNotMatch", mismatch(fault)),
    }
}

/// As JSON services say it; all of it is the client's fault, hence 400.
pub fn json_code(stranger: &Stranger) -> Wrong {
    match stranger {
        Stranger::UnknownKey | Stranger::Signature(Fault::SessionToken) => {
            wrong(400, "UnrecognizedClientException", "The security token included in the request is invalid.")
        }
        Stranger::Expired => {
            wrong(400, "ExpiredTokenException", "The security token included in the request is expired")
        }
        Stranger::Signature(Fault::Absent) => {
            wrong(400, "MissingAuthenticationTokenException", "Request is missing Authentication Token")
        }
        Stranger::Signature(Fault::Twice | Fault::Unreadable(_)) => {
            wrong(400, "IncompleteSignatureException", "Authorization header cannot be read")
        }
        Stranger::Signature(fault) => wrong(400, "InvalidSignatureException", mismatch(fault)),
    }
}

/// As S3 says it.
pub fn s3_code(stranger: &Stranger) -> Wrong {
    match stranger {
        Stranger::UnknownKey => {
            wrong(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        Stranger::Expired => wrong(400, "ExpiredToken", "The provided token has expired."),
        Stranger::Signature(fault) => match fault {
            Fault::Absent => wrong(403, "AccessDenied", "Access Denied"),
            Fault::Twice => wrong(
                400,
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified",
            ),
            Fault::Unreadable(what) => {
                wrong(400, "AuthorizationHeaderMalformed", format!("The authorization header is malformed: {what}"))
            }
            Fault::Scope(wanted) => wrong(
                400,
                "AuthorizationHeaderMalformed",
                format!("The authorization header is malformed; expecting {wanted}"),
            ),
            Fault::SessionToken => wrong(400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
            Fault::Skewed => wrong(
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Fault::Unsigned(name) => {
                let message = format!("There were headers present in the request which were not signed: {name}");
                wrong(403, "AccessDenied", message)
            }
            Fault::Mismatch => wrong(403, "SignatureDoesNotMatch", mismatch(fault)),
        },
    }
}

fn mismatch(fault: &Fault) -> String {
    match fault {
        Fault::Skewed => "Signature expired or not yet current".to_owned(),
        Fault::Scope(wanted) => format!("Credential should be scoped to {wanted}"),
        Fault::Unsigned(name) => format!("'{name}' must be a 'SignedHeader' in the AWS Authorization"),
        _ => "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
              Key and signing method."
            .to_owned(),
    }
}
