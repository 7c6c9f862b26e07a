//! Keys, ready to sign.

use std::{cell::RefCell, fmt};

use hmac_sha256::HMAC;
use token::{aws_keys::AwsKeys, secret::Secret};
use zeroize::{Zeroize, Zeroizing};

use super::Scope;

/// The keys of one session, and what was derived from them for the scope they last signed for. That is derived once a day
/// and route, not for each request.
pub struct SigningKeys {
    keys: AwsKeys,
    derived: RefCell<Option<Derived>>,
}

/// The signing key of a day, region and service.
struct Derived {
    day: String,
    region: String,
    service: String,
    key: Zeroizing<[u8; 32]>,
}

impl SigningKeys {
    /// Keys that have not signed anything yet.
    pub fn new(keys: AwsKeys) -> Self {
        Self { keys, derived: RefCell::new(None) }
    }

    /// The keys themselves.
    pub fn keys(&self) -> &AwsKeys {
        &self.keys
    }

    /// The name of the key.
    pub fn access_key_id(&self) -> &str {
        &self.keys.access_key_id
    }

    /// What is sent along with each signature, as `x-amz-security-token`.
    pub fn session_token(&self) -> &Secret {
        &self.keys.session_token
    }

    /// Bytes it takes.
    pub fn size(&self) -> usize {
        let AwsKeys { access_key_id, secret_access_key, session_token } = &self.keys;
        let texts = [access_key_id, secret_access_key.expose(), session_token.expose()];
        texts.iter().map(|text| text.len()).fold(size_of::<Self>(), usize::saturating_add)
    }

    /// Does `work` with the signing key of `scope` ("Calculate the signature", step 1).
    pub(super) fn with_day_key<T>(&self, scope: Scope<'_>, work: impl FnOnce(&[u8; 32]) -> T) -> T {
        // Nobody holds it longer than for this, so it can always be had.
        let Ok(mut derived) = self.derived.try_borrow_mut() else { return work(&self.derive(scope).key) };
        let derived = match derived.take() {
            Some(known) if known.is_of(scope) => derived.insert(known),
            _ => derived.insert(self.derive(scope)),
        };
        work(&derived.key)
    }

    fn derive(&self, scope: Scope<'_>) -> Derived {
        let Scope { date, region, service } = scope;
        let mut first = Vec::with_capacity(4_usize.saturating_add(self.keys.secret_access_key.expose().len()));
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(self.keys.secret_access_key.expose().as_bytes());
        let mut key = Zeroizing::new(HMAC::mac(date.day(), &first));
        first.zeroize();
        for part in [region, service, "aws4_request"] {
            *key = HMAC::mac(part, *key);
        }
        Derived { day: date.day().to_owned(), region: region.to_owned(), service: service.to_owned(), key }
    }
}

impl Derived {
    fn is_of(&self, Scope { date, region, service }: Scope<'_>) -> bool {
        self.day == date.day() && self.region == region && self.service == service
    }
}

/// Of what was derived nothing can be told that the keys do not say.
impl PartialEq for SigningKeys {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl Eq for SigningKeys {}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKeys").field(&self.keys).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{AmzDate, hex};

    fn keys() -> SigningKeys {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        SigningKeys::new(AwsKeys::new("ASIAIOSFODNN7EXAMPLE", secret, "token").unwrap())
    }

    fn derived(keys: &SigningKeys, unix_s: u64, region: &str, service: &str) -> String {
        let date = AmzDate::new(unix_s * 1_000).unwrap();
        keys.with_day_key(Scope { date, region, service }, |key| hex(key))
    }

    /// The example of AWS's documentation ("Examples of how to derive a signing key", 2015-08-30).
    const IAM: &str = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";

    #[test]
    fn the_documentation_s_key_is_derived() {
        assert_eq!(derived(&keys(), 1_440_938_160, "us-east-1", "iam"), IAM);
    }

    #[test]
    fn another_day_region_or_service_has_another_key_and_the_first_comes_back() {
        let keys = keys();
        let mut seen = vec![derived(&keys, 1_440_938_160, "us-east-1", "iam")];
        for (unix_s, region, service) in [
            (1_440_938_160 + 86_400, "us-east-1", "iam"),
            (1_440_938_160, "us-east-2", "iam"),
            (1_440_938_160, "us-east-1", "sts"),
        ] {
            let key = derived(&keys, unix_s, region, service);
            assert!(!seen.contains(&key), "{unix_s} {region} {service}");
            assert_eq!(derived(&keys, unix_s, region, service), key, "the one that was kept");
            seen.push(key);
        }
        assert_eq!(derived(&keys, 1_440_938_160, "us-east-1", "iam"), IAM);
    }

    #[test]
    fn debug_shows_no_secret() {
        let keys = keys();
        derived(&keys, 1_440_938_160, "us-east-1", "iam");
        let shown = format!("{keys:?}");
        assert!(shown.contains("ASIAIOSFODNN7EXAMPLE"));
        assert!(!shown.contains("wJalr") && !shown.contains("token\"") && !shown.contains("c4af"), "{shown}");
    }
}
