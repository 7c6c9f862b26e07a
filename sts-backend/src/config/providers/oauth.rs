//! `oauth`: any other server that takes assertions.

use token::jws::Algorithm;

use super::{form, raw::RawOauth};
use crate::{
    config::checker::Checker,
    federation::oauth::{Grant, Settings},
};

const GRANTS: &str = "`token_exchange`, `jwt_bearer`, `client_credentials` or `identity_chaining`";

pub(super) fn settings(checker: &mut Checker<'_>, at: &str, raw: RawOauth, private: bool) -> Option<Settings> {
    let token_endpoint = form::endpoint(checker, &format!("{at}.token_endpoint"), &raw.token_endpoint, private);
    let expected = "the server's issuer identifier, or whatever else it knows itself by";
    let audience = form::piece(checker, &format!("{at}.audience"), raw.audience, expected);
    let client_id = client(checker, format!("{at}.client_id"), raw.client_id);
    let algorithm = algorithm(checker, at, raw.algorithm.as_deref());
    let chaining = raw.grant == "identity_chaining";
    let of_chaining = [
        ("exchange_endpoint", &raw.exchange_endpoint),
        ("exchange_audience", &raw.exchange_audience),
        ("exchange_client_id", &raw.exchange_client_id),
    ];
    for (name, value) in of_chaining {
        if value.is_some() && !chaining {
            let remedy = "only identity chaining asks a second server: leave it out, or set `grant: identity_chaining`";
            checker.wrong(format!("{at}.{name}"), format!("`{name}` beside `{}`", raw.grant), "nothing", remedy);
        }
    }
    let grant = match raw.grant.as_str() {
        "token_exchange" => Some(Grant::TokenExchange),
        "jwt_bearer" => Some(Grant::JwtBearer),
        "client_credentials" => {
            if client_id == Some(None) {
                let remedy = "in our own name we can ask as a client it knows only";
                checker.wrong(format!("{at}.client_id"), "nothing", "our id at the server", remedy);
            }
            Some(Grant::ClientCredentials)
        }
        "identity_chaining" => {
            let client = client(checker, format!("{at}.exchange_client_id"), raw.exchange_client_id);
            let (endpoint, audience) = (raw.exchange_endpoint, raw.exchange_audience);
            client.and_then(|client| chained(checker, at, endpoint, audience, client, private))
        }
        other => {
            checker.wrong(format!("{at}.grant"), format!("`{other}`"), GRANTS, "choose what the server supports");
            None
        }
    };
    Some(Settings {
        token_endpoint: token_endpoint?,
        grant: grant?,
        audience: audience?,
        client_id: client_id?,
        algorithm: algorithm?,
    })
}

/// How assertions are signed.
fn algorithm(checker: &mut Checker<'_>, at: &str, raw: Option<&str>) -> Option<Algorithm> {
    match raw {
        None | Some("ES256") => Some(Algorithm::Es256),
        Some("RS256") => Some(Algorithm::Rs256),
        Some(other) => {
            let remedy = "our keys sign with these two";
            checker.wrong(format!("{at}.algorithm"), format!("`{other}`"), "`ES256` or `RS256`", remedy);
            None
        }
    }
}

/// Our id at a server, where it knows us as a client.
#[allow(clippy::option_option, reason = "no id and one that cannot be sent are two things")]
fn client(checker: &mut Checker<'_>, at: String, raw: Option<String>) -> Option<Option<String>> {
    match raw {
        None => Some(None),
        Some(id) => form::piece(checker, &at, id, "our id at the server").map(Some),
    }
}

fn chained(
    checker: &mut Checker<'_>,
    at: &str,
    endpoint: Option<String>,
    audience: Option<String>,
    exchange_client_id: Option<String>,
    private: bool,
) -> Option<Grant> {
    let mut given = |name: &str, value: Option<String>| {
        if value.is_none() {
            let expected = "what the server of our own domain is asked with first";
            checker.wrong(format!("{at}.{name}"), "nothing", expected, "identity chaining takes both servers");
        }
        value
    };
    let (endpoint, audience) = (given("exchange_endpoint", endpoint), given("exchange_audience", audience));
    let endpoint = form::endpoint(checker, &format!("{at}.exchange_endpoint"), &endpoint?, private);
    let expected = "the issuer identifier of the server of our own domain";
    let audience = form::piece(checker, &format!("{at}.exchange_audience"), audience?, expected);
    Some(Grant::IdentityChaining { exchange_endpoint: endpoint?, exchange_audience: audience?, exchange_client_id })
}
