//! Tokens of the size real clouds give out.

mod signer;

use harness::Result;
use serde_json::{Value, json};
use token::base64url;

pub use signer::Algorithm;
use signer::Signer;

/// About as long as a Kubernetes service account's token, about in the middle of what clouds give. A token is at most three
/// bytes shorter, since base64 comes in steps.
pub const LENGTH: usize = 946;

/// As many as a busy edge has in turn, so that a look-up is one and not a single hot entry.
pub const COUNT: usize = 1_000;

/// Who signed them, and for whom.
pub const ISSUER: &str = "https://issuer.test";
pub const AUDIENCE: &str = "https://sts.cloakroom.test";

/// What an issued token starts with.
pub const ISSUED_START: &str = "issued-";

/// Native tokens, each another one, all of one length.
pub struct Tokens {
    /// The n-th belongs to workload n.
    pub native: Vec<String>,
    /// The issuer's published keys, where the signatures are real.
    pub jwks: Option<Value>,
}

impl Tokens {
    /// Tokens with real signatures.
    pub fn signed(algorithm: Algorithm, count: usize) -> Result<Self> {
        let signer = Signer::new(algorithm)?;
        let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"JWT"}}"#, algorithm.name(), signer::KEY_ID);
        let native = (0..count).map(|number| jwt(&header, number, algorithm.length(), |text| signer.sign(text)));
        Ok(Self { native: native.collect::<Result<_>>()?, jwks: Some(json!({"keys": [signer.jwk()?]})) })
    }

    /// Tokens with signatures of the right length that nobody can verify, which the filter never tries: quickly made.
    pub fn unsigned(count: usize) -> Result<Self> {
        let native = (0..count).map(nobodys);
        Ok(Self { native: native.collect::<Result<_>>()?, jwks: None })
    }
}

/// A token as an STS issues it, for the workload with this number.
pub fn issued(number: usize) -> Result<String> {
    Ok(format!("{ISSUED_START}{number:06}-{}", nobodys(number)?))
}

/// The workload's number in an issued token; `None` for every other token.
pub fn issued_for(token: &str) -> Option<usize> {
    token.strip_prefix(ISSUED_START)?.split('-').next()?.parse().ok()
}

/// The workload's number in a native token.
pub fn workload(native: &str) -> Option<usize> {
    let claims = base64url::decode(native.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["sub"].as_str()?.strip_prefix("workload-")?.parse().ok()
}

fn nobodys(number: usize) -> Result<String> {
    let algorithm = Algorithm::Rs256;
    let header = format!(r#"{{"alg":"{}","kid":"nobodys","typ":"JWT"}}"#, algorithm.name());
    jwt(&header, number, algorithm.length(), |_| Ok(vec![0x5a; algorithm.length()]))
}

/// A JWS in compact form (RFC 7515, section 7.1), padded in its claims to [`LENGTH`].
fn jwt(header: &str, number: usize, signature: usize, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<String> {
    let header = base64url::encode(header);
    let encoded = |bytes: usize| (bytes * 4).div_ceil(3);
    let claims = |padding: usize| {
        let padding = "p".repeat(padding);
        format!(
            r#"{{"aud":"{AUDIENCE}","exp":4102444800,"iat":1700000000,"iss":"{ISSUER}","sub":"workload-{number:06}","x":"{padding}"}}"#
        )
    };
    let room = LENGTH.saturating_sub(header.len() + encoded(signature) + 2);
    let padding = (room * 3 / 4).saturating_sub(claims(0).len());
    let text = format!("{header}.{}", base64url::encode(claims(padding)));
    let signature = sign(text.as_bytes())?;
    Ok(format!("{text}.{}", base64url::encode(signature)))
}
