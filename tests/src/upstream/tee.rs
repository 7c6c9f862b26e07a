//! A connection whose incoming bytes are also kept, so that a test can say of any text that it never came.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The bytes of all connections, each connection's in order.
#[derive(Debug, Default)]
pub struct Tape(Mutex<Vec<Arc<Mutex<Vec<u8>>>>>);

/// A stream that records what it reads.
pub struct Tee {
    stream: TcpStream,
    kept: Arc<Mutex<Vec<u8>>>,
}

impl Tape {
    /// All bytes so far. A gap between two connections keeps them from forming words together.
    pub fn copy(&self) -> Vec<u8> {
        let connections: Vec<_> = lock(&self.0).iter().map(|kept| lock(kept).clone()).collect();
        connections.join(&b"\n\0\n"[..])
    }

    /// Forgets them.
    pub fn clear(&self) {
        let mut connections = lock(&self.0);
        // Closed connections go altogether.
        connections.retain(|kept| Arc::strong_count(kept) > 1);
        connections.iter().for_each(|kept| lock(kept).clear());
    }
}

impl Tee {
    /// Records what `stream` reads on `tape`.
    pub fn new(stream: TcpStream, tape: Arc<Tape>) -> Self {
        let kept = Arc::default();
        lock(&tape.0).push(Arc::clone(&kept));
        Self { stream, kept }
    }
}

impl AsyncRead for Tee {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        let mut kept = lock(&self.kept);
        let new = &buffer.filled()[before..];
        if kept.len() + new.len() > MAX_KEPT {
            // A record with a hole proves nothing, so the connection ends instead.
            return Poll::Ready(Err(io::Error::other("more bytes than the record can hold")));
        }
        kept.extend_from_slice(new);
        done
    }
}

impl AsyncWrite for Tee {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MAX_KEPT: usize = 256 * 1024 * 1024;
