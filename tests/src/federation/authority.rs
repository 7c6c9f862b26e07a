//! An issuer that signs and publishes its keys: an authorization server of ours, or the STS where a test runs none.

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa,
};
use axum::{Json, Router, routing::get};
use jwt_simple::prelude::{
    Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair, HeaderOptions, JWTClaims, RS256KeyPair, RSAKeyPairLike,
};
use serde_json::{Map, Value, json};

use super::assertion::{self, Shown};
use crate::Result;

/// One issuer with an RS256 key and an ES256 key.
#[derive(Clone)]
pub struct Authority {
    url: String,
    rs256: Vec<u8>,
    es256: Vec<u8>,
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
        // jwt-simple's own generator needs seconds in a debug build.
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        Ok(Self { url: url.to_owned(), rs256: der.as_ref().to_vec(), es256: ES256KeyPair::generate().to_bytes() })
    }

    /// `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Signs `claims` as they are.
    pub fn sign(&self, header: Header<'_>, claims: Map<String, Value>) -> Result<String> {
        let mut all: JWTClaims<Value> = Claims::with_custom_claims(Value::Object(claims), Duration::from_secs(1));
        // Times are in `claims` already, as the test wants them.
        (all.issued_at, all.expires_at, all.invalid_before) = (None, None, None);
        let options = HeaderOptions { signature_type: Some(header.typ.to_owned()), ..HeaderOptions::default() };
        Ok(if header.algorithm == "ES256" {
            let mut key = ES256KeyPair::from_bytes(&self.es256)?;
            if let Some(kid) = header.kid {
                key = key.with_key_id(kid);
            }
            key.sign_with_options(all, &options)?
        } else {
            let mut key = RS256KeyPair::from_der(&self.rs256)?;
            if let Some(kid) = header.kid {
                key = key.with_key_id(kid);
            }
            key.sign_with_options(all, &options)?
        })
    }

    /// What a token of its own says, if it is one and in force at `now`.
    pub fn own(&self, jwt: &str, now: i64) -> Option<assertion::Claims> {
        let shown = Shown::parse(jwt).ok()?;
        let keys = self.keys().ok()?;
        let key = keys["keys"].as_array()?.iter().find(|key| key["kid"].as_str() == shown.key_id())?;
        let claims = shown.verify(&key.to_string()).ok()?;
        (claims.text("iss") == Some(&self.url) && claims.in_force(now, 0, false).is_ok()).then_some(claims)
    }

    /// Discovery document and keys, at their places below the issuer's URL. Both URLs of the document are below it.
    pub fn router(&self) -> Result<Router> {
        let discovery = json!({"issuer": self.url, "jwks_uri": format!("{}/jwks.json", self.url)});
        let keys = self.keys()?;
        Ok(Router::new()
            .route("/.well-known/openid-configuration", get(|| async { Json(discovery) }))
            .route("/jwks.json", get(|| async { Json(keys) })))
    }

    /// The published keys.
    pub fn keys(&self) -> Result<Value> {
        let named = |jwk: String, kid: &str| {
            let mut jwk: Value = serde_json::from_str(&jwk)?;
            (jwk["kid"], jwk["use"]) = (json!(kid), json!("sig"));
            Ok::<_, serde_json::Error>(jwk)
        };
        let rs256 = named(RS256KeyPair::from_der(&self.rs256)?.public_key().to_jwk(), RS256)?;
        let es256 = named(ES256KeyPair::from_bytes(&self.es256)?.public_key().to_jwk(), ES256)?;
        Ok(json!({"keys": [rs256, es256]}))
    }
}

/// The ids of the two keys.
pub const RS256: &str = "rs256-1";
pub const ES256: &str = "es256-1";
