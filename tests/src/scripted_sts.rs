//! A token endpoint that does what a test tells it to, and remembers every call.
//!
//! It speaks plain HTTP/1.1 on loopback and verifies nothing: what is tested is how the filter asks. It keeps its port while it
//! is away, so that a connection is refused and not answered by somebody else.

mod record;
mod script;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use token::{
    aws_keys::AwsKeys,
    message::{ErrorResponse, ExchangeRequest, ExchangeResponse},
    secret::Secret,
    token_type::TokenType,
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

pub use record::{Call, Calls, Ending};
pub use script::{Answer, Script};

use crate::{
    Result,
    issued_token::{IssuedToken, key, now_ms, route_of},
    native_token,
    port::Port,
    wire::{Connection, Message},
};
use record::Record;

/// The endpoint, until dropped.
pub struct ScriptedSts {
    port: Port,
    desk: Arc<Desk>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// What all its connections share.
#[derive(Default)]
struct Desk {
    script: Mutex<Script>,
    record: Arc<Record>,
    serial: AtomicU64,
    /// The tokens that [`Answer::SameToken`] gives out again.
    kept: Mutex<HashMap<String, IssuedToken>>,
    /// What whoever asks for keys of AWS is given.
    keys: Mutex<Option<AwsKeys>>,
    /// What whoever asks for a shared access signature is given.
    sas: Mutex<Option<Secret>>,
}

impl ScriptedSts {
    /// Starts one that grants everything at once, tokens of five minutes.
    pub async fn start() -> Result<Self> {
        let sts = Self { port: Port::reserve()?, desk: Arc::default(), accepting: Mutex::default() };
        sts.come_back().await?;
        Ok(sts)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port.number()))
    }

    /// Changes what it does with every call that it has not answered yet.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.desk.script));
    }

    /// Goes away: its connections break, new ones are refused.
    pub async fn go_away(&self) {
        let accepting = lock(&self.accepting).take();
        if let Some(accepting) = accepting {
            accepting.abort();
            // Only when it has ended is the listener closed.
            _ = accepting.await;
        }
    }

    /// Listens again.
    pub async fn come_back(&self) -> Result<()> {
        let listener = TcpListener::bind(self.address()).await?;
        let desk = Arc::clone(&self.desk);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(serve(Connection::new(stream), Arc::clone(&desk)));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        if let Some(before) = lock(&self.accepting).replace(accepting) {
            before.abort();
        }
        Ok(())
    }

    /// Gives these keys to whoever asks for keys of AWS, from now on.
    pub fn lend(&self, keys: AwsKeys) {
        *lock(&self.desk.keys) = Some(keys);
    }

    /// Gives this query to whoever asks for a shared access signature, from now on.
    pub fn lend_sas(&self, query: &str) {
        *lock(&self.desk.sas) = Some(Secret::new(query));
    }

    /// Every call until now.
    pub fn calls(&self) -> Calls {
        self.desk.record.calls()
    }

    /// Forgets every call until now.
    pub fn forget(&self) {
        self.desk.record.forget();
    }
}

impl Drop for ScriptedSts {
    fn drop(&mut self) {
        if let Some(accepting) = lock(&self.accepting).take() {
            accepting.abort();
        }
    }
}

async fn serve(mut connection: Connection, desk: Arc<Desk>) -> io::Result<()> {
    while let Some(message) = connection.read().await? {
        let Asked { key, kind } = asked_for(&message).map_err(io::Error::other)?;
        let no_cache = message.header("cache-control").is_some_and(|value| value.contains("no-cache"));
        let call = desk.record.start(key.clone(), no_cache);
        let delay = lock(&desk.script).delay;
        tokio::select! {
            () = connection.closed() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
        let script = *lock(&desk.script);
        let answer = match script.answer_for(&key) {
            Answer::Hang => {
                connection.closed().await;
                return Ok(());
            }
            Answer::Close => return Ok(()),
            Answer::Grant if kind == TokenType::AwsKeys => desk.lend(script.life_seconds)?,
            Answer::Grant if kind == TokenType::AzureSas => desk.lend_sas(script.life_seconds)?,
            Answer::Grant => desk.grant(&key, script.life_seconds, false)?,
            Answer::SameToken => desk.grant(&key, script.life_seconds, true)?,
            Answer::Unavailable => response("503 Service Unavailable", "text/plain", "no"),
            Answer::Refuse(reason) => refusal(reason)?,
            Answer::Garbage => response("200 OK", "application/json", "{\"access_token\": 7"),
        };
        connection.write(answer.as_bytes()).await?;
        call.answered();
    }
    Ok(())
}

impl Desk {
    fn grant(&self, key: &str, life_seconds: u64, same: bool) -> io::Result<String> {
        let now = now_ms();
        let fresh = || IssuedToken {
            serial: self.serial.fetch_add(1, Ordering::Relaxed),
            key: key.to_owned(),
            expires_ms: now + life_seconds * 1000,
        };
        let issued = if same {
            let mut kept = lock(&self.kept);
            let issued = kept.entry(key.to_owned()).or_insert_with(fresh);
            // A life of less than a second cannot be said in whole seconds.
            if issued.expires_ms < now + 1000 {
                *issued = fresh();
            }
            issued.clone()
        } else {
            fresh()
        };
        granted(Secret::new(issued.to_string()), TokenType::AccessToken, "Bearer", (issued.expires_ms - now) / 1000)
    }

    fn lend(&self, life_seconds: u64) -> io::Result<String> {
        let keys = lock(&self.keys).clone().ok_or_else(|| io::Error::other("there are no keys to lend"))?;
        granted(keys.to_token()?, TokenType::AwsKeys, "N_A", life_seconds)
    }

    fn lend_sas(&self, life_seconds: u64) -> io::Result<String> {
        let sas = lock(&self.sas).clone().ok_or_else(|| io::Error::other("there is no signature to lend"))?;
        granted(sas, TokenType::AzureSas, "N_A", life_seconds)
    }
}

fn granted(access_token: Secret, issued: TokenType, token_type: &str, expires_in: u64) -> io::Result<String> {
    let body = ExchangeResponse {
        access_token,
        issued_token_type: issued.urn().into(),
        token_type: token_type.into(),
        expires_in,
        scope: None,
        authorization_details: Vec::new(),
        credential_expires_in: None,
    };
    Ok(response("200 OK", "application/json", &body.to_json().map_err(io::Error::other)?))
}

/// What a call asks for.
struct Asked {
    /// For whom and where.
    key: String,
    /// What kind of credential.
    kind: TokenType,
}

fn asked_for(message: &Message) -> Result<Asked, String> {
    let request = ExchangeRequest::from_form(&message.body).map_err(|error| error.to_string())?;
    let subject = native_token::subject(request.subject_token.expose()).ok_or("a subject token of another maker")?;
    let route = request.resource.first().and_then(|resource| route_of(resource)).ok_or("an unknown resource")?;
    let kind = request.requested_token_type.as_deref().and_then(TokenType::from_urn);
    Ok(Asked { key: key(&subject, route), kind: kind.unwrap_or(TokenType::AccessToken) })
}

fn refusal(reason: token::reason::Reason) -> io::Result<String> {
    let body = ErrorResponse {
        error: "invalid_request".into(),
        error_description: String::new(),
        reason: Some(reason.code().into()),
        claim: None,
        got: None,
        wanted: None,
        decision_id: None,
        help: None,
    };
    Ok(response("400 Bad Request", "application/json", &serde_json::to_string(&body)?))
}

fn response(status: &str, content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
