//! Native tokens for load: of the size and form that clouds give out, but signed by nobody, because only an STS would look.

use token::base64url;

/// The length of a Kubernetes service account's token, about in the middle of what clouds give.
pub const LENGTH: usize = 946;

/// What every one of them holds, so that one that leaked is found by a search.
pub const MARK: &str = "TmF0aXZlVG9rZW5z";

/// The `rotation`th token of a workload.
pub fn native_token(subject: &str, rotation: u64) -> String {
    let header = base64url::encode(br#"{"alg":"RS256","kid":"a3f1c2d49b7e4e6fa1d2","typ":"JWT"}"#);
    let claims = base64url::encode(format!(
        r#"{{"aud":"https://sts.cloakroom.test","exp":4102444800,"iat":1700000000,"iss":"https://issuer.test","jti":"{rotation:012}","sub":"{subject}"}}"#
    ));
    let mut token = format!("{header}.{claims}.{MARK}");
    // Any base64 will do as the rest of the signature.
    token.push_str(&"A".repeat(LENGTH.saturating_sub(token.len())));
    token
}

/// Whose token it is; nothing for what [`native_token`] has not made.
pub fn subject(token: &str) -> Option<String> {
    let claims = base64url::decode(token.split('.').nth(1)?).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    Some(claims["sub"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_subject_and_no_two_are_alike() {
        let (first, second) = (native_token("w-1", 0), native_token("w-1", 1));
        assert_ne!(first, second);
        assert_eq!(first.len(), LENGTH);
        assert_eq!(subject(&first).as_deref(), Some("w-1"));
        assert_eq!(subject(&second).as_deref(), Some("w-1"));
        assert_eq!(subject("a.b.c"), None);
    }
}
