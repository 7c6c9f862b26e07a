//! Answers that break the contract, for those who must not believe everything.

use serde_json::{Value, json};

use super::reply::Reply;

/// One way to lie. What a provider's answer has no place for is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// The credential is the empty text.
    Empty,
    /// The credential has a line break in it, and a header after that.
    Breaking,
    /// A credential of another kind than was asked for.
    OtherKind,
    /// For another role or principal than was asked for.
    OtherRole,
    /// For more than was asked for.
    Wider,
    /// It has ended already.
    Ended,
    /// It lives for years.
    Endless,
    /// A page for people, with 200.
    Html,
    /// The first half of an answer.
    Cut,
    /// 20 MB.
    Huge,
}

impl Lie {
    const ALL: [(&'static str, Self); 10] = [
        ("empty", Self::Empty),
        ("breaking", Self::Breaking),
        ("other_kind", Self::OtherKind),
        ("other_role", Self::OtherRole),
        ("wider", Self::Wider),
        ("ended", Self::Ended),
        ("endless", Self::Endless),
        ("html", Self::Html),
        ("cut", Self::Cut),
        ("huge", Self::Huge),
    ];

    /// The names of all lies.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(name, _)| *name)
    }

    /// The lie of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let lie = Self::ALL.iter().find(|(other, _)| *other == name).map(|(_, lie)| *lie);
        let names = || Self::names().collect::<Vec<_>>().join(", ");
        lie.ok_or_else(|| format!("`{name}` is no lie: expected one of {}", names()))
    }

    /// What becomes of a credential.
    pub fn bend(self, credential: &str) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Breaking => format!("{credential}\r\nx-injected: 1"),
            _ => credential.to_owned(),
        }
    }

    /// What becomes of an answer as a whole.
    pub fn bend_reply(self, mut reply: Reply) -> Reply {
        match self {
            Self::Html => Reply::new(200, "text/html", "<!doctype html><title>Sign in</title><h1>Sign in</h1>"),
            Self::Cut => {
                reply.body.truncate(reply.body.len() / 2);
                reply
            }
            Self::Huge => {
                reply.body.resize(20_000_000, b' ');
                reply
            }
            _ => reply,
        }
    }

    /// What becomes of the answer of a token endpoint (RFC 6749, section 5.1, and RFC 8693, section 2.2.1).
    pub fn bend_token(self, answer: &mut Value) {
        if let Some(token) = answer["access_token"].as_str() {
            answer["access_token"] = json!(self.bend(token));
        }
        match self {
            Self::OtherKind => {
                answer["token_type"] = json!("mac");
                if answer.get("issued_token_type").is_some() {
                    answer["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:saml2");
                }
            }
            Self::Wider => {
                let scope = answer["scope"].as_str().unwrap_or_default();
                answer["scope"] = json!(format!("{scope} everything").trim_start());
            }
            Self::Ended => answer["expires_in"] = json!(-1),
            Self::Endless => answer["expires_in"] = json!(3_153_600_000_u64),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lie_changes_an_answer_and_tells_no_other() {
        let honest = json!({
            "access_token": "t", "token_type": "Bearer", "expires_in": 60, "scope": "read",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"
        });
        let mut told = Vec::new();
        for (name, lie) in Lie::ALL {
            assert_eq!(Lie::named(name), Ok(lie));
            let mut answer = honest.clone();
            lie.bend_token(&mut answer);
            let reply = lie.bend_reply(Reply::json(200, &answer));
            if lie != Lie::OtherRole {
                assert_ne!(reply.body, honest.to_string().into_bytes(), "{name}");
            }
            assert!(!told.contains(&reply.body), "{name}");
            told.push(reply.body);
        }
        assert!(Lie::named("other").is_err());
    }
}
