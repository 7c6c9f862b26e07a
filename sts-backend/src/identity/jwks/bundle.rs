//! SPIFFE trust bundles: of their keys those that judge JWT-SVIDs (SPIFFE Trust Domain and Bundle, section 4).

use serde::Deserialize;
use serde_json::{Value, json};
use token::jwk::JwkSet;

/// The use of the keys that count here. Those of X.509 and those of uses that nobody knows yet are passed over.
const USE: &str = "jwt-svid";

/// A bundle, as far as JWT-SVIDs are concerned.
pub struct Bundle {
    /// The keys; none, where the trust domain has withdrawn them all.
    pub set: JwkSet,
    /// Its version: it grows with every change.
    pub sequence: Option<u64>,
    /// After how many seconds the trust domain would have it read again.
    pub refresh_hint: Option<u64>,
}

impl Bundle {
    /// Reads a bundle; nothing where it is none.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Raw {
            keys: Vec<Value>,
            spiffe_sequence: Option<u64>,
            spiffe_refresh_hint: Option<u64>,
        }
        let raw: Raw = serde_json::from_slice(json).ok()?;
        let keys: Vec<_> = raw.keys.into_iter().filter_map(for_signatures).collect();
        let set = JwkSet::from_json(json!({ "keys": keys }).to_string().as_bytes()).ok()?;
        Some(Self { set, sequence: raw.spiffe_sequence, refresh_hint: raw.spiffe_refresh_hint })
    }
}

/// The key as a plain JWK, if it is one for JWT-SVIDs; such a key must have an id (section 4.2.3).
fn for_signatures(mut key: Value) -> Option<Value> {
    let members = key.as_object_mut()?;
    if members.get("use").and_then(Value::as_str) != Some(USE) || !members.get("kid").is_some_and(Value::is_string) {
        return None;
    }
    members.remove("use");
    Some(key)
}

#[cfg(test)]
mod tests {
    use token::jwk::Jwk;

    use super::*;
    use crate::crypto::Es256Key;

    fn key(kid: &str, key_use: Option<&str>) -> Value {
        let mut jwk = Jwk::es256(Es256Key::generate().unwrap().0.public_point()).unwrap();
        (jwk.kid, jwk.key_use) = (Some(kid.to_owned()), key_use.map(str::to_owned));
        serde_json::to_value(jwk).unwrap()
    }

    #[test]
    fn keys_for_jwt_svids_count_and_no_others() {
        let mut nameless = key("x", Some("jwt-svid"));
        nameless.as_object_mut().unwrap().remove("kid");
        let bundle = json!({
            "spiffe_sequence": 7, "spiffe_refresh_hint": 120,
            "keys": [
                key("jwt", Some("jwt-svid")), key("x509", Some("x509-svid")), key("sig", Some("sig")), key("none", None),
                key("new", Some("wit-svid")), nameless, {"kty": "??", "use": "jwt-svid", "kid": "y"}, 7
            ],
        });
        let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
        let kids: Vec<_> = bundle.set.keys().iter().map(|key| key.kid()).collect();
        assert_eq!(kids, [Some("jwt")]);
        assert_eq!((bundle.sequence, bundle.refresh_hint), (Some(7), Some(120)));
    }

    #[test]
    fn a_bundle_may_withdraw_every_key_and_must_be_one() {
        assert!(Bundle::from_json(br#"{"keys":[]}"#).unwrap().set.keys().is_empty());
        for nonsense in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"spiffe_sequence":"1"}"#] {
            assert!(Bundle::from_json(nonsense.as_bytes()).is_none(), "{nonsense}");
        }
    }
}
