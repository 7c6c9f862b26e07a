//! Stand-in clouds: the issuers' wire contracts, with real keys and real signatures, on one HTTPS server.
//!
//! | path | what it is |
//! |---|---|
//! | `GET /CLOUD/...` | discovery document and keys, at the paths the real issuer has below its host |
//! | `GET /CLOUD/token?audience=AUD` | a fresh native token, as the cloud's metadata service would give it; more switches in [`mint::Order`] |
//! | `GET /github/id-token?audience=AUD` | the same for a job, as its runner asks: with a bearer token, for `{"value": TOKEN}` |
//! | `POST /CLOUD/rotate` | sign with a new key from now on; `?drop=true` also stops publishing the old ones |
//! | `POST /CLOUD/outage?on=true` | keys and discovery answer 503 until `?on=false` |
//! | `GET /CLOUD/requests` | how often each of them was asked for |
//! | `/kubernetes/apis/...` | the cluster's API server: see [`api_server`] |
//! | `/introspection/...` | a server of opaque tokens: see [`introspection`] |
//! | `/metadata` | the metadata servers beside it, on plain HTTP: see [`metadata`] |
//!
//! AWS itself, which is asked rather than verified against, is on the same server: see [`aws`].

pub mod api_server;
pub mod cloud;
pub mod introspection;
mod keys;
pub mod metadata;
pub mod mint;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;

use crate::{
    Result, aws, clock,
    pki::Pki,
    server::{Server, bind},
};
use cloud::Cloud;
use keys::IssuerKeys;
use mint::Order;

/// What the one job there is shows for itself.
pub const JOB_TOKEN: &str = "the-job-of-the-stand-in";

/// The stand-in clouds of one topology, until dropped.
#[derive(Debug)]
pub struct Clouds {
    server: Server,
    _metadata: Server,
}

struct Issuers {
    base: String,
    issuers: Mutex<BTreeMap<Cloud, Issuer>>,
}

struct Issuer {
    keys: IssuerKeys,
    outage: bool,
    cluster: api_server::Cluster,
    requests: BTreeMap<&'static str, u64>,
}

impl Clouds {
    /// Starts them on `address`. `base` is how others reach them, by default the address itself.
    pub async fn start(address: SocketAddr, pki: &Pki, base: Option<String>) -> Result<Self> {
        let listener = bind(address).await?;
        let mut issuers = BTreeMap::new();
        for cloud in Cloud::ALL {
            let keys = IssuerKeys::first(*cloud)?;
            let cluster = api_server::Cluster::default();
            issuers.insert(*cloud, Issuer { keys, outage: false, cluster, requests: BTreeMap::new() });
        }
        let own = format!("https://{}", listener.local_addr()?);
        let state = Arc::new(Issuers { base: base.unwrap_or(own), issuers: Mutex::new(issuers) });
        let here = bind((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let (metadata, switches) = metadata::start(here, Arc::clone(&state))?;
        let router = Router::new()
            .route("/health", get(|| async { "ok\n" }))
            .route("/{cloud}/token", get(token))
            .route("/github/id-token", get(id_token))
            .route("/{cloud}/rotate", post(rotate))
            .route("/{cloud}/outage", post(outage))
            .route("/{cloud}/requests", get(requests))
            .route("/{cloud}/{*document}", get(document))
            .merge(api_server::router())
            .with_state(state)
            .merge(introspection::router())
            .merge(aws::router())
            .merge(switches);
        Ok(Self { server: Server::tls(listener, router, pki, "clouds")?, _metadata: metadata })
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

impl Issuers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cloud, Issuer>> {
        self.issuers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Shared = State<Arc<Issuers>>;

async fn token(State(issuers): Shared, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let Some(cloud) = Cloud::named(&name) else { return unknown(&name) };
    let order = match Order::from_query(query.as_deref().unwrap_or_default()) {
        Ok(order) => order,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let mut issuers = issuers.lock();
    let Some(issuer) = issuers.get_mut(&cloud) else { return unknown(&name) };
    *issuer.requests.entry("token").or_default() += 1;
    match mint::mint(cloud, &order, &issuer.keys, clock::now()) {
        Ok(token) => ([(header::CACHE_CONTROL, "no-store")], token).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

/// What a job finds at `ACTIONS_ID_TOKEN_REQUEST_URL`; it shows `ACTIONS_ID_TOKEN_REQUEST_TOKEN`, here [`JOB_TOKEN`].
async fn id_token(State(issuers): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bearer = shown.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if bearer.is_none_or(|(_, token)| token != JOB_TOKEN) {
        return (StatusCode::UNAUTHORIZED, "the job's token is wanted\n").into_response();
    }
    let order = match Order::from_query(query.as_deref().unwrap_or_default()) {
        Ok(order) => order,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let mut issuers = issuers.lock();
    let Some(issuer) = issuers.get_mut(&Cloud::Github) else { return unknown("github") };
    *issuer.requests.entry("token").or_default() += 1;
    match mint::mint(Cloud::Github, &order, &issuer.keys, clock::now()) {
        Ok(token) => Json(json!({"value": token, "count": token.len()})).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn document(State(shared): Shared, Path((name, path)): Path<(String, String)>) -> Response {
    let Some(cloud) = Cloud::named(&name) else { return unknown(&name) };
    let mut issuers = shared.lock();
    let Some(issuer) = issuers.get_mut(&cloud) else { return unknown(&name) };
    let (kind, body) = if path == cloud.keys_path() {
        ("keys", issuer.keys.document(cloud))
    } else if Some(path.as_str()) == cloud.discovery_path() {
        let jwks_uri = format!("{}/{}/{}", shared.base, cloud.name(), cloud.keys_path());
        (
            "discovery",
            json!({
                "issuer": cloud.issuer(),
                "jwks_uri": jwks_uri,
                "id_token_signing_alg_values_supported": [cloud.algorithm()],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            }),
        )
    } else {
        return unknown(&path);
    };
    *issuer.requests.entry(kind).or_default() += 1;
    if issuer.outage {
        return (StatusCode::SERVICE_UNAVAILABLE, "outage\n").into_response();
    }
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}

async fn rotate(State(issuers): Shared, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    change(&issuers, &name, |issuer, cloud| issuer.keys.rotate(cloud, query.as_deref() == Some("drop=true")))
}

async fn outage(State(issuers): Shared, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    change(&issuers, &name, |issuer, _| {
        issuer.outage = query.as_deref() == Some("on=true");
        Ok(())
    })
}

async fn requests(State(issuers): Shared, Path(name): Path<String>) -> Response {
    let issuers = issuers.lock();
    match Cloud::named(&name).and_then(|cloud| issuers.get(&cloud)) {
        Some(issuer) => Json(&issuer.requests).into_response(),
        None => unknown(&name),
    }
}

fn change(issuers: &Issuers, name: &str, change: impl FnOnce(&mut Issuer, Cloud) -> Result<()>) -> Response {
    let Some(cloud) = Cloud::named(name) else { return unknown(name) };
    let mut issuers = issuers.lock();
    match issuers.get_mut(&cloud).map(|issuer| change(issuer, cloud)) {
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        None => unknown(name),
    }
}

fn unknown(what: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("no `{what}` here\n")).into_response()
}
