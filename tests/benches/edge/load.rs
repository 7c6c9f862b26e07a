//! The load: requests over connections that stay open from round to round, so that no handshake is ever measured.

mod lane;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use harness::{Result, pki::Pki};
use lane::Lane;
use tokio::{
    sync::Mutex,
    task::{LocalSet, yield_now},
};

use crate::request::Traffic;

/// Requests under way at most; as many as a busy workload's client pool holds.
pub const LANES: usize = 32;

/// For a whole run.
const PATIENCE: Duration = Duration::from_secs(600);

/// When the next request is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// When a lane is free: a closed loop, which shows how much is carried.
    Free,
    /// At fixed times, this far apart, whatever happened to the others: an open loop, which shows how long it takes.
    Every(Duration),
}

/// What a run took.
pub struct Run {
    pub elapsed: Duration,
    /// Of each request, from the moment it should have been sent to the end of its answer; shortest first.
    pub latencies: Vec<Duration>,
}

/// A client of one Envoy.
pub struct Load {
    lanes: Vec<Lane>,
    traffic: Rc<Traffic>,
    /// The next request. It goes on where the last run ended, so that short runs visit all tokens too.
    next: usize,
}

/// Hands out the requests of a run.
struct Dispatch {
    traffic: Rc<Traffic>,
    first: usize,
    count: usize,
    taken: Cell<usize>,
    /// One lane at a time waits for its moment, so that waiting costs the same whatever the number of lanes.
    waiting: Mutex<()>,
    pace: Pace,
    started: Instant,
    latencies: RefCell<Vec<Duration>>,
}

impl Load {
    /// Opens the connections.
    pub async fn connect(address: SocketAddr, traffic: &Rc<Traffic>, pki: &Pki) -> Result<Self> {
        let lanes = lane::open(address, traffic.protocol, pki, LANES).await?;
        Ok(Self { lanes, traffic: Rc::clone(traffic), next: 0 })
    }

    /// Sends `count` requests, the tokens in turn. Any answer but 200 is an error.
    pub async fn run(&mut self, count: usize, pace: Pace) -> Result<Run> {
        let dispatch = Rc::new(Dispatch {
            traffic: Rc::clone(&self.traffic),
            first: self.next,
            count,
            taken: Cell::new(0),
            waiting: Mutex::new(()),
            pace,
            started: Instant::now(),
            latencies: RefCell::new(Vec::with_capacity(count)),
        });
        self.next = (self.next + count) % self.traffic.messages.len().max(1);
        let local = LocalSet::new();
        let running: Vec<_> =
            self.lanes.drain(..).map(|lane| local.spawn_local(drive(lane, Rc::clone(&dispatch)))).collect();
        let lanes = &mut self.lanes;
        let all = local.run_until(async move {
            for lane in running {
                lanes.push(lane.await??);
            }
            Ok::<_, harness::Error>(())
        });
        tokio::time::timeout(PATIENCE, all).await.map_err(|_| format!("{count} requests took over {PATIENCE:?}"))??;
        let elapsed = dispatch.started.elapsed();
        let mut latencies = dispatch.latencies.take();
        latencies.sort_unstable();
        Ok(Run { elapsed, latencies })
    }
}

async fn drive(mut lane: Lane, dispatch: Rc<Dispatch>) -> Result<Lane> {
    while let Some((number, due)) = dispatch.next().await {
        let messages = &dispatch.traffic.messages;
        let message = messages.get((dispatch.first + number) % messages.len()).ok_or("no requests")?;
        lane.call(message).await?;
        dispatch.latencies.borrow_mut().push(due.elapsed());
    }
    Ok(lane)
}

impl Dispatch {
    /// The number of the next request and when it should be sent, at that time.
    async fn next(&self) -> Option<(usize, Instant)> {
        let _turn = match self.pace {
            Pace::Free => None,
            Pace::Every(_) => Some(self.waiting.lock().await),
        };
        let number = self.taken.get();
        if number >= self.count {
            return None;
        }
        self.taken.set(number + 1);
        let Pace::Every(interval) = self.pace else { return Some((number, Instant::now())) };
        let due = self.started + interval.mul_f64(number as f64);
        // The runtime's timer has steps of a millisecond, many times what is measured. This core has nothing else to do.
        while Instant::now() < due {
            yield_now().await;
        }
        Some((number, due))
    }
}
