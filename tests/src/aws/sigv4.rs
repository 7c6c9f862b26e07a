//! Signature Version 4 (AWS General Reference, "Signing AWS API requests").

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac::{HMAC_SHA256, Key, Tag, sign},
};

/// What is signed of a request.
#[derive(Clone, Debug, Default)]
pub struct Signable {
    pub method: String,
    /// As it stands in the URL.
    pub path: String,
    /// As it stands in the URL.
    pub query: String,
    /// The signed headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's hash, see [`hash`], or what S3 takes in its place.
    pub payload: String,
}

/// Under which scope.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'s> {
    /// `x-amz-date`.
    pub date: &'s str,
    pub region: &'s str,
    /// S3 alone takes paths as they come; all others see them normalised and encoded once more.
    pub service: &'s str,
}

impl Signable {
    /// The signature, in hexadecimal.
    pub fn signature(&self, secret_key: &str, scope: Scope<'_>) -> String {
        let day = scope.date.get(..8).unwrap_or_default();
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{day}/{}/{}/aws4_request\n{}",
            scope.date,
            scope.region,
            scope.service,
            hash(self.canonical(scope.service).as_bytes())
        );
        let first = mac(format!("AWS4{secret_key}").as_bytes(), day);
        let key =
            [scope.region, scope.service, "aws4_request"].into_iter().fold(first, |key, part| mac(key.as_ref(), part));
        hex(mac(key.as_ref(), &text).as_ref())
    }

    /// The names of the signed headers, in order.
    pub fn signed_headers(&self) -> String {
        let mut names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.join(";")
    }

    /// Path and query are decoded and encoded again: however a client has written them, they are signed in one way.
    fn canonical(&self, service: &str) -> String {
        let mut parameters: Vec<_> =
            self.query.split('&').filter(|parameter| !parameter.is_empty()).map(parameter).collect();
        parameters.sort_unstable();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| format!("{name}:{}\n", collapsed(value))).collect();
        headers.sort_unstable();
        format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            self.method,
            if service == "s3" {
                encoded(&decoded(&self.path), b"/")
            } else {
                encoded(normalised(&self.path).as_bytes(), b"/")
            },
            parameters.join("&"),
            headers.concat(),
            self.signed_headers(),
            self.payload
        )
    }
}

/// The SHA-256 of a body, in hexadecimal.
pub fn hash(body: &[u8]) -> String {
    hex(digest(&SHA256, body).as_ref())
}

/// Name and value, as they are sorted: by the name first.
fn parameter(parameter: &str) -> (String, String) {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    // A plus is a space in a query alone.
    let written = |part: &str| encoded(&decoded(&part.replace('+', "%20")), b"");
    (written(name), written(value))
}

/// Without dot segments (RFC 3986, section 6.2.2.3) and empty ones.
fn normalised(path: &str) -> String {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = kept.pop(),
            segment => kept.push(segment),
        }
    }
    let folder = !kept.is_empty() && ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    format!("/{}{}", kept.join("/"), if folder { "/" } else { "" })
}

/// With percent signs for all but unreserved characters (RFC 3986, section 2.3) and `marks`.
fn encoded(bytes: &[u8], marks: &[u8]) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || marks.contains(&byte);
    let one = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    bytes.iter().copied().map(one).collect()
}

/// Without percent signs. What is no escape stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let escape = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    bytes
}

fn collapsed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
