//! The Envoys that are compared. Their bootstraps differ in what stands before the router and in nothing else.

mod calls;
mod native;
mod nothing;
mod shipped;

use std::path::Path;

use harness::{
    Result,
    edge::{Edge, Start},
};
use serde_json::Value;

use crate::{bootstrap, credential::Algorithm, ground::Ground, peer::Sight, request::Traffic, s3};
use nothing::Exports;

/// What stands between the listener and the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Router,
    CredentialInjector,
    JwtAuthn {
        algorithm: Algorithm,
        cached: bool,
    },
    /// A look-up of the token in a table, and a swap.
    Lua,
    /// WASM that does nothing, with one callback.
    WasmNothing,
    /// The same with all callbacks that a module of the Rust SDK has.
    WasmNothingSdk,
    /// WASM that makes the calls of a hit with nothing between them.
    WasmCalls,
    ExtAuthz,
    ExtProc,
    /// Envoy's own signer of requests to AWS.
    AwsRequestSigning,
    /// All that `envoy/egress.yaml` has before the router.
    Cloakroom,
    /// The same with Envoy's RBAC filter behind it, which checks that Envoy's choice of route is still the same, or
    /// without it where it ships with it: to tell the cost of one from the other.
    CloakroomOtherwise,
}

/// What the service has to see of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Native,
    Issued,
    /// The issued token of the very workload that called.
    Own,
    Bare,
}

/// The traces that show that a variant did its work.
struct Proof {
    arrival: Arrival,
    /// A counter of Envoy that counts every request.
    counter: Option<&'static str>,
    /// A gRPC server is asked about every request.
    asks: bool,
}

impl Variant {
    /// Its name in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::CredentialInjector => "credential_injector",
            Self::JwtAuthn { algorithm: Algorithm::Rs256, cached: true } => "jwt_authn_rs256_cached",
            Self::JwtAuthn { algorithm: Algorithm::Rs256, cached: false } => "jwt_authn_rs256",
            Self::JwtAuthn { algorithm: Algorithm::Es256, cached: true } => "jwt_authn_es256_cached",
            Self::JwtAuthn { algorithm: Algorithm::Es256, cached: false } => "jwt_authn_es256",
            Self::Lua => "lua",
            Self::WasmNothing => "wasm_nothing",
            Self::WasmNothingSdk => "wasm_nothing_sdk",
            Self::WasmCalls => "wasm_calls",
            Self::ExtAuthz => "ext_authz",
            Self::ExtProc => "ext_proc",
            Self::AwsRequestSigning => "aws_request_signing",
            Self::Cloakroom => "cloakroom",
            Self::CloakroomOtherwise if shipped::has_check() => "cloakroom_unchecked",
            Self::CloakroomOtherwise => "cloakroom_checked",
        }
    }

    /// What it is, for the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Router => "plain router",
            Self::CredentialInjector => "credential_injector",
            Self::JwtAuthn { algorithm: Algorithm::Rs256, cached: true } => "jwt_authn, RS256, cached",
            Self::JwtAuthn { algorithm: Algorithm::Rs256, cached: false } => "jwt_authn, RS256, uncached",
            Self::JwtAuthn { algorithm: Algorithm::Es256, cached: true } => "jwt_authn, ES256, cached",
            Self::JwtAuthn { algorithm: Algorithm::Es256, cached: false } => "jwt_authn, ES256, uncached",
            Self::Lua => "Lua, table look-up and swap",
            Self::WasmNothing => "WASM that does nothing, raw",
            Self::WasmNothingSdk => "WASM that does nothing, as SDK",
            Self::WasmCalls => "WASM, the calls of a hit only",
            Self::ExtAuthz => "ext_authz over gRPC, swap",
            Self::ExtProc => "ext_proc over gRPC, swap",
            Self::AwsRequestSigning => "aws_request_signing",
            Self::Cloakroom => "Cloakroom as shipped, hit",
            Self::CloakroomOtherwise if shipped::has_check() => "Cloakroom without RBAC check",
            Self::CloakroomOtherwise => "Cloakroom and RBAC check, hit",
        }
    }

    /// Whether it asks the STS, once per token, before all of its answers are hits.
    pub fn exchanges(self) -> bool {
        matches!(self, Self::Cloakroom | Self::CloakroomOtherwise)
    }

    /// The counter of Envoy that shows that it did its work, if there is one.
    pub fn counter(self) -> Option<&'static str> {
        self.proof().counter
    }

    /// Checks what the peers and Envoy's counter saw while `count` requests passed.
    pub fn check(self, count: usize, sight: Sight, counted: Option<usize>) -> Result<()> {
        let proof = self.proof();
        let arrived = match proof.arrival {
            Arrival::Native => sight.native,
            Arrival::Issued => sight.issued,
            Arrival::Own => sight.own,
            Arrival::Bare => sight.bare,
        };
        let asked = if proof.asks { count } else { 0 };
        let counted_right = counted.is_none_or(|counted| counted == count);
        if sight.requests == count && arrived == count && sight.asked == asked && sight.exchanges == 0 && counted_right
        {
            return Ok(());
        }
        let (name, arrival) = (self.name(), proof.arrival);
        Err(format!("{name}: of {count} requests not all arrived as {arrival:?}: {sight:?}, counter {counted:?}")
            .into())
    }

    fn proof(self) -> Proof {
        let (arrival, counter) = match self {
            Self::Router => (Arrival::Native, None),
            Self::CredentialInjector => (Arrival::Issued, Some("http.egress.credential_injector.injected")),
            Self::JwtAuthn { cached: true, .. } => (Arrival::Bare, Some("http.egress.jwt_authn.jwt_cache_hit")),
            Self::JwtAuthn { cached: false, .. } => (Arrival::Bare, Some("http.egress.jwt_authn.allowed")),
            Self::WasmNothing | Self::WasmNothingSdk => (Arrival::Native, Some(nothing::COUNTER)),
            Self::WasmCalls => (Arrival::Issued, Some(nothing::COUNTER)),
            Self::ExtAuthz | Self::ExtProc => (Arrival::Issued, None),
            Self::AwsRequestSigning => (Arrival::Issued, Some("http.egress.aws_request_signing.signing_added")),
            Self::Lua | Self::Cloakroom | Self::CloakroomOtherwise => (Arrival::Own, None),
        };
        Proof { arrival, counter, asks: matches!(self, Self::ExtAuthz | Self::ExtProc) }
    }

    /// Starts an Envoy. `label` tells it from others of this variant.
    pub async fn start(self, ground: &Ground, traffic: &Traffic, workers: u32, label: &str) -> Result<Edge> {
        let folder = ground.folder();
        let bootstrap = folder.join(format!("{label}.json"));
        let admin = folder.join(format!("{label}.sock"));
        let filters = self.filters(ground, traffic, folder)?;
        std::fs::write(&bootstrap, bootstrap::document(filters, ground, traffic, &admin).to_string())?;
        Edge::start(Start {
            name: label,
            envoy: &ground.envoy,
            bootstrap: &bootstrap,
            admin,
            log: folder.join(format!("{label}.log")),
            concurrency: workers,
            log_level: "warning",
            component_log_level: None,
        })
        .await
    }

    fn filters(self, ground: &Ground, traffic: &Traffic, folder: &Path) -> Result<Vec<Value>> {
        Ok(match self {
            Self::Router => Vec::new(),
            Self::CredentialInjector => vec![native::credential_injector()],
            Self::JwtAuthn { cached, .. } => vec![native::jwt_authn(&traffic.tokens, cached)?],
            Self::Lua => vec![native::lua(&traffic.tokens, folder)?],
            Self::WasmNothing => vec![nothing::filter(Exports::One, folder)?],
            Self::WasmNothingSdk => vec![nothing::filter(Exports::Sdk, folder)?],
            Self::WasmCalls => vec![nothing::filter(Exports::Calls, folder)?],
            Self::ExtAuthz => vec![native::ext_authz()],
            Self::ExtProc => vec![native::ext_proc()],
            Self::AwsRequestSigning => vec![s3::aws_request_signing()?],
            Self::Cloakroom => shipped::filters(&ground.filter, traffic)?,
            Self::CloakroomOtherwise => shipped::filters_otherwise(&ground.filter, traffic)?,
        })
    }
}
