//! What stands for the body in a signature: its digest, or a word that says why there is none ("Signature calculations for
//! the Authorization header", `x-amz-content-sha256`).

use token::reason::Reason;

use super::EMPTY_SHA256;
use crate::{
    config::{Payload, SigV4},
    refusal::Refusal,
};

/// The header in which S3 is told what stands for the body.
pub const HEADER: &str = "x-amz-content-sha256";

/// The body is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The body comes in chunks that are not signed, with a digest of its own behind it.
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// How the words begin that tell of a body in chunks.
const CHUNKS: &str = "STREAMING-";

/// What a client says of its request's body in [`HEADER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'r> {
    Nothing,
    Once(&'r [u8]),
    Often,
}

/// What is to stand for the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan<'r> {
    /// This, whatever the body is.
    Known(&'r str),
    /// Its digest, once it has been read.
    Read,
}

impl<'r> Said<'r> {
    /// The same, with one more value.
    #[must_use]
    pub fn and(self, value: &'r [u8]) -> Self {
        match self {
            Self::Nothing => Self::Once(value),
            Self::Once(_) | Self::Often => Self::Often,
        }
    }

    /// What was said, if it is one text.
    pub fn text(self) -> Option<&'r str> {
        match self {
            Self::Once(value) => str::from_utf8(value).ok(),
            Self::Nothing | Self::Often => None,
        }
    }

    /// What stands for the body of a request that may have one (`has_body`).
    ///
    /// # Errors
    /// The refusal: nothing that would be true can stand there.
    pub fn plan(self, sigv4: &SigV4, has_body: bool) -> Result<Plan<'r>, Refusal> {
        let text = match self {
            Self::Often => return Err(refusal("several values", A_VALUE)),
            Self::Once(value) => Some(str::from_utf8(value).map_err(|_| refusal("something else", A_VALUE))?),
            Self::Nothing => None,
        };
        match text {
            // Such a body can be read by nobody who is told another word for it.
            Some(UNSIGNED_CHUNKS) if sigv4.is_s3() => return Ok(Plan::Known(UNSIGNED_CHUNKS)),
            Some(text) if text.starts_with(CHUNKS) => {
                let detail = "each chunk of the body is signed with the client's keys, and the proxy signs with others: have \
                              the client send the body whole, or in chunks that are not signed";
                return Err(refusal(text, UNSIGNED_CHUNKS).detail(detail));
            }
            _ => {}
        }
        match (sigv4.payload, text) {
            (Payload::Unsigned, _) => Ok(Plan::Known(UNSIGNED)),
            (Payload::Hash, _) if has_body => Ok(Plan::Read),
            (Payload::Hash, _) => Ok(Plan::Known(EMPTY_SHA256)),
            (Payload::Reuse, Some(text)) if text == UNSIGNED || is_sha256(text) => Ok(Plan::Known(text)),
            (Payload::Reuse, Some(_)) => Err(refusal("something else", A_VALUE)),
            (Payload::Reuse, None) if !has_body => Ok(Plan::Known(EMPTY_SHA256)),
            (Payload::Reuse, None) => {
                let detail = "the body's digest has to be signed, and this route does not read bodies: have the client send \
                              the digest, or set the route's `payload` to \"hash\"";
                Err(refusal("nothing", A_VALUE).detail(detail))
            }
        }
    }
}

fn refusal(got: &str, wanted: &str) -> Refusal {
    Refusal::new(Reason::SignatureRefused).claim(HEADER).got(got).wanted(wanted)
}

fn is_sha256(text: &str) -> bool {
    text.len() == EMPTY_SHA256.len() && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

const A_VALUE: &str =
    "the body's SHA-256 in 64 hexadecimal digits, UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER";
