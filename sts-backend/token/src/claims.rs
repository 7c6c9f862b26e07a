//! The claims of the tokens this project issues and verifies (RFC 9068, RFC 8693 section 4, RFC 7800, RFC 9396).

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::constraint::Constraint;

/// `typ` of an access token (RFC 9068, section 2.1).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";

/// The deepest `act` chain that is read or written.
pub const MAX_ACT_DEPTH: usize = 16;

/// The most bytes a scope may have.
pub const MAX_SCOPE_LENGTH: usize = 2048;

/// The claims of an access token (RFC 9068, section 2.2). Times are whole seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct AccessTokenClaims {
    pub iss: String,
    /// The workload, as a SPIFFE ID.
    pub sub: String,
    /// The one destination.
    pub aud: String,
    pub exp: u64,
    pub iat: u64,
    pub nbf: u64,
    pub jti: String,
    /// Who asked for the token: the proxy, or the workload itself.
    pub client_id: String,
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// Who acts for the subject, the newest outermost (RFC 8693, section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Actor>,
    /// Who may come to act for the subject (RFC 8693, section 4.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_act: Option<MayAct>,
    /// The proxy on whose word alone it is known that the workload asked, for want of a token that proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asserted_by: Option<String>,
    /// The key the token is bound to (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What the destination's edge has to check on every use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorization_details: Vec<Constraint>,
}

/// One actor and those it acts through (RFC 8693, section 4.1).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Actor {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// An actor with nobody behind it.
    pub fn new(sub: impl Into<String>) -> Self {
        Self { sub: sub.into(), iss: None, act: None }
    }

    /// How many actors the chain names.
    pub fn depth(&self) -> usize {
        std::iter::successors(Some(self), |actor| actor.act.as_deref()).count()
    }
}

/// Who may act for the subject: all members given must match (RFC 8693, section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct MayAct {
    pub sub: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
}

/// The key that must be shown with the token (RFC 9449 section 6.1, RFC 8705 section 3.1). An unknown method refuses the
/// token: bound to something we cannot check is not unbound.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// Thumbprint of the DPoP key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// Digest of the client certificate.
    #[serde(default, rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
}

/// A set of scope tokens (RFC 6749, section 3.3), kept sorted so that one set has one spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(BTreeSet<String>);

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidScope {
    #[error("the scope is longer than {MAX_SCOPE_LENGTH} bytes")]
    TooLong,
    #[error("the scope holds a character that RFC 6749 section 3.3 does not allow")]
    Character,
}

impl Scope {
    /// Reads a space-delimited list.
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        if text.len() > MAX_SCOPE_LENGTH {
            return Err(InvalidScope::TooLong);
        }
        let allowed = |byte: u8| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if !text.bytes().all(allowed) {
            return Err(InvalidScope::Character);
        }
        Ok(Self(text.split(' ').filter(|item| !item.is_empty()).map(str::to_owned).collect()))
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether everything in it is also in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// What both hold.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scope tokens, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for item in &self.0 {
            write!(f, "{separator}{item}")?;
            separator = " ";
        }
        Ok(())
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_a_set_with_one_spelling() {
        let scope = Scope::parse("b a  a").unwrap();
        assert_eq!(scope.to_string(), "a b");
        assert!(Scope::parse("a").unwrap().is_within(&scope));
        assert_eq!(scope.intersection(&Scope::parse("b c").unwrap()).to_string(), "b");
        assert_eq!(Scope::parse("a\"b"), Err(InvalidScope::Character));
        assert_eq!(Scope::parse("a\nb"), Err(InvalidScope::Character));
        assert_eq!(Scope::parse(&"a".repeat(MAX_SCOPE_LENGTH + 1)), Err(InvalidScope::TooLong));
    }

    #[test]
    fn act_nests_with_the_newest_outermost() {
        // RFC 8693, section 4.1, figure 6.
        let json = r#"{"sub":"https://service16.example.com","act":{"sub":"https://service77.example.com"}}"#;
        let actor: Actor = serde_json::from_str(json).unwrap();
        assert_eq!(actor.depth(), 2);
        assert_eq!(serde_json::to_string(&actor).unwrap(), json);
    }

    #[test]
    fn an_unknown_confirmation_is_not_read_as_unbound() {
        assert!(serde_json::from_str::<Confirmation>(r#"{"kid":"x"}"#).is_err());
        let bound: Confirmation = serde_json::from_str(r#"{"x5t#S256":"abc"}"#).unwrap();
        assert_eq!(bound.x5t_s256.as_deref(), Some("abc"));
    }

    #[test]
    fn empty_members_are_left_out() {
        let claims = AccessTokenClaims {
            iss: "https://sts".into(),
            sub: "spiffe://td/a".into(),
            aud: "https://api".into(),
            exp: 2,
            iat: 1,
            nbf: 1,
            jti: "j".into(),
            client_id: "c".into(),
            scope: Scope::default(),
            act: None,
            may_act: None,
            asserted_by: None,
            cnf: None,
            authorization_details: Vec::new(),
        };
        let json = serde_json::to_value(&claims).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 8);
        assert_eq!(serde_json::from_value::<AccessTokenClaims>(json).unwrap(), claims);
    }
}
