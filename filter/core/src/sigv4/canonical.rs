//! The canonical request ("Create a canonical request"): what of a request is signed, in the one form that whoever signs and
//! whoever verifies both bring it into.
//!
//! A server reads path and query decoded and encodes them again to verify, so what a client has left unencoded is encoded
//! here too: `/a:b` is signed as `/a%3Ab`. What a client has encoded as AWS says stays what it is.

use memchr::memmem;
use zeroize::Zeroizing;

use super::encode;

/// What is signed of a request.
#[derive(Clone, Copy, Debug)]
pub struct Signable<'r> {
    pub method: &'r str,
    /// As it is sent, without the query.
    pub path: &'r str,
    /// As it is sent, without the `?`.
    pub query: &'r str,
    pub path_rule: PathRule,
    /// The signed headers, by their names in lower case: sorted, those of one name in the order in which they are sent.
    pub headers: &'r [(&'r str, &'r [u8])],
    /// What stands for the body: its digest in hexadecimal, or a word that says why there is none.
    pub payload: &'r str,
}

/// How a service reads paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// S3: a path names a key. It is encoded once, and nothing is taken out of it.
    Key,
    /// All others: dot segments and empty segments are removed (RFC 3986, section 5.2.4), and each segment as it was sent is
    /// encoded once more.
    Segments,
}

impl Signable<'_> {
    /// The canonical request. It holds a session token.
    pub(super) fn canonical(&self) -> Zeroizing<Vec<u8>> {
        let values = self.headers.iter().map(|(name, value)| name.len().saturating_mul(2).saturating_add(value.len()));
        let texts = self.path.len().saturating_add(self.query.len()).saturating_mul(3).saturating_add(SPARE);
        // Enough for whatever it comes to, so that the token is not left behind when it grows.
        let mut text = Zeroizing::new(Vec::with_capacity(
            values.fold(texts, |sum, length| sum.saturating_add(length).saturating_add(3)),
        ));
        text.extend_from_slice(self.method.as_bytes());
        text.push(b'\n');
        match self.path_rule {
            PathRule::Key => encode(decoded(self.path, false), Some(b'/'), &mut text),
            PathRule::Segments => segments(self.path, &mut text),
        }
        text.push(b'\n');
        query(self.query, &mut text);
        text.push(b'\n');
        headers(self.headers, &mut text);
        text.push(b'\n');
        text.extend_from_slice(self.signed_headers().as_bytes());
        text.push(b'\n');
        text.extend_from_slice(self.payload.as_bytes());
        text
    }

    /// The names of the signed headers, with `;` between them.
    pub(super) fn signed_headers(&self) -> String {
        let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        names.dedup();
        names.join(";")
    }
}

/// The bytes that a text stands for. What is no escape stands for itself. A plus is a space in a query alone (WHATWG URL,
/// section 5.1).
fn decoded(text: &str, plus_is_space: bool) -> impl Iterator<Item = u8> {
    let mut rest = text.as_bytes();
    let hex = |digit: u8| char::from(digit).to_digit(16);
    std::iter::from_fn(move || {
        let (first, after) = rest.split_first()?;
        if let (b'%', [high, low, after @ ..]) = (first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            return u8::try_from(high << 4 | low).ok();
        }
        rest = after;
        Some(if plus_is_space && *first == b'+' { b' ' } else { *first })
    })
}

fn segments(path: &str, text: &mut Vec<u8>) {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = kept.pop(),
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        text.push(b'/');
        encode(segment.bytes(), None, text);
    }
    let is_folder = matches!(path.rsplit('/').next(), None | Some("" | "." | ".."));
    if kept.is_empty() || is_folder {
        text.push(b'/');
    }
}

fn query(query: &str, text: &mut Vec<u8>) {
    let parameter = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        [name, value].map(|part| {
            let mut text = Vec::with_capacity(part.len());
            encode(decoded(part, true), None, &mut text);
            text
        })
    };
    let mut parameters: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).map(parameter).collect();
    parameters.sort_unstable();
    for (place, [name, value]) in parameters.iter().enumerate() {
        if place > 0 {
            text.push(b'&');
        }
        text.extend_from_slice(name);
        text.push(b'=');
        text.extend_from_slice(value);
    }
}

fn headers(headers: &[(&str, &[u8])], text: &mut Vec<u8>) {
    let mut last = None;
    for (name, value) in headers {
        if last == Some(name) {
            text.push(b',');
        } else {
            if last.is_some() {
                text.push(b'\n');
            }
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
        }
        last = Some(name);
        // Few values have spaces in a row, and tokens are long.
        let mut rest = value.trim_ascii();
        while let Some(at) = memmem::find(rest, b"  ") {
            let (kept, spaces) = rest.split_at(at);
            text.extend_from_slice(kept);
            rest = spaces.get(1..).unwrap_or_default();
        }
        text.extend_from_slice(rest);
    }
    if last.is_some() {
        text.push(b'\n');
    }
}

/// Newlines, and the longest payload.
const SPARE: usize = 128;
