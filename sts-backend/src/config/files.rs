//! Certificates, keys and the key-encryption key, read from the files the configuration names.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::checker::Checker;
use crate::{
    identity::inquiry::credential,
    tls::{self, Identity},
};

/// A listener's certificate chain and private key.
pub(super) fn identity(
    checker: &mut Checker<'_>,
    at: &str,
    certificate_file: &Path,
    private_key_file: &Path,
) -> Option<Identity> {
    let chain = certificates(checker, &format!("{at}.certificate_file"), certificate_file);
    let key_at = format!("{at}.private_key_file");
    let pem = Zeroizing::new(checker.read(&key_at, private_key_file)?);
    match tls::private_key(&pem) {
        Ok(key) => Some(Identity::new(chain?, key)),
        Err(error) => {
            let expected = "a private key as PEM (PKCS#8, PKCS#1 or SEC 1)";
            checker.wrong(key_at, named(private_key_file, &error), expected, "name the certificate's own key");
            None
        }
    }
}

/// The certificates of the file at `at`.
pub(super) fn certificates(checker: &mut Checker<'_>, at: &str, path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let pem = checker.read(at, path)?;
    tls::certificates(&pem)
        .map_err(|error| {
            checker.wrong(at, named(path, &error), "certificates as PEM", "name a file of BEGIN CERTIFICATE blocks");
        })
        .ok()
}

/// The file of the certificate authorities to believe instead of the system's: `ca_file` of what stands at `at`, if it has
/// one.
#[allow(clippy::option_option, reason = "no file and a file that cannot be used are two things")]
pub(super) fn authorities(checker: &mut Checker<'_>, at: &str, file: Option<&Path>) -> Option<Option<PathBuf>> {
    let Some(file) = file else { return Some(None) };
    certificates(checker, &format!("{at}.ca_file"), file)?;
    Some(Some(checker.resolve(file)))
}

/// A credential of ours that is read anew each time it is shown. It is not watched as long as it is fine: its platform
/// replaces it by the hour, and nothing else changes with it.
pub(super) fn credential(checker: &mut Checker<'_>, at: &str, path: &Path) -> Option<PathBuf> {
    let resolved = checker.resolve(path);
    let content = std::fs::read(&resolved).map(Zeroizing::new);
    match content.as_deref().map(|content| credential::trimmed(content).err()) {
        Ok(None) => Some(resolved),
        outcome => {
            let content = checker.read(at, path).map(Zeroizing::new);
            if let (Some(_), Ok(Some(problem))) = (content, outcome) {
                let found = format!("{}: {problem}", path.display());
                checker.wrong(
                    at,
                    found,
                    "a credential in one line",
                    "let the file hold the credential and nothing else",
                );
            }
            None
        }
    }
}

/// The key under which signing keys are stored.
pub(super) fn encryption_key(checker: &mut Checker<'_>, path: &Path) -> Option<Zeroizing<[u8; 32]>> {
    let at = "keys.encryption_key_file";
    let bytes = Zeroizing::new(checker.read(at, path)?);
    let Ok(key) = <[u8; 32]>::try_from(bytes.as_slice()) else {
        let found = format!("{} holds {} bytes", path.display(), bytes.len());
        checker.wrong(at, found, "exactly 32 random bytes", "make it with `head -c 32 /dev/urandom`");
        return None;
    };
    if key.iter().all(|byte| *byte == key[0]) {
        let found = format!("{} holds one byte 32 times", path.display());
        checker.wrong(at, found, "32 random bytes", "make it with `head -c 32 /dev/urandom`");
        return None;
    }
    Some(Zeroizing::new(key))
}

fn named(path: &Path, error: &tls::TlsError) -> String {
    format!("{}: {error}", path.display())
}
