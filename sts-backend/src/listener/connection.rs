//! One connection: handshake, who is on it, requests, end.

use std::{pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

use super::{Kind, Tls, told};
use crate::{actor::Caller, app::App, tls::peer};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// In HTTP/1.1 the time for a request's head runs from the end of the request before it, so for proxies that keep a
/// connection open it is also how long the connection may be idle. It must be longer than the proxy's own idle time (an hour
/// in Envoy), or a request could meet a connection that is just being closed.
const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(3_660);
const STRANGER_HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection of somebody we do not know ends after this long, so that nobody can hold all of them.
const STRANGER_CONNECTION_LIFE: Duration = Duration::from_secs(600);

/// The longest life of any connection; certificates can be valid for longer than a timer can run.
const CONNECTION_LIFE: Duration = Duration::from_secs(24 * 3_600);

const MAX_HEADER_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 100;
const MAX_STREAMS: u32 = 256;
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What bounds a connection, and who is on it.
struct Terms {
    caller: Option<Arc<Caller>>,
    http2: bool,
    header_timeout: Duration,
    life: Duration,
}

/// Serves `router` on `stream` until either side ends it.
pub(super) async fn serve(stream: TcpStream, kind: &Kind, app: &Arc<App>, router: Router, stop: watch::Receiver<bool>) {
    let _open = app.metrics.connection_opened(kind.name());
    match kind {
        Kind::Plain => {
            let terms = Terms {
                caller: None,
                http2: false,
                header_timeout: STRANGER_HEADER_TIMEOUT,
                life: STRANGER_CONNECTION_LIFE,
            };
            serve_http(stream, terms, router, stop, watch::channel(0).1).await;
        }
        Kind::Mtls(tls) | Kind::Direct(tls) => {
            let mut generation = tls.generation.subscribe();
            generation.mark_unchanged();
            match shake_hands(stream, tls).await.and_then(|stream| Ok((terms(&stream, kind, (app.clock)())?, stream))) {
                Ok((terms, stream)) => serve_http(stream, terms, router, stop, generation).await,
                Err(cause) => {
                    app.metrics.handshake_failed(kind.name());
                    tracing::debug!(listener = kind.name(), cause, "a TLS handshake failed");
                }
            }
        }
    }
}

async fn shake_hands(stream: TcpStream, tls: &Tls) -> Result<TlsStream<TcpStream>, String> {
    let handshake = TlsAcceptor::from(tls.config.load_full()).accept(stream);
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("it took longer than {} seconds", HANDSHAKE_TIMEOUT.as_secs())),
    }
}

fn terms(stream: &TlsStream<TcpStream>, kind: &Kind, now: u64) -> Result<Terms, String> {
    let (_, session) = stream.get_ref();
    let http2 = session.alpn_protocol() == Some(b"h2");
    if let Kind::Direct(_) = kind {
        return Ok(Terms {
            caller: Some(Arc::new(Caller::Direct)),
            http2,
            header_timeout: STRANGER_HEADER_TIMEOUT,
            life: STRANGER_CONNECTION_LIFE,
        });
    }
    let leaf = session.peer_certificates().and_then(|chain| chain.first());
    let leaf = leaf.ok_or_else(|| "the client sent no certificate".to_owned())?;
    let peer = peer::read(leaf).map_err(|error| error.to_string())?;
    Ok(Terms {
        caller: Some(Arc::new(Caller::Proxy(peer.certificate))),
        http2,
        header_timeout: PROXY_HEADER_TIMEOUT,
        life: Duration::from_secs(peer.not_after.saturating_sub(now)).min(CONNECTION_LIFE),
    })
}

async fn serve_http<S>(
    stream: S,
    terms: Terms,
    router: Router,
    stop: watch::Receiver<bool>,
    generation: watch::Receiver<u64>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let caller = terms.caller;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        if let Some(caller) = &caller {
            request.extensions_mut().insert(Arc::clone(caller));
        }
        router.clone().oneshot(request)
    });
    let builder = builder(terms.http2, terms.header_timeout);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = until_closing(stop, generation, terms.life) => connection.as_mut().graceful_shutdown(),
    }
    // Errors of a connection concern its client alone; the requests on it have been answered or counted by then.
    _ = connection.await;
}

/// Waits for the first reason to end a connection: the service stops, the trust behind it was replaced, or its time is up.
async fn until_closing(mut stop: watch::Receiver<bool>, mut generation: watch::Receiver<u64>, life: Duration) {
    let replaced = async {
        if generation.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = told(&mut stop) => {}
        () = replaced => {}
        () = tokio::time::sleep(life) => {}
    }
}

fn builder(http2: bool, header_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_BYTES as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
