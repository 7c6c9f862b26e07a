//! Native tokens to order: right ones by default, wrong in exactly one way where a test asks for it.

use jwt_simple::prelude::{Claims, Duration, HS256Key, MACLike};
use serde_json::{Map, Value, json};

use super::{
    cloud::Cloud,
    keys::{IssuerKeys, SigningKey},
};
use crate::Result;

/// What to sign. In a query, each member is a parameter of its name; `claim.NAME=JSON` is one entry of `claims`.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// `aud`; by default what our STS has reserved at the cloud.
    pub audience: Option<String>,
    /// The workload's name; by default the cloud's usual one.
    pub workload: Option<String>,
    /// Claims to set to other values, or to leave out (`null`).
    pub claims: Map<String, Value>,
    /// Seconds from now at which it expires; negative: it has already.
    pub expires_in: Option<i64>,
    /// `kid` of the header; by default the signing key's.
    pub kid: Option<String>,
    pub flaw: Option<Flaw>,
    /// Bytes of padding in a claim of its own.
    pub padding: usize,
}

/// How the token as a whole is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `alg: none` and no signature.
    AlgNone,
    /// `HS256`, keyed with the issuer's published key: the classic confusion.
    Hs256,
    /// Signed by a key that only claims to be the issuer's.
    ForgedKey,
    /// A claim changed after signing.
    Tampered,
}

impl Flaw {
    const ALL: [(&'static str, Self); 4] = [
        ("alg_none", Self::AlgNone),
        ("hs256", Self::Hs256),
        ("forged_key", Self::ForgedKey),
        ("tampered", Self::Tampered),
    ];
}

impl Order {
    /// Reads a query.
    pub fn from_query(query: &str) -> Result<Self> {
        let mut order = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let text = value.clone().into_owned();
            match name.as_ref() {
                "audience" => order.audience = Some(text),
                "workload" => order.workload = Some(text),
                "expires_in" => order.expires_in = Some(text.parse()?),
                "kid" => order.kid = Some(text),
                "padding" => order.padding = text.parse::<usize>()?.min(MAX_PADDING),
                "flaw" => {
                    let flaw = Flaw::ALL.iter().find(|(name, _)| *name == text);
                    order.flaw = Some(
                        flaw.ok_or_else(|| {
                            format!("`{text}` is no flaw; expected alg_none, hs256, forged_key or tampered")
                        })?
                        .1,
                    );
                }
                name => {
                    let claim = name.strip_prefix("claim.").ok_or_else(|| format!("unknown parameter `{name}`"))?;
                    order.claims.insert(claim.into(), serde_json::from_str(&text)?);
                }
            }
        }
        Ok(order)
    }

    /// The same as a query.
    pub fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let flaw = self
            .flaw
            .and_then(|flaw| Flaw::ALL.iter().find(|(_, other)| *other == flaw))
            .map(|(name, _)| name.to_string());
        let padding = Some(self.padding).filter(|padding| *padding > 0);
        let members = [
            ("audience", self.audience.clone()),
            ("workload", self.workload.clone()),
            ("expires_in", self.expires_in.map(|seconds| seconds.to_string())),
            ("kid", self.kid.clone()),
            ("flaw", flaw),
            ("padding", padding.map(|bytes| bytes.to_string())),
        ];
        for (name, value) in members {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        }
        for (name, value) in &self.claims {
            query.append_pair(&format!("claim.{name}"), &value.to_string());
        }
        query.finish()
    }
}

/// Signs what `order` says, at `now` (Unix seconds).
pub fn mint(cloud: Cloud, order: &Order, keys: &IssuerKeys, now: i64) -> Result<String> {
    let audience = order.audience.as_deref().unwrap_or(cloud.audience());
    let workload = order.workload.as_deref().unwrap_or(cloud.workload());
    let mut claims = cloud.claims(workload, audience, now);
    if let Some(seconds) = order.expires_in {
        claims.insert("exp".into(), json!(now + seconds));
        if seconds < 0 {
            claims.insert("iat".into(), json!(now + seconds - 300));
            if claims.contains_key("nbf") {
                claims.insert("nbf".into(), json!(now + seconds - 300));
            }
        }
    }
    if order.padding > 0 {
        claims.insert("padding".into(), json!("x".repeat(order.padding)));
    }
    for (name, value) in &order.claims {
        match value {
            Value::Null => claims.remove(name),
            value => claims.insert(name.clone(), value.clone()),
        };
    }
    let key = keys.current()?;
    let kid = order.kid.as_deref().unwrap_or(&key.kid);
    match order.flaw {
        None => key.sign(cloud, kid, claims),
        Some(Flaw::ForgedKey) => SigningKey::generate(cloud, usize::MAX)?.sign(cloud, kid, claims),
        Some(Flaw::AlgNone) => {
            let header = json!({"alg": "none", "typ": "JWT", "kid": kid});
            Ok(format!("{}.{}.", segment(&header), segment(&Value::Object(claims))))
        }
        Some(Flaw::Hs256) => {
            let mut all = Claims::with_custom_claims(Value::Object(claims), Duration::from_secs(1));
            (all.issued_at, all.expires_at, all.invalid_before) = (None, None, None);
            let public = keys.document(cloud).to_string();
            Ok(HS256Key::from_bytes(public.as_bytes()).with_key_id(kid).authenticate(all)?)
        }
        Some(Flaw::Tampered) => {
            let signed = key.sign(cloud, kid, claims.clone())?;
            claims.insert("sub".into(), json!("somebody-else"));
            let parts: Vec<_> = signed.split('.').collect();
            Ok(format!("{}.{}.{}", parts[0], segment(&Value::Object(claims)), parts[2]))
        }
    }
}

fn segment(json: &Value) -> String {
    token::base64url::encode(json.to_string())
}

const MAX_PADDING: usize = 2 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::{
        ECDSAP384PublicKeyLike, ES384PublicKey, RS256PublicKey, RSAPublicKeyLike, UnixTimeStamp, VerificationOptions,
    };

    use super::*;

    fn now() -> Option<VerificationOptions> {
        Some(VerificationOptions {
            artificial_time: Some(UnixTimeStamp::from_secs(1_800_000_000)),
            ..Default::default()
        })
    }

    #[test]
    fn an_order_survives_the_query() {
        let mut order = Order { expires_in: Some(-5), flaw: Some(Flaw::Hs256), padding: 7, ..Order::default() };
        order.claims.insert("aud".into(), json!(["a", "b"]));
        let back = Order::from_query(&order.to_query()).unwrap();
        assert_eq!(back.to_query(), order.to_query());
        assert_eq!(back.flaw, Some(Flaw::Hs256));
        assert!(Order::from_query("flaw=other").is_err());
        assert!(Order::from_query("nonsense=1").is_err());
    }

    #[test]
    fn every_cloud_signs_what_its_published_key_verifies() {
        for cloud in Cloud::ALL {
            let keys = IssuerKeys::first(*cloud).unwrap();
            let token = mint(*cloud, &Order::default(), &keys, 1_800_000_000).unwrap();
            let mut published = keys.document(*cloud)["keys"][0].clone();
            // The judge knows no key for SVIDs.
            published["use"] = json!("sig");
            let published = published.to_string();
            let verified = match *cloud {
                Cloud::Aws => ES384PublicKey::from_jwk(&published).unwrap().verify_token::<Value>(&token, now()),
                _ => RS256PublicKey::from_jwk(&published).unwrap().verify_token::<Value>(&token, now()),
            };
            let named = Some(cloud.issuer()).filter(|_| *cloud != Cloud::Spiffe);
            assert_eq!(verified.unwrap().issuer.as_deref(), named);
        }
    }
}
