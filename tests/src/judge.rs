//! The service behind the edge, which trusts nobody: it judges every request by its own clock.
//!
//! A request says in `x-expected` for whom and where its token should be. Right is: exactly one credential, issued by the
//! scripted STS for that key, not expired, and nothing of a native token anywhere.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::{
    Result,
    issued_token::{IssuedToken, now_ms},
    native_token,
    wire::{Connection, Message},
};

/// The service, until dropped.
pub struct Judge {
    address: SocketAddr,
    bench: Arc<Bench>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Bench {
    tally: Mutex<Tally>,
    mood: Mutex<Mood>,
}

/// What has arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As it should be; those answered with 401 at a test's wish among them.
    pub right: u64,
    /// No credential, several, or one of somebody else.
    pub wrong: u64,
    pub expired: u64,
    /// With a native token somewhere.
    pub leaked: u64,
    /// Right ones that were answered with 401.
    pub unauthorized: u64,
    /// The least life that was left of a token when it arrived.
    pub least_left_ms: Option<u64>,
    /// What was wrong, of the first few.
    pub examples: Vec<String>,
}

/// Whom it answers with 401 although everything is right.
#[derive(Clone, Debug, Default)]
pub enum Mood {
    #[default]
    Nobody,
    /// Whoever comes with one of these tokens.
    Serials(HashSet<u64>),
    /// The next so many requests.
    Next(u64),
    Everybody,
}

impl Judge {
    /// Starts it on a free port of loopback. It takes `latency` over every answer.
    pub async fn start(latency: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, bench) = (listener.local_addr()?, Arc::<Bench>::default());
        let theirs = Arc::clone(&bench);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(serve(Connection::new(stream), Arc::clone(&theirs), latency));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { address, bench, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has arrived until now.
    pub fn tally(&self) -> Tally {
        lock(&self.bench.tally).clone()
    }

    /// Whom it answers with 401 from now on.
    pub fn unauthorized(&self, mood: Mood) {
        *lock(&self.bench.mood) = mood;
    }
}

impl Tally {
    /// That nothing was wrong so far.
    ///
    /// # Errors
    /// What was.
    pub fn expect_clean(&self) -> Result<()> {
        if self.wrong + self.expired + self.leaked == 0 { Ok(()) } else { Err(format!("{self:?}").into()) }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut connection: Connection, bench: Arc<Bench>, latency: Duration) -> io::Result<()> {
    while let Some(message) = connection.read().await? {
        let answer = bench.judge(&message);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        connection.write(answer.as_bytes()).await?;
    }
    Ok(())
}

impl Bench {
    fn judge(&self, message: &Message) -> String {
        let now = now_ms();
        let read = credential(message);
        let mut tally = lock(&self.tally);
        if message.holds(native_token::MARK) {
            tally.leaked += 1;
        }
        let token = match read {
            Ok(token) => token,
            Err(what) => {
                tally.wrong += 1;
                return tally.example(message, &what);
            }
        };
        let Some(left) = token.expires_ms.checked_sub(now).filter(|left| *left > 0) else {
            tally.expired += 1;
            return tally.example(message, &format!("expired {} ms ago", now - token.expires_ms));
        };
        tally.right += 1;
        tally.least_left_ms = Some(tally.least_left_ms.map_or(left, |least| least.min(left)));
        let status = if lock(&self.mood).refuses(token.serial) {
            tally.unauthorized += 1;
            "401 Unauthorized"
        } else {
            "200 OK"
        };
        format!("HTTP/1.1 {status}\r\nx-serial: {}\r\ncontent-length: 2\r\n\r\nok", token.serial)
    }
}

impl Mood {
    fn refuses(&mut self, serial: u64) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::Serials(serials) => serials.contains(&serial),
            Self::Next(0) => false,
            Self::Next(left) => {
                *left -= 1;
                true
            }
        }
    }
}

impl Tally {
    fn example(&mut self, message: &Message, what: &str) -> String {
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{}: {what}", message.start_line()));
        }
        format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{what}", what.len())
    }
}

/// The one credential, if it is for whom the request says.
fn credential(message: &Message) -> Result<IssuedToken, String> {
    let expected = message.header("x-expected").ok_or("no `x-expected`")?;
    let mut values = message.headers().filter(|(name, _)| *name == "authorization").map(|(_, value)| value);
    let token = match (values.next(), values.next()) {
        (Some(value), None) => value.strip_prefix("Bearer ").and_then(IssuedToken::parse).ok_or("no issued token")?,
        (None, _) => return Err("no credential".into()),
        (Some(_), Some(_)) => return Err("two credentials".into()),
    };
    if token.key == expected { Ok(token) } else { Err(format!("issued for {}, expected {expected}", token.key)) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const EXAMPLES: usize = 5;
