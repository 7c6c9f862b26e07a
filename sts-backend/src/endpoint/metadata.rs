//! The published descriptions of this service: authorization server metadata (RFC 8414) and OpenID discovery.
//!
//! Clouds that are to believe our tokens read the second; it says nothing of authorization because there is none.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::Serialize;
use token::{jws::Algorithm, token_type::GRANT_TYPE_TOKEN_EXCHANGE};

use super::{answer, jwks, token::PATH as TOKEN_PATH};
use crate::{app::App, keys::ALGORITHMS};

/// The path of the metadata of RFC 8414; an issuer's path follows it (section 3.1).
pub const OAUTH_PATH: &str = "/.well-known/oauth-authorization-server";

/// The path of OpenID discovery, below the issuer's path.
pub const OPENID_PATH: &str = "/.well-known/openid-configuration";

/// How long readers may keep the documents, in seconds.
const MAX_AGE: u32 = 300;

/// The documents of one configuration, as they are sent.
pub struct Metadata {
    issuer_path: String,
    authorization_server: String,
    openid_configuration: String,
}

/// Addresses the documents are made from; none ends in a slash.
pub struct Addresses<'a> {
    /// `iss` of the tokens.
    pub issuer: &'a str,
    /// The base address of the listener that requires client certificates.
    pub mtls: &'a str,
    /// The base address of the listener without them, where there is one.
    pub direct: Option<&'a str>,
}

#[derive(Serialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    jwks_uri: String,
    grant_types_supported: [&'static str; 1],
    /// There is no front channel; the member is required all the same (RFC 8414, section 2).
    response_types_supported: [&'static str; 0],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtls_endpoint_aliases: Option<Aliases>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_types_supported: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token_signing_alg_values_supported: Option<[&'static str; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims_supported: Option<Vec<&'static str>>,
}

/// RFC 8705, section 5.
#[derive(Serialize)]
struct Aliases {
    token_endpoint: String,
}

impl Metadata {
    /// The documents for a service reached at `addresses`.
    pub fn new(addresses: &Addresses<'_>) -> Self {
        let mut document = describe(addresses);
        let authorization_server = serialise(&document);
        document.subject_types_supported = Some(["public"]);
        document.id_token_signing_alg_values_supported = Some(ALGORITHMS.map(Algorithm::name));
        let claims = ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "act"];
        document.claims_supported = Some(claims.to_vec());
        Self {
            issuer_path: path(addresses.issuer).to_owned(),
            authorization_server,
            openid_configuration: serialise(&document),
        }
    }

    /// The path of the issuer, empty or with a leading and no trailing slash.
    pub fn issuer_path(&self) -> &str {
        &self.issuer_path
    }
}

fn describe(addresses: &Addresses<'_>) -> Document {
    let base = addresses.direct.unwrap_or(addresses.mtls);
    let mut methods = vec!["tls_client_auth"];
    methods.extend(addresses.direct.map(|_| "none"));
    Document {
        issuer: addresses.issuer.to_owned(),
        token_endpoint: format!("{base}{TOKEN_PATH}"),
        jwks_uri: format!("{}{}", addresses.issuer, jwks::PATH),
        grant_types_supported: [GRANT_TYPE_TOKEN_EXCHANGE],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: methods,
        mtls_endpoint_aliases: addresses
            .direct
            .map(|_| Aliases { token_endpoint: format!("{}{TOKEN_PATH}", addresses.mtls) }),
        subject_types_supported: None,
        id_token_signing_alg_values_supported: None,
        claims_supported: None,
    }
}

/// Plain strings always become JSON.
fn serialise(document: &Document) -> String {
    serde_json::to_string(document).unwrap_or_default()
}

fn path(issuer: &str) -> &str {
    let rest = issuer.strip_prefix("https://").unwrap_or(issuer);
    rest.find('/').map_or("", |start| &rest[start..])
}

/// Authorization server metadata.
pub async fn authorization_server(State(app): State<Arc<App>>) -> Response {
    answer::document(app.in_force().metadata.authorization_server.clone(), MAX_AGE)
}

/// OpenID discovery.
pub async fn openid_configuration(State(app): State<Arc<App>>) -> Response {
    answer::document(app.in_force().metadata.openid_configuration.clone(), MAX_AGE)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn documents(addresses: &Addresses<'_>) -> (Value, Value) {
        let metadata = Metadata::new(addresses);
        let read = |text: &str| serde_json::from_str(text).unwrap();
        (read(&metadata.authorization_server), read(&metadata.openid_configuration))
    }

    #[test]
    fn with_certificates_only_there_are_no_aliases() {
        let (document, _) =
            documents(&Addresses { issuer: "https://sts.test", mtls: "https://sts.test", direct: None });
        assert_eq!(
            document,
            json!({
                "issuer": "https://sts.test",
                "token_endpoint": "https://sts.test/oauth2/token",
                "jwks_uri": "https://sts.test/jwks.json",
                "grant_types_supported": ["urn:ietf:params:oauth:grant-type:token-exchange"],
                "response_types_supported": [],
                "token_endpoint_auth_methods_supported": ["tls_client_auth"],
            })
        );
    }

    #[test]
    fn with_both_listeners_the_one_with_certificates_is_an_alias() {
        let addresses =
            Addresses { issuer: "https://sts.test", mtls: "https://sts.test:1", direct: Some("https://sts.test:2") };
        let (document, openid) = documents(&addresses);
        assert_eq!(document["token_endpoint"], "https://sts.test:2/oauth2/token");
        assert_eq!(document["mtls_endpoint_aliases"]["token_endpoint"], "https://sts.test:1/oauth2/token");
        assert_eq!(document["token_endpoint_auth_methods_supported"], json!(["tls_client_auth", "none"]));
        assert_eq!(openid["id_token_signing_alg_values_supported"], json!(["ES256", "RS256"]));
        assert_eq!(openid["subject_types_supported"], json!(["public"]));
    }

    #[test]
    fn an_issuers_path_is_kept() {
        let addresses = Addresses { issuer: "https://sts.test/a/b", mtls: "https://sts.test/a/b", direct: None };
        assert_eq!(Metadata::new(&addresses).issuer_path(), "/a/b");
        let addresses = Addresses { issuer: "https://sts.test:8443", mtls: "https://sts.test:8443", direct: None };
        assert_eq!(Metadata::new(&addresses).issuer_path(), "");
    }
}
