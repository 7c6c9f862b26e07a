//! `cloakroom serve`: from a configuration file to a service that answers, and back to an empty process.

use std::{io::Write, path::Path, sync::Arc};

use thiserror::Error;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    app::{self, App},
    audit::Audit,
    clock,
    config::Config,
    finding::{self, Finding},
    keys::{KeyError, SigningKeys},
    listener::{BindError, Kind, Listener, Tls},
    logging::LogControl,
    reload::{Parts, Reloader, Watched},
    store::{EmbeddedStore, Store, StoreError},
};

mod assembly;

pub use assembly::{AssemblyError, put_together};

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("{}", finding::lines(.0))]
    Config(Vec<Finding>),
    #[error(
        "the store cannot be opened: {0}; see that its folder exists, is writable, and that no other process has it open"
    )]
    Store(StoreError),
    #[error("the signing keys cannot be used: {0}")]
    Keys(KeyError),
    #[error(transparent)]
    Assembly(AssemblyError),
    #[error(transparent)]
    Bind(BindError),
    #[error("the operating system refused something the service needs: {0}")]
    System(std::io::Error),
}

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub async fn run(file: &Path) -> Result<(), ServeError> {
    let reading = Config::read(file);
    let config = reading.outcome.map_err(ServeError::Config)?;
    let log = LogControl::start(&config.log);
    let limits = config.limits.clone();

    let store: Arc<dyn Store> = Arc::new(open(config.store.clone()).await?);
    let keys = SigningKeys::load_or_create(store.as_ref(), &config.encryption_key, clock::now());
    let keys = Arc::new(keys.await.map_err(ServeError::Keys)?);
    let audit = Audit::new(Arc::clone(&store));

    let mtls = Tls::new(Arc::clone(&config.listeners.mtls.tls));
    let direct = config.listeners.direct.as_ref().map(|direct| Tls::new(Arc::clone(&direct.listener.tls)));
    let listeners = bind(&config, &mtls, direct.as_ref()).await?;
    let watch = Watched::of(&config, reading.files);
    let in_force = put_together(config, &keys, &audit, None).map_err(ServeError::Assembly)?;
    let app = Arc::new(App::new(in_force, keys, store, clock::now));
    announce(&listeners).map_err(ServeError::System)?;

    let mut ends = Ends::new().map_err(ServeError::System)?;
    let hangup = signal(SignalKind::hangup()).map_err(ServeError::System)?;
    let (stop, stopped) = watch::channel(false);
    let mut running = JoinSet::new();
    for listener in listeners {
        let router = match listener.name() {
            "mtls" => app::full(&app),
            "operations" => app::operations(&app),
            _ => app::direct(&app),
        };
        running.spawn(listener.run(Arc::clone(&app), router, limits.connections, stopped.clone(), limits.drain));
    }
    let reloader = Reloader::new(file, watch, Parts { app: Arc::clone(&app), audit, mtls, direct, log });
    let reloading = tokio::spawn(reloader.run(hangup));

    ends.first().await;
    tracing::info!("stopping: no new connections, what is in flight is finished");
    app.drain();
    reloading.abort();
    _ = stop.send(true);
    tokio::select! {
        () = async { while running.join_next().await.is_some() {} } => tracing::info!("stopped"),
        () = ends.first() => tracing::warn!("stopped at once, as a second signal asked"),
    }
    Ok(())
}

async fn open(path: std::path::PathBuf) -> Result<EmbeddedStore, ServeError> {
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&path)).await;
    opened.map_err(|error| ServeError::System(std::io::Error::other(error)))?.map_err(ServeError::Store)
}

/// Takes every address before anything is served, so that a start fails whole.
async fn bind(config: &Config, mtls: &Arc<Tls>, direct: Option<&Arc<Tls>>) -> Result<Vec<Listener>, ServeError> {
    let listeners = &config.listeners;
    let mut wanted = vec![(Kind::Mtls(Arc::clone(mtls)), listeners.mtls.address)];
    if let (Some(tls), Some(direct)) = (direct, &listeners.direct) {
        wanted.push((Kind::Direct(Arc::clone(tls)), direct.listener.address));
    }
    wanted.extend(listeners.operations.map(|address| (Kind::Plain, address)));
    let mut bound = Vec::new();
    for (kind, address) in wanted {
        bound.push(Listener::bind(kind, address).await.map_err(ServeError::Bind)?);
    }
    Ok(bound)
}

/// One line of JSON on standard output for each listener, for people and for scripts that asked for port 0.
fn announce(listeners: &[Listener]) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for listener in listeners {
        let (name, address) = (listener.name(), listener.address()?);
        writeln!(output, r#"{{"event":"listening","listener":"{name}","address":"{address}"}}"#)?;
        tracing::info!(listener = name, %address, "listening");
    }
    output.flush()
}

/// The signals that end the service.
struct Ends {
    terminate: Signal,
    interrupt: Signal,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
