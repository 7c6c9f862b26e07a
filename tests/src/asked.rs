//! A request read to its end, as a stand-in judges it.

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;

/// One request. Path and query are as they came, nothing decoded.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The parameters of a form or a query, decoded.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Asked {
    /// A header's only value. Nothing, if it stands twice or is no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// All values of a header, joined as one (RFC 9110, section 5.3).
    pub fn joined(&self, name: &str) -> Option<String> {
        let values: Option<Vec<_>> = self.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
        values.filter(|values| !values.is_empty()).map(|values| values.join(","))
    }

    /// The host that is asked, without a port.
    pub fn host(&self) -> &str {
        let host = self.header("host").unwrap_or_default();
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    }

    /// What follows `Bearer` in `authorization` (RFC 6750, section 2.1).
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// The parameters of the query.
    pub fn parameters(&self) -> Form {
        Form::parse(self.query.as_bytes())
    }

    /// The body as a form. Nothing, if its type is another.
    pub fn form(&self) -> Option<Form> {
        let kind = self.header("content-type")?.split(';').next()?.trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded").then(|| Form::parse(&self.body))
    }
}

impl<S: Send + Sync> FromRequest<S> for Asked {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE.into_response())?.to_bytes();
        Ok(Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body,
        })
    }
}

impl Form {
    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A parameter's first value. An empty one counts as none (RFC 6749, section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(other, value)| *other == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// Every value of a parameter.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(other, value)| other == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All parameters.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter that stands twice, though only `repeatable` ones may.
    pub fn doubled(&self, repeatable: &[&str]) -> Option<&str> {
        let mut names: Vec<_> = self.pairs().map(|(name, _)| name).filter(|name| !repeatable.contains(name)).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }
}

const MAX_BODY: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_is_no_single_value() {
        let mut asked = Asked { query: "a=1&b=&a=2".into(), ..Asked::default() };
        for value in ["x", "y"] {
            asked.headers.append("x-amz-meta-a", value.parse().unwrap());
        }
        asked.headers.insert("host", "s3.test:443".parse().unwrap());
        asked.headers.insert("authorization", "bearer t".parse().unwrap());
        assert_eq!((asked.header("x-amz-meta-a"), asked.joined("x-amz-meta-a").as_deref()), (None, Some("x,y")));
        assert_eq!((asked.host(), asked.bearer()), ("s3.test", Some("t")));
        let query = asked.parameters();
        assert_eq!(
            (query.get("a"), query.get("b"), query.doubled(&[]), query.doubled(&["a"])),
            (Some("1"), None, Some("a"), None)
        );
    }
}
