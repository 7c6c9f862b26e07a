//! Means for tests: a signer that signs nothing and remembers what it was asked for, and the way to a fake server.

use std::{sync::Mutex, time::Duration};

use token::{claims::Scope, secret::Secret, spiffe::SpiffeId};

use super::{
    assertion::{Assertion, Signed, Signer},
    calls::Calls,
    means::Means,
    order::Order,
    trouble::Trouble,
};
use crate::{
    identity::fake_issuer::{Asked, FakeIssuer},
    outgoing::fetch::{Bounds, Fetcher, read_authorities},
};

/// When the tests happen: 2026-11-22, 07:30:00.
pub const NOW: u64 = 1_795_332_600;

/// The workload of the orders.
pub const WORKLOAD: &str = "spiffe://td.example/k8s/prod/shop/cart";

/// A server, the way to it, and a signer.
pub struct FakeProvider {
    pub server: FakeIssuer,
    pub signer: FakeSigner,
    calls: Calls,
}

/// Signs by numbering: the first assertion is `assertion-1`, and its `jti` is `jti-1`.
#[derive(Default)]
pub struct FakeSigner(Mutex<Vec<Assertion>>);

impl FakeSigner {
    /// What was signed, in order.
    pub fn signed(&self) -> Vec<Assertion> {
        self.0.lock().unwrap().clone()
    }
}

impl Signer for FakeSigner {
    fn sign(&self, assertion: &Assertion, _now: u64) -> Result<Signed, Trouble> {
        let mut signed = self.0.lock().unwrap();
        signed.push(assertion.clone());
        let number = signed.len();
        Ok(Signed { jwt: Secret::new(format!("assertion-{number}")), jti: format!("jti-{number}") })
    }
}

impl FakeProvider {
    /// Starts one that answers 404 to everything.
    pub async fn start() -> Self {
        let server = FakeIssuer::start().await;
        let authorities = read_authorities(server.ca_pem.as_bytes()).unwrap();
        let bounds = Bounds { body: 64 * 1024, time: Duration::from_secs(5) };
        let calls = Calls::new(Fetcher::new(authorities, true).unwrap(), bounds);
        Self { server, signer: FakeSigner::default(), calls }
    }

    pub fn means(&self) -> Means<'_> {
        Means { calls: &self.calls, signer: &self.signer, trust_domain: "td.example" }
    }

    /// `path` at the server.
    pub fn uri(&self, path: &str) -> http::Uri {
        format!("{}{path}", self.server.url).parse().unwrap()
    }
}

/// An order for the workload.
pub fn order(permissions: &str, life: u64) -> Order {
    Order {
        subject: SpiffeId::parse(WORKLOAD).unwrap(),
        target: "reports".to_owned(),
        permissions: Scope::parse(permissions).unwrap(),
        life,
    }
}

/// The fields of a form that was sent, in order.
pub fn fields(asked: &Asked) -> Vec<(String, String)> {
    form_urlencoded::parse(&asked.body).into_owned().collect()
}

/// One of them; empty where it is not there.
pub fn field(asked: &Asked, name: &str) -> String {
    fields(asked).into_iter().find(|(found, _)| found == name).map(|(_, value)| value).unwrap_or_default()
}
