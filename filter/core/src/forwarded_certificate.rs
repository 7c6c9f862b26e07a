//! A certificate that the proxy in front of this one has seen, as it tells of it in `x-forwarded-client-cert`.
//!
//! The header is Envoy's: elements with `,` between them, one for each proxy that a request has passed; in an element
//! `Key=Value` with `;` between; a value with such characters in it stands in `"`, with `\` before what would end it. Here
//! exactly one element is read. The hop replaces what its clients send (`SANITIZE_SET`), so a second one is somebody else's
//! word, and which of them is the hop's would be a guess.

use token::{jws::MAX_TOKEN_LENGTH, reason::Reason};

use crate::{credential, refusal::Refusal, request::Headers};

/// The header, in lower case.
pub const HEADER: &str = "x-forwarded-client-cert";

/// What may stand in an element once. `By` and `DNS` may repeat.
const ONCE: [&str; 5] = ["Cert", "Chain", "Hash", "Subject", "URI"];

/// Whether a header of this name says, or could be taken to say, who the client is. `name` is in lower case.
pub fn is_named(name: &str) -> bool {
    credential::equal(name, HEADER)
}

/// The certificate that `hop`, who must be the client itself (`peer`: the URI name in its certificate), tells of: PEM,
/// percent-encoded.
///
/// # Errors
/// The refusal, which names the header and never what stands in it.
pub fn read<'h>(headers: &Headers<'h>, hop: &str, peer: Option<&str>) -> Result<&'h str, Refusal> {
    if peer != Some(hop) {
        return Err(Refusal::new(Reason::SubjectTokenMissing)
            .claim("client certificate")
            .got(if peer.is_some_and(|peer| !peer.is_empty()) {
                "another client"
            } else {
                "a client without a URI name"
            })
            .wanted(&format!("a request from {hop}")));
    }
    let mut lines = headers.iter().filter(|(name, _)| *name == HEADER);
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Err(absent("nothing")),
        (Some((_, value)), None) => value,
        (Some(_), Some(_)) => return Err(duplicated("several lines")),
    };
    if line.len() > MAX_TOKEN_LENGTH {
        let (got, wanted) = (format!("{} bytes", line.len()), format!("at most {MAX_TOKEN_LENGTH} bytes"));
        return Err(Refusal::new(Reason::SubjectTokenTooLarge).claim(HEADER).got(&got).wanted(&wanted));
    }
    let text = str::from_utf8(line.trim_ascii()).map_err(|_| malformed("other characters"))?;
    if text.is_empty() { Err(absent("nothing")) } else { certificate(text) }
}

/// The certificate in the only element that `text` is.
fn certificate(text: &str) -> Result<&str, Refusal> {
    let mut seen = [false; ONCE.len()];
    let mut found = None;
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (key, value, behind) = pair(text)?;
        rest = behind;
        let once = ONCE.iter().zip(&mut seen).find(|(name, _)| name.eq_ignore_ascii_case(key));
        if let Some((name, seen)) = once
            && std::mem::replace(seen, true)
        {
            return Err(duplicated(&format!("several of `{name}`")));
        }
        if key.eq_ignore_ascii_case("Cert") {
            found = Some(value);
        }
    }
    match found {
        Some(certificate) if is_percent_encoded(certificate) => Ok(certificate),
        Some(_) => Err(malformed("a `Cert` that is not percent-encoded")),
        None => Err(absent("no `Cert`")),
    }
}

/// The first pair of `text`, and what is behind the `;` after it.
fn pair(text: &str) -> Result<(&str, &str, Option<&str>), Refusal> {
    let (key, rest) = text.split_once('=').ok_or_else(|| malformed("something that is no `Key=Value`"))?;
    // Before the `=` a `,` ends the element too.
    if key.contains(',') {
        return Err(duplicated("several elements"));
    }
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return Err(malformed("a key of other characters"));
    }
    let (value, behind) = match rest.strip_prefix('"') {
        Some(quoted) => end_of_quoted(quoted).ok_or_else(|| malformed("a `\"` without its end"))?,
        None => rest.split_at(rest.find([';', ',']).unwrap_or(rest.len())),
    };
    if !rest.starts_with('"') && value.contains(['"', '=', '\\']) {
        return Err(malformed("a value that should stand in `\"`"));
    }
    match behind.split_at_checked(1) {
        None => Ok((key, value, None)),
        Some((";", behind)) => Ok((key, value, Some(behind))),
        Some((",", _)) => Err(duplicated("several elements")),
        Some(_) => Err(malformed("something behind a `\"`")),
    }
}

/// What stands before the `"` that ends a value, and what comes after it.
fn end_of_quoted(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    let end = text.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })?;
    let (value, behind) = text.split_at_checked(end)?;
    Some((value, behind.strip_prefix('"')?))
}

/// One or more unreserved characters and `%` with two hexadecimal digits (RFC 3986, sections 2.1 and 2.3).
fn is_percent_encoded(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut hex = false;
    while let Some(byte) = bytes.next() {
        let right = match byte {
            b'%' => {
                hex = true;
                [bytes.next(), bytes.next()].iter().all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
        };
        if !right {
            return false;
        }
    }
    // Without any it is no PEM: that has ends of lines.
    hex
}

fn absent(got: &str) -> Refusal {
    Refusal::new(Reason::SubjectTokenMissing).claim(HEADER).got(got).wanted(WANTED)
}

fn duplicated(got: &str) -> Refusal {
    Refusal::new(Reason::SubjectTokenDuplicated).claim(HEADER).got(got).wanted(WANTED)
}

fn malformed(got: &str) -> Refusal {
    Refusal::new(Reason::SubjectTokenMalformed).claim(HEADER).got(got).wanted(WANTED)
}

const WANTED: &str = "one element with one `Cert`, as Envoy writes it with SANITIZE_SET and `cert: true`";

#[cfg(test)]
mod tests;
