//! The issuer's key.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use harness::Result;
use jwt_simple::prelude::RS256KeyPair;
use serde_json::{Value, json};
use token::base64url;

/// How tokens are signed (RFC 7518, sections 3.3 and 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    Rs256,
}

pub const KEY_ID: &str = "a3f1c2d49b7e4e6fa1d2";

pub struct Signer {
    pair: Pair,
    random: SystemRandom,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

impl Algorithm {
    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Bytes of a signature.
    pub fn length(self) -> usize {
        match self {
            Self::Es256 => 64,
            Self::Rs256 => 256,
        }
    }
}

impl Signer {
    /// With a new key.
    pub fn new(algorithm: Algorithm) -> Result<Self> {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
            Algorithm::Rs256 => Pair::Rs256(rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?),
        };
        Ok(Self { pair, random: SystemRandom::new() })
    }

    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>> {
        match &self.pair {
            Pair::Es256(pair) => Ok(pair.sign(&self.random, text)?.as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, text, &mut signature)?;
                Ok(signature)
            }
        }
    }

    /// The public key (RFC 7517).
    pub fn jwk(&self) -> Result<Value> {
        match &self.pair {
            Pair::Es256(pair) => {
                // 4, x, y: the uncompressed point.
                let point = pair.public_key().as_ref();
                let coordinate = |from: usize| point.get(from..from + 32).map(base64url::encode);
                Ok(json!({
                    "kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(33),
                    "alg": "ES256", "use": "sig", "kid": KEY_ID
                }))
            }
            Pair::Rs256(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                let mut jwk: Value =
                    serde_json::from_str(&RS256KeyPair::from_der(der.as_ref())?.public_key().to_jwk())?;
                jwk["kid"] = json!(KEY_ID);
                jwk["use"] = json!("sig");
                Ok(jwk)
            }
        }
    }
}
