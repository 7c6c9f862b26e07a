use std::{net::Ipv4Addr, sync::Arc};

use axum::{Extension, routing::get};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::sync::Notify;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    actor::{Caller, PeerCertificate},
    fixture::{Authority, Fixture, Pair, Service},
};

const EDGE: &str = "spiffe://cloakroom.test/edge/egress";
const DRAIN: Duration = Duration::from_secs(5);
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A listener that runs, with the service behind it.
struct Running {
    fixture: Fixture,
    service: Service,
    tls: Arc<Tls>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

async fn mtls(router: Router) -> Running {
    run(router, |config| Kind::Mtls(Tls::new(Arc::clone(&config.listeners.mtls.tls))), crate::clock::now).await
}

async fn run(router: Router, kind: impl FnOnce(&crate::config::Config) -> Kind, clock: fn() -> u64) -> Running {
    let fixture = Fixture::new().without_network();
    let mut service = fixture.service().await;
    Arc::get_mut(&mut service.app).unwrap().clock = clock;
    let kind = kind(&fixture.load());
    let tls = match &kind {
        Kind::Mtls(tls) | Kind::Direct(tls) => Arc::clone(tls),
        Kind::Plain => unreachable!("these tests are of TLS"),
    };
    let listener = Listener::bind(kind, ANY_PORT).await.unwrap();
    let address = listener.address().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(listener.run(Arc::clone(&service.app), router, 100, stopped, DRAIN));
    Running { fixture, service, tls, address, stop, task }
}

impl Running {
    fn client(&self, pair: Option<&Pair>, alpn: &str) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.fixture.authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }

    async fn connect(&self, client: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        client.connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// `GET path` on a connection of its own.
    async fn get(&self, pair: Option<&Pair>, alpn: &str, path: &str) -> Result<(StatusCode, Bytes), String> {
        let stream = self.connect(&self.client(pair, alpn)).await.map_err(|error| error.to_string())?;
        let stream = TokioIo::new(stream);
        let request = Request::get(format!("https://localhost{path}")).body(Empty::<Bytes>::new()).unwrap();
        let response = if alpn == "h2" {
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream);
            let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let handshake = hyper::client::conn::http1::handshake(stream);
            let (mut sender, connection) = handshake.await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let response = response.map_err(|error| error.to_string())?;
        let status = response.status();
        Ok((status, response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes()))
    }

    fn edge(&self) -> Pair {
        self.fixture.authority.issue(&[EDGE])
    }

    async fn failed_handshakes(&self) -> bool {
        let counted = r#"cloakroom_tls_handshakes_failed_total{listener="mtls"} 1"#;
        for _ in 0..500 {
            if self.service.app.metrics.text(&[]).unwrap().contains(counted) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }
}

/// Answers with the names of the caller.
fn who() -> Router {
    Router::new().route("/who", get(|Extension(caller): Extension<Arc<Caller>>| async move { format!("{caller:?}") }))
}

#[tokio::test]
async fn a_client_is_known_by_its_certificate_in_both_versions_of_http() {
    let running = mtls(who()).await;
    let wanted = format!("{:?}", Caller::Proxy(PeerCertificate::new(vec![EDGE.to_owned()])));
    for alpn in ["h2", "http/1.1"] {
        let (status, body) = running.get(Some(&running.edge()), alpn, "/who").await.unwrap();
        assert_eq!((status, body.as_ref()), (StatusCode::OK, wanted.as_bytes()), "{alpn}");
    }
}

#[tokio::test]
async fn without_a_certificate_there_is_no_connection() {
    let running = mtls(who()).await;
    assert!(running.get(None, "h2", "/who").await.is_err());
    assert!(running.failed_handshakes().await);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let running = mtls(who()).await;
    let stranger = Authority::new().issue(&[EDGE]);
    assert!(running.get(Some(&stranger), "http/1.1", "/who").await.is_err());
    assert!(running.failed_handshakes().await);
}

#[tokio::test]
async fn nothing_is_resumed_where_certificates_are_required() {
    let running = mtls(who()).await;
    let client = running.client(Some(&running.edge()), "http/1.1");
    for _ in 0..3 {
        let stream = running.connect(&client).await.unwrap();
        let mut stream = TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(&mut stream).await.unwrap();
        let request = Request::get("/who").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        let ask = async {
            let response = sender.send_request(request).await.unwrap();
            response.into_body().collect().await.unwrap();
            drop(sender);
        };
        let (_, ended) = tokio::join!(ask, connection);
        ended.unwrap();
        assert_eq!(stream.inner().get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_stranger_is_welcome_where_no_certificate_is_asked_for() {
    let direct = |config: &crate::config::Config| {
        Kind::Direct(Tls::new(Arc::clone(&config.listeners.direct.as_ref().unwrap().listener.tls)))
    };
    let running = run(who(), direct, crate::clock::now).await;
    let (_, body) = running.get(None, "h2", "/who").await.unwrap();
    assert_eq!(body, format!("{:?}", Caller::Direct));
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_that_opened_it() {
    // To this clock the certificate has long expired; TLS judged it by the real one.
    let mtls = |config: &crate::config::Config| Kind::Mtls(Tls::new(Arc::clone(&config.listeners.mtls.tls)));
    let running = run(who(), mtls, || u64::MAX).await;
    let stream = running.connect(&running.client(Some(&running.edge()), "http/1.1")).await.unwrap();
    let (_sender, connection) =
        hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.unwrap();
    _ = tokio::time::timeout(DRAIN, connection).await.expect("the server ends the connection");
}

#[tokio::test]
async fn a_new_certificate_serves_new_connections_and_open_ones_go_on() {
    let running = mtls(who()).await;
    let client = running.client(Some(&running.edge()), "http/1.1");
    let open = running.connect(&client).await.unwrap();
    let before = open.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(open)).await.unwrap();
    tokio::spawn(connection);
    let request = || Request::get("/who").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    sender.send_request(request()).await.unwrap().into_body().collect().await.unwrap();

    let fresh = running.fixture.authority.issue(&["spiffe://cloakroom.test/sts"]);
    running.fixture.write("tls/sts.crt", &fresh.certificate);
    running.fixture.write("tls/sts.key", &fresh.key);
    running.tls.replace(running.fixture.load().listeners.mtls.tls, false);

    let next = running.connect(&client).await.unwrap();
    assert_ne!(next.get_ref().1.peer_certificates().unwrap()[0], before);
    sender.ready().await.unwrap();
    assert_eq!(sender.send_request(request()).await.unwrap().status(), StatusCode::OK);

    running.tls.replace(running.fixture.load().listeners.mtls.tls, true);
    let ended = async {
        while sender.ready().await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(DRAIN, ended).await.expect("connections end when the clients' CA is replaced");
}

#[tokio::test]
async fn a_stopping_listener_finishes_what_is_in_flight() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        get(move || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        })
    };
    let running = mtls(Router::new().route("/slow", slow)).await;
    let edge = running.edge();
    let ask = running.get(Some(&edge), "h2", "/slow");
    let end = async {
        entered.notified().await;
        running.stop.send(true).unwrap();
        while TcpStream::connect(running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        release.notify_one();
    };
    let (answer, ()) = tokio::join!(ask, end);
    assert_eq!(answer.unwrap().1, "done");
    running.task.await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_with_what_to_do() {
    let first = Listener::bind(Kind::Plain, ANY_PORT).await.unwrap();
    let address = first.address().unwrap();
    let Err(error) = Listener::bind(Kind::Plain, address).await else { panic!("the port was given twice") };
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("listeners.operations.address"), "{text}");
    assert!(text.contains("another process") && text.contains("ss -ltnp"), "{text}");
}
