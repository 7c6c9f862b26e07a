//! What a JWT says that somebody gave us for somebody else. Who gave it is known by the connection, and its receiver verifies it;
//! here it is read to see that it is what was asked for, and nobody is believed for it.

use serde_json::{Map, Value};
use token::{
    base64url, json,
    jws::{Algorithm, CompactJws},
};

/// The claims of `token`, if it is a JWT under RS256, as Google's and Entra's are.
pub fn claims(token: &str) -> Option<Map<String, Value>> {
    CompactJws::parse(token, &[Algorithm::Rs256]).ok()?;
    json::parse_object(&base64url::decode(token.split('.').nth(1)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_of_a_jwt_and_of_nothing_else() {
        let jwt =
            |header: &str, claims: &str| format!("{}.{}.c2ln", base64url::encode(header), base64url::encode(claims));
        let read = claims(&jwt(r#"{"alg":"RS256","typ":"JWT"}"#, r#"{"oid":"o"}"#)).unwrap();
        assert_eq!(read["oid"], "o");
        for other in [
            String::new(),
            "entra-1".to_owned(),
            "a.b.c".to_owned(),
            jwt(r#"{"alg":"none"}"#, r#"{"oid":"o"}"#),
            jwt(r#"{"alg":"RS256"}"#, r#"["o"]"#),
            jwt(r#"{"alg":"RS256"}"#, r#"{"oid":"o","oid":"p"}"#),
        ] {
            assert_eq!(claims(&other), None, "{other}");
        }
    }
}
