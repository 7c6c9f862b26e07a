//! What a topology is to be, before it runs.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Mutex,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    StandIns, Topology,
    cloud_routes::{self, CloudRoute},
};
use crate::{
    Result,
    artefact::{self, Progress},
    bootstrap::{Document, Placement},
    client::Client,
    clouds::Clouds,
    edge::{Edge, Start},
    envoy,
    federation::{self, Federation},
    pki::Pki,
    port::Port,
    stand_in::Child,
    sts::{Ports, Sts},
    upstream::Upstream,
    workspace,
};

/// A change to a configuration.
type Edit = Box<dyn FnOnce(&mut Value) + Send>;

/// How to start a [`Topology`]. The default is what ships.
pub struct Plan {
    concurrency: u32,
    progress: Progress,
    egress_file: &'static str,
    egress_log_level: &'static str,
    egress_component_log_level: Option<&'static str>,
    compares_choices: bool,
    egress_edits: Vec<Edit>,
    plugin_edits: Vec<Edit>,
    destination_edits: Vec<Edit>,
    sts_edits: Vec<Edit>,
    policy: Option<String>,
    policy_additions: String,
    federation: Option<federation::Setup>,
    children: Option<PathBuf>,
    edge_port: Option<Port>,
    sts_ports: [Option<Port>; 2],
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            concurrency: 1,
            progress: Progress::Kept,
            egress_file: "envoy/egress.yaml",
            egress_log_level: "warning",
            egress_component_log_level: None,
            compares_choices: false,
            egress_edits: Vec::new(),
            plugin_edits: Vec::new(),
            destination_edits: Vec::new(),
            sts_edits: Vec::new(),
            policy: None,
            policy_additions: String::new(),
            federation: None,
            children: None,
            edge_port: None,
            sts_ports: [None, None],
        }
    }
}

impl Plan {
    /// Worker threads of the egress edge; one by default.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Whether builds show themselves.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Another bootstrap of `envoy/` for the egress edge.
    #[must_use]
    pub fn egress_file(mut self, file: &'static str) -> Self {
        self.egress_file = file;
        self
    }

    /// Log levels of the egress edge: Envoy's, and those of single components.
    #[must_use]
    pub fn egress_log(mut self, level: &'static str, components: Option<&'static str>) -> Self {
        (self.egress_log_level, self.egress_component_log_level) = (level, components);
        self
    }

    /// Has Envoy compare its choice of route with the filter's, where the bootstrap ships with a proof.
    #[must_use]
    pub fn comparing_choices(mut self) -> Self {
        self.compares_choices = true;
        self
    }

    /// Changes the egress edge's bootstrap.
    #[must_use]
    pub fn egress(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.egress_edits.push(Box::new(edit));
        self
    }

    /// Changes the filter's configuration.
    #[must_use]
    pub fn plugin(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.plugin_edits.push(Box::new(edit));
        self
    }

    /// Changes the destination edge's bootstrap.
    #[must_use]
    pub fn destination(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.destination_edits.push(Box::new(edit));
        self
    }

    /// Changes the STS's configuration.
    #[must_use]
    pub fn sts(mut self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        self.sts_edits.push(Box::new(edit));
        self
    }

    /// Another policy.
    #[must_use]
    pub fn policy(mut self, text: impl Into<String>) -> Self {
        self.policy = Some(text.into());
        self
    }

    /// Adds destinations in clouds, and providers for the STS to open them with. A setup of the clouds themselves replaces the
    /// usual one.
    #[must_use]
    pub fn clouds(mut self, setup: Option<federation::Setup>, providers: Vec<Value>, routes: Vec<CloudRoute>) -> Self {
        self.policy_additions.extend(routes.iter().map(CloudRoute::policy));
        self.federation = Some(setup.unwrap_or_else(|| federation::Setup::trusting(ISSUER)));
        self.more_cloud_routes(routes.clone()).sts(move |sts| {
            sts["providers"] = json!(providers);
            routes.iter().for_each(|route| route.add_target(sts));
        })
    }

    /// Adds routes of the edge alone, for destinations that [`Self::clouds`] has added already.
    #[must_use]
    pub fn more_cloud_routes(self, routes: Vec<CloudRoute>) -> Self {
        let of_edge = routes.clone();
        self.egress(move |egress| of_edge.iter().for_each(|route| route.add_route(egress)))
            .plugin(move |plugin| routes.iter().for_each(|route| route.add_exchange(plugin)))
    }

    /// Lets the egress edge's filter read bodies, which signatures over them need.
    #[must_use]
    pub fn reading_bodies(self) -> Self {
        self.egress(|egress| {
            let wasm =
                Document::find_in(egress, &|value| value["root_id"] == "cloakroom" && value["vm_config"].is_object());
            if let Some(wasm) = wasm {
                wasm["allow_on_headers_stop_iteration"] = json!(true);
            }
        })
        .plugin(|plugin| plugin["reads_bodies"] = json!(true))
    }

    /// Adds the usual destinations of every cloud.
    #[must_use]
    pub fn usual_clouds(self) -> Self {
        self.clouds(None, cloud_routes::providers(), CloudRoute::usual())
    }

    /// Runs the stand-ins as children: `program stand-in clouds`, `program stand-in upstream`.
    #[must_use]
    pub fn stand_ins_as_children_of(mut self, program: PathBuf) -> Self {
        self.children = Some(program);
        self
    }

    /// Fixes the egress edge's port, and the STS's with and without client certificates.
    #[must_use]
    pub fn ports(mut self, edge: Option<Port>, sts: [Option<Port>; 2]) -> Self {
        (self.edge_port, self.sts_ports) = (edge, sts);
        self
    }

    /// Starts it all. What has started is ended again if something later does not.
    pub async fn start(self) -> Result<Topology> {
        let artefacts = tokio::task::block_in_place(|| artefact::build(self.progress))?;
        let envoy = tokio::task::block_in_place(|| envoy::find(self.progress))?;
        let folder = tempfile::Builder::new().prefix("cloakroom-").tempdir()?;
        let pki = Pki::create(&folder.path().join("etc"))?;
        for name in ["run", "lib", "log"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let log = |name: &str| folder.path().join("log").join(format!("{name}.log"));
        let stand_ins = stand_ins(self.children.as_deref(), &pki, &log).await?;

        let [mtls, no_client_certificate] = self.sts_ports;
        let ports = Ports {
            mtls: mtls.map_or_else(Port::reserve, Ok)?,
            no_client_certificate: no_client_certificate.map_or_else(Port::reserve, Ok)?,
            operations: Port::reserve()?,
        };
        let mut placement = placement(&folder, &stand_ins);
        let federation = match self.federation {
            None => None,
            Some(setup) => {
                let sts = loopback(ports.no_client_certificate.number());
                Some(Federation::start(setup, sts, &pki).await?)
            }
        };
        placement.hosts.extend(federation.iter().flat_map(Federation::addresses));
        let filter = artefacts.filter.parent().unwrap_or(&artefacts.filter).to_string_lossy().into_owned();
        placement.folders.push(("/usr/local/lib/cloakroom", filter));
        placement.hosts.insert("sts:8443", loopback(ports.mtls.number()));
        let config = write_sts_config(&pki, &ports, &placement, self.sts_edits)?;
        write_policy(&pki, self.policy, &self.policy_additions)?;
        let sts = Sts::start(&artefacts.cloakroom, &config, &log("sts"), ports, &pki).await?;

        let admin = |name: &str| folder.path().join("run").join(format!("{name}-admin.sock"));
        let mut destination = Document::read("envoy/destination.yaml")?;
        self.destination_edits.into_iter().for_each(|edit| edit(&mut destination.0));
        destination.place(&placement);
        destination.listen_anywhere();
        let bootstrap = pki.folder().join("destination.json");
        destination.write(&bootstrap)?;
        let destination = Edge::start(Start {
            name: "the destination edge",
            envoy: &envoy,
            bootstrap: &bootstrap,
            admin: admin("destination"),
            log: log("destination"),
            concurrency: 1,
            log_level: "warning",
            component_log_level: None,
        })
        .await?;
        placement.hosts.insert("destination:10443", destination.address());

        let mut egress = Document::read(self.egress_file)?;
        if self.compares_choices {
            egress.compare_choices()?;
        }
        self.egress_edits.into_iter().for_each(|edit| edit(&mut egress.0));
        for edit in self.plugin_edits {
            egress.edit_plugin(edit)?;
        }
        egress.place(&placement);
        egress.listen_anywhere();
        if let Some(port) = &self.edge_port {
            egress.0["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"] =
                json!(port.number());
        }
        let bootstrap = pki.folder().join("egress.json");
        egress.write(&bootstrap)?;
        let egress = Edge::start(Start {
            name: "the egress edge",
            envoy: &envoy,
            bootstrap: &bootstrap,
            admin: admin("egress"),
            log: log("egress"),
            concurrency: self.concurrency,
            log_level: self.egress_log_level,
            component_log_level: self.egress_component_log_level,
        })
        .await?;
        let client = Client::new(&pki)?;
        Ok(Topology { egress, destination, sts, stand_ins, federation, pki, client, natives: Mutex::default(), folder })
    }
}

async fn stand_ins(program: Option<&Path>, pki: &Pki, log: &dyn Fn(&str) -> PathBuf) -> Result<StandIns> {
    let Some(program) = program else {
        let clouds = Clouds::start(loopback(0), pki, None).await?;
        return Ok(StandIns::Here { clouds, upstream: Upstream::start(loopback(0)).await? });
    };
    let folder = pki.folder().to_string_lossy();
    let clouds = Child::start("the clouds", program, &["stand-in", "clouds", "--pki", &folder], &log("clouds")).await?;
    let upstream = Child::start("the upstream", program, &["stand-in", "upstream"], &log("upstream")).await?;
    Ok(StandIns::Children { clouds, upstream })
}

fn placement(folder: &TempDir, stand_ins: &StandIns) -> Placement {
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    Placement {
        folders: vec![("/etc/cloakroom", at("etc")), ("/run/cloakroom", at("run")), ("/var/lib/cloakroom", at("lib"))],
        hosts: BTreeMap::from([("clouds:9443", stand_ins.clouds()), ("upstream:8080", stand_ins.upstream())]),
    }
}

fn write_sts_config(pki: &Pki, ports: &Ports, placement: &Placement, edits: Vec<Edit>) -> Result<PathBuf> {
    let mut config = Document::read("tests/topology/cloakroom.yaml")?;
    let listeners = [
        ("mtls", &ports.mtls),
        ("no_client_certificate", &ports.no_client_certificate),
        ("operations", &ports.operations),
    ];
    for (name, port) in listeners {
        config.0["listeners"][name]["address"] = json!(loopback(port.number()).to_string());
    }
    edits.into_iter().for_each(|edit| edit(&mut config.0));
    config.place(placement);
    let path = pki.folder().join("cloakroom.yaml");
    config.write(&path)?;
    Ok(path)
}

fn write_policy(pki: &Pki, policy: Option<String>, additions: &str) -> Result<()> {
    let policy = match policy {
        Some(text) => text,
        None => fs::read_to_string(workspace::root().join("tests/topology/policy.cedar"))?,
    };
    Ok(fs::write(pki.folder().join("policy.cedar"), policy + additions)?)
}

/// As `tests/topology/cloakroom.yaml` has it.
const ISSUER: &str = "https://sts.cloakroom.test";

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
