//! The load: a fixed number of requests over connections that stay open, written and read by hand to cost little.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration, time::Instant};

use harness::Result;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};

/// As many as a busy workload's client pool holds.
const CONNECTIONS: usize = 32;

/// Sends `count` requests, the tokens in turn, and returns how long it took. Any answer but 200 is an error.
pub async fn run(address: SocketAddr, requests: &Rc<Vec<Vec<u8>>>, count: usize) -> Result<Duration> {
    let next = Rc::new(Cell::new(0));
    let started = Instant::now();
    let local = LocalSet::new();
    let connections: Vec<_> = (0..CONNECTIONS.min(count))
        .map(|_| local.spawn_local(connection(address, Rc::clone(requests), Rc::clone(&next), count)))
        .collect();
    local
        .run_until(async {
            for connection in connections {
                connection.await??;
            }
            Ok(started.elapsed())
        })
        .await
}

/// The bytes of a request with this native token.
pub fn request(token: &str) -> Vec<u8> {
    format!(
        "GET /reports/42 HTTP/1.1\r\nhost: edge.test\r\nuser-agent: bench\r\naccept: */*\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

async fn connection(
    address: SocketAddr,
    requests: Rc<Vec<Vec<u8>>>,
    next: Rc<Cell<usize>>,
    count: usize,
) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4096);
    while next.get() < count {
        let number = next.replace(next.get() + 1);
        let request = requests.get(number % requests.len()).ok_or("no requests")?;
        stream.write_all(request).await?;
        answer(&mut stream, &mut buffer).await?;
    }
    Ok(())
}

async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("Envoy closed a connection".into());
        }
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).to_ascii_lowercase();
        if !head.starts_with("http/1.1 200 ") {
            return Err(format!("not 200: {}", String::from_utf8_lossy(buffer)).into());
        }
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).ok_or("an answer without length")?;
        if buffer.len() >= end + 4 + length.parse::<usize>()? {
            return Ok(());
        }
    }
}
