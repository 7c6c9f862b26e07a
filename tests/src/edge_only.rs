//! One edge by itself: real Envoy and the real filter between a load, a scripted STS and a service that judges.
//!
//! The bootstrap is `envoy/egress.yaml` with other routes, and clusters without TLS: what is proved here is how often, how fast
//! and for whom the filter asks, and the handshakes of two workers would only blur it.

mod listener;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Result,
    artefact::{self, Progress},
    bootstrap::{Document, Placement},
    edge::{Edge, Start, sum},
    envoy,
    judge::Judge,
    load::Load,
    scripted_sts::ScriptedSts,
};

/// How the edge is to be. The default has one worker and the route `reports`.
pub struct Plan {
    workers: u32,
    routes: Vec<String>,
    faults: bool,
    from_file: bool,
    latency: Duration,
    service: Option<SocketAddr>,
    plugin: Box<dyn Fn(&mut Value) + Send>,
    bootstrap: Box<dyn Fn(&mut Value) + Send>,
}

/// All of it, running.
pub struct EdgeOnly {
    pub edge: Edge,
    pub sts: ScriptedSts,
    pub judge: Judge,
    document: Document,
    folder: TempDir,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            workers: 1,
            routes: vec!["reports".to_owned()],
            faults: false,
            from_file: false,
            latency: Duration::ZERO,
            service: None,
            plugin: Box::new(|_| {}),
            bootstrap: Box::new(|_| {}),
        }
    }
}

impl Plan {
    /// Worker threads of Envoy. Connections are spread over them evenly.
    #[must_use]
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// The routes, each with `/NAME/` as its prefix and [`crate::issued_token::resource`] as its resource.
    #[must_use]
    pub fn routes(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.routes = names.into_iter().map(Into::into).collect();
        self
    }

    /// The filter that traps on demand: `x-cloakroom-fault: trap`, or `trap-after-ask`.
    #[must_use]
    pub fn faults(mut self) -> Self {
        self.faults = true;
        self
    }

    /// Has Envoy read its listener from a file, so that it can be replaced by [`EdgeOnly::reload`].
    #[must_use]
    pub fn listener_from_file(mut self) -> Self {
        self.from_file = true;
        self
    }

    /// How long the service takes over every answer.
    #[must_use]
    pub fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Puts another service in the judge's place.
    #[must_use]
    pub fn service(mut self, address: SocketAddr) -> Self {
        self.service = Some(address);
        self
    }

    /// Changes the filter's settings.
    #[must_use]
    pub fn plugin(mut self, edit: impl Fn(&mut Value) + Send + 'static) -> Self {
        self.plugin = Box::new(edit);
        self
    }

    /// Changes Envoy's bootstrap.
    #[must_use]
    pub fn bootstrap(mut self, edit: impl Fn(&mut Value) + Send + 'static) -> Self {
        self.bootstrap = Box::new(edit);
        self
    }

    /// Starts everything.
    pub async fn start(self) -> Result<EdgeOnly> {
        let (envoy, filter) = built(self.faults).await?;
        let folder = tempfile::tempdir()?;
        let (sts, judge) = (ScriptedSts::start().await?, Judge::start(self.latency).await?);
        let mut document = Document::read("envoy/egress.yaml")?;
        let service = self.service.unwrap_or(judge.address());
        listener::adapt(&mut document, &self.routes, &sts, service)?;
        document.edit_plugin(|plugin| (self.plugin)(plugin))?;
        let here = |path: &Path| path.to_string_lossy().into_owned();
        document.place(&Placement {
            folders: vec![
                ("/usr/local/lib/cloakroom", here(filter.parent().unwrap_or(&filter))),
                ("/run/cloakroom", here(folder.path())),
            ],
            ..Placement::default()
        });
        document.listen_anywhere();
        (self.bootstrap)(&mut document.0);
        let bootstrap = folder.path().join("bootstrap.json");
        if self.from_file {
            listener::move_to_file(document.clone(), &folder.path().join(LISTENERS))?.write(&bootstrap)?;
        } else {
            document.write(&bootstrap)?;
        }
        let start = Start {
            name: "the edge",
            envoy: &envoy,
            bootstrap: &bootstrap,
            admin: folder.path().join("egress-admin.sock"),
            log: folder.path().join("edge.log"),
            concurrency: self.workers,
            log_level: "warning",
            component_log_level: None,
        };
        let edge = Edge::start_draining(start, DRAIN).await?;
        Ok(EdgeOnly { edge, sts, judge, document, folder })
    }
}

impl EdgeOnly {
    /// Load on it, as fast as it goes, over `connections`.
    pub fn load(
        &self,
        connections: usize,
        count: u64,
        request: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Load {
        let patience = Duration::from_secs(60);
        Load { address: self.edge.address(), connections, rate: None, count, request: Arc::new(request), patience }
    }

    /// Replaces the listener that Envoy reads from a file by one with other settings of the filter.
    pub fn reload(&self, edit: impl FnOnce(&mut Value)) -> Result<()> {
        let mut document = self.document.clone();
        document.edit_plugin(edit)?;
        let (file, new) = (self.folder.path().join(LISTENERS), self.folder.path().join("new.json"));
        listener::move_to_file(document, &new)?;
        Ok(fs::rename(new, file)?)
    }

    /// How many requests of all routes had this outcome in the filter.
    pub async fn outcome(&self, outcome: &str) -> Result<u64> {
        Ok(self.edge.metric("cloakroom_requests", &[&format!("outcome=\"{outcome}\"")]).await? as u64)
    }

    /// How many requests had each outcome. The filter tells Envoy by its tick, so this asks until nothing more comes.
    pub async fn outcomes(&self) -> Result<Outcomes> {
        let mut last = self.outcomes_so_far().await?;
        for _ in 0..40 {
            tokio::time::sleep(TICKS).await;
            let next = self.outcomes_so_far().await?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        Err("the filter goes on counting: end the load first".into())
    }

    /// The same while there is load: what the last tick has told.
    pub async fn outcomes_so_far(&self) -> Result<Outcomes> {
        let text = self.edge.prometheus("cloakroom_requests").await?;
        let of = |outcome| sum(&text, "cloakroom_requests", &[&format!("outcome=\"{outcome}\"")]) as u64;
        Ok(Outcomes {
            hit: of("hit"),
            miss: of("miss"),
            coalesced: of("coalesced"),
            shared: of("shared"),
            stale: of("stale"),
            refused: of("refused"),
        })
    }

    /// The sum of Envoy's statistics whose name holds `part`; 0 where there is none.
    pub async fn stat(&self, part: &str) -> Result<u64> {
        let text = self.edge.admin("/stats").await?.text();
        let value = |line: &str| line.split_once(": ").filter(|(name, _)| name.contains(part))?.1.parse::<u64>().ok();
        Ok(text.lines().filter_map(value).sum())
    }

    /// How often Envoy had to put a new VM in the place of a dead one, or tried to.
    pub async fn vm_reloads(&self) -> Result<u64> {
        self.stat("wasm.cloakroom.vm_reload").await
    }
}

/// The filter's count of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub hit: u64,
    pub miss: u64,
    /// Waited for an answer that another request of the same worker had asked for.
    pub coalesced: u64,
    /// Had a token that another worker got.
    pub shared: u64,
    /// Had a token that should have been refreshed.
    pub stale: u64,
    pub refused: u64,
}

async fn built(faults: bool) -> Result<(PathBuf, PathBuf)> {
    let build = move || {
        let filter = if faults { artefact::filter_with_faults } else { artefact::filter };
        Ok((envoy::find(Progress::Kept)?, filter(Progress::Kept)?))
    };
    tokio::task::spawn_blocking(build).await?
}

/// The settings of a route, for [`Plan::plugin`] and [`EdgeOnly::reload`].
pub fn route<'p>(plugin: &'p mut Value, name: &str) -> &'p mut Value {
    &mut plugin["routes"][name]["exchange"]
}

/// The listener's HTTP connection manager, for [`Plan::bootstrap`].
pub fn http(bootstrap: &mut Value) -> &mut Value {
    &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// A duration as Envoy reads it.
pub fn seconds(duration: Duration) -> Value {
    json!(format!("{}s", duration.as_secs_f64()))
}

/// How long connections of a replaced listener have to end.
pub const DRAIN: Duration = Duration::from_secs(2);

/// Two of the filter's ticks and a half.
const TICKS: Duration = Duration::from_millis(250);

const LISTENERS: &str = "listeners.json";
