//! OAuth servers, as destinations have them: one of our own domain that gives grants for others, one of a partner that gives
//! tokens, and the partner's APIs.
//!
//! | path | what it is |
//! |---|---|
//! | `POST /home/token` | the server of our own domain: token exchange for a grant |
//! | `POST /partner/token` | the partner's server: token exchange, assertions and grants, client credentials |
//! | `/.well-known/...`, `/jwks.json`, where the host is a server's | discovery and keys |
//! | anything, where the host is an API's | an API of the partner |

mod api;
mod client;
mod endpoint;
mod server;

use std::net::SocketAddr;

use super::{
    issuer::Issuer,
    platform::Platform,
    reply::{Reply, wrong},
    seen::Seen,
    switches::Switches,
};
use crate::{Result, asked::Asked, pki::Pki};
use server::Server;

pub use api::{READ, WRITE};
pub use server::Setup;

/// Both servers, and the APIs.
pub struct Partner {
    home: Server,
    partner: Server,
}

impl Partner {
    /// The server of our own domain.
    pub const HOME: &'static str = "https://as.home.example";
    /// The partner's server.
    pub const SERVER: &'static str = "https://as.partner.example";
    /// The partner's API, and the one next door.
    pub const API: &'static str = "https://api.partner.example";
    pub const NEXT_DOOR: &'static str = "https://other.partner.example";
    /// What both servers know us as.
    pub const CLIENT: &'static str = "cloakroom";

    /// Servers that trust the issuer at `url`, whose host's name leads to `address`. They themselves listen at `own`.
    pub fn new(url: &str, address: SocketAddr, own: SocketAddr, pki: &Pki) -> Result<Self> {
        let sts = || Issuer::new(url, address, pki);
        let scopes = || vec![READ.to_owned(), WRITE.to_owned()];
        let setup = |name, url, resources: &[&str], gives_grants| Setup {
            name,
            url,
            resources: resources.iter().map(|resource| ((*resource).to_owned(), scopes())).collect(),
            clients: vec![Self::CLIENT.to_owned()],
            wants_client: false,
            subjects: "spiffe://cloakroom.test/".to_owned(),
            gives_grants,
        };
        let home = setup("home", Self::HOME, &[Self::SERVER], true);
        let partner = setup("partner", Self::SERVER, &[Self::API, Self::NEXT_DOOR], false);
        Ok(Self {
            home: Server::new(home, vec![sts()?], sts()?)?,
            partner: Server::new(partner, vec![sts()?, Issuer::new(Self::HOME, own, pki)?], sts()?)?,
        })
    }

    /// Whether the partner's server answers clients alone.
    #[must_use]
    pub fn wanting_clients(mut self) -> Self {
        (self.home.setup.wants_client, self.partner.setup.wants_client) = (true, true);
        self
    }

    /// Has the partner's server take back every token that it has given out.
    pub fn revoke(&self) {
        self.partner.revoke();
    }
}

impl Platform for Partner {
    async fn answer(&self, asked: &Asked, switches: &Switches, seen: &mut Seen, now: i64) -> Reply {
        let host = format!("https://{}", asked.host());
        let servers = [&self.home, &self.partner];
        if let Some(server) = servers.into_iter().find(|server| server.setup.url == host)
            && asked.method == "GET"
        {
            seen.service = format!("{} documents", server.setup.name);
            return document(server, &asked.path);
        }
        if [Self::API, Self::NEXT_DOOR].contains(&host.as_str()) {
            switches.count("api");
            seen.service = "api".to_owned();
            return api::answer(&self.partner, asked, seen, now).unwrap_or_else(|wrong| {
                seen.code.clone_from(&wrong.code);
                api::refusal(&wrong)
            });
        }
        let (server, endpoint) = match asked.path.as_str() {
            "/home/token" => (&self.home, "home"),
            "/partner/token" => (&self.partner, "partner"),
            path => return endpoint::refusal(&wrong(404, "invalid_request", format!("no {path} here"))),
        };
        seen.service = endpoint.to_owned();
        endpoint::answer(server, endpoint, asked, switches, seen, now).await.unwrap_or_else(|wrong| {
            seen.code.clone_from(&wrong.code);
            endpoint::refusal(&wrong)
        })
    }
}

fn document(server: &Server, path: &str) -> Reply {
    match path {
        "/.well-known/openid-configuration" => Reply::json(200, &server.authority.discovery()),
        "/jwks.json" => Reply::json(200, server.authority.keys()),
        _ => Reply::empty(404),
    }
}

#[cfg(test)]
mod tests;
