//! Who we are to the destination's cloud.

use super::{
    answers::{Answers, shown},
    options::{Destination, Options},
};
use crate::{config::KnownAs, finding::Finding};

/// The STS as other clouds know it.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    /// `iss` of what we show, an https URL without query, fragment and trailing slash.
    pub url: String,
    /// The trust domain of our names, where it is known.
    pub trust_domain: Option<String>,
}

impl Issuer {
    /// Reads `issuer` and `trust_domain` of the configuration, or takes what was said.
    pub fn of(options: &Options) -> Result<Self, Vec<Finding>> {
        match (&options.config, &options.issuer) {
            (Some(file), _) => {
                let KnownAs { issuer, trust_domain } = KnownAs::load(file)?;
                Ok(Self { url: issuer, trust_domain: Some(trust_domain) })
            }
            (None, said) => Ok(Self { url: said.clone().unwrap_or_default(), trust_domain: None }),
        }
    }

    /// What AWS puts in front of `:aud` and `:sub` in conditions, and behind `oidc-provider/` in ARNs.
    pub fn without_scheme(&self) -> &str {
        self.url.strip_prefix("https://").unwrap_or(&self.url)
    }

    /// What the cloud takes for an issuer: AWS `CreateOpenIDConnectProvider`, Google `Oidc.issuerUri`, Entra
    /// `federatedIdentityCredential.issuer`.
    pub fn check(&self, destination: Destination, answers: &mut Answers) {
        let (most, port) = match destination {
            Destination::Aws => (255, false),
            Destination::Gcp => (2048, true),
            Destination::Azure => (600, true),
        };
        let rest = self.url.strip_prefix("https://").unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, "x"));
        let (host, number) = authority.split_once(':').unwrap_or((authority, "443"));
        let host_fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
        let path_fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let fits = !host.is_empty()
            && host.bytes().all(host_fits)
            && number.parse::<u16>().is_ok_and(|number| number > 0)
            && path.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
            && path.bytes().all(path_fits)
            && self.url.len() <= most
            && (port || host == authority);
        if !fits {
            let without = if port { "" } else { ", without a port" };
            let expected = format!(
                "an https URL of at most {most} bytes{without}, without query, fragment and trailing slash, the host in lower \
                 case, in the path nothing but `A-Z`, `a-z`, `0-9`, `-`, `.`, `_` and `~`"
            );
            let remedy = format!("{} takes no other issuer: it must be reached by this name", destination.cloud());
            answers.wrong("--issuer", format!("`{}`", shown(&self.url)), expected, remedy);
        }
    }
}
