//! Sockets: one accept loop for each listener, with bounds on connections and time, and an end that waits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::app::App;

mod connection;

/// How long to wait after the system refused a connection for want of resources.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A listener's TLS, replaceable while it runs.
pub struct Tls {
    config: ArcSwap<ServerConfig>,
    generation: watch::Sender<u64>,
}

impl Tls {
    /// TLS as `config` says.
    pub fn new(config: Arc<ServerConfig>) -> Arc<Self> {
        Arc::new(Self { config: ArcSwap::new(config), generation: watch::Sender::new(0) })
    }

    /// Uses `config` for the connections that come after this. With `end_connections` those that are open are asked to
    /// end after the requests they carry: they were opened by trust that may be gone.
    pub fn replace(&self, config: Arc<ServerConfig>, end_connections: bool) {
        self.config.store(config);
        if end_connections {
            self.generation.send_modify(|generation| *generation += 1);
        }
    }
}

/// How a listener speaks, and what it knows of its callers.
#[derive(Clone)]
pub enum Kind {
    /// TLS with client certificates, whose names the requests carry.
    Mtls(Arc<Tls>),
    /// TLS without client certificates.
    Direct(Arc<Tls>),
    /// Plain HTTP, for health and metrics.
    Plain,
}

impl Kind {
    /// The listener's name in configuration, logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Mtls(_) => "mtls",
            Self::Direct(_) => "no_client_certificate",
            Self::Plain => "operations",
        }
    }
}

/// A listener whose address is taken.
pub struct Listener {
    tcp: TcpListener,
    kind: Kind,
}

/// Why an address cannot be listened on, and what to do.
#[derive(Debug, Error)]
#[error("cannot listen on {address} (`listeners.{listener}.address`): {cause}; {remedy}")]
pub struct BindError {
    address: SocketAddr,
    listener: &'static str,
    cause: io::Error,
    remedy: String,
}

impl Listener {
    /// Takes `address`.
    pub async fn bind(kind: Kind, address: SocketAddr) -> Result<Self, BindError> {
        let listener = kind.name();
        match TcpListener::bind(address).await {
            Ok(tcp) => Ok(Self { tcp, kind }),
            Err(cause) => Err(BindError { address, listener, remedy: remedy(&cause, address), cause }),
        }
    }

    /// The listener's name.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// The address that was taken; its port is real where 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves `router` until `stop` is true, then waits up to `drain` for what is in flight. At most `limit` connections
    /// are held; more wait in the system's queue.
    pub async fn run(
        self,
        app: Arc<App>,
        router: Router,
        limit: usize,
        mut stop: watch::Receiver<bool>,
        drain: Duration,
    ) {
        let Self { tcp, kind } = self;
        let stopped = stop.clone();
        let permits = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            tokio::select! {
                () = told(&mut stop) => break,
                accepted = accept(&tcp, &permits) => match accepted {
                    Ok((stream, permit)) => {
                        let (app, router, kind, stop) = (Arc::clone(&app), router.clone(), kind.clone(), stopped.clone());
                        connections.spawn(async move {
                            connection::serve(stream, &kind, &app, router, stop).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(listener = kind.name(), %error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        drop(tcp);
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all).await.is_err() {
            tracing::warn!(
                listener = kind.name(),
                open = connections.len(),
                "connections were cut after the drain time"
            );
            connections.shutdown().await;
        }
    }
}

/// Waits until `stop` is true, or nobody is left to say so.
async fn told(stop: &mut watch::Receiver<bool>) {
    _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(tcp: &TcpListener, permits: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = tcp.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, permit))
}

fn remedy(cause: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match cause.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another process, perhaps an earlier run, holds port {port}: find it with `ss -ltnp 'sport = :{port}'` and \
             stop it, or configure another port"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no address {}: use one of its own, or 0.0.0.0 for all", address.ip())
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "port {port} needs a privilege this process lacks: use one from 1024 on, or grant CAP_NET_BIND_SERVICE"
            )
        }
        _ => "correct the address".to_owned(),
    }
}

#[cfg(test)]
mod tests;
