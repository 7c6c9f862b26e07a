//! What `x-amz-content-sha256` says of the body of a request to S3, and whether the body is so (S3 API Reference,
//! "Authenticating Requests").

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    asked::Asked,
    aws::sigv4::hash,
    federation::reply::{Wrong, wrong},
};

/// What is signed in the body's place.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
pub const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The value that is signed.
pub fn signed(asked: &Asked) -> Result<&str, Wrong> {
    let value = asked.header("x-amz-content-sha256");
    let value = value.ok_or_else(|| {
        wrong(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    })?;
    let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_hash || value == UNSIGNED || value == TRAILER {
        Ok(value)
    } else if value.starts_with("STREAMING-AWS4-") {
        Err(wrong(501, "NotImplemented", format!("{value}: chunks that are signed each are not taken here")))
    } else {
        Err(wrong(
            400,
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, or a valid sha256 value.",
        ))
    }
}

/// The object in the body, once the request's signature is known to be right.
pub fn object(asked: &Asked) -> Result<Cow<'_, [u8]>, Wrong> {
    let value = signed(asked)?;
    if value == TRAILER {
        return chunked(asked).map(Cow::Owned);
    }
    if value != UNSIGNED && value != hash(&asked.body) {
        return Err(wrong(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ));
    }
    for name in CHECKSUMS {
        if let Some(sum) = asked.header(name) {
            check(name, sum, &asked.body)?;
        }
    }
    Ok(Cow::Borrowed(&asked.body))
}

/// The object in the chunks of `aws-chunked`, whose trailer holds its checksum.
fn chunked(asked: &Asked) -> Result<Vec<u8>, Wrong> {
    let broken = |what: &str| wrong(400, "IncompleteBody", format!("The request body is no aws-chunked one: {what}"));
    let encodings = asked.joined("content-encoding").unwrap_or_default();
    if !encodings.split(',').any(|encoding| encoding.trim() == "aws-chunked") {
        return Err(broken("content-encoding"));
    }
    let length = asked.header("x-amz-decoded-content-length").and_then(|length| length.parse::<usize>().ok());
    let length =
        length.ok_or_else(|| wrong(411, "MissingContentLength", "You must provide x-amz-decoded-content-length."))?;
    let (mut object, mut rest) = (Vec::new(), asked.body.as_ref());
    loop {
        let (line, after) = line(rest).ok_or_else(|| broken("a chunk's length"))?;
        let size = usize::from_str_radix(line, 16).map_err(|_| broken("a chunk's length"))?;
        rest = after;
        if size == 0 {
            break;
        }
        object.extend_from_slice(rest.get(..size).ok_or_else(|| broken("a chunk"))?);
        rest = rest.get(size..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or_else(|| broken("a chunk's end"))?;
    }
    if object.len() != length {
        return Err(broken("x-amz-decoded-content-length"));
    }
    let trailer = asked.header("x-amz-trailer").filter(|name| CHECKSUMS.contains(name));
    let trailer = trailer.ok_or_else(|| {
        wrong(400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    })?;
    let (text, after) = line(rest).ok_or_else(|| wrong(400, "MalformedTrailerError", "there is no trailer"))?;
    let sum = text.strip_prefix(trailer).and_then(|sum| sum.strip_prefix(':'));
    let sum = sum.ok_or_else(|| wrong(400, "MalformedTrailerError", format!("the trailer has no {trailer}")))?;
    if after != b"\r\n" {
        return Err(wrong(400, "MalformedTrailerError", "more than a trailer"));
    }
    check(trailer, sum.trim(), &object)?;
    Ok(object)
}

fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

/// The checksums that are computed here.
const CHECKSUMS: [&str; 2] = ["x-amz-checksum-crc32", "x-amz-checksum-sha256"];

fn check(name: &str, sum: &str, body: &[u8]) -> Result<(), Wrong> {
    let computed = match name {
        "x-amz-checksum-crc32" => STANDARD.encode(crc32(body).to_be_bytes()),
        _ => STANDARD.encode(token::digest::sha256(body)),
    };
    if sum == computed {
        Ok(())
    } else {
        Err(wrong(400, "BadDigest", format!("The value of {name} did not match the calculated checksum.")))
    }
}

/// As in RFC 1952, section 8.
fn crc32(bytes: &[u8]) -> u32 {
    let shift = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| shift(sum)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(headers: &[(&'static str, &str)], body: &'static str) -> Asked {
        let mut asked = Asked { method: "PUT".into(), body: body.into(), ..Asked::default() };
        for (name, value) in headers {
            asked.headers.insert(*name, value.parse().unwrap());
        }
        asked
    }

    fn judged(headers: &[(&'static str, &str)], body: &'static str) -> Result<String, String> {
        let asked = asked(headers, body);
        let object = object(&asked).map(|object| String::from_utf8_lossy(&object).into_owned());
        object.map_err(|wrong| wrong.code)
    }

    #[test]
    fn the_sum_of_the_well_known_text_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_body_must_be_what_was_signed() {
        let (name, hash) = ("x-amz-content-sha256", hash(b"hello world"));
        assert_eq!(judged(&[(name, &hash)], "hello world"), Ok("hello world".into()));
        assert_eq!(judged(&[(name, &hash)], "hello World"), Err("XAmzContentSHA256Mismatch".into()));
        assert_eq!(judged(&[(name, UNSIGNED)], "hello World"), Ok("hello World".into()));
        assert_eq!(
            judged(&[(name, &hash), ("x-amz-checksum-crc32", "DUoRhQ==")], "hello world"),
            Ok("hello world".into())
        );
        assert_eq!(
            judged(&[(name, &hash), ("x-amz-checksum-crc32", "AAAAAA==")], "hello world"),
            Err("BadDigest".into())
        );
        assert_eq!(judged(&[(name, &hash.to_uppercase())], "hello world"), Err("InvalidArgument".into()));
        assert_eq!(judged(&[(name, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")], ""), Err("NotImplemented".into()));
        assert_eq!(judged(&[], ""), Err("InvalidRequest".into()));
    }

    #[test]
    fn chunks_and_their_trailer_must_be_whole() {
        let right = [
            ("x-amz-content-sha256", TRAILER),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "11"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        let body = "5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        assert_eq!(judged(&right, body), Ok("hello world".into()));
        for (body, code) in [
            ("5\r\nhello\r\n6\r\n World\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "BadDigest"),
            ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "IncompleteBody"),
            ("5\r\nhello6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n", "IncompleteBody"),
            ("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "MalformedTrailerError"),
            ("5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\nx:y\r\n\r\n", "MalformedTrailerError"),
            ("hello world", "IncompleteBody"),
        ] {
            assert_eq!(judged(&right, body), Err(code.into()), "{body}");
        }
    }
}
