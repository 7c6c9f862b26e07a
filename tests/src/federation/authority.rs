//! An issuer that signs and publishes its keys: an authorization server of ours, or the STS where a test runs none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use axum::{Json, Router, routing::get};
use jwt_simple::prelude::{ES256PublicKey, RS256PublicKey};
use serde_json::{Map, Value, json};

use super::assertion::{self, Shown};
use crate::Result;

/// One issuer with an RS256 key and an ES256 key.
pub struct Authority {
    url: String,
    rs256: RsaKeyPair,
    es256: EcdsaKeyPair,
    keys: Value,
}

/// A header to sign under.
#[derive(Clone, Copy, Debug)]
pub struct Header<'h> {
    /// `RS256` or `ES256`.
    pub algorithm: &'h str,
    pub typ: &'h str,
    pub kid: Option<&'h str>,
}

impl Header<'static> {
    /// As most tokens have it.
    pub const RS256: Self = Self { algorithm: "RS256", typ: "JWT", kid: Some(RS256) };
}

impl Authority {
    /// A new one with keys of its own.
    pub fn new(url: &str) -> Result<Self> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        let rs256 = RsaKeyPair::from_pkcs8(der.as_ref())?;
        let es256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let named = |jwk: String, kid: &str| {
            let mut jwk: Value = serde_json::from_str(&jwk)?;
            (jwk["kid"], jwk["use"]) = (json!(kid), json!("sig"));
            Ok::<_, serde_json::Error>(jwk)
        };
        let public_rsa: PublicKeyX509Der<'_> = rs256.public_key().as_der()?;
        let public = ES256PublicKey::from_bytes(es256.public_key().as_ref())?;
        let keys =
            [named(RS256PublicKey::from_der(public_rsa.as_ref())?.to_jwk(), RS256)?, named(public.to_jwk(), ES256)?];
        Ok(Self { url: url.to_owned(), rs256, es256, keys: json!({"keys": keys}) })
    }

    /// The one of that URL. It keeps its keys for as long as the process runs: making RSA keys is slow.
    pub fn lasting(url: &str) -> Result<Arc<Self>> {
        static LASTING: Mutex<BTreeMap<String, Arc<Authority>>> = Mutex::new(BTreeMap::new());
        let mut lasting = LASTING.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match lasting.get(url) {
            Some(authority) => Arc::clone(authority),
            None => Arc::clone(lasting.entry(url.to_owned()).or_insert(Arc::new(Self::new(url)?))),
        })
    }

    /// `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signs `claims` as they are.
    pub fn sign(&self, header: Header<'_>, claims: Map<String, Value>) -> Result<String> {
        let mut top = json!({"alg": header.algorithm, "typ": header.typ});
        if let Some(kid) = header.kid {
            top["kid"] = json!(kid);
        }
        let segment = |value: Value| token::base64url::encode(value.to_string());
        let signed = format!("{}.{}", segment(top), segment(Value::Object(claims)));
        let random = SystemRandom::new();
        let signature = if header.algorithm == "ES256" {
            self.es256.sign(&random, signed.as_bytes())?.as_ref().to_vec()
        } else {
            let mut signature = vec![0; self.rs256.public_modulus_len()];
            self.rs256.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)?;
            signature
        };
        Ok(format!("{signed}.{}", token::base64url::encode(signature)))
    }

    /// What a token of its own says, if it is one and in force at `now`.
    pub fn own(&self, jwt: &str, now: i64) -> Option<assertion::Claims> {
        let shown = Shown::parse(jwt).ok()?;
        let key = self.keys["keys"].as_array()?.iter().find(|key| key["kid"].as_str() == shown.key_id())?;
        let claims = shown.verify(&key.to_string()).ok()?;
        (claims.text("iss") == Some(&self.url) && claims.in_force(now, 0, false).is_ok()).then_some(claims)
    }

    /// Discovery document and keys, at their places below the issuer's URL.
    pub fn router(&self) -> Router {
        let (discovery, keys) = (self.discovery(), self.keys.clone());
        Router::new()
            .route("/.well-known/openid-configuration", get(|| async { Json(discovery) }))
            .route("/jwks.json", get(|| async { Json(keys) }))
    }

    /// The discovery document.
    pub fn discovery(&self) -> Value {
        json!({"issuer": self.url, "jwks_uri": format!("{}/jwks.json", self.url)})
    }

    /// The published keys.
    pub fn keys(&self) -> &Value {
        &self.keys
    }
}

/// The ids of the two keys.
pub const RS256: &str = "rs256-1";
pub const ES256: &str = "es256-1";
