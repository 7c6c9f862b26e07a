//! What a name or value in the configuration may look like.

use token::spiffe::{self, SpiffeId};

use super::kind::Text;

/// One to 255 visible ASCII characters, without those that would end a statistic's tag.
pub(super) const NAME: Text = Text {
    accept: |text| {
        (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && !b";=\"".contains(&byte))
    },
    expected: "1 to 255 visible ASCII characters without `;`, `=` and `\"`",
    pattern: "^[!#-:<>-~]+$",
    except: None,
    longest: 255,
};

/// The name of an Envoy cluster.
pub(super) const CLUSTER: Text =
    Text { expected: "a cluster name: 1 to 255 visible ASCII characters without `;`, `=` and `\"`", ..NAME };

/// A header that a token may be read from or written to, as Envoy shows its name: lower case (RFC 9110, section 5.6.2,
/// without upper case and `_`). None that frames, routes or describes the message, and none of a namespace that the filter
/// removes.
pub(super) const TOKEN_HEADER: Text = Text {
    accept: may_carry_a_token,
    expected: "a header name in lower case, not one that frames, routes or describes the message",
    pattern: "^[!#-'*+.0-9^`a-z|~-]+$",
    except: Some(
        "^(x-envoy-.*|x-cloakroom-.*|connection|content-encoding|content-length|content-type|expect|host|keep-alive|te\
         |trailer|traceparent|tracestate|transfer-encoding|upgrade|via|x-forwarded-client-cert|x-forwarded-for\
         |x-forwarded-proto|x-request-id)$",
    ),
    longest: 128,
};

/// A header that is removed.
pub(super) const SPARE_HEADER: Text =
    Text { expected: "a header name in lower case that the message can spare", ..TOKEN_HEADER };

/// An authentication scheme (RFC 9110, section 11.1).
pub(super) const SCHEME: Text = Text {
    accept: |text| {
        (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    },
    expected: "an authentication scheme",
    pattern: "^[A-Za-z0-9._-]+$",
    except: None,
    longest: 32,
};

/// A value that is sent as it stands.
pub(super) const VISIBLE: Text = Text {
    accept: is_visible,
    expected: "1 to 2048 visible ASCII characters",
    pattern: "^[!-~]+$",
    except: None,
    longest: 2048,
};

/// An absolute URI without fragment (RFC 8707, section 2).
pub(super) const RESOURCE: Text = Text {
    accept: is_resource,
    expected: "an absolute URI without fragment (RFC 8707)",
    pattern: r##"^[A-Za-z][A-Za-z0-9+.-]*:[!"$-~]+$"##,
    except: None,
    longest: 2048,
};

/// Scope tokens with one space between them (RFC 6749, section 3.3).
pub(super) const SCOPE: Text = Text {
    accept: is_scope,
    expected: "scope tokens with one space between them (RFC 6749, section 3.3)",
    pattern: r"^[!#-\[\]-~]+( [!#-\[\]-~]+)*$",
    except: None,
    longest: 2048,
};

/// A request path without query.
pub(super) const PATH: Text = Text {
    accept: |text| is_visible(text) && text.starts_with('/') && !text.contains(['?', '#']),
    expected: "a path that begins with `/`, no query",
    pattern: r#"^/[!"$->@-~]*$"#,
    except: None,
    longest: 2048,
};

/// The name of an AWS service or region, as it stands in the scope of a signature.
pub(super) const AWS_NAME: Text = Text {
    accept: |text| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    },
    expected: "a name of AWS's in lower case, such as `s3` or `eu-central-1`",
    pattern: "^[a-z0-9-]+$",
    except: None,
    longest: 64,
};

/// A host as it stands in `:authority`, with a port or without.
pub(super) const HOST: Text = Text {
    accept: is_host,
    expected: "a host name in lower case, with a port or without",
    pattern: "^[a-z0-9.-]+(:[0-9]{1,5})?$",
    except: None,
    longest: 255,
};

/// The SPIFFE ID of a proxy (SPIFFE-ID, section 2).
pub(super) const ACTOR: Text = Text {
    accept: |text| SpiffeId::parse(text).is_ok(),
    expected: "the SPIFFE ID in the proxy's certificate, as `spiffe://trust.domain/path`",
    pattern: "^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$",
    except: Some(r"[^/]/\.\.?(/|$)"),
    longest: spiffe::MAX_LENGTH,
};

/// The SPIFFE ID of the proxy in front of this one.
pub(super) const HOP: Text = Text {
    expected: "the SPIFFE ID in the certificate of the proxy before this one, as `spiffe://trust.domain/path`",
    ..ACTOR
};

/// Every form, with an example.
#[cfg(test)]
pub(super) const ALL: [(Text, &str); 10] = [
    (NAME, "egress"),
    (TOKEN_HEADER, "x-token"),
    (SCHEME, "Bearer"),
    (VISIBLE, "reports"),
    (RESOURCE, "https://reports.example"),
    (SCOPE, "reports.read reports.write"),
    (PATH, "/oauth2/token"),
    (AWS_NAME, "eu-central-1"),
    (HOST, "reports.s3.eu-central-1.amazonaws.com"),
    (ACTOR, "spiffe://td.example/edge"),
];

fn may_carry_a_token(text: &str) -> bool {
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
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^`|~".contains(&byte);
    (1..=128).contains(&text.len())
        && text.bytes().all(allowed)
        && !RESERVED.contains(&text)
        && !text.starts_with("x-envoy-")
        && !text.starts_with("x-cloakroom-")
}

fn is_visible(text: &str) -> bool {
    (1..=2048).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let may_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    let is_port = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 255 && !name.is_empty() && name.bytes().all(may_name) && port.is_none_or(is_port)
}

fn is_resource(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    is_visible(text)
        && !text.contains('#')
        && text.split_once(':').is_some_and(|(name, rest)| scheme(name) && !rest.is_empty())
}

fn is_scope(text: &str) -> bool {
    let token = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
    text.len() <= 2048 && text.split(' ').all(token)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// A form as code and as a JSON Schema validator see it.
    struct Both {
        form: Text,
        example: &'static str,
        pattern: Regex,
        except: Option<Regex>,
    }

    static FORMS: LazyLock<Vec<Both>> = LazyLock::new(|| {
        let regex = |pattern| Regex::new(pattern).unwrap();
        let both = |(form, example): (Text, _)| Both {
            form,
            example,
            pattern: regex(form.pattern),
            except: form.except.map(regex),
        };
        ALL.map(both).into()
    });

    impl Both {
        /// Whether `text` is of the form; code and schema agree on that.
        fn accepts(&self, text: &str) -> bool {
            let by_code = (self.form.accept)(text);
            let by_schema = text.chars().count() <= self.form.longest
                && self.pattern.is_match(text)
                && !self.except.as_ref().is_some_and(|except| except.is_match(text));
            assert_eq!(by_code, by_schema, "{text:?} as {}", self.form.expected);
            by_code
        }
    }

    #[test]
    fn the_examples_are_of_their_forms_and_the_empty_text_of_none() {
        for both in FORMS.iter() {
            assert!(both.accepts(both.example), "{}", both.example);
            assert!(!both.accepts(""), "{}", both.form.expected);
        }
    }

    #[test]
    fn a_text_may_be_as_long_as_the_schema_says_and_no_longer() {
        for both in FORMS.iter() {
            let longest = format!("{}{}", both.example, "a".repeat(both.form.longest - both.example.len()));
            assert!(both.accepts(&longest), "{}", both.form.expected);
            assert!(!both.accepts(&format!("{longest}a")), "{}", both.form.expected);
        }
    }

    #[test]
    fn each_character_means_the_same_to_code_and_pattern() {
        for both in FORMS.iter() {
            for character in (0..=u8::MAX).map(char::from) {
                let example = both.example;
                for text in [format!("{example}{character}"), format!("{character}{example}"), character.to_string()] {
                    both.accepts(&text);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn code_and_pattern_accept_the_same_texts(
            text in prop_oneof![
                r#"[a-c/:.# \\"-]{0,8}"#,
                "(x-envoy-|x-cloakroom-|x-forwarded-)?(host|te|via|for|upgrade|token)?[a-]{0,2}",
                "[a-b.:-]{0,4}(:[0-9a]{0,6})?",
                "(spiffe://)?[a.]{0,3}(/\\.{0,3}|/[aB_:]{1,2}){0,3}/?",
                "\\PC{0,4}",
            ]
        ) {
            for both in FORMS.iter() {
                both.accepts(&text);
            }
        }
    }
}
