//! One reading of a request's headers: what a decision needs of them, and what must be removed.

use token::{jws::MAX_TOKEN_LENGTH, reason::Reason, token_type::TokenType};

use crate::{
    config::{ExchangeRoute, SubjectSource},
    credential::{self, query},
    key::Subject,
    refusal::Refusal,
};

/// A header list as the host hands it over: names in lower case, values as they came.
pub type Headers<'h> = [(&'h str, &'h [u8])];

/// A change to the request's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit<'h> {
    /// Every header of this name goes.
    Remove(&'h str),
    /// `:path` becomes this.
    SetPath(String),
}

/// What one reading of the headers found.
pub struct Reading<'h> {
    pub method: &'h str,
    /// Path and query as the client has sent them.
    pub sent_path: &'h str,
    /// As it will be sent: without the credentials of its query.
    pub path: Path<'h>,
    /// As sent, if it has the form of the W3C recommendation.
    pub traceparent: Option<&'h str>,
    /// What is to be removed. The subject's own header is not among it.
    pub edits: Vec<Edit<'h>>,
    tunnel: Option<&'static str>,
    subjects: usize,
    subject: Option<(&'h str, &'h [u8])>,
}

/// A path, changed or not.
pub enum Path<'h> {
    AsSent(&'h str),
    Edited(String),
}

impl Path<'_> {
    pub fn as_str(&self) -> &str {
        match self {
            Self::AsSent(path) => path,
            Self::Edited(path) => path,
        }
    }
}

impl<'h> Reading<'h> {
    /// Reads a request of an `exchange` route.
    pub fn new(headers: &Headers<'h>, route: &ExchangeRoute) -> Self {
        let mut reading = Self {
            method: "",
            sent_path: "",
            path: Path::AsSent(""),
            traceparent: None,
            edits: Vec::new(),
            tunnel: None,
            subjects: 0,
            subject: None,
        };
        for (name, value) in headers {
            reading.take(name, value, route);
        }
        reading
    }

    fn take(&mut self, name: &'h str, value: &'h [u8], route: &ExchangeRoute) {
        match name {
            ":method" => self.method = text(value),
            ":path" => {
                let path = text(value);
                self.sent_path = path;
                self.path = match query::without_credentials(path) {
                    None => Path::AsSent(path),
                    Some(edited) => {
                        self.edits.push(Edit::SetPath(edited.clone()));
                        Path::Edited(edited)
                    }
                };
            }
            ":protocol" => self.tunnel = Some("extended CONNECT"),
            "upgrade" => self.tunnel = Some("an upgrade of the protocol"),
            "http2-settings" => self.tunnel = Some("an upgrade to HTTP/2"),
            "traceparent" => self.traceparent = Some(text(value)).filter(|value| is_traceparent(value)),
            name if route.subject_header() == Some(name) => {
                self.subjects = self.subjects.saturating_add(1);
                self.subject = Some((name, value));
            }
            name => {
                let removed = credential::is_removed(name)
                    || route.injected_header() == Some(name)
                    || route.strip_headers().iter().any(|stripped| stripped == name);
                if removed {
                    self.edits.push(Edit::Remove(name));
                }
            }
        }
    }

    /// The subject's header, if it was sent.
    pub fn subject_header_name(&self) -> Option<&'h str> {
        self.subject.map(|(name, _)| name)
    }

    /// Refuses what no credential may travel with: a tunnel shows the filter nothing of what goes through it.
    pub fn refuse_tunnels(&self) -> Result<(), Refusal> {
        let tunnel = if self.method == "CONNECT" { Some("CONNECT") } else { self.tunnel };
        match tunnel {
            Some(tunnel) => Err(Refusal::new(Reason::RequestRefused).got(tunnel).wanted("a plain request")),
            None if self.method.is_empty() || self.path.as_str().is_empty() => {
                Err(Refusal::new(Reason::RequestRefused).wanted("a method and a path in ASCII"))
            }
            None => Ok(()),
        }
    }

    /// The subject token: exactly one, and standing nowhere else in what would be sent. Its form is not looked at: a token
    /// for which something is known has had the right one, and for any other there is [`check_form`].
    pub fn subject_token(
        &self,
        headers: &Headers<'h>,
        source: &SubjectSource,
        header: &str,
    ) -> Result<&'h str, Refusal> {
        let refuse = |reason| Refusal::new(reason).claim(header);
        let value = match (self.subject, self.subjects) {
            (None, _) => return Err(missing(header)),
            (Some((_, value)), 1) => value.trim_ascii(),
            (Some(_), count) => {
                return Err(refuse(Reason::SubjectTokenDuplicated).got(&format!("{count}")).wanted("1"));
            }
        };
        let token = match source {
            SubjectSource::Authorization => bearer(value).map_err(|refusal| refusal.claim(header))?,
            _ => value,
        };
        if token.is_empty() {
            return Err(missing(header));
        }
        let token = str::from_utf8(token).map_err(|_| malformed(header))?;
        match self.elsewhere(headers, token, header) {
            Some(place) => Err(Refusal::new(Reason::SubjectTokenDuplicated)
                .claim(place)
                .got("the subject token")
                .wanted(&format!("the token in `{header}` only"))),
            None => Ok(token),
        }
    }

    /// Where else the token stands in what is left of the request.
    fn elsewhere(&self, headers: &Headers<'h>, token: &str, subject_header: &str) -> Option<&'h str> {
        let sent = |name| name != ":path" && !self.edits.contains(&Edit::Remove(name));
        if credential::holds(self.path.as_str().as_bytes(), token) {
            return Some(":path");
        }
        headers
            .iter()
            .find(|(name, value)| *name != subject_header && credential::holds(value, token) && sent(name))
            .map(|(name, _)| *name)
    }
}

/// Whether a subject token is one that may be sent to an STS.
///
/// # Errors
/// The refusal, which names the header and never the token.
pub fn check_form(token: &str, header: &str, kind: TokenType) -> Result<(), Refusal> {
    // Envoy joins repeated headers of some names, `authorization` among them, into one list.
    if token.contains(',') {
        return Err(Refusal::new(Reason::SubjectTokenDuplicated).claim(header).got("a list").wanted("1"));
    }
    if token.len() > MAX_TOKEN_LENGTH {
        let (got, wanted) = (format!("{} bytes", token.len()), format!("at most {MAX_TOKEN_LENGTH} bytes"));
        return Err(Refusal::new(Reason::SubjectTokenTooLarge).claim(header).got(&got).wanted(&wanted));
    }
    match kind {
        _ if token.bytes().all(is_token_byte) => Ok(()),
        TokenType::Aws4Request => Err(malformed(header).wanted("the signed request, as JSON in base64url")),
        _ => Err(malformed(header)),
    }
}

fn malformed(header: &str) -> Refusal {
    let refusal = Refusal::new(Reason::SubjectTokenMalformed).claim(header);
    refusal.got("other characters").wanted("a token (RFC 6750, section 2.1)")
}

/// Refuses what no route may let through: behind CONNECT or h2c Envoy would see neither requests nor routes any more.
pub fn refuse_blind_tunnels(headers: &Headers<'_>) -> Result<(), Refusal> {
    let tunnel = headers.iter().find_map(|(name, value)| match *name {
        ":method" if *value == b"CONNECT" => Some("CONNECT"),
        ":protocol" => Some("extended CONNECT"),
        "http2-settings" => Some("an upgrade to HTTP/2"),
        "upgrade" if value.eq_ignore_ascii_case(b"h2c") => Some("an upgrade to HTTP/2"),
        _ => None,
    });
    match tunnel {
        Some(tunnel) => Err(Refusal::new(Reason::RequestRefused).got(tunnel).wanted("a plain request")),
        None => Ok(()),
    }
}

/// The headers that a request without an `exchange` route must not carry on: those of our namespace, or every carrier.
pub fn removals<'h>(headers: &Headers<'h>, removed: fn(&str) -> bool) -> Vec<Edit<'h>> {
    headers.iter().filter(|(name, _)| removed(name)).map(|(name, _)| Edit::Remove(name)).collect()
}

/// The trailers that must not go on: carriers, and whatever holds the native token.
///
/// Without the native token to compare with, every trailer goes: it could be the one.
pub fn trailer_removals<'t>(
    trailers: &Headers<'t>,
    route: &ExchangeRoute,
    subject: Option<Subject<'_>>,
) -> Vec<&'t str> {
    let holds_subject = |value: &[u8]| match subject {
        Some(Subject::Token(token)) => credential::holds(value, token),
        Some(Subject::Certificate(_)) => false,
        None => true,
    };
    let removed = |name: &str, value: &[u8]| {
        credential::is_removed(name)
            || route.subject_header() == Some(name)
            || route.writes_header(name)
            || route.strip_headers().iter().any(|stripped| stripped == name)
            || holds_subject(value)
    };
    trailers.iter().filter(|(name, value)| removed(name, value)).map(|(name, _)| *name).collect()
}

/// No certificate where one is expected.
pub fn uncertified() -> Refusal {
    Refusal::new(Reason::SubjectTokenMissing)
        .claim("client certificate")
        .got("nothing")
        .wanted("the certificate that the workload's platform gave it")
}

/// No token where one is expected.
pub fn missing(header: &str) -> Refusal {
    Refusal::new(Reason::SubjectTokenMissing)
        .claim(header)
        .got("nothing")
        .wanted("the token of the workload's platform")
}

/// The token of a `Bearer` credential (RFC 6750, section 2.1).
fn bearer(value: &[u8]) -> Result<&[u8], Refusal> {
    const SCHEME: &[u8] = b"bearer";
    if value.is_empty() {
        return Ok(value);
    }
    let (scheme, rest) = value.split_at_checked(SCHEME.len()).unwrap_or((value, b""));
    match rest.first() {
        None if scheme.eq_ignore_ascii_case(SCHEME) => Ok(b""),
        Some(b' ' | b'\t') if scheme.eq_ignore_ascii_case(SCHEME) => Ok(rest.trim_ascii()),
        _ => Err(Refusal::new(Reason::SubjectTokenMissing).got(scheme_name(value)).wanted("Bearer")),
    }
}

/// The scheme where it is a registered one: anything else could be the beginning of a token.
fn scheme_name(value: &[u8]) -> &'static str {
    const SCHEMES: &[&str] =
        &["AWS4-HMAC-SHA256", "Basic", "Digest", "DPoP", "GNAP", "HOBA", "Mutual", "Negotiate", "SharedKey", "vapid"];
    let word = value.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    SCHEMES.iter().find(|scheme| scheme.as_bytes().eq_ignore_ascii_case(word)).map_or("another scheme", |scheme| scheme)
}

/// `b64token` (RFC 6750, section 2.1).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// `version-traceid-parentid-flags` (W3C Trace Context, section 3.2), and nothing longer.
fn is_traceparent(value: &str) -> bool {
    let parts: [usize; 4] = [2, 32, 16, 2];
    let mut found = value.split('-');
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    parts.iter().all(|length| found.next().is_some_and(|part| part.len() == *length && hex(part)))
        && found.next().is_none()
}

/// The value, or nothing where it is not UTF-8: such a request is refused.
fn text(value: &[u8]) -> &str {
    str::from_utf8(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
