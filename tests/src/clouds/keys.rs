//! The signing keys of the stand-in issuers. `jwt-simple` signs: an implementation that the STS does not share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa,
};
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP384KeyPairLike, ES384KeyPair, JWTClaims, KeyMetadata, RS256KeyPair, RSAKeyPairLike,
    RSAPublicKeyLike, VerificationOptions,
};
use serde_json::{Map, Value, json};

use super::cloud::Cloud;
use crate::Result;

/// A key pair with the id it is published under.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pair: Pair,
}

#[derive(Clone)]
enum Pair {
    Rs256(Arc<Vec<u8>>),
    Es384(Arc<Vec<u8>>),
}

/// One issuer's keys: the last signs, all are published.
pub struct IssuerKeys {
    keys: Vec<SigningKey>,
    made: usize,
}

impl IssuerKeys {
    /// The first key. Making RSA keys is slow, so each cloud's first is made once per process.
    pub fn first(cloud: Cloud) -> Result<Self> {
        static FIRST: Mutex<BTreeMap<Cloud, SigningKey>> = Mutex::new(BTreeMap::new());
        let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        let key = match first.get(&cloud) {
            Some(key) => key.clone(),
            None => first.entry(cloud).or_insert(SigningKey::generate(cloud, 0)?).clone(),
        };
        Ok(Self { keys: vec![key], made: 1 })
    }

    /// Signs with a new key from now on. `drop` stops publishing the others.
    pub fn rotate(&mut self, cloud: Cloud, drop: bool) -> Result<()> {
        let key = SigningKey::generate(cloud, self.made)?;
        self.made += 1;
        if drop {
            self.keys.clear();
        }
        self.keys.push(key);
        Ok(())
    }

    /// The key that signs.
    pub fn current(&self) -> Result<&SigningKey> {
        self.keys.last().ok_or_else(|| "the issuer has no key".into())
    }

    /// The claims of `token`, if one of the published keys signed it and it is in force.
    pub fn verify(&self, token: &str) -> Option<Value> {
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, _] = parts.as_slice() else { return None };
        let read = |part: &str| serde_json::from_slice::<Value>(&token::base64url::decode(part).ok()?).ok();
        let kid = read(header)?["kid"].as_str()?.to_owned();
        let Pair::Rs256(der) = &self.keys.iter().find(|key| key.kid == kid)?.pair else { return None };
        // The library forgives a quarter of an hour unless told not to.
        let exactly = VerificationOptions { time_tolerance: Some(Duration::from_secs(0)), ..Default::default() };
        let key = RS256KeyPair::from_der(der).ok()?.public_key();
        key.verify_token::<Value>(token, Some(exactly)).ok()?;
        read(payload)
    }

    /// The JWK set, as the issuer publishes it.
    pub fn document(&self, cloud: Cloud) -> Value {
        let keys: Vec<_> = self.keys.iter().map(|key| key.jwk(cloud)).collect();
        match cloud {
            Cloud::Spiffe => json!({"keys": keys, "spiffe_sequence": self.made, "spiffe_refresh_hint": 300}),
            _ => json!({"keys": keys}),
        }
    }
}

impl SigningKey {
    /// A new key of the kind the cloud signs with.
    pub fn generate(cloud: Cloud, number: usize) -> Result<Self> {
        let pair = match cloud {
            Cloud::Aws => Pair::Es384(Arc::new(ES384KeyPair::generate().to_bytes())),
            _ => {
                // jwt-simple's own generator needs seconds in a debug build.
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                Pair::Rs256(Arc::new(der.as_ref().to_vec()))
            }
        };
        let kid = match cloud {
            Cloud::Aws => format!("EC384_{number}"),
            _ => token::digest::fingerprint(format!("{} {number}", cloud.name())).chars().take(27).collect(),
        };
        Ok(Self { kid, pair })
    }

    /// Signs `claims` as they are, under `kid`.
    pub fn sign(&self, cloud: Cloud, kid: &str, claims: Map<String, Value>) -> Result<String> {
        let mut all: JWTClaims<Value> = Claims::with_custom_claims(Value::Object(claims), Duration::from_secs(1));
        // Times are in `claims` already, as the cloud writes them.
        (all.issued_at, all.expires_at, all.invalid_before) = (None, None, None);
        let token = match &self.pair {
            Pair::Rs256(der) => {
                let mut pair = RS256KeyPair::from_der(der)?.with_key_id(kid);
                if cloud == Cloud::AzureV1 {
                    pair.attach_metadata(
                        KeyMetadata::default().with_certificate_sha1_thumbprint(thumbprint(&self.kid))?,
                    )?;
                }
                pair.sign(all)?
            }
            Pair::Es384(bytes) => ES384KeyPair::from_bytes(bytes)?.with_key_id(kid).sign(all)?,
        };
        Ok(token)
    }

    fn jwk(&self, cloud: Cloud) -> Value {
        let text = match &self.pair {
            Pair::Rs256(der) => RS256KeyPair::from_der(der).map(|pair| pair.public_key().to_jwk()).unwrap_or_default(),
            Pair::Es384(bytes) => {
                ES384KeyPair::from_bytes(bytes).map(|pair| pair.public_key().to_jwk()).unwrap_or_default()
            }
        };
        let mut jwk: Value = serde_json::from_str(&text).unwrap_or_default();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!(if cloud == Cloud::Spiffe { "jwt-svid" } else { "sig" });
        // Entra publishes no `alg`; the others do.
        if matches!(cloud, Cloud::Azure | Cloud::AzureV1)
            && let Some(members) = jwk.as_object_mut()
        {
            members.remove("alg");
        }
        jwk
    }
}

/// Forty hexadecimal digits that stand for the digest of a certificate nobody has.
fn thumbprint(kid: &str) -> String {
    token::digest::sha256(kid).iter().take(20).map(|byte| format!("{byte:02x}")).collect()
}
