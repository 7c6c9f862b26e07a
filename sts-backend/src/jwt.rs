//! A JWT of ours (RFC 7519): signed, and read back as its reader would before it leaves the house. A fault of the signer, of
//! memory or of ours must not go out under our name.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use token::{
    base64url,
    jws::{CompactJws, JwsError},
    secret::Secret,
};

use crate::{
    crypto::{AwsLc, CryptoError},
    keys::SigningKey,
};

/// Why there is no JWT. It says nothing of what stands in it.
#[derive(Debug, Error)]
pub enum JwtError {
    #[error("it could not be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("it could not be signed: {0}")]
    Crypto(#[from] CryptoError),
    #[error("what was signed cannot be read: {0}")]
    Read(#[from] JwsError),
    #[error("what was signed is not what was meant")]
    Other,
}

#[derive(Serialize)]
struct Header<'h> {
    alg: &'static str,
    kid: &'h str,
    typ: &'h str,
}

/// The JWT of `claims`, a JSON object, with this `typ`.
pub fn sign<C: Serialize + DeserializeOwned + PartialEq>(
    typ: &str,
    claims: &C,
    key: &SigningKey,
) -> Result<Secret, JwtError> {
    let header = serde_json::to_vec(&Header { alg: key.algorithm().name(), kid: key.kid(), typ })?;
    let payload = serde_json::to_vec(claims)?;
    let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
    let signature = key.sign(input.as_bytes())?;
    let jwt = Secret::new(format!("{input}.{}", base64url::encode(signature)));
    check(&jwt, typ, claims, key)?;
    Ok(jwt)
}

fn check<C: DeserializeOwned + PartialEq>(
    jwt: &Secret,
    typ: &str,
    claims: &C,
    key: &SigningKey,
) -> Result<(), JwtError> {
    let read = CompactJws::parse(jwt.expose(), &[key.algorithm()])?.verify(key.public_key(), &AwsLc)?;
    let found: C = serde_json::from_value(read.claims().clone().into())?;
    let header = read.header();
    let ours = header.typ.as_deref() == Some(typ) && header.kid.as_deref() == Some(key.kid());
    if found == *claims && ours { Ok(()) } else { Err(JwtError::Other) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};
    use token::jws::Algorithm;

    use super::*;
    use crate::{
        keys::{ALGORITHMS, SigningKeys},
        store::EmbeddedStore,
    };

    async fn keys() -> SigningKeys {
        SigningKeys::load_or_create(&EmbeddedStore::in_memory().unwrap(), &[1; 32], 1).await.unwrap()
    }

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn each_key_signs_what_its_reader_reads() {
        let keys = keys().await;
        let meant =
            claims(json!({"iss": "https://sts.test", "sub": "s", "aud": "a", "exp": 9, "nested": {"a": [1, "b"]}}));
        for algorithm in ALGORITHMS {
            let key = keys.signing(algorithm).unwrap();
            let jwt = sign("JWT", &meant, key).unwrap();
            let read = CompactJws::parse(jwt.expose(), &[algorithm]).unwrap().verify(key.public_key(), &AwsLc).unwrap();
            assert_eq!(*read.claims(), meant);
            assert_eq!(read.header().kid.as_deref(), Some(key.kid()));
        }
    }

    #[tokio::test]
    async fn what_is_not_what_was_meant_does_not_pass() {
        let keys = keys().await;
        let key = keys.es256();
        let meant = claims(json!({"iss": "https://sts.test", "sub": "s", "aud": "a", "exp": 9}));
        let jwt = sign("JWT", &meant, key).unwrap();
        assert!(matches!(check(&jwt, "at+jwt", &meant, key), Err(JwtError::Other)));
        let other = claims(json!({"iss": "https://sts.test", "sub": "t", "aud": "a", "exp": 9}));
        assert!(matches!(check(&jwt, "JWT", &other, key), Err(JwtError::Other)));
        let rs256 = keys.signing(Algorithm::Rs256).unwrap();
        assert!(matches!(check(&jwt, "JWT", &meant, rs256), Err(JwtError::Read(_))));
        let altered = Secret::new(jwt.expose().replacen('.', ".e", 1));
        assert!(matches!(check(&altered, "JWT", &meant, key), Err(JwtError::Read(_))));
    }
}
