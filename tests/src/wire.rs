//! HTTP/1.1 by hand, for peers that must cost little beside the Envoy they measure: messages with a `content-length` or none.

use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection that stays open over many messages.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One request or response.
#[derive(Debug)]
pub struct Message {
    head: String,
    pub body: Vec<u8>,
}

impl Connection {
    /// Over a stream that nothing was read from.
    pub fn new(stream: TcpStream) -> Self {
        _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::with_capacity(8192) }
    }

    /// The next message. `None`: the peer has closed between messages.
    ///
    /// # Errors
    /// The connection broke, or what came is no message of this kind.
    pub async fn read(&mut self) -> io::Result<Option<Message>> {
        let mut searched = 0;
        let end = loop {
            let from = usize::saturating_sub(searched, 3);
            if let Some(found) = self.buffer[from..].windows(4).position(|window| window == b"\r\n\r\n") {
                break from + found;
            }
            searched = self.buffer.len();
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let rest = self.buffer.split_off(end + 4);
        let mut head = std::mem::replace(&mut self.buffer, rest);
        head.truncate(end);
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let mut message = Message { head, body: Vec::new() };
        if message.header("transfer-encoding").is_some() {
            return Err(io::Error::other("a message without `content-length`"));
        }
        let length: usize = message.header("content-length").unwrap_or("0").parse().map_err(io::Error::other)?;
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.buffer.split_off(length);
        message.body = std::mem::replace(&mut self.buffer, rest);
        Ok(Some(message))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Returns when the peer closes or the connection breaks. What the peer sends until then is kept.
    pub async fn closed(&mut self) {
        while let Ok(1..) = self.stream.read_buf(&mut self.buffer).await {}
    }
}

impl Message {
    /// The first line.
    pub fn start_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The status, if this is a response; 0 where it has none.
    pub fn status(&self) -> u16 {
        self.start_line().split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// Every header in its order. Envoy writes names in lower case.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": "))
    }

    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Whether a text stands anywhere in it.
    pub fn holds(&self, text: &str) -> bool {
        self.head.contains(text) || self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_are_told_apart_however_they_arrive() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sending = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            for piece in
                ["POST /a HTTP/1.1\r\ncontent-le", "ngth: 5\r\n\r", "\nhe", "lloGET /b HTTP/1.1\r\nx: y\r\n\r\n"]
            {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::new(listener.accept().await.unwrap().0);
        let first = connection.read().await.unwrap().unwrap();
        assert_eq!((first.start_line(), first.body.as_slice()), ("POST /a HTTP/1.1", b"hello".as_slice()));
        assert!(first.holds("hello") && !first.holds("hellos"));
        let second = connection.read().await.unwrap().unwrap();
        assert_eq!((second.start_line(), second.header("x")), ("GET /b HTTP/1.1", Some("y")));
        assert!(connection.read().await.unwrap().is_none());
        sending.await.unwrap();
    }
}
