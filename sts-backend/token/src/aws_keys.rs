//! Short-lived AWS keys, as an STS hands them to the filter: in `access_token`, as JSON in base64url.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{base64url, secret::Secret};

/// The keys of one session (AWS STS, `Credentials`). They sign requests; only the first is no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsKeys {
    /// The name of the key, as AWS writes it into its own record.
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
}

/// The longest session token that is believed, in bytes.
const MAX_SESSION_TOKEN: usize = 8 * 1024;

#[derive(Deserialize, Serialize)]
struct Written<'w> {
    #[serde(rename = "k")]
    access_key_id: std::borrow::Cow<'w, str>,
    #[serde(rename = "s")]
    secret_access_key: std::borrow::Cow<'w, str>,
    #[serde(rename = "t")]
    session_token: std::borrow::Cow<'w, str>,
}

impl AwsKeys {
    /// The keys, if each of them can be what it says: an id of 16 to 128 word characters, a secret and a session token of
    /// visible ASCII.
    pub fn new(access_key_id: &str, secret_access_key: &str, session_token: &str) -> Option<Self> {
        let visible = |text: &str, longest| {
            (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let id = (16..=128).contains(&access_key_id.len())
            && access_key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        (id && visible(secret_access_key, 256) && visible(session_token, MAX_SESSION_TOKEN)).then(|| Self {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: Secret::new(secret_access_key),
            session_token: Secret::new(session_token),
        })
    }

    /// As they stand in `access_token`.
    pub fn to_token(&self) -> serde_json::Result<Secret> {
        let written = Written {
            access_key_id: (&*self.access_key_id).into(),
            secret_access_key: self.secret_access_key.expose().into(),
            session_token: self.session_token.expose().into(),
        };
        let json = Zeroizing::new(serde_json::to_vec(&written)?);
        Ok(Secret::new(base64url::encode(json.as_slice())))
    }

    /// The keys that stand in an `access_token`, if they do.
    pub fn from_token(token: &str) -> Option<Self> {
        let json = Zeroizing::new(base64url::decode(token).ok()?);
        let written: Written<'_> = serde_json::from_slice(&json).ok()?;
        Self::new(&written.access_key_id, &written.secret_access_key, &written.session_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_as_they_went() {
        let keys = AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "Fwo==").unwrap();
        assert_eq!(AwsKeys::from_token(keys.to_token().unwrap().expose()), Some(keys));
    }

    #[test]
    fn what_could_break_a_header_is_no_key() {
        for (id, secret, session) in [
            ("ASIAIOSFODNN7EXAMPL\r", "s", "t"),
            ("ASIA", "s", "t"),
            ("ASIAIOSFODNN7EXAMPLE", "", "t"),
            ("ASIAIOSFODNN7EXAMPLE", "s", "t\r\nx-other: 1"),
            ("ASIAIOSFODNN7EXAMPLE", "s", ""),
            ("ASIAIOSFODNN7EXAMPLE", "s", &"t".repeat(MAX_SESSION_TOKEN + 1)),
        ] {
            assert_eq!(AwsKeys::new(id, secret, session), None, "{id} {secret}");
        }
        assert_eq!(AwsKeys::from_token("e30"), None);
        assert_eq!(AwsKeys::from_token("!"), None);
    }
}
