//! The certificate authorities that are believed at an address: those of a file, or the system's.

use std::path::Path;

use rustls::RootCertStore;
use thiserror::Error;
use token::digest;

use super::fetch;

/// The authorities, and by what a change of them is noticed.
pub struct Authorities {
    pub store: RootCertStore,
    /// The digest of their file; the system's have none.
    pub digest: Option<[u8; 32]>,
}

/// Why there are none to believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthoritiesError {
    #[error("the authorities in `{file}` cannot be used: {problem}")]
    File { file: String, problem: String },
    #[error("the system has no certificate authorities; install them, or set `ca_file`")]
    None,
}

impl Authorities {
    /// Those in `file`, or without one the system's.
    pub fn load(file: Option<&Path>) -> Result<Self, AuthoritiesError> {
        let Some(file) = file else {
            let store = fetch::system_authorities();
            return if store.is_empty() { Err(AuthoritiesError::None) } else { Ok(Self { store, digest: None }) };
        };
        let unusable = |problem| AuthoritiesError::File { file: file.display().to_string(), problem };
        let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
        let store = fetch::read_authorities(&pem).map_err(unusable)?;
        Ok(Self { store, digest: Some(digest::sha256(&pem)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_believed_alone_and_told_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let digest = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Authorities::load(Some(&file)).map(|authorities| (authorities.store.len(), authorities.digest.unwrap()))
        };
        let pem = crate::fixture::Authority::new().pem();
        let (number, first) = digest(&pem).unwrap();
        assert_eq!(number, 1);
        assert_ne!(digest(&format!("{pem}{}", crate::fixture::Authority::new().pem())).unwrap(), (1, first));
        assert!(digest("nothing").unwrap_err().to_string().contains("ca.pem"));
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(Authorities::load(Some(&file)), Err(AuthoritiesError::File { .. })));
    }
}
