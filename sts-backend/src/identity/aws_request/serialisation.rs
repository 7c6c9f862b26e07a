//! How clients write a signed request down, read into one form. Nothing in it is believed yet.
//!
//! - Google's (workload identity federation): `{"url","method","headers":[{"key","value"}],"body"}`.
//! - Vault's (`aws` auth method, type `iam`): `{"iam_http_request_method","iam_request_url","iam_request_body",
//!   "iam_request_headers"}`, the last three in base64, the headers an object.
//!
//! Google's clients percent-encode the JSON; some write a space as `+`. Where only the characters of a token fit, as in a
//! header, it stands in base64url instead. Which of the three it is, the first character tells: `{`, `%`, or any other.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use token::{base64url, json, reason::Reason};
use zeroize::Zeroizing;

use crate::refusal::Refusal;

/// Whose form a request has. Each has its own header to name the service it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Google,
    Vault,
}

/// A request as it was presented.
pub struct Presented {
    pub form: Form,
    pub method: String,
    pub url: String,
    pub body: String,
    /// In the order and the spelling they have.
    pub headers: Vec<(String, String)>,
}

/// The most headers.
const MAX_HEADERS: usize = 16;

impl Form {
    /// The header that says for which service the request is meant, in lower case.
    pub const fn audience_header(self) -> &'static str {
        match self {
            Self::Google => "x-goog-cloud-target-resource",
            Self::Vault => "x-vault-aws-iam-server-id",
        }
    }
}

impl Presented {
    /// Reads a subject token.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let bytes = match text.bytes().next() {
            Some(b'{') => text.as_bytes().to_vec(),
            Some(b'%') => percent_decoded(text).ok_or_else(|| malformed("percent-encoded JSON"))?,
            _ => base64url::decode(text).map_err(|_| malformed("JSON, percent-encoded or in base64url unpadded"))?,
        };
        let bytes = Zeroizing::new(bytes);
        let members = json::parse_object(&bytes).map_err(|_| malformed("a JSON object without doubled members"))?;
        if members.keys().any(|name| name.starts_with("iam_")) { vault(&members) } else { google(&members) }
    }
}

fn google(members: &Map<String, Value>) -> Result<Presented, Refusal> {
    let headers = list(members.get("headers"))
        .ok_or_else(|| malformed("`headers`: up to 16 objects with the texts `key` and `value`"))?;
    let body = match members.get("body") {
        None => String::new(),
        Some(_) => text(members, "body")?,
    };
    Ok(Presented { form: Form::Google, method: text(members, "method")?, url: text(members, "url")?, body, headers })
}

fn list(headers: Option<&Value>) -> Option<Vec<(String, String)>> {
    let headers = headers?.as_array().filter(|headers| headers.len() <= MAX_HEADERS)?;
    let pair = |header: &Value| {
        let member = |name| header.get(name)?.as_str().map(str::to_owned);
        Some((member("key")?, member("value")?))
    };
    headers.iter().map(pair).collect()
}

fn vault(members: &Map<String, Value>) -> Result<Presented, Refusal> {
    if let Some(foreign) = ["method", "url", "headers", "body"].into_iter().find(|name| members.contains_key(*name)) {
        return Err(malformed(&format!("one form of a request, not `{foreign}` beside `iam_...`")));
    }
    let decoded = |name: &str| {
        let bytes = STANDARD.decode(text(members, name)?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        bytes.ok_or_else(|| malformed(&format!("`{name}`: text in base64")))
    };
    let headers = Zeroizing::new(decoded("iam_request_headers")?);
    let headers = json::parse_object(headers.as_bytes()).ok().as_ref().and_then(object).ok_or_else(|| {
        malformed("`iam_request_headers`: an object of up to 16 texts, or lists of one text, in base64")
    })?;
    Ok(Presented {
        form: Form::Vault,
        method: text(members, "iam_http_request_method")?,
        url: decoded("iam_request_url")?,
        body: decoded("iam_request_body")?,
        headers,
    })
}

fn object(headers: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let value = |value: &Value| match value {
        Value::Array(values) if values.len() == 1 => values.first()?.as_str().map(str::to_owned),
        other => other.as_str().map(str::to_owned),
    };
    let fits = headers.len() <= MAX_HEADERS;
    headers
        .iter()
        .filter(|_| fits)
        .map(|(name, one)| Some((name.clone(), value(one)?)))
        .collect::<Option<Vec<_>>>()
        .filter(|_| fits)
}

fn text(members: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    members.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| malformed(&format!("the text `{name}`")))
}

/// The bytes of form-encoded text: `%XX` and `+` are read, and nothing else that is special there may stand in it.
fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()?.checked_mul(16)?.checked_add(digit()?)?).ok()?
            }
            b'+' => b' ',
            b'&' | b'#' => return None,
            other => other,
        });
    }
    Some(decoded)
}

fn malformed(wanted: &str) -> Refusal {
    Refusal::new(Reason::SubjectTokenMalformed, "the subject token is not a signed request in a form that is read here")
        .claim("subject_token")
        .got("something else")
        .wanted(wanted)
        .help("send what google-auth or Vault's clients make, in base64url where it stands in a header")
}

#[cfg(test)]
mod tests;
