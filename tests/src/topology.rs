//! Everything at once: stand-in clouds, STS, egress edge, destination edge and upstream, wired as the containers are.

pub mod cloud_routes;
mod plan;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use http::Method;
use tempfile::TempDir;

pub use plan::Plan;

use crate::{
    Result,
    client::{Answer, Client},
    clouds::{Clouds, cloud::Cloud, mint::Order},
    edge::Edge,
    federation::Federation,
    pki::Pki,
    process::tail,
    stand_in::Child,
    sts::Sts,
    upstream::{Recorded, Upstream},
};

/// A running topology. Dropping it ends every process and removes every file.
pub struct Topology {
    // Dropped in this order: callers before those they call, the files last.
    pub egress: Edge,
    pub destination: Edge,
    pub sts: Sts,
    stand_ins: StandIns,
    federation: Option<Federation>,
    pub pki: Pki,
    /// Trusts the CA and shows no certificate.
    pub client: Client,
    natives: Mutex<Vec<String>>,
    folder: TempDir,
}

enum StandIns {
    Here { clouds: Clouds, upstream: Upstream },
    Children { clouds: Child, upstream: Child },
}

impl Topology {
    /// The shipped topology, unchanged.
    pub async fn start() -> Result<Self> {
        Plan::default().start().await
    }

    /// A URL of the egress edge. The first part of `path` names the route.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.egress.address())
    }

    /// A URL of the stand-in clouds.
    pub fn cloud_url(&self, path: &str) -> String {
        format!("https://{}{path}", self.stand_ins.clouds())
    }

    /// Where the metadata servers listen, for plain HTTP.
    pub async fn metadata_authority(&self) -> Result<String> {
        Ok(self.client.get(&self.cloud_url("/metadata"), &[]).await?.text())
    }

    /// A URL of the metadata servers.
    pub async fn metadata_url(&self, path: &str) -> Result<String> {
        Ok(format!("http://{}{path}", self.metadata_authority().await?))
    }

    /// The clouds that destinations are in.
    pub fn federation(&self) -> Result<&Federation> {
        self.federation.as_ref().ok_or_else(|| "the plan has no destinations in clouds".into())
    }

    /// A URL of the upstream, past every edge.
    pub fn upstream_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.stand_ins.upstream())
    }

    /// A fresh native token of the cloud's usual workload.
    pub async fn native(&self, cloud: Cloud) -> Result<String> {
        self.native_to_order(cloud, &Order::default()).await
    }

    /// A native token to order. It is remembered, for [`Self::leaks`].
    pub async fn native_to_order(&self, cloud: Cloud, order: &Order) -> Result<String> {
        let url = self.cloud_url(&format!("/{}/token?{}", cloud.name(), order.to_query()));
        let answer = self.client.get(&url, &[]).await?;
        if !answer.status.is_success() {
            return Err(format!("{url}: {}: {}", answer.status, answer.text()).into());
        }
        let token = answer.text();
        self.remember(&token);
        Ok(token)
    }

    /// Adds a text to those that must not turn up anywhere.
    pub fn remember(&self, token: &str) {
        self.natives.lock().unwrap_or_else(PoisonError::into_inner).push(token.into());
    }

    /// `GET path` at the egress edge with a bearer token.
    pub async fn call(&self, path: &str, token: &str) -> Result<Answer> {
        self.client.get(&self.url(path), &[("authorization", &format!("Bearer {token}"))]).await
    }

    /// What the upstream has seen so far.
    pub async fn recorded(&self) -> Result<Vec<Recorded>> {
        Ok(serde_json::from_slice(&self.client.get(&self.upstream_url("/__record"), &[]).await?.body)?)
    }

    /// Makes the upstream forget.
    pub async fn forget(&self) -> Result<()> {
        self.client.request(Method::DELETE, &self.upstream_url("/__record"), &[], "").await?;
        Ok(())
    }

    /// Tells a cloud to do something: `rotate`, `rotate?drop=true`, `outage?on=true`.
    pub async fn tell(&self, cloud: Cloud, what: &str) -> Result<()> {
        let url = self.cloud_url(&format!("/{}/{what}", cloud.name()));
        let answer = self.client.request(Method::POST, &url, &[], "").await?;
        if answer.status.is_success() { Ok(()) } else { Err(format!("{url}: {}", answer.text()).into()) }
    }

    /// How often the cloud's keys were fetched.
    pub async fn key_fetches(&self, cloud: Cloud) -> Result<u64> {
        let requests = self.client.get(&self.cloud_url(&format!("/{}/requests", cloud.name())), &[]).await?.json()?;
        Ok(requests["keys"].as_u64().unwrap_or(0))
    }

    /// Ends the STS, which alone may read its store while it runs, and says where that lies.
    /// [`Sts::restart`](crate::sts::Sts::restart) begins it again.
    pub fn store(&self) -> PathBuf {
        self.sts.stop();
        self.folder.path().join("lib/cloakroom.redb")
    }

    /// Every place where a part of a native token of this run turns up that is not allowed to have one: the bytes that
    /// reached the upstream, every call of a destination's cloud, the STS's store, and every log. The header of a token is no
    /// secret, its payload and signature are.
    pub async fn leaks(&self) -> Result<Vec<String>> {
        let raw = self.client.get(&self.upstream_url("/__raw"), &[]).await?.body;
        let mut places = vec![("the upstream's bytes".to_owned(), String::from_utf8_lossy(&raw).into_owned())];
        for file in self.logs()?.into_iter().chain(self.files_in("lib")?) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            places.push((name, String::from_utf8_lossy(&std::fs::read(&file)?).into_owned()));
        }
        for seen in self.federation.iter().flat_map(Federation::seen) {
            let place = format!("what {} has seen of {}", seen.service, seen.operation);
            places.push((place, serde_json::to_string(&seen)?));
        }
        let natives = self.natives.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets: Vec<_> = natives.iter().flat_map(|token| secret_parts(token)).collect();
        let mut leaks = Vec::new();
        for (place, text) in &places {
            if let Some(line) = text.lines().find(|line| secrets.iter().any(|secret| line.contains(secret))) {
                leaks.push(format!("{place}: {line}"));
            }
        }
        Ok(leaks)
    }

    /// Every log file.
    pub fn logs(&self) -> Result<Vec<PathBuf>> {
        self.files_in("log")
    }

    fn files_in(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(self.folder.path().join(folder))?;
        let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        files.sort();
        Ok(files)
    }

    /// The folder with everything that this run wrote.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The names of the processes that have ended, whoever ended them.
    pub fn ended(&self) -> Vec<&'static str> {
        let mut processes = vec![("edge", self.egress.process()), ("destination_edge", self.destination.process())];
        if let StandIns::Children { clouds, upstream } = &self.stand_ins {
            processes.push(("upstream", upstream.process()));
            processes.push(("clouds", clouds.process()));
        }
        let mut ended: Vec<_> =
            processes.iter().filter(|(_, process)| process.ended().is_some()).map(|(name, _)| *name).collect();
        if self.sts.ended() {
            ended.push("sts");
        }
        ended
    }

    /// The process ids, by name.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        let mut pids = vec![
            ("sts", self.sts.pid().unwrap_or_default()),
            ("edge", self.egress.process().pid()),
            ("destination_edge", self.destination.process().pid()),
        ];
        match &self.stand_ins {
            StandIns::Here { .. } => {}
            StandIns::Children { clouds, upstream } => {
                pids.push(("upstream", upstream.process().pid()));
                pids.push(("clouds", clouds.process().pid()));
            }
        }
        pids
    }
}

impl StandIns {
    fn clouds(&self) -> std::net::SocketAddr {
        match self {
            Self::Here { clouds, .. } => clouds.address(),
            Self::Children { clouds, .. } => clouds.address(),
        }
    }

    fn upstream(&self) -> std::net::SocketAddr {
        match self {
            Self::Here { upstream, .. } => upstream.address(),
            Self::Children { upstream, .. } => upstream.address(),
        }
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for log in self.logs().unwrap_or_default() {
            let text = std::fs::read(&log).unwrap_or_default();
            eprintln!("--- {}\n{}", log.display(), tail(&String::from_utf8_lossy(&text), 30));
        }
    }
}

/// The parts of a compact token that are worth stealing. Very short ones would be found anywhere.
pub fn secret_parts(token: &str) -> impl Iterator<Item = &str> {
    token.split('.').skip(usize::from(token.contains('.'))).filter(|part| part.len() >= 16)
}
