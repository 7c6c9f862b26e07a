//! Keys of issuers, of the kinds that platforms sign with.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
        RSA_PKCS1_SHA256,
    },
};
use jwt_simple::prelude::RS256KeyPair;
use serde_json::{Value, json};
use token::base64url;

/// A key pair with its JWK, which lacks `kid` and `use`.
pub struct Pair {
    signs: Signs,
    jwk: Value,
}

enum Signs {
    Rsa(rsa::KeyPair),
    Ec(EcdsaKeyPair),
}

impl Pair {
    pub fn generate(algorithm: &str) -> Self {
        match algorithm {
            "RS256" => Self::rsa(),
            "ES256" => Self::ec("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING),
            _ => Self::ec("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        }
    }

    fn rsa() -> Self {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public = RS256KeyPair::from_der(der.as_ref()).unwrap().public_key().to_components();
        let jwk = json!({"kty": "RSA", "n": base64url::encode(public.n), "e": base64url::encode(public.e)});
        Self { signs: Signs::Rsa(pair), jwk }
    }

    fn ec(curve: &str, algorithm: &'static EcdsaSigningAlgorithm) -> Self {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "x": base64url::encode(x), "y": base64url::encode(y)});
        Self { signs: Signs::Ec(pair), jwk }
    }

    /// The public key as it is published.
    pub fn jwk(&self, kid: &str, key_use: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!(key_use);
        jwk
    }

    /// The compact JWS of `claims` under `header`, whatever the header says.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let input = format!("{}.{}", base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match &self.signs {
            Signs::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
            Signs::Ec(pair) => pair.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{input}.{}", base64url::encode(signature))
    }
}
