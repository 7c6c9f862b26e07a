//! What stands behind Envoy: the service, an STS that grants everything, and two gRPC servers that always answer the same.
//!
//! None is a real one because only the edge is measured. They count what they see, which shows that a variant did its work.

mod grpc;
mod service;
mod sts;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use harness::{Result, server::Server};
use tokio::net::{TcpListener, TcpStream};

/// All of them, on free ports of loopback.
pub struct Peers {
    pub service: SocketAddr,
    pub sts: Server,
    /// Speaks `envoy.service.auth.v3.Authorization`.
    pub authorization: SocketAddr,
    /// Speaks `envoy.service.ext_proc.v3.ExternalProcessor`.
    pub processor: SocketAddr,
    seen: Arc<Seen>,
}

/// How often each was asked for what.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    native: AtomicUsize,
    issued: AtomicUsize,
    own: AtomicUsize,
    bare: AtomicUsize,
    exchanges: AtomicUsize,
    asked: AtomicUsize,
}

/// What the peers saw until now, or between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Requests at the service.
    pub requests: usize,
    /// Those with a native token and no other.
    pub native: usize,
    /// Those with an issued token and no other.
    pub issued: usize,
    /// Those with the issued token of the very workload that called.
    pub own: usize,
    /// Those with no token.
    pub bare: usize,
    /// Exchanges at the STS.
    pub exchanges: usize,
    /// Calls at the gRPC servers.
    pub asked: usize,
}

impl Peers {
    /// Starts them.
    pub async fn start() -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let sts = sts::start(TcpListener::bind(ANYWHERE).await?, Arc::clone(&seen))?;
        let count = Arc::clone(&seen);
        let service = accept(move |stream| service::serve(stream, Arc::clone(&count))).await?;
        let (count, answer) = (Arc::clone(&seen), grpc::authorized()?);
        let authorization = accept(move |stream| grpc::serve(stream, answer.clone(), Arc::clone(&count))).await?;
        let (count, answer) = (Arc::clone(&seen), grpc::processed()?);
        let processor = accept(move |stream| grpc::serve(stream, answer.clone(), Arc::clone(&count))).await?;
        Ok(Self { service, sts, authorization, processor, seen })
    }

    /// What they saw until now.
    pub fn sight(&self) -> Sight {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Sight {
            requests: read(&self.seen.requests),
            native: read(&self.seen.native),
            issued: read(&self.seen.issued),
            own: read(&self.seen.own),
            bare: read(&self.seen.bare),
            exchanges: read(&self.seen.exchanges),
            asked: read(&self.seen.asked),
        }
    }
}

impl Sight {
    /// What was seen after `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests - earlier.requests,
            native: self.native - earlier.native,
            issued: self.issued - earlier.issued,
            own: self.own - earlier.own,
            bare: self.bare - earlier.bare,
            exchanges: self.exchanges - earlier.exchanges,
            asked: self.asked - earlier.asked,
        }
    }
}

/// Serves each connection to a free port, for as long as the runtime lives.
async fn accept<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Result<SocketAddr>
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(ANYWHERE).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream));
        }
    });
    Ok(address)
}

fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
