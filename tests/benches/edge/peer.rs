//! What stands behind Envoy: the service, and an STS that grants everything.
//!
//! The STS is no real one because only hits are measured. Its tokens outlive the bench, and its count shows that it was asked
//! once per token, in the warm-up, and never again.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, extract::State, http::header, response::IntoResponse, routing::post};
use harness::{Result, server::Server};
use token::{message::ExchangeResponse, secret::Secret, token_type::TokenType};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::credential::{ISSUED_START, issued};

/// The service and the STS.
pub struct Peers {
    pub service: SocketAddr,
    pub sts: Server,
    seen: Arc<Seen>,
}

/// How often each was asked.
#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    issued: AtomicUsize,
    exchanges: AtomicUsize,
}

/// What the peers saw until now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    pub requests: usize,
    /// Requests that carried an issued token and no other.
    pub issued: usize,
    pub exchanges: usize,
}

impl Peers {
    /// Starts both on free ports of loopback.
    pub async fn start() -> Result<Self> {
        let seen = Arc::new(Seen::default());
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let router = Router::new().route("/oauth2/token", post(exchange)).with_state(Arc::clone(&seen));
        let sts = Server::plain(TcpListener::bind(anywhere).await?, router, |stream| stream)?;
        let listener = TcpListener::bind(anywhere).await?;
        let service = listener.local_addr()?;
        let count = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&count)));
            }
        });
        Ok(Self { service, sts, seen })
    }

    /// What they saw until now.
    pub fn sight(&self) -> Sight {
        Sight {
            requests: self.seen.requests.load(Ordering::Relaxed),
            issued: self.seen.issued.load(Ordering::Relaxed),
            exchanges: self.seen.exchanges.load(Ordering::Relaxed),
        }
    }
}

async fn exchange(State(seen): State<Arc<Seen>>) -> impl IntoResponse {
    let number = seen.exchanges.fetch_add(1, Ordering::Relaxed);
    let response = ExchangeResponse {
        access_token: Secret::new(issued(number)),
        issued_token_type: TokenType::AccessToken.urn().into(),
        token_type: "Bearer".into(),
        expires_in: 24 * 3600,
        scope: Some("reports.read".into()),
        authorization_details: Vec::new(),
    };
    ([(header::CONTENT_TYPE, "application/json")], response.to_json().unwrap_or_default())
}

/// Reads requests without bodies and answers each.
async fn serve(mut stream: TcpStream, seen: Arc<Seen>) {
    _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(8192);
    while let Ok(1..) = stream.read_buf(&mut buffer).await {
        while let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let request: Vec<u8> = buffer.drain(..end + 4).collect();
            seen.requests.fetch_add(1, Ordering::Relaxed);
            if carries_issued(&request) {
                seen.issued.fetch_add(1, Ordering::Relaxed);
            }
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.is_err() {
                return;
            }
        }
    }
}

fn carries_issued(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let mut credentials = text.lines().filter_map(|line| line.strip_prefix("authorization: Bearer "));
    credentials.next().is_some_and(|token| token.starts_with(ISSUED_START)) && credentials.next().is_none()
}
