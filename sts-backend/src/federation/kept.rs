//! A credential that has been checked, and may be lent more than once.

use std::sync::atomic::{AtomicBool, Ordering};

use token::{message::MAX_ISSUED_TOKEN_LENGTH, secret::Secret};

use super::{
    credential::{Credential, CredentialKind},
    trouble::Trouble,
};

/// How long before its end a credential is lent no more, in seconds: for the way to whoever judges it, and clocks that differ.
pub const MARGIN: u64 = 10;

/// By how many seconds a request may be older than what was had for another that overtook it. What comes from a later time than
/// that was kept before the clock was set back.
pub const OVERTAKING: u64 = 10;

/// The longest that a credential is kept, in seconds, whatever its provider says of its life.
const LONGEST: u64 = 24 * 3600;

/// The longest name that a provider's own record may have for a credential, in bytes. Google's are the longest: the pool's full
/// name and a subject of up to 127 bytes.
const LONGEST_REFERENCE: usize = 512;

/// A credential, as it is kept. Its memory is overwritten when the last of its users is done.
#[derive(Debug)]
pub struct Kept {
    token: Secret,
    fingerprint: String,
    token_type: String,
    jti: String,
    provider_reference: Option<String>,
    obtained_at: u64,
    expires_at: u64,
    lent: AtomicBool,
}

impl Kept {
    /// Takes what a provider gave at `now`, if it can be lent: what comes from the network must have the form of what it is
    /// before it becomes a header, a query or a key.
    pub fn check(credential: Credential, now: u64) -> Result<Self, Trouble> {
        let invalid = |code: &str| Trouble::Invalid { code: code.to_owned() };
        let Credential { kind, expires_at, jti, provider_reference } = credential;
        // RFC 8693, section 2.2.1: what is no access token has the type `N_A`.
        let not_applicable = || "N_A".to_owned();
        let (token, token_type) = match kind {
            CredentialKind::Token { token, token_type } => (token, token_type),
            CredentialKind::AzureSas(query) => (query, not_applicable()),
            CredentialKind::AwsKeys(keys) => {
                (keys.to_token().map_err(|_| invalid("keys that cannot be written down"))?, not_applicable())
            }
        };
        let text = token.expose();
        if text.is_empty() || text.len() > MAX_ISSUED_TOKEN_LENGTH || !text.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(invalid("a token that is empty, longer than 16 KiB, or holds what no header may carry"));
        }
        // RFC 6750, section 2.1, and the schemes of RFC 9110, section 11.1: a name.
        let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=32).contains(&token_type.len()) || !token_type.bytes().all(name) {
            return Err(invalid("a `token_type` that is no name"));
        }
        let printable = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if provider_reference.as_ref().is_some_and(|text| text.len() > LONGEST_REFERENCE || !printable(text)) {
            return Err(invalid("a reference that is longer than 512 bytes, or holds more than visible characters"));
        }
        let expires_at = expires_at.min(now.saturating_add(LONGEST));
        if expires_at <= now.saturating_add(MARGIN) {
            return Err(invalid(&format!("a credential that ends within {MARGIN} s")));
        }
        let lent = AtomicBool::new(false);
        let fingerprint = token.fingerprint();
        Ok(Self { token, fingerprint, token_type, jti, provider_reference, obtained_at: now, expires_at, lent })
    }

    /// As it stands in `access_token`.
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// The digest of it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The scheme it is sent with, or `N_A`.
    pub fn token_type(&self) -> &str {
        &self.token_type
    }

    /// `jti` of the assertion it was given for.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    /// By what the provider's own record names it.
    pub fn provider_reference(&self) -> Option<&str> {
        self.provider_reference.as_deref()
    }

    /// When it ends at its provider, in seconds since the epoch.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// When it is lent no more.
    pub fn usable_until(&self) -> u64 {
        self.expires_at.saturating_sub(MARGIN)
    }

    /// How many seconds it can be lent for from `now` on. A clock that was set back does not prolong it.
    pub fn left(&self, now: u64) -> u64 {
        let set_back = now.saturating_add(OVERTAKING) < self.obtained_at;
        if set_back { 0 } else { self.usable_until().saturating_sub(now) }
    }

    /// For how long it has been kept, in seconds.
    pub fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.obtained_at)
    }

    /// Whether it is as good as a new one for somebody who wants it for `wanted` seconds: it has half of that left, or half of
    /// all that its provider gave it.
    pub fn is_good_for(&self, wanted: u64, now: u64) -> bool {
        let whole = self.usable_until().saturating_sub(self.obtained_at);
        self.left(now) > 0 && self.left(now).saturating_mul(2) >= wanted.min(whole)
    }

    /// Lends it. Whether that is the first time.
    pub fn lend(&self) -> bool {
        !self.lent.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use token::aws_keys::AwsKeys;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn credential(kind: CredentialKind, life: u64) -> Credential {
        Credential { kind, expires_at: NOW + life, jti: "j".into(), provider_reference: None }
    }

    fn token(text: &str, token_type: &str) -> CredentialKind {
        CredentialKind::Token { token: Secret::new(text), token_type: token_type.into() }
    }

    fn keys() -> CredentialKind {
        CredentialKind::AwsKeys(AwsKeys::new("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "Fwo==").unwrap())
    }

    #[test]
    fn each_kind_becomes_what_the_filter_reads() {
        let sas = CredentialKind::AzureSas(Secret::new("sv=2025-05-05&sig=x%3D"));
        for (kind, text, token_type) in [
            (token("ya29.d", "Bearer"), "ya29.d".to_owned(), "Bearer"),
            (sas, "sv=2025-05-05&sig=x%3D".to_owned(), "N_A"),
            (
                keys(),
                {
                    let CredentialKind::AwsKeys(keys) = keys() else { unreachable!() };
                    keys.to_token().unwrap().expose().to_owned()
                },
                "N_A",
            ),
        ] {
            let kept = Kept::check(credential(kind, 900), NOW).unwrap();
            assert_eq!((kept.token().expose(), kept.token_type()), (text.as_str(), token_type));
            assert_eq!(kept.fingerprint(), kept.token().fingerprint());
            assert!(!format!("{kept:?}").contains(&text));
        }
    }

    #[test]
    fn what_could_not_be_sent_or_is_over_is_not_kept() {
        for (kind, life) in [
            (token("", "Bearer"), 900),
            (token("a b", "Bearer"), 900),
            (token("a\r\nx-other: 1", "Bearer"), 900),
            (token(&"a".repeat(MAX_ISSUED_TOKEN_LENGTH + 1), "Bearer"), 900),
            (token("a", ""), 900),
            (token("a", "Bearer x"), 900),
            (token("a", "Bearer"), 0),
            (token("a", "Bearer"), MARGIN),
            (CredentialKind::AzureSas(Secret::new("sv=1&\nsig=2")), 900),
        ] {
            let trouble = Kept::check(credential(kind, life), NOW).unwrap_err();
            assert!(matches!(&trouble, Trouble::Invalid { code } if !code.contains("sig=")), "{trouble:?}");
        }
    }

    #[test]
    fn a_reference_is_kept_whole_or_the_credential_is_not() {
        let check = |reference: &str| {
            let credential = credential(token("a", "Bearer"), 900);
            Kept::check(Credential { provider_reference: Some(reference.to_owned()), ..credential }, NOW)
        };
        let longest = "r".repeat(LONGEST_REFERENCE);
        assert_eq!(check(&longest).unwrap().provider_reference(), Some(longest.as_str()));
        for reference in [longest + "r", "a b".to_owned(), "a\n".to_owned(), "\u{e9}".to_owned()] {
            assert!(matches!(check(&reference), Err(Trouble::Invalid { .. })), "{reference}");
        }
    }

    #[test]
    fn it_is_lent_until_a_little_before_its_end_and_renewed_before_it_gets_short() {
        let kept = Kept::check(credential(token("a", "Bearer"), 900), NOW).unwrap();
        assert_eq!((kept.left(NOW), kept.left(NOW + 889), kept.left(NOW + 890)), (890, 1, 0));
        assert!(kept.is_good_for(60, NOW + 860) && !kept.is_good_for(60, NOW + 861));
        assert!(kept.is_good_for(3_600, NOW + 445) && !kept.is_good_for(3_600, NOW + 446));
        assert!(!kept.is_good_for(0, NOW + 890));
        assert_eq!(kept.left(NOW - 1), 891, "somebody came a moment before, and was overtaken");
        assert_eq!(kept.left(NOW - 11), 0, "the clock was set back");
        assert_eq!((kept.lend(), kept.lend(), kept.lend()), (true, false, false));
        let endless = Kept::check(credential(token("a", "Bearer"), u64::MAX - NOW), NOW).unwrap();
        assert_eq!(endless.expires_at(), NOW + LONGEST);
    }
}
