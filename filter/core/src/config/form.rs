//! What a name or value in the configuration may look like.

/// A header name as Envoy shows it: lower case (RFC 9110, section 5.6.2, without upper case).
pub(super) fn is_header_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^`|~".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

/// A header that a token may be read from or written to: not one that frames, routes or describes the message, and not one
/// of a namespace that the filter removes.
pub(super) fn may_carry_a_token(text: &str) -> bool {
    const RESERVED: &[&str] = &[
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-client-cert",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-request-id",
    ];
    is_header_name(text)
        && !RESERVED.contains(&text)
        && !text.starts_with("x-envoy-")
        && !text.starts_with("x-cloakroom-")
}

/// An authentication scheme (RFC 9110, section 11.1).
pub(super) fn is_scheme(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// One to 255 visible ASCII characters, without those that would end a statistic's tag.
pub(super) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && !b";=\"".contains(&byte))
}

/// A value that is sent as it stands: visible ASCII.
pub(super) fn is_visible(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An absolute URI without fragment (RFC 8707, section 2).
pub(super) fn is_resource(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    is_visible(text)
        && !text.contains('#')
        && text.split_once(':').is_some_and(|(name, rest)| scheme(name) && !rest.is_empty())
}

/// Scope tokens with one space between them (RFC 6749, section 3.3).
pub(super) fn is_scope(text: &str) -> bool {
    let token = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
    text.len() <= 2048 && text.split(' ').all(token)
}

/// A request path without query.
pub(super) fn is_path(text: &str) -> bool {
    is_visible(text) && text.starts_with('/') && !text.contains(['?', '#'])
}
