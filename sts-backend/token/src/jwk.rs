//! Public keys as JWKs (RFC 7517), each pinned to one algorithm, and their thumbprints (RFC 7638).

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{base64url, digest, jws::Algorithm};

/// The most keys that are read from one set.
pub const MAX_KEYS: usize = 100;

/// The material of a public key, as the arithmetic wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// P-256 or P-384 point: uncompressed SEC 1 form, `04 ‖ x ‖ y`.
    Ec { point: Vec<u8> },
    /// RSA modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// Ed25519 public key, 32 bytes.
    Ed25519 { point: Vec<u8> },
}

/// A public key with its one algorithm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    material: KeyMaterial,
}

/// Why a JWK is not a key that may verify tokens.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JwkError {
    #[error("the key is not a JWK: {0}")]
    Malformed(&'static str),
    #[error("the key's type, curve and `alg` do not name one signature algorithm")]
    Algorithm,
    #[error("the key is not for verifying signatures (`use` or `key_ops`)")]
    Use,
    #[error("the key carries private members")]
    Private,
    #[error("the RSA modulus has {0} bits; 2048 to 4096 are accepted")]
    RsaSize(usize),
}

/// A JWK as it stands on the wire. Members that verification has no need of (`x5c`, `issuer`, ...) are ignored.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Jwk {
    pub kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// Present only in private keys; its presence refuses the key.
    #[serde(default, skip_serializing)]
    pub d: Option<serde::de::IgnoredAny>,
    /// The secret of a symmetric key; its presence refuses the key.
    #[serde(default, skip_serializing)]
    pub k: Option<serde::de::IgnoredAny>,
}

/// A JWK Set (RFC 7517, section 5). Keys that cannot be read are passed over: other issuers' sets hold keys for other uses.
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<PublicKey>,
}

impl PublicKey {
    /// Reads a JWK. Where the set says no `alg` (Entra's do not), key type and curve pin it: RSA means RS256.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, JwkError> {
        if jwk.d.is_some() || jwk.k.is_some() {
            return Err(JwkError::Private);
        }
        if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
            return Err(JwkError::Use);
        }
        if jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err(JwkError::Use);
        }
        let algorithm = algorithm_of(jwk)?;
        let material = match jwk.kty.as_str() {
            "EC" => ec_material(jwk, algorithm)?,
            "RSA" => rsa_material(jwk)?,
            _ => KeyMaterial::Ed25519 { point: coordinate(jwk.x.as_deref(), 32)? },
        };
        Ok(Self { kid: jwk.kid.clone(), algorithm, material })
    }

    /// The key's identifier in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm this key may be used with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself.
    pub fn material(&self) -> &KeyMaterial {
        &self.material
    }
}

impl Jwk {
    /// The JWK of an EC P-256 public key for ES256, `kid` being its thumbprint. `point` is `04 ‖ x ‖ y`.
    pub fn es256(point: &[u8]) -> Result<Self, JwkError> {
        let coordinates = point.strip_prefix(&[4]).ok_or(JwkError::Malformed("the point is not uncompressed"))?;
        let (x, y) = coordinates.split_at_checked(32).ok_or(JwkError::Malformed("the point is too short"))?;
        if y.len() != 32 {
            return Err(JwkError::Malformed("the point is not 65 bytes long"));
        }
        let mut jwk = Self {
            kty: "EC".to_owned(),
            crv: Some("P-256".to_owned()),
            x: Some(base64url::encode(x)),
            y: Some(base64url::encode(y)),
            alg: Some(Algorithm::Es256.name().to_owned()),
            key_use: Some("sig".to_owned()),
            ..Self::default()
        };
        jwk.kid = Some(jwk.thumbprint()?);
        Ok(jwk)
    }

    /// The JWK of an RSA public key for RS256, `kid` being its thumbprint. Both numbers are big-endian.
    pub fn rs256(modulus: &[u8], exponent: &[u8]) -> Result<Self, JwkError> {
        // RFC 7518, section 6.3.1.1: no leading zeros.
        let significant = |number: &[u8]| {
            let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
            number.get(start..).map(base64url::encode)
        };
        let mut jwk = Self {
            kty: "RSA".to_owned(),
            n: significant(modulus),
            e: significant(exponent),
            alg: Some(Algorithm::Rs256.name().to_owned()),
            key_use: Some("sig".to_owned()),
            ..Self::default()
        };
        jwk.kid = Some(jwk.thumbprint()?);
        Ok(jwk)
    }

    /// The key's SHA-256 thumbprint (RFC 7638, section 3): its required members in lexical order, digested.
    pub fn thumbprint(&self) -> Result<String, JwkError> {
        let member = |value: &Option<String>| {
            let text = value.clone().ok_or(JwkError::Malformed("a required member is missing"))?;
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if plain { Ok(text) } else { Err(JwkError::Malformed("a required member is not base64url")) }
        };
        let canonical = match self.kty.as_str() {
            "EC" => {
                let (crv, x, y) = (member(&self.crv)?, member(&self.x)?, member(&self.y)?);
                format!(r#"{{"crv":"{crv}","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            "RSA" => {
                let (e, n) = (member(&self.e)?, member(&self.n)?);
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
            "OKP" => {
                let (crv, x) = (member(&self.crv)?, member(&self.x)?);
                format!(r#"{{"crv":"{crv}","kty":"OKP","x":"{x}"}}"#)
            }
            _ => return Err(JwkError::Algorithm),
        };
        Ok(digest::fingerprint(canonical))
    }
}

impl JwkSet {
    /// Reads a set, keeping the keys that can verify signatures.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        #[derive(Deserialize)]
        struct RawSet {
            keys: Vec<serde_json::Value>,
        }
        let raw: RawSet =
            serde_json::from_slice(json).map_err(|_| JwkError::Malformed("the set is not an object with `keys`"))?;
        let keys = raw
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
            .filter_map(|jwk| PublicKey::from_jwk(&jwk).ok())
            .collect();
        Ok(Self { keys })
    }

    /// The keys that may have signed a token with this `kid` and algorithm. Without a `kid` the choice must be plain: a
    /// single key of that algorithm.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match kid {
            Some(kid) => fitting.find(|key| key.kid() == Some(kid)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }

    /// Whether a key with this `kid` is there, whatever its algorithm.
    pub fn has_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }
}

fn algorithm_of(jwk: &Jwk) -> Result<Algorithm, JwkError> {
    let named = match jwk.alg.as_deref() {
        Some(name) => Some(Algorithm::from_name(name).ok_or(JwkError::Algorithm)?),
        None => None,
    };
    let pinned = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("EC", Some("P-256")) => Algorithm::Es256,
        ("EC", Some("P-384")) => Algorithm::Es384,
        ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
        ("RSA", None) => return rsa_algorithm(named),
        _ => return Err(JwkError::Algorithm),
    };
    if named.is_none_or(|named| named == pinned) { Ok(pinned) } else { Err(JwkError::Algorithm) }
}

fn rsa_algorithm(named: Option<Algorithm>) -> Result<Algorithm, JwkError> {
    use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    match named.unwrap_or(Rs256) {
        algorithm @ (Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512) => Ok(algorithm),
        _ => Err(JwkError::Algorithm),
    }
}

fn ec_material(jwk: &Jwk, algorithm: Algorithm) -> Result<KeyMaterial, JwkError> {
    let width = if algorithm == Algorithm::Es384 { 48 } else { 32 };
    let mut point = vec![4];
    point.extend(coordinate(jwk.x.as_deref(), width)?);
    point.extend(coordinate(jwk.y.as_deref(), width)?);
    Ok(KeyMaterial::Ec { point })
}

fn rsa_material(jwk: &Jwk) -> Result<KeyMaterial, JwkError> {
    let unsigned = |text: Option<&str>| {
        let text = text.ok_or(JwkError::Malformed("`n` or `e` is missing"))?;
        let bytes = base64url::decode(text).map_err(|_| JwkError::Malformed("`n` or `e` is not base64url"))?;
        let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        Ok(significant)
    };
    let (modulus, exponent) = (unsigned(jwk.n.as_deref())?, unsigned(jwk.e.as_deref())?);
    let bits = modulus.len().saturating_mul(8);
    if !(2048..=4096).contains(&bits) {
        return Err(JwkError::RsaSize(bits));
    }
    if exponent != [1, 0, 1] {
        return Err(JwkError::Malformed("the RSA exponent is not 65537"));
    }
    Ok(KeyMaterial::Rsa { modulus, exponent })
}

fn coordinate(text: Option<&str>, width: usize) -> Result<Vec<u8>, JwkError> {
    let text = text.ok_or(JwkError::Malformed("a coordinate is missing"))?;
    let bytes = base64url::decode(text).map_err(|_| JwkError::Malformed("a coordinate is not base64url"))?;
    if bytes.len() == width { Ok(bytes) } else { Err(JwkError::Malformed("a coordinate has the wrong length")) }
}

#[cfg(test)]
mod tests;
