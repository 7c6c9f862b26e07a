//! Tokens of the size real clouds give out.

use token::base64url;

/// A thousand, so that the cache's look-up is one and not a single hot entry.
pub const COUNT: usize = 1_000;

/// The length of a Kubernetes service account's token, about in the middle of what clouds give.
pub const LENGTH: usize = 946;

/// Native tokens, each another one, all of one length. The filter never verifies their signatures, so random ones do.
pub fn native() -> Vec<String> {
    let header = base64url::encode(br#"{"alg":"RS256","kid":"a3f1c2d49b7e4e6fa1d2","typ":"JWT"}"#);
    (0..COUNT).map(|number| jwt(&header, number)).collect()
}

/// A token as the STS issues it, for the native one with this number.
pub fn issued(number: usize) -> String {
    let header = base64url::encode(br#"{"alg":"ES256","kid":"Yk1sQ0w0c0d2","typ":"at+jwt"}"#);
    format!("{ISSUED_START}{}", jwt(&header, number))
}

/// What an issued token starts with. The service counts the requests that carry it.
pub const ISSUED_START: &str = "issued-";

fn jwt(header: &str, number: usize) -> String {
    let claims = |padding: usize| {
        let padding = "p".repeat(padding);
        base64url::encode(format!(
            r#"{{"aud":"https://sts.cloakroom.test","exp":4102444800,"iat":1700000000,"iss":"https://issuer.test","sub":"workload-{number:04}","x":"{padding}"}}"#
        ))
    };
    let signature = base64url::encode([0x5a; 256]);
    let without = header.len() + claims(0).len() + signature.len() + 2;
    let mut token = format!("{header}.{}.{signature}", claims((LENGTH.saturating_sub(without)) * 3 / 4));
    // Base64 comes in steps; the signature's end takes up what is left.
    token.push_str(&"A".repeat(LENGTH.saturating_sub(token.len())));
    token
}
