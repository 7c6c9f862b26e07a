//! Load on an edge: many connections that stay open, requests at a fixed rate or as fast as they go, every answer noted.
//!
//! It runs on a thread of its own, so that its pace does not depend on what the test does meanwhile.

mod report;
mod request;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, sync::oneshot, task::LocalSet};

pub use report::{Answered, Report};
pub use request::{get, get_with};

use crate::{Result, wire::Connection};

/// What is sent.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    /// Requests per second over all connections; `None`: each connection sends as soon as it has its answer.
    pub rate: Option<f64>,
    /// How many requests; `u64::MAX` for as many as there are until it is stopped.
    pub count: u64,
    /// The bytes of the request with a number.
    pub request: Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
    /// How long an answer is waited for.
    pub patience: Duration,
}

/// Load under way.
pub struct Running {
    stop: Arc<AtomicBool>,
    report: oneshot::Receiver<Result<Report>>,
}

impl Load {
    /// Starts it.
    pub fn start(self) -> Running {
        let (stop, (done, report)) = (Arc::<AtomicBool>::default(), oneshot::channel());
        let told = Arc::clone(&stop);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            _ = done.send(runtime.map_err(Into::into).map(|runtime| runtime.block_on(self.send(told))));
        });
        Running { stop, report }
    }

    /// Sends all of it.
    pub async fn run(self) -> Result<Report> {
        self.start().ended().await
    }

    async fn send(self, stop: Arc<AtomicBool>) -> Report {
        let (local, load, next) = (LocalSet::new(), Arc::new(self), Arc::new(AtomicU64::new(0)));
        let began = Instant::now();
        let senders: Vec<_> = (0..load.connections)
            .map(|_| local.spawn_local(sender(Arc::clone(&load), Arc::clone(&next), Arc::clone(&stop), began)))
            .collect();
        let mut answers = Vec::new();
        local
            .run_until(async {
                for sender in senders {
                    answers.extend(sender.await.unwrap_or_default());
                }
            })
            .await;
        Report::new(answers, began.elapsed())
    }
}

impl Running {
    /// Lets every request under way have its answer and sends no more.
    pub async fn stop(self) -> Result<Report> {
        self.stop.store(true, Ordering::Relaxed);
        self.ended().await
    }

    /// Waits until all of it is sent and answered.
    pub async fn ended(self) -> Result<Report> {
        self.report.await.map_err(|_| "the load's thread has died")?
    }
}

/// One connection, opened again whenever it ends.
async fn sender(load: Arc<Load>, next: Arc<AtomicU64>, stop: Arc<AtomicBool>, began: Instant) -> Vec<Answered> {
    let (mut answers, mut open) = (Vec::new(), None);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.count {
            return answers;
        }
        if let Some(rate) = load.rate {
            tokio::time::sleep_until((began + Duration::from_secs_f64(number as f64 / rate)).into()).await;
        }
        if stop.load(Ordering::Relaxed) {
            return answers;
        }
        let sent = began.elapsed();
        let mut answer = match tokio::time::timeout(load.patience, exchange(&load, &mut open, number)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answered::broken(number),
            Err(_) => Answered::unanswered(number),
        };
        if answer.status < 100 {
            open = None;
        }
        answer.sent = sent;
        answer.latency = began.elapsed().saturating_sub(sent);
        answers.push(answer);
    }
}

async fn exchange(load: &Load, open: &mut Option<Connection>, number: u64) -> io::Result<Answered> {
    let mut connection = match open.take() {
        Some(connection) => connection,
        None => Connection::new(TcpStream::connect(load.address).await?),
    };
    connection.write(&(load.request)(number)).await?;
    let message = connection.read().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if message.header("connection") != Some("close") {
        *open = Some(connection);
    }
    Ok(Answered::new(number, &message))
}
