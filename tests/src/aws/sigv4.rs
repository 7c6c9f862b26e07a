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
            if service == "s3" { self.path.clone() } else { encoded(&normalised(&self.path)) },
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
fn parameter(parameter: &str) -> (&str, &str) {
    parameter.split_once('=').unwrap_or((parameter, ""))
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

fn encoded(path: &str) -> String {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let one = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    path.bytes().map(one).collect()
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
