//! The request, read (RFC 8693, section 2.1): well formed and bounded, and nothing in it believed yet.

use token::{
    claims::Scope,
    json,
    message::{ExchangeRequest, FormError, PROTOCOL_VERSION, RequestContext},
    reason::Reason,
    secret::Secret,
    token_type::TokenType,
};

use crate::{actor::Caller, refusal::Refusal};

/// The longest route, listener or actor in a request's context, in bytes. A SPIFFE ID may have 2048.
const MAX_CONTEXT_VALUE: usize = 2048;

/// What is asked for. Made by [`TokenRequest::read`] alone.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    subject_token: Secret,
    subject_token_type: TokenType,
    resource: Vec<String>,
    audience: Vec<String>,
    asked: Asked,
}

/// The part of a request that policy may read. All of it is in the key under which proxies cache tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The scope; absent where the request leaves it to us.
    pub scope: Option<Scope>,
    /// The `audience` parameter, as sent.
    pub audience: Option<String>,
    /// The kind of token.
    pub requested_token_type: TokenType,
    /// Where the proxy says the request came from. Empty for callers without a certificate.
    pub context: RequestContext,
}

impl Asked {
    /// The kind of token asked for, if it is one of `kinds`, which the destination takes.
    pub fn kind_among(&self, kinds: &[TokenType]) -> Result<TokenType, Refusal> {
        let kind = self.requested_token_type;
        if kinds.contains(&kind) {
            return Ok(kind);
        }
        let first = kinds.first().map_or("none", |kind| kind.urn());
        Err(unsupported("the destination takes another type", kind.urn(), kinds)
            .help(format!("ask for `{first}`; a filter does so by the `inject` of its route")))
    }
}

impl TokenRequest {
    /// Reads a form body. `protocol` is the value of `x-cloakroom-protocol`, which clients other than our filter do not send.
    pub fn read(form: &[u8], protocol: Option<&str>, caller: &Caller) -> Result<Self, Refusal> {
        check_protocol(protocol)?;
        let request = ExchangeRequest::from_form(form).map_err(|error| refuse_form(&error))?;
        if request.actor_token.is_some() {
            return Err(invalid("`actor_token` is not supported: the actor is whoever the certificate names")
                .claim("actor_token")
                .got("an actor token")
                .wanted("no `actor_token`"));
        }
        if request.subject_token.expose().len() > token::jws::MAX_TOKEN_LENGTH {
            return Err(Refusal::new(Reason::SubjectTokenTooLarge, "the subject token is too long")
                .claim("subject_token")
                .got(format!("{} bytes", request.subject_token.expose().len()))
                .wanted(format!("at most {} bytes", token::jws::MAX_TOKEN_LENGTH)));
        }
        let subject_token_type = read_subject_token_type(&request.subject_token_type)?;
        let context = match caller {
            Caller::Proxy(_) => {
                request.request_context.as_deref().map_or(Ok(RequestContext::default()), read_context)?
            }
            // Nobody vouches for what such a caller says of itself.
            Caller::Direct => RequestContext::default(),
        };
        Ok(Self {
            asked: Asked {
                scope: request.scope.as_deref().map(read_scope).transpose()?.filter(|scope| !scope.is_empty()),
                audience: request.audience.first().cloned(),
                requested_token_type: read_requested_type(request.requested_token_type.as_deref())?,
                context,
            },
            subject_token: request.subject_token,
            subject_token_type,
            resource: request.resource,
            audience: request.audience,
        })
    }

    /// The subject token: not verified.
    pub fn subject_token(&self) -> &Secret {
        &self.subject_token
    }

    /// What the caller says the subject token is.
    pub fn subject_token_type(&self) -> TokenType {
        self.subject_token_type
    }

    /// The `resource` values.
    pub fn resource(&self) -> &[String] {
        &self.resource
    }

    /// The `audience` values.
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// What policy may read.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }
}

fn check_protocol(protocol: Option<&str>) -> Result<(), Refusal> {
    let Some(text) = protocol else { return Ok(()) };
    match text.parse::<u32>() {
        Ok(PROTOCOL_VERSION) => Ok(()),
        Ok(_) => Err(Refusal::new(Reason::ProtocolUnsupported, "this service does not speak the filter's protocol")
            .claim("x-cloakroom-protocol")
            .got(text)
            .wanted(PROTOCOL_VERSION)
            .help("upgrade the service before its filters")),
        Err(_) => Err(invalid("`x-cloakroom-protocol` is not a number")
            .claim("x-cloakroom-protocol")
            .got(text)
            .wanted(PROTOCOL_VERSION)),
    }
}

fn read_subject_token_type(urn: &str) -> Result<TokenType, Refusal> {
    TokenType::from_urn(urn).filter(|kind| TokenType::READ.contains(kind)).ok_or_else(|| {
        invalid("subject tokens of this type are not read")
            .claim("subject_token_type")
            .got(urn)
            .wanted(one_of(&TokenType::READ))
    })
}

fn read_requested_type(urn: Option<&str>) -> Result<TokenType, Refusal> {
    match urn.map(TokenType::from_urn) {
        None => Ok(TokenType::AccessToken),
        Some(Some(kind)) if TokenType::ISSUED.contains(&kind) => Ok(kind),
        Some(_) => Err(unsupported("tokens of this type are not issued", urn.unwrap_or_default(), &TokenType::ISSUED)),
    }
}

fn unsupported(detail: &str, got: &str, wanted: &[TokenType]) -> Refusal {
    Refusal::new(Reason::TokenTypeUnsupported, detail).claim("requested_token_type").got(got).wanted(one_of(wanted))
}

fn read_scope(text: &str) -> Result<Scope, Refusal> {
    Scope::parse(text).map_err(|error| {
        Refusal::new(Reason::ScopeRefused, &error)
            .claim("scope")
            .got(text)
            .wanted("names divided by spaces (RFC 6749, 3.3)")
    })
}

fn read_context(text: &str) -> Result<RequestContext, Refusal> {
    let malformed = || {
        invalid("`request_context` cannot be read")
            .claim("request_context")
            .got("something else")
            .wanted("a JSON object with the texts `actor`, `listener` and `route`, each at most once")
    };
    let members = json::parse_object(text.as_bytes()).map_err(|_| malformed())?;
    let context: RequestContext = serde_json::from_value(members.into()).map_err(|_| malformed())?;
    let values = [("actor", &context.actor), ("listener", &context.listener), ("route", &context.route)];
    for (name, value) in values {
        let fits = |value: &String| value.len() <= MAX_CONTEXT_VALUE && !value.chars().any(char::is_control);
        if !value.as_ref().is_none_or(fits) {
            return Err(malformed().claim(format!("request_context {name}")));
        }
    }
    Ok(context)
}

fn refuse_form(error: &FormError) -> Refusal {
    let reason = match error {
        FormError::Missing("subject_token") => Reason::SubjectTokenMissing,
        FormError::Repeated("subject_token") => Reason::SubjectTokenDuplicated,
        _ => Reason::RequestInvalid,
    };
    let (claim, got, wanted) = match error {
        FormError::NoGrantType => ("grant_type", "nothing", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE),
        FormError::GrantType => ("grant_type", "another", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE),
        FormError::Missing(name) => (*name, "nothing", "one value"),
        FormError::Repeated(name) => (*name, "several values", "one value"),
        FormError::Without(name, _) => (*name, "one alone", "both or neither"),
        FormError::TooMany => ("form", "more", "at most 32 parameters"),
    };
    Refusal::new(reason, error).claim(claim).got(got).wanted(wanted)
}

fn one_of(kinds: &[TokenType]) -> String {
    match kinds {
        [kind] => kind.urn().to_owned(),
        kinds => format!("one of {}", kinds.iter().map(|kind| kind.urn()).collect::<Vec<_>>().join(", ")),
    }
}

fn invalid(detail: &str) -> Refusal {
    Refusal::new(Reason::RequestInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::PeerCertificate;

    fn read_as(caller: &Caller, changes: &[(&str, &str)]) -> Result<TokenRequest, Refusal> {
        let mut fields = vec![
            ("grant_type", token::token_type::GRANT_TYPE_TOKEN_EXCHANGE),
            ("subject_token", "a.b.c"),
            ("subject_token_type", TokenType::Jwt.urn()),
            ("resource", "https://a.test"),
        ];
        for (name, value) in changes {
            match fields.iter_mut().find(|(other, _)| other == name) {
                Some(field) => field.1 = value,
                None => fields.push((name, value)),
            }
        }
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        TokenRequest::read(form.as_bytes(), None, caller)
    }

    fn proxy() -> Caller {
        Caller::Proxy(PeerCertificate::new(vec!["spiffe://td/p".into()]))
    }

    fn refusal(changes: &[(&str, &str)]) -> (Reason, String) {
        let refusal = read_as(&proxy(), changes).unwrap_err();
        assert!(refusal.got_value().is_some() && refusal.wanted_value().is_some(), "{refusal:?}");
        (refusal.reason(), refusal.claim_name().unwrap().to_owned())
    }

    #[test]
    fn a_plain_request_asks_for_an_access_token() {
        let request = read_as(&proxy(), &[("scope", " b a ")]).unwrap();
        assert_eq!(request.asked().requested_token_type, TokenType::AccessToken);
        assert_eq!(request.asked().scope.as_ref().unwrap().to_string(), "a b");
        assert_eq!(read_as(&proxy(), &[("scope", "  ")]).unwrap().asked().scope, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let invalid = Reason::RequestInvalid;
        let long = "x".repeat(token::jws::MAX_TOKEN_LENGTH + 1);
        for (changes, reason, claim) in [
            (&[("grant_type", "password")][..], invalid, "grant_type"),
            (&[("grant_type", "")], invalid, "grant_type"),
            (&[("subject_token", "")], Reason::SubjectTokenMissing, "subject_token"),
            (&[("subject_token", " \n")], Reason::SubjectTokenMissing, "subject_token"),
            (&[("subject_token", &long)], Reason::SubjectTokenTooLarge, "subject_token"),
            (&[("subject_token_type", "")], invalid, "subject_token_type"),
            (&[("subject_token_type", "urn:ietf:params:oauth:token-type:saml2")], invalid, "subject_token_type"),
            (&[("actor_token", "x")], invalid, "actor_token"),
            (&[("actor_token", "x"), ("actor_token_type", TokenType::Jwt.urn())], invalid, "actor_token"),
            (
                &[("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token")],
                Reason::TokenTypeUnsupported,
                "requested_token_type",
            ),
            (&[("scope", "a\"b")], Reason::ScopeRefused, "scope"),
            (&[("request_context", "[]")], invalid, "request_context"),
            (&[("request_context", r#"{"route":1}"#)], invalid, "request_context"),
            (&[("request_context", r#"{"route":"a","route":"b"}"#)], invalid, "request_context"),
            (&[("request_context", r#"{"route":"a\u0000"}"#)], invalid, "request_context route"),
        ] {
            assert_eq!(refusal(changes), (reason, claim.to_owned()), "{changes:?}");
        }
    }

    #[test]
    fn a_doubled_subject_token_is_refused_as_such() {
        let form = format!(
            "grant_type={}&subject_token=a&subject_token=b&subject_token_type=x",
            token::token_type::GRANT_TYPE_TOKEN_EXCHANGE
        );
        let refusal = TokenRequest::read(form.as_bytes(), None, &proxy()).unwrap_err();
        assert_eq!(refusal.reason(), Reason::SubjectTokenDuplicated);
    }

    #[test]
    fn only_this_protocol_is_spoken() {
        let read = |protocol| TokenRequest::read(b"", Some(protocol), &proxy()).unwrap_err().reason();
        assert_eq!(read("2"), Reason::ProtocolUnsupported);
        assert_eq!(read("x"), Reason::RequestInvalid);
        assert_eq!(read("1"), Reason::RequestInvalid, "the empty form, not the protocol");
    }

    #[test]
    fn nobody_vouches_for_the_context_of_a_direct_caller() {
        let context = r#"{"actor":"spiffe://td/p","route":"r"}"#;
        let changes = [("request_context", context)];
        assert_eq!(read_as(&proxy(), &changes).unwrap().asked().context.route.as_deref(), Some("r"));
        assert_eq!(read_as(&Caller::Direct, &changes).unwrap().asked().context, RequestContext::default());
        assert!(read_as(&Caller::Direct, &[("request_context", "nonsense")]).is_ok());
    }
}
