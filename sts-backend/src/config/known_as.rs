//! How the service is known to others, read by itself: of a configuration whose files may be on another machine.

use std::path::Path;

use serde::Deserialize;

use super::{checker::Checker, read_text, service};
use crate::{document, finding::Finding};

/// What other clouds know the service by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownAs {
    /// `iss` of the tokens.
    pub issuer: String,
    /// The trust domain in which workloads are named.
    pub trust_domain: String,
}

/// The two members of the configuration; whatever else stands there is not looked at.
#[derive(Deserialize)]
struct RawKnownAs {
    issuer: Option<String>,
    trust_domain: Option<String>,
}

impl KnownAs {
    /// Reads them from `file`, by the rules of [`super::Config::load`].
    pub fn load(file: &Path) -> Result<Self, Vec<Finding>> {
        let text = read_text(file)?;
        let (raw, lines) = document::parse::<RawKnownAs>(file, &text).map_err(|finding| vec![*finding])?;
        let mut checker = Checker::new(file, &lines);
        let issuer = service::issuer(&mut checker, raw.issuer);
        let trust_domain = service::trust_domain(&mut checker, raw.trust_domain);
        checker.conclude(issuer.zip(trust_domain).map(|(issuer, trust_domain)| Self { issuer, trust_domain }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<KnownAs, Vec<Finding>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cloakroom.yaml");
        std::fs::write(&file, text).unwrap();
        KnownAs::load(&file)
    }

    #[test]
    fn the_shipped_configuration_says_them_without_its_files() {
        let names = load(crate::fixture::EXAMPLE).unwrap();
        let wanted = KnownAs { issuer: "https://sts.cloakroom.test".into(), trust_domain: "cloakroom.test".into() };
        assert_eq!(names, wanted);
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_here_too() {
        let found = load("issuer: http://sts.test\n").unwrap_err();
        let paths: Vec<_> = found.iter().map(|finding| finding.path.as_str()).collect();
        assert_eq!(paths, ["issuer", "trust_domain"]);
        assert_eq!(found[0].line, Some(1));
        assert!(load("issuer: [").is_err());
        assert!(KnownAs::load(Path::new("no-such-file.yaml")).is_err());
    }
}
