//! Signs assertions with the keys that this service publishes.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    assertion::{Assertion, Signed, Signer},
    trouble::Trouble,
};
use crate::{crypto, jwt, keys::SigningKeys};

/// How long an assertion lives from now on, in seconds: as long as the calls that show it may take, and a clock that is ahead.
const LIFE: u64 = 110;

/// How far back `iat` and `nbf` lie, in seconds: Google takes no `iat` of the future, and clocks differ.
const BACKDATE: u64 = 10;

/// Claims of the assertion itself, which nothing else may set. `azp`: where it stands, AWS reads it in place of `aud`.
const OURS: [&str; 8] = ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "azp"];

/// A signer in the name of one issuer.
pub struct AssertionSigner {
    issuer: String,
    keys: Arc<SigningKeys>,
}

impl AssertionSigner {
    /// A signer whose assertions say `issuer` where they name no other.
    pub fn new(issuer: &str, keys: Arc<SigningKeys>) -> Self {
        Self { issuer: issuer.to_owned(), keys }
    }
}

impl Signer for AssertionSigner {
    fn sign(&self, assertion: &Assertion, now: u64) -> Result<Signed, Trouble> {
        let key = self.keys.signing(assertion.algorithm).ok_or_else(|| failed("no key signs with this algorithm"))?;
        if let Some(name) = OURS.iter().find(|name| assertion.claims.contains_key(**name)) {
            return Err(failed(format!("`{name}` stands among the other claims")));
        }
        let jti = crypto::random_id().map_err(failed)?;
        let mut claims: Map<String, Value> =
            assertion.claims.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut put = |name: &str, value: Value| _ = claims.insert(name.to_owned(), value);
        put("iss", assertion.issuer.as_deref().unwrap_or(&self.issuer).into());
        put("sub", assertion.subject.as_str().into());
        put("aud", assertion.audience.as_str().into());
        put("iat", now.saturating_sub(BACKDATE).into());
        put("nbf", now.saturating_sub(BACKDATE).into());
        put("exp", now.saturating_add(LIFE).into());
        put("jti", jti.as_str().into());
        let jwt = jwt::sign(assertion.typ, &claims, key).map_err(failed)?;
        Ok(Signed { jwt, jti })
    }
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    tracing::error!(%error, "an assertion could not be made");
    Trouble::Unavailable { code: "our own assertion could not be made".to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use token::{
        jwk::JwkSet,
        jws::{Algorithm, CompactJws},
    };

    use super::*;
    use crate::{crypto::AwsLc, store::EmbeddedStore};

    const NOW: u64 = 1_800_000_000;

    async fn keys() -> Arc<SigningKeys> {
        let store = EmbeddedStore::in_memory().unwrap();
        Arc::new(SigningKeys::load_or_create(&store, &[3; 32], NOW).await.unwrap())
    }

    fn assertion(algorithm: Algorithm) -> Assertion {
        Assertion {
            issuer: None,
            subject: "spiffe://td.test/k8s/prod/payments/api".into(),
            audience: "api://AzureADTokenExchange".into(),
            typ: "JWT",
            algorithm,
            claims: BTreeMap::from([("https://aws.amazon.com/source_identity".into(), json!("payments.api"))]),
        }
    }

    /// The claims and `typ`, as a provider reads them with the keys we publish.
    fn read(keys: &SigningKeys, signed: &Signed, algorithm: Algorithm) -> (Value, String) {
        let set = JwkSet::from_json(keys.jwks_json().as_bytes()).unwrap();
        let jws = CompactJws::parse(signed.jwt.expose(), &[algorithm]).unwrap();
        let key = set.find(Some(jws.header().kid.as_deref().unwrap()), algorithm).unwrap();
        let typ = jws.header().typ.clone().unwrap();
        (Value::Object(jws.verify(key, &AwsLc).unwrap().claims().clone()), typ)
    }

    #[tokio::test]
    async fn an_assertion_says_what_a_provider_asks_for_and_no_more() {
        let keys = keys().await;
        let signer = AssertionSigner::new("https://sts.test", Arc::clone(&keys));
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let signed = signer.sign(&assertion(algorithm), NOW).unwrap();
            let (claims, typ) = read(&keys, &signed, algorithm);
            let wanted = json!({
                "iss": "https://sts.test", "sub": "spiffe://td.test/k8s/prod/payments/api",
                "aud": "api://AzureADTokenExchange", "iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 110,
                "jti": signed.jti, "https://aws.amazon.com/source_identity": "payments.api",
            });
            assert_eq!((claims, typ.as_str()), (wanted, "JWT"));
        }
    }

    #[tokio::test]
    async fn a_client_names_itself_as_issuer_and_no_assertion_is_made_twice() {
        let keys = keys().await;
        let signer = AssertionSigner::new("https://sts.test", Arc::clone(&keys));
        let mut client = assertion(Algorithm::Es256);
        (client.issuer, client.typ) = (Some("client".into()), "client-authentication+jwt");
        let (first, again) = (signer.sign(&client, NOW).unwrap(), signer.sign(&client, NOW).unwrap());
        assert_ne!(first.jti, again.jti);
        let (claims, typ) = read(&keys, &first, Algorithm::Es256);
        assert_eq!((claims["iss"].as_str(), typ.as_str()), (Some("client"), "client-authentication+jwt"));
        assert!(!format!("{first:?}").contains(first.jwt.expose()));
    }

    #[tokio::test]
    async fn nothing_is_signed_that_would_say_two_things() {
        let signer = AssertionSigner::new("https://sts.test", keys().await);
        for name in OURS {
            let mut twice = assertion(Algorithm::Es256);
            twice.claims.insert(name.into(), json!("x"));
            assert!(signer.sign(&twice, NOW).is_err(), "{name}");
        }
        assert!(signer.sign(&assertion(Algorithm::Ps256), NOW).is_err());
    }
}
